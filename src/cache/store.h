/*
 * Where caches lie: a folder, or a prefix in S3. A store knows places ("project/ref", path components already) and
 * contents by hash; what they mean is for restore.c and save.c. Single-threaded; runs end early when *stop turns true or
 * the deadline passes.
 */
#ifndef CAISSON_CACHE_STORE_H
#define CAISSON_CACHE_STORE_H

#include "cache/cache.h"
#include "cache/manifest.h"

enum store_act {
    STORE_FETCH,  /* writes the content to the task's file */
    STORE_ADD,    /* stores the task's file, unless its content is there */
    STORE_LOOK,   /* is it there? */
    STORE_REMOVE, /* absent afterwards */
};
enum store_status {
    STORE_WAITING,
    STORE_DONE,
    STORE_ABSENT,
    STORE_WRONG, /* what is there has another size */
    STORE_FAILED,
};

struct store_task {
    enum store_act act;
    const char *place; /* borrowed */
    char sha256[SHA256_HEX_SIZE];
    int64_t size;
    void *item;               /* the caller's */
    enum store_status status; /* FETCH: DONE says that `size` bytes came, not what they are */
    int fd;                   /* while it runs */
};

/* The callbacks of a run. */
struct store_run {
    struct store_task *tasks;
    size_t len;
    /* The file of a task that fetches or adds, opened for it; closed by the store. -1: the task fails. */
    int (*open)(void *context, struct store_task *task);
    /* A task has ended; its file is still open. `error` for STORE_FAILED, may be NULL. NULL: nobody listens. */
    void (*ended)(void *context, struct store_task *task, const struct error *error);
    void *context;
};

/* A version of a manifest, for compare-and-swap. "": there is none. */
#define STORE_VERSION_SIZE 257

struct store;
struct store_type {
    int (*load)(struct store *store, const char *place, struct buf *text, char version[STORE_VERSION_SIZE],
                struct error *err);
    int (*swap)(struct store *store, const char *place, struct view text, char version[STORE_VERSION_SIZE], bool *lost,
                struct error *err);
    void (*run)(struct store *store, struct store_run *run);
    void (*free)(struct store *store);
};
struct store {
    const struct store_type *type;
    const struct cache_options *options; /* borrowed */
};

/* CLASS_USAGE when `to` is neither. */
int store_open(struct store **store, const struct cache_options *options, struct error *err);
int store_open_folder(struct store **store, const struct cache_options *options, struct error *err);
int store_open_s3(struct store **store, const struct cache_options *options, struct error *err);
/* NULL is fine. */
void store_free(struct store *store);
/* "project/ref"; caller frees with free. */
char *store_place(const char *project, const char *ref);

/* The text of the manifest; nothing and version "" where there is none. */
int store_load(struct store *store, const char *place, struct buf *text, char version[STORE_VERSION_SIZE],
               struct error *err);
/* Replaces that version; *lost: someone else did. Else `version` is the new one. */
int store_swap(struct store *store, const char *place, struct view text, char version[STORE_VERSION_SIZE], bool *lost,
               struct error *err);
/* Every task has ended when it returns, in what order ever; those that were not begun because of a stop failed. */
void store_run(struct store *store, struct store_run *run);
bool store_stopped(const struct cache_options *options);
/* CLASS_INTERRUPTED "stopped", CLASS_TIME_LIMIT "cache-timeout", or 0: it may go on. */
int store_check(const struct store *store, struct error *err);
/* Before a lost swap is tried again: a moment, by chance a longer one the more often it was lost. */
void store_pause(const struct store *store, int lost);
/* For the stores. */
void store_task_end(struct store_run *run, struct store_task *task, enum store_status status,
                    const struct error *error);
/* -1: it has failed. */
int store_task_begin(struct store_run *run, struct store_task *task);

#endif
