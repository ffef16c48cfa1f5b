/*
 * The state of a target, one JSON document (schema "caisson.manifest/1"): who holds the claim, what we have put there,
 * and what publishes that did not end may still do to it (docs/publishing.md). Others can write to the place where it
 * lies: reading is bounded and strict.
 */
#ifndef CAISSON_PUBLISH_MANIFEST_H
#define CAISSON_PUBLISH_MANIFEST_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/sign.h"
#include "core/buf.h"
#include "core/error.h"
#include "publish/header_rules.h"

#define MANIFEST_MAX_BYTES ((size_t)64 << 20)
#define MANIFEST_NONCE_SIZE 33

/* What an object holds: its bytes, its headers, and the form of its ETag (see form in docs/publishing.md). */
struct content {
    char sha256[SHA256_HEX_SIZE]; /* "": not known */
    char meta[META_SIZE];
    int form; /* 0 or 1 */
    int64_t size;
};
bool content_same(const struct content *a, const struct content *b); /* bytes and headers */
/* Whether the two would have the same ETag; what is not known might. */
bool content_same_etag(const struct content *a, const struct content *b);

struct manifest_file {
    char *path;
    struct content content;
    char *etag; /* NULL: we do not know what is there now, only that it is ours */
};

/* One thing that a publish may do: write the path (over `expected`, or new), or remove it. */
struct intent {
    char *path;
    bool remove;
    bool expects; /* it acts on an object that is there: with If-Match of its ETag */
    struct content expected;
    struct content content; /* what it writes; empty for a removal */
    /* in a list made of several, where they differ; else 0 */
    int64_t settled_at_ms;       /* from the list's */
    int64_t write_settled_at_ms; /* from the intent's: of the write, where a removal came after it */
};

/* The intents of a publish that has not ended, or that lost its claim a short time ago. */
struct pending {
    char *job_id;
    int64_t created_at_ms;
    int64_t settled_at_ms;  /* wall time at which a later publish had dealt with it; 0: not yet */
    struct intent *intents; /* sorted by path */
    size_t len;
};

enum claim_state { CLAIM_NONE, CLAIM_CLAIMED, CLAIM_COMMITTING, CLAIM_DONE };

struct manifest {
    char *target; /* "s3://bucket/prefix/": a state that was copied elsewhere is not taken for ours */
    enum claim_state state;
    char *job_id;
    int64_t created_at_ms, claimed_at_ms;
    char nonce[MANIFEST_NONCE_SIZE]; /* makes every version of the document differ from all others */
    bool whole;                      /* a mirror has ended here: `files` names all that is to be there */
    struct manifest_file *files;     /* sorted by path */
    size_t files_len;
    struct pending *pending; /* the oldest first; the claim's own is the last */
    size_t pending_len;
};

void manifest_init(struct manifest *manifest);
void manifest_dispose(struct manifest *manifest);
/* `what` names the place for messages. CLASS_UPLOAD_FAILED, reason "bad-manifest". */
int manifest_parse(struct manifest *manifest, struct view text, const char *what, struct error *err);
/* Appends the document. */
int manifest_format(const struct manifest *manifest, struct buf *out, struct error *err);

/* A copy of a file's entry at the end; etag may be NULL. Sort when all are there. */
void manifest_add_file(struct manifest *manifest, const char *path, const struct content *content, const char *etag);
void manifest_sort_files(struct manifest *manifest);
/* What may stand in a document as a path or an ETag. */
bool manifest_is_path(const char *path);
bool manifest_is_etag(const char *etag);
const struct manifest_file *manifest_find(const struct manifest *manifest, const char *path);
const struct intent *pending_find(const struct pending *pending, const char *path);
/* Deep copy, added at the end. Borrowed until the next one is added. */
struct pending *manifest_add_pending(struct manifest *manifest, const struct pending *from);
void pending_dispose(struct pending *pending);

/* How long after its claim was lost a publish may still have requests under way: S3 refuses a signature that is older
 * than 15 minutes. */
#define PENDING_KEPT_MS ((int64_t)20 * 60 * 1000)
/* Wall time at which a later publish had dealt with the intent; 0: not yet. */
int64_t pending_settled_at(const struct pending *pending, const struct intent *intent);
/* Whether it may still write, and nobody has looked since. */
bool pending_may_write(const struct pending *pending, const struct intent *intent);
/* Drops what was settled so long ago that it no longer counts, and keeps the lists few. */
void manifest_thin_pending(struct manifest *manifest, int64_t now_ms);

/* The short text that each object carries (x-amz-meta-caisson), from which a HEAD tells what it holds. */
#define STAMP_SIZE 128
void stamp_format(const struct content *content, const char *target, char stamp[STAMP_SIZE]);
/* False when it is none of ours, or that of another target. */
bool stamp_parse(const char *stamp, const char *target, struct content *content);

#endif
