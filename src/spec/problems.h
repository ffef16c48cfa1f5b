/* Collecting mistakes. Private to spec/. */
#ifndef CAISSON_SPEC_PROBLEMS_H
#define CAISSON_SPEC_PROBLEMS_H

#include "spec/spec.h"

#define PROBLEMS_MAX 100
/* How much of a value a message quotes. */
#define QUOTE_SIZE 160

/* Both return −1. The hint may be NULL. */
int problem_add(struct problems *problems, struct position at, const char *path, const char *hint, const char *format,
                ...) __attribute__((format(printf, 5, 6)));

/* By line and column. */
void problems_sort(struct problems *problems);

/* A value as a message shows it: in quotes, cut, control characters escaped. */
const char *quote(char out[QUOTE_SIZE], const char *text);

/* The candidate of the NULL-terminated list that is nearest to what was written, or NULL when none is near. */
const char *suggest(const char *written, const char *const *candidates);

#endif
