/*
 * A folder of entries that outlives the job, as content-addressed objects in S3 or in a folder. An entry is a folder
 * at the top of it that is of use as a whole only: one image layout of the engine's layer cache.
 *
 *   <to>/<project>/<ref>/manifest.json        which entries there are, and path, size and hash of each of their files
 *   <to>/<project>/<ref>/blobs/sha256/<hash>  each content once
 *
 * Project and ref are one path component each (cache_component), and only jobs of that project and ref write below
 * them. A job reads its own ref's entries, and those of the default branch that its own ref has not; it stores what the
 * default branch has not. So what one branch stores reaches no other, but what the default branch stores reaches all
 * of the project. Everything stored is the word of an earlier build: hostile input.
 *
 * An entry's age counts from when it was last written or used: restored files get a time of access in 1970, and one
 * that is later at the end was read. (Where the file system keeps no access times, from when it was written.)
 *
 * Saving at once, and what is removed (manifest.json only ever changes by compare-and-swap):
 * 1. The hashes to be uploaded are noted in the manifest as pending. A save that is killed leaves a valid manifest, and
 *    what it had uploaded is known: pending for CACHE_PENDING_MS and in no entry, it is dropped like 3.
 * 2. They are uploaded, then the new entries are listed. When someone else has changed the manifest meanwhile, all is
 *    merged with theirs and decided again.
 * 3. What no entry needs any more is marked dead by that same change, and only then removed. Nobody lists a dead hash
 *    (an entry that needs one is left out of this save), so nobody can come to rely on what is being removed. The mark
 *    stays for CACHE_DEAD_MS, longer than a request may take to arrive, and until a look shows that it is gone.
 */
#ifndef CAISSON_CACHE_CACHE_H
#define CAISSON_CACHE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/s3.h"
#include "core/error.h"
#include "core/strings.h"

#define CACHE_PENDING_MS ((int64_t)2 * 60 * 60 * 1000)
#define CACHE_DEAD_MS ((int64_t)60 * 60 * 1000)

struct cache_options {
    const char *to;    /* "s3://bucket/prefix/" or "file:/folder/"; borrowed, as all of these */
    struct s3 *s3;     /* of its bucket; NULL for file: */
    struct loop *loop; /* that s3 runs in; NULL for file: */
    const char *project;
    const char *ref;                /* of this job: "refs/heads/main"; NULL: it has none, nothing can be saved */
    const char *fallback_ref;       /* read beside ref, never written; NULL: none */
    const struct strings *distrust; /* entries whose blobs were found wrong when they were restored: not relied on by
                                     * the save; NULL: none */
    int64_t max_age_ms;             /* entries that no build used for so long are dropped; 0: none */
    int64_t max_bytes;              /* those not used for longest are dropped above it; 0: none */
    int64_t now_ms;                 /* wall time */
    int64_t deadline_ms;            /* monotonic; 0: none */
    const bool *stop;
    /* Asked often while no loop runs that could set *stop: it sets it. NULL: something else does. */
    bool (*stopped)(void *stopped_context);
    void *stopped_context;
    int at_once;                                         /* requests; 0: 16 */
    void (*on_warning)(void *context, const char *text); /* NULL: nobody hears */
    void (*on_progress)(void *context, int64_t done_bytes, int64_t all_bytes);
    void *context;
};
struct cache_result {
    int64_t entries, bytes; /* restored; or in the manifest of our ref from now on */
    int64_t from_fallback;  /* restore: entries of the default branch; save: those that are there already */
    int64_t used, added;    /* save: entries that the build used, and that are new */
    int64_t transferred_files, transferred_bytes;
    int64_t dropped;       /* restore: entries found wrong or gone; save: too old, or too many */
    struct strings broken; /* restore: names of those of our own ref */
};
void cache_result_dispose(struct cache_result *result);

/* Both are best effort for the job: errors (CLASS_PLATFORM, CLASS_CREDENTIALS, …) become warnings of the caller. The
 * folder is open, and beneath it nothing is followed. An entry is put there whole, or not at all, also when it ends
 * half-way: what was fetched is hashed, and what does not match is dropped with the entries that need it. A deadline
 * leaves what has come by then, and is no error; a stop is one. */
int cache_restore(const struct cache_options *options, int folder_fd, struct cache_result *result, struct error *err);
/* Nobody writes to the folder any more. */
int cache_save(const struct cache_options *options, int folder_fd, struct cache_result *result, struct error *err);

/* A project or a ref as one path component: letters, digits, ".", "_" and "-" stay, all else becomes "~" and two hex
 * digits (no project or ref has a "~"), as does a leading dot; what would be longer than 200 bytes ends in "~~" and its
 * SHA-256. No two texts give the same. Caller frees with free. */
char *cache_component(const char *text);

#endif
