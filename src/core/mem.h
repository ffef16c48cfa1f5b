/*
 * Memory and small owners. Allocation failure ends the process with a clear message on standard error: there is
 * nothing useful that PID 1 could do without memory, and the task's end is reported from outside.
 */
#ifndef CAISSON_CORE_MEM_H
#define CAISSON_CORE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *old, size_t count, size_t size); /* count * size is checked */
char *xstrdup(const char *text);                      /* NULL gives NULL */
char *xstrndup(const char *text, size_t length);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Overwrites with zeros in a way the compiler keeps, for secrets. */
void wipe(void *data, size_t size);
/* Wipes and frees a string; NULL is fine. */
void wipe_free(char *text);

/* A secret's text in memory of its own that no core dump has, that is not swapped out where that can be had, and that
 * is wiped by secret_free (and by nothing else). secret_dup: NULL gives NULL. */
char *secret_new(const char *text, size_t length);
char *secret_dup(const char *text);
void secret_free(char *text);

/* From now on no process of our uid may read our memory, environment and descriptors, nor a core dump keep them. */
void memory_hide(void);
/* At the very end: LeakSanitizer attaches to its own process. Nothing in builds without it. */
void memory_show_to_leak_check(void);
/* Whether this is such a build: our own programs must be able to trace themselves then. */
bool memory_is_leak_checked(void);

/* Scope-bound owners: `CLEANUP_FREE char *name = …;`, `CLEANUP_CLOSE int fd = …;` */
void cleanup_free(void *pointer);
void cleanup_close(const int *fd);
void cleanup_fclose(FILE **file);
#define CLEANUP_FREE __attribute__((cleanup(cleanup_free)))
#define CLEANUP_CLOSE __attribute__((cleanup(cleanup_close)))
#define CLEANUP_FCLOSE __attribute__((cleanup(cleanup_fclose)))

#define ARRAY_LEN(array) (sizeof(array) / sizeof *(array))

#endif
