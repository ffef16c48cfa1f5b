/*
 * Where a publish goes: an S3 prefix or a folder. A target knows how to look at, write and remove one path under a
 * condition, and keeps one state document with optimistic locking; the order of things (claim, two phases) is the same
 * for all and lives in publication.h.
 *
 * Life cycle: target_open … target_free. One process, one thread; calls run many at once where the target can.
 */
#ifndef CAISSON_PUBLISH_TARGET_H
#define CAISSON_PUBLISH_TARGET_H

#include "net/loop.h"
#include "publish/manifest.h"
#include "publish/publish.h"
#include "publish/tree.h"

/* Files up to here are read at once, so that no descriptor stays open. */
#define TARGET_IN_MEMORY ((int64_t)512 << 10)
/* Of one file from TREE_LARGE on: 1 GiB goes up in four waves of latency. */
#define TARGET_PARTS_AT_ONCE 32

enum target_act { TARGET_PROBE, TARGET_PUT, TARGET_REMOVE };

/* One thing to do to one path. The caller owns it and keeps it until `done`. */
struct target_call {
    enum target_act act;
    const char *path;        /* beneath the target */
    const char *if_match;    /* PUT, REMOVE: only over this ETag; NULL: no such condition */
    bool if_absent;          /* PUT: only when nothing is there */
    const struct tree *tree; /* PUT: where the file comes from */
    const struct tree_file *file;
    struct content content; /* PUT: the file's, with the form to write it in */
    /* Called once, perhaps from within target_start. error is NULL when it was done or met a conflict. */
    void (*done)(void *context, const struct error *error);
    void *context;

    /* the answer */
    bool conflict;        /* PUT, REMOVE: the condition did not hold; nothing was done */
    bool denied;          /* PROBE: it cannot be told. Without ListBucket S3 says so for what is not there, too */
    bool exists;          /* PROBE */
    bool ours;            /* PROBE: it says of itself that a publish to this target wrote it */
    struct content found; /* PROBE: what it holds, as far as one can tell */
    char *etag;           /* owned; PROBE: of what is there, PUT: of what was written */
    int64_t duration_ms;  /* of the last request, waiting for a turn apart; for the choice of concurrency */
    void *handle;         /* the target's own */
};

struct target_stats {
    uint64_t requests, retries, slow_downs;
    double pace; /* requests a second that the server is being sent; 0: no limit */
};

struct target {
    const struct target_type *type;
    struct loop *loop; /* borrowed */
    char *uri;         /* "s3://bucket/prefix/" or "file:///folder/" */
    size_t prefix_len; /* counts towards the length of keys */
    int max_concurrency;
    bool has_headers;                         /* keeps content types and the like */
    struct credentials_provider *credentials; /* that it works with, for what must not be published; NULL: none */
};

struct target_type {
    /* Begins the first read_state in the background; NULL: not worth it. */
    void (*prepare)(struct target *target);
    /* The state document, appended to `text`; *version (caller frees) stays NULL when there is none. Until *stop. */
    int (*read_state)(struct target *target, const bool *stop, struct buf *text, char **version, struct error *err);
    /* The wall clock there, once the state has been read; NULL: ours. */
    int64_t (*now_ms)(struct target *target);
    /* Writes it over that version (NULL: only when there is none). Reason "precondition-failed" when it is another.
     * *new_version: caller frees. After *stop (NULL: never) it is not known whether it was written. */
    int (*write_state)(struct target *target, const bool *stop, struct view text, const char *version,
                       char **new_version, struct error *err);
    void (*start)(struct target *target, struct target_call *call);
    /* Bytes of a PUT under way that have arrived, as far as one can tell before its end. */
    int64_t (*bytes_sent)(struct target *target, const struct target_call *call);
    /* Whether a call that has not called `done` waits for its turn: none of it is on its way. */
    bool (*is_idle)(struct target *target, const struct target_call *call);
    /* Ends a call that has not called `done`. Whether it may have had an effect, or have it yet. */
    bool (*cancel)(struct target *target, struct target_call *call);
    /* Everything that is there, our own state and targets within this one apart. `path` and `etag` (NULL: not known)
     * are borrowed; paths may be odd. */
    int (*list)(struct target *target, const bool *stop,
                void (*found)(void *context, const char *path, const char *etag, int64_t size), void *context,
                struct error *err);
    /* Nothing at all is there. False when it cannot be told. */
    bool (*is_empty)(struct target *target, const bool *stop);
    void (*set_concurrency)(struct target *target, int concurrency);
    struct target_stats (*stats)(struct target *target);
    void (*free)(struct target *target);
};

/* By the scheme of request->to. The request is borrowed. Waits (until *stop) for the lock of a folder. */
int target_open(struct target **target, struct loop *loop, const struct publish_request *request, const bool *stop,
                const struct publish_reporter *reporter, struct error *err);
void target_free(struct target *target);

/* For target_open. */
int target_s3_open(struct target **target, struct loop *loop, const struct publish_request *request, struct error *err);
int target_folder_open(struct target **target, struct loop *loop, const struct publish_request *request,
                       const bool *stop, const struct publish_reporter *reporter, struct error *err);
/* CLASS_INTERRUPTED, reason "stopped-before-publish", -1. */
int target_stopped(struct error *err);

#endif
