/*
 * What a publish will do, drawn from the tree, the state that it found and the mode: pure, no requests. The rules are
 * in docs/publishing.md.
 */
#ifndef CAISSON_PUBLISH_PLAN_H
#define CAISSON_PUBLISH_PLAN_H

#include "publish/manifest.h"
#include "publish/tree.h"

enum plan_kind {
    PLAN_KEEP,   /* nothing to do: same bytes, same headers */
    PLAN_CREATE, /* not there as far as we know */
    PLAN_OVERWRITE,
    PLAN_REMOVE,
};

enum plan_status {
    PLAN_OPEN,
    PLAN_DONE,
    PLAN_CONFLICT, /* its condition failed: something else is there than we thought */
    PLAN_SKIPPED,  /* someone else's file: left alone */
};

struct plan_item {
    enum plan_kind kind;
    const char *path;                 /* borrowed from tree, manifest or pending list */
    const struct tree_file *file;     /* NULL: a removal */
    const struct manifest_file *base; /* our last entry for it; NULL: none */
    struct content content;           /* what it will hold: the file's, with the form that its ETag has to take */
    bool probe;                       /* look first: an unfinished publish may have been at it */
    bool blocks, blocked; /* a removal that makes room for a file where a folder was, or the other way round;
                                     * the file that waits for it */

    /* as it goes on */
    enum plan_status status;
    bool exists; /* what is there now, and what acting on it expects: */
    bool ours;   /* … put there by this target's publishes */
    struct content expected;
    char *etag;   /* owned; of what is there: before the act what it expects, after it the result */
    bool written; /* a PUT of this publish is there */
    bool created; /* this publish made the object: removed again when the publish is called off */
};

struct plan {
    struct plan_item *items; /* in the order of paths */
    size_t len;
    size_t creates, overwrites, removals, kept;
};

/* All arguments outlive the plan. The manifest is thinned: whatever it lists as pending counts. */
void plan_make(struct plan *plan, const struct tree *tree, const struct manifest *manifest, enum publish_mode mode);
void plan_dispose(struct plan *plan);
/* Whether the target's tree is as it should be: nothing to write but the state. */
bool plan_is_empty(const struct plan *plan);
/* The intents of this plan, as they stand now. Caller disposes. */
void plan_intents(const struct plan *plan, struct pending *pending);

#endif
