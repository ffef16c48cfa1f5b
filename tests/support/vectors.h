/*
 * Folders of inputs beside what is expected of them. With UPDATE_VECTORS set in the environment the expectation is
 * written anew (and the change is for git diff to judge); else a difference fails the test and shows itself.
 */
#ifndef CAISSON_TESTS_SUPPORT_VECTORS_H
#define CAISSON_TESTS_SUPPORT_VECTORS_H

#include "core/buf.h"
#include "core/strings.h"

/* The names in tests/<folder> that end in one of the suffixes (NULL-terminated) and in none of the `except`, sorted. */
void vectors_list(const char *folder, const char *const *suffixes, const char *except, struct strings *names);
/* A whole file of tests/<folder>; the test fails when it cannot be read. False when it is not there. Caller disposes. */
bool vectors_read(const char *folder, const char *name, struct buf *out);
/* Compares with tests/<folder>/<name>, line by line. */
void vectors_expect(const char *folder, const char *name, const char *actual);

#endif
