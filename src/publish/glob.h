/*
 * Path patterns of the spec: `*` and `?` match within one component, a component `**` matches any number of components
 * (also none), `[a-z]`, `[!a-z]` one character, `{a,b}` alternatives (they nest), `\` takes the next character as it is.
 * A pattern covers the whole path beneath the output; one that ends in "/" means all below. Leading dots are ordinary.
 * Matching takes time in the order of pattern × path × components, whatever the pattern.
 */
#ifndef CAISSON_PUBLISH_GLOB_H
#define CAISSON_PUBLISH_GLOB_H

#include <stdbool.h>

#include "core/error.h"
#include "core/strings.h"

#define GLOB_MAX_LENGTH 1024
#define GLOB_MAX_ALTERNATIVES 256

struct glob {
    struct strings alternatives; /* the pattern with its braces multiplied out */
};
/* 0, or CLASS_SPEC_INVALID, reason "bad-glob", and nothing to dispose of. */
int glob_init(struct glob *glob, const char *pattern, struct error *err);
void glob_dispose(struct glob *glob);
bool glob_matches(const struct glob *glob, const char *path);

/* Several of them. */
struct glob_list {
    struct glob *items;
    size_t len;
};
int glob_list_init(struct glob_list *list, const struct strings *patterns, struct error *err);
void glob_list_dispose(struct glob_list *list);
/* Whether any matches. */
bool glob_list_matches(const struct glob_list *list, const char *path);

#endif
