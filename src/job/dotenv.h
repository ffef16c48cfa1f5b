/*
 * build.dotenv: `env` of the spec, and never a secret, as the file .env of the project, for tools that read the file
 * alone. What the repository's own .env says stays above; of two lines with one name parsers take the last.
 *
 * There is no standard. What is written is understood alike by the dotenv packages of Node (and Vite, Next.js, Create
 * React App on top), Python and Ruby, by Node's --env-file and by Docker Compose: single quotes keep everything as it is,
 * so they are preferred. (dotenv-expand puts $NAME in even there, but lets the environment win, which has the same value
 * unchanged.) A value that no quotes can hold is left out.
 */
#ifndef CAISSON_JOB_DOTENV_H
#define CAISSON_JOB_DOTENV_H

#include "job/job.h"

/* Once, before the first command of the user. Nothing when the spec does not ask for it. CLASS_CONTENT_REFUSED,
 * "dotenv-refused", when the repository's .env is a link or no file. */
int job_dotenv(struct job *job, struct error *err);

/* "NAME=value\n", quoted as it must be. False, and nothing added, when no quotes can hold the value. */
bool dotenv_add(struct buf *out, const char *name, const char *value);

#endif
