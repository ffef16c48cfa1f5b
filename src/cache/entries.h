/* The entries of a folder that hostile code has written: listed, opened and made without following anything. */
#ifndef CAISSON_CACHE_ENTRIES_H
#define CAISSON_CACHE_ENTRIES_H

#include "cache/cache.h"
#include "cache/manifest.h"

/* The time of access that restored files get: one that is later says that they were read. */
#define ENTRIES_UNUSED_S 1

/* Lists and hashes them: used_ms and written_ms are `now`, or 0 for one that was neither used nor written since it was
 * restored. What is no cache entry (links, devices, odd names, too many files) is left out, with a warning. */
int entries_list(const struct cache_options *options, int folder_fd, struct cache_manifest *found, struct error *err);
/* A file of an entry, for reading; fd or -errno. */
int entries_open(int folder_fd, const char *entry, const char *path);
/* A new file of an entry and the folders on the way to it; fd for reading and writing, or -errno. */
int entries_make(int folder_fd, const char *entry, const char *path);
/* A warning of the cache, if anybody hears it. */
void entries_warn(const struct cache_options *options, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
