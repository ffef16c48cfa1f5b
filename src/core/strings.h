/*
 * A growing list of owned strings that is always NULL-terminated, so that `items` serves as argv or envp, and the
 * "NAME=value" helpers for those that are environments. Zero-initialised is an empty list. strings_dispose frees all.
 */
#ifndef CAISSON_CORE_STRINGS_H
#define CAISSON_CORE_STRINGS_H

#include <stdbool.h>
#include <stddef.h>

struct strings {
    char **items; /* NULL while the list is empty and untouched */
    size_t len;
};

void strings_add(struct strings *list, const char *text);
void strings_addf(struct strings *list, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Takes ownership of a malloc'd string. */
void strings_take(struct strings *list, char *text);
void strings_copy(struct strings *to, const struct strings *from);
bool strings_has(const struct strings *list, const char *text);
void strings_sort(struct strings *list);
void strings_dispose(struct strings *list);
/* Wipes each before it frees: for lists that may hold secrets. */
void strings_wipe(struct strings *list);

/* Environment lists. env_set replaces an earlier value of the name. env_get borrows; NULL when absent. */
void env_set(struct strings *env, const char *name, const char *value);
const char *env_get(const struct strings *env, const char *name);
void env_unset(struct strings *env, const char *name);

#endif
