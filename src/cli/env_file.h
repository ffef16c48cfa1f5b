/*
 * A captured environment, for `caisson plan --env-file`: what an existing system's RunTask sends, as JSON or as lines.
 * JSON is a list of {"name": …, "value": …}, as containerOverrides have it (a name may stand twice, and values may hold
 * newlines), or an object of names and texts. Lines are NAME=value; others, and those that begin with #, are skipped.
 */
#ifndef CAISSON_CLI_ENV_FILE_H
#define CAISSON_CLI_ENV_FILE_H

#include "core/error.h"
#include "core/strings.h"

/* Adds "NAME=value" to *env, in the file's order. CLASS_USAGE: "env-file-unreadable", "bad-json", "env-file-invalid". */
int env_file_load(const char *path, struct strings *env, struct error *err);

#endif
