/*
 * A folder that outlives the job, as content-addressed objects in S3 or in a folder: `blobs/sha256/<hash>` once, and one
 * manifest a project and ref that lists path, mode, size and hash of each file. What is stored is the word of an earlier
 * build: hostile input, confined to the project and the ref that wrote it.
 *
 *   <to>/<project>/<ref>/manifest.json        written by jobs of that ref
 *   <to>/<project>/<ref>/blobs/sha256/<hash>  those too; another ref reads the default branch's, and never writes there
 */
#ifndef CAISSON_CACHE_CACHE_H
#define CAISSON_CACHE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/s3.h"
#include "core/error.h"

struct cache_options {
    const char *to; /* "s3://bucket/prefix/" or "file:/folder/"; borrowed, as all of these */
    struct s3 *s3;  /* of its bucket; NULL for file: */
    const char *project;
    const char *ref;          /* of this job: "main"; escaped into one path component */
    const char *fallback_ref; /* read when there is nothing of ref; NULL: none */
    int64_t max_age_ms;       /* files that no build used for so long are dropped; 0: none */
    int64_t max_bytes;        /* the oldest are dropped above it; 0: none */
    int64_t now_ms;           /* wall time */
    const bool *stop;
    int at_once; /* objects; 0: 16 */
};
struct cache_result {
    char ref[256];        /* that was read; "": there was nothing */
    int64_t files, bytes; /* restored, or in the new manifest */
    int64_t transferred_files, transferred_bytes;
    int64_t dropped_files;
};
/* Both are best effort for the job: errors (CLASS_PLATFORM) become warnings of the caller. The folder is open, beneath
 * it nothing is followed. Restore writes only into an empty folder, and hashes what it writes: what does not match is
 * dropped with its manifest. */
int cache_restore(const struct cache_options *options, int folder_fd, struct cache_result *result, struct error *err);
/* Uploads what is new, then replaces the manifest on the condition that nobody else has meanwhile (then: merge, again). */
int cache_save(const struct cache_options *options, int folder_fd, struct cache_result *result, struct error *err);

#endif
