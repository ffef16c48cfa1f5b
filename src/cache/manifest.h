/*
 * What a place holds, one JSON document (schema "caisson.cache/1"). Others may have written it: reading is strict and
 * bounded, and names and paths are confined.
 *
 *   {"schema": …, "project": …, "ref": …, "entries": {NAME: {"written_ms": …, "used_ms": …,
 *    "files": {PATH: {"size": …, "sha256": …}}}}, "pending": {SHA256: MS}, "dead": {SHA256: MS}}
 */
#ifndef CAISSON_CACHE_MANIFEST_H
#define CAISSON_CACHE_MANIFEST_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/sign.h"
#include "core/buf.h"
#include "core/error.h"

#define CACHE_MANIFEST_BYTES ((size_t)16 << 20)
#define CACHE_ENTRIES_MAX 4096
#define CACHE_ENTRY_FILES_MAX 64
#define CACHE_BLOBS_MAX 65536
#define CACHE_NAME_MAX 200
#define CACHE_PATH_MAX 512
#define CACHE_FILE_BYTES ((int64_t)1 << 40) /* S3 takes no more than 5 TiB */

struct cache_file {
    char *path; /* within the entry */
    int64_t size;
    char sha256[SHA256_HEX_SIZE];
};
struct cache_entry {
    char *name;
    int64_t written_ms, used_ms;
    struct cache_file *files; /* sorted by path, at least one */
    size_t files_len;
};
/* A set of contents, sorted by hash. */
struct cache_blob {
    char sha256[SHA256_HEX_SIZE];
    int64_t size, at_ms;
};
struct cache_blobs {
    struct cache_blob *items;
    size_t len;
};
struct cache_manifest {
    char *project, *ref;         /* as they are, not as components */
    struct cache_entry *entries; /* sorted by name */
    size_t entries_len;
    struct cache_blobs pending, dead; /* at_ms: since when */
};

void cache_manifest_init(struct cache_manifest *manifest, const char *project, const char *ref);
void cache_manifest_dispose(struct cache_manifest *manifest);
/* CLASS_PLATFORM, reason "bad-manifest"; `what` names the place. Leaves an empty, disposed manifest. */
int cache_manifest_parse(struct cache_manifest *manifest, struct view text, const char *what, struct error *err);
/* Appends the document; -1: too large for `out`. */
int cache_manifest_format(const struct cache_manifest *manifest, struct buf *out);

bool cache_is_name(const char *name);
bool cache_is_path(const char *path);
struct cache_entry *cache_manifest_find(const struct cache_manifest *manifest, const char *name);
/* Adds a deep copy in its place, instead of an entry of that name. */
struct cache_entry *cache_manifest_put(struct cache_manifest *manifest, const struct cache_entry *entry);
void cache_manifest_remove(struct cache_manifest *manifest, const char *name);
/* Whether they hold the same. */
bool cache_entry_same(const struct cache_entry *a, const struct cache_entry *b);
int64_t cache_entry_bytes(const struct cache_entry *entry);
void cache_entry_dispose(struct cache_entry *entry);
/* Takes the path. Sort when all are there. */
void cache_entry_add(struct cache_entry *entry, char *path, int64_t size, const char *sha256);
void cache_entry_sort(struct cache_entry *entry);

/* All that the entries need. Caller disposes. */
void cache_manifest_blobs(const struct cache_manifest *manifest, struct cache_blobs *blobs);
struct cache_blob *cache_blobs_find(const struct cache_blobs *blobs, const char *sha256);
/* Adds one, or changes its time. */
void cache_blobs_put(struct cache_blobs *blobs, const char *sha256, int64_t size, int64_t at_ms);
void cache_blobs_remove(struct cache_blobs *blobs, const char *sha256);
void cache_blobs_dispose(struct cache_blobs *blobs);

/* Drops what is older than max_age_ms (0: none), then what was not used for longest until all is within max_bytes (0:
 * none). The number of entries dropped. */
int64_t cache_manifest_prune(struct cache_manifest *manifest, int64_t now_ms, int64_t max_age_ms, int64_t max_bytes);

#endif
