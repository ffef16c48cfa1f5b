/* Entries are put together in a folder of ours, ".new", and moved to their names when they are whole. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/entries.h"
#include "cache/store.h"
#include "core/fs.h"
#include "core/mem.h"

#define STAGING ".new"
#define COPY_SIZE ((size_t)1 << 20)

/* A content that is fetched once, to the first file that needs it. */
struct content {
    const char *entry, *path; /* of that file; borrowed */
    bool fallback;
    bool good, wrong, absent;
};
struct wanted {
    const struct cache_entry *entry;
    bool fallback;
};
struct restore {
    const struct cache_options *options;
    struct store *store;
    struct cache_result *result;
    struct cache_manifest own, fallback;
    char *own_place, *fallback_place;
    struct wanted *wanted; /* in the order of their last use, the latest first */
    size_t wanted_len;
    struct cache_blobs blobs; /* at_ms: index in contents */
    struct content *contents;
    struct store_task *tasks;
    int64_t all_bytes;
    int wrong, absent, failed; /* contents */
    char example[SHA256_HEX_SIZE];
    struct error failure; /* the first */
    int folder, staging;
};

/* ---- what there is ---- */

/* A place's manifest; an empty one when there is none that we take. -1: the place cannot be read. */
static int load(struct restore *restore, const char *ref, char **place, struct cache_manifest *manifest,
                struct error *err)
{
    char version[STORE_VERSION_SIZE];
    struct error problem;
    struct buf text;
    int status;

    *place = store_place(restore->options->project, ref);
    buf_init(&text, CACHE_MANIFEST_BYTES);
    status = store_load(restore->store, *place, &text, version, err);
    if (status == 0 && version[0] &&
        cache_manifest_parse(manifest, (struct view){text.data, text.len}, *place, &problem) != 0)
        entries_warn(restore->options, "nothing is taken from the layer cache of %s: %s", ref, problem.message);
    buf_dispose(&text);
    if (manifest->project &&
        (strcmp(manifest->project, restore->options->project) != 0 || strcmp(manifest->ref, ref) != 0)) {
        entries_warn(restore->options, "nothing is taken from the layer cache of %s: its manifest is of %s, %s", ref,
                     manifest->project, manifest->ref);
        cache_manifest_dispose(manifest);
    }
    return status;
}

static int by_last_use(const void *a, const void *b)
{
    const struct wanted *left = a, *right = b;

    if (left->fallback != right->fallback)
        return left->fallback - right->fallback;
    if (left->entry->used_ms != right->entry->used_ms)
        return left->entry->used_ms < right->entry->used_ms ? 1 : -1;
    return strcmp(left->entry->name, right->entry->name);
}

/* All of our ref, then what only the default branch has, within the size that a cache may have. */
static void choose(struct restore *restore)
{
    size_t i, len = 0;
    int64_t bytes = 0;

    restore->wanted = xcalloc(restore->own.entries_len + restore->fallback.entries_len + 1, sizeof *restore->wanted);
    for (i = 0; i < restore->own.entries_len; i++)
        restore->wanted[len++] = (struct wanted){&restore->own.entries[i], false};
    for (i = 0; i < restore->fallback.entries_len; i++)
        if (!cache_manifest_find(&restore->own, restore->fallback.entries[i].name))
            restore->wanted[len++] = (struct wanted){&restore->fallback.entries[i], true};
    qsort(restore->wanted, len, sizeof *restore->wanted, by_last_use);
    for (i = 0; i < len; i++) {
        int64_t size = cache_entry_bytes(restore->wanted[i].entry);

        if (restore->options->max_bytes && bytes + size > restore->options->max_bytes)
            continue;
        bytes += size;
        restore->wanted[restore->wanted_len++] = restore->wanted[i];
    }
}

static void plan(struct restore *restore)
{
    size_t i, k, count = 0;

    for (i = 0; i < restore->wanted_len; i++)
        count += restore->wanted[i].entry->files_len;
    restore->contents = xcalloc(count + 1, sizeof *restore->contents);
    restore->tasks = xcalloc(count + 1, sizeof *restore->tasks);
    for (i = 0; i < restore->wanted_len; i++)
        for (k = 0; k < restore->wanted[i].entry->files_len; k++) {
            const struct wanted *wanted = &restore->wanted[i];
            const struct cache_file *file = &wanted->entry->files[k];
            size_t at = restore->blobs.len;

            if (cache_blobs_find(&restore->blobs, file->sha256))
                continue;
            cache_blobs_put(&restore->blobs, file->sha256, file->size, (int64_t)at);
            restore->contents[at] =
                (struct content){.entry = wanted->entry->name, .path = file->path, .fallback = wanted->fallback};
            restore->tasks[at] = (struct store_task){
                .act = STORE_FETCH,
                .place = wanted->fallback ? restore->fallback_place : restore->own_place,
                .size = file->size,
                .item = &restore->contents[at],
            };
            memcpy(restore->tasks[at].sha256, file->sha256, SHA256_HEX_SIZE);
            restore->all_bytes += file->size;
        }
}

/* ---- contents ---- */

static int open_content(void *context, struct store_task *task)
{
    struct restore *restore = context;
    const struct content *content = task->item;
    int fd = entries_make(restore->staging, content->entry, content->path);

    return fd < 0 ? -1 : fd;
}

static bool is_stopped(void *options)
{
    return store_stopped(options);
}

static void content_ended(void *context, struct store_task *task, const struct error *error)
{
    struct restore *restore = context;
    struct content *content = task->item;
    char sha256[SHA256_HEX_SIZE];

    if (task->status == STORE_DONE) {
        if (sha256_hex_file_unless(task->fd, 0, task->size, is_stopped, (void *)restore->options, sha256) == 0) {
            content->good = strcmp(sha256, task->sha256) == 0;
            content->wrong = !content->good;
        }
        restore->result->transferred_files++;
        restore->result->transferred_bytes += task->size;
        if (restore->options->on_progress)
            restore->options->on_progress(restore->options->context, restore->result->transferred_bytes,
                                          restore->all_bytes);
    }
    content->absent = task->status == STORE_ABSENT;
    content->wrong = content->wrong || task->status == STORE_WRONG;
    restore->wrong += content->wrong;
    restore->absent += content->absent;
    if (task->status == STORE_FAILED && restore->failed++ == 0 && error)
        restore->failure = *error;
    if ((content->wrong || content->absent) && restore->wrong + restore->absent == 1)
        memcpy(restore->example, task->sha256, SHA256_HEX_SIZE);
}

/* One line for each kind of trouble: a store that was emptied has thousands of them. */
static void tell(const struct restore *restore)
{
    if (restore->wrong)
        entries_warn(restore->options, "%d contents of the layer cache are not what their names say and are dropped",
                     restore->wrong);
    if (restore->absent)
        entries_warn(restore->options, "%d contents of the layer cache are gone", restore->absent);
    if (restore->wrong || restore->absent)
        entries_warn(restore->options, "the first of them: sha256:%s", restore->example);
    if (restore->failed)
        entries_warn(restore->options, "%d contents of the layer cache could not be had: %s", restore->failed,
                     restore->failure.reason[0] ? restore->failure.message : "their files cannot be written");
}

/* A content that lies under a hash that is not its own would be taken for what the next save wants to store. */
static void remove_wrong(struct restore *restore)
{
    struct store_run run = {.len = 0, .context = restore};
    size_t i;

    run.tasks = xcalloc(restore->blobs.len + 1, sizeof *run.tasks);
    for (i = 0; i < restore->blobs.len; i++)
        if (restore->contents[i].wrong && !restore->contents[i].fallback) {
            run.tasks[run.len] = restore->tasks[i];
            run.tasks[run.len++].act = STORE_REMOVE;
        }
    if (run.len)
        store_run(restore->store, &run);
    free(run.tasks);
}

/* ---- entries ---- */

static int copy_within(int from, int to, int64_t size)
{
    CLEANUP_FREE char *buffer = xmalloc(COPY_SIZE);
    int64_t at = 0;

    while (at < size) {
        ssize_t got = pread(from, buffer, COPY_SIZE, at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || fs_write_all(to, buffer, (size_t)got))
            return -1;
        at += got;
    }
    return 0;
}

/* The file of an entry, where its content went to another one first. */
static int share(const struct restore *restore, const struct cache_entry *entry, const struct cache_file *file,
                 const struct content *content)
{
    CLEANUP_CLOSE int from = -1;
    CLEANUP_CLOSE int to = -1;

    if (strcmp(content->entry, entry->name) == 0 && strcmp(content->path, file->path) == 0)
        return 0;
    from = entries_open(restore->staging, content->entry, content->path);
    if (from < 0)
        from = entries_open(restore->folder, content->entry, content->path); /* whole already */
    to = from < 0 ? -1 : entries_make(restore->staging, entry->name, file->path);
    return to < 0 ? -1 : copy_within(from, to, file->size);
}

/* *broken: what is stored is wrong, or is gone. */
static int put_together(const struct restore *restore, const struct cache_entry *entry, bool *broken)
{
    size_t k;

    for (k = 0; k < entry->files_len; k++) {
        const struct cache_file *file = &entry->files[k];
        const struct cache_blob *blob = cache_blobs_find(&restore->blobs, file->sha256);
        const struct content *content = &restore->contents[blob->at_ms];

        *broken = content->wrong || content->absent || blob->size != file->size;
        if (!content->good || *broken || share(restore, entry, file, content))
            return -1;
    }
    return 0;
}

static void mark_unused(const struct restore *restore, const struct cache_entry *entry)
{
    static const struct timespec times[2] = {{.tv_sec = ENTRIES_UNUSED_S}, {.tv_sec = ENTRIES_UNUSED_S}};
    size_t k;

    for (k = 0; k < entry->files_len; k++) {
        CLEANUP_CLOSE int fd = entries_open(restore->folder, entry->name, entry->files[k].path);

        if (fd >= 0)
            futimens(fd, times);
    }
}

/* Whole entries go to their names only when all are put together: one may still be copied from. */
static void deliver(struct restore *restore)
{
    struct cache_result *result = restore->result;
    size_t i;

    for (i = 0; i < restore->wanted_len; i++) {
        const struct wanted *wanted = &restore->wanted[i];
        const char *name = wanted->entry->name;
        bool broken = false;

        if (put_together(restore, wanted->entry, &broken) == 0 &&
            renameat(restore->staging, name, restore->folder, name) == 0) {
            result->entries++;
            result->from_fallback += wanted->fallback;
            result->bytes += cache_entry_bytes(wanted->entry);
            continue;
        }
        result->dropped++;
        if (broken && !wanted->fallback)
            strings_add(&result->broken, name);
    }
    for (i = 0; i < restore->wanted_len; i++)
        mark_unused(restore, restore->wanted[i].entry);
}

static int stage(struct restore *restore, struct error *err)
{
    int removed = fs_remove_tree_at(restore->folder, STAGING);

    if (removed == 0 && mkdirat(restore->folder, STAGING, 0700) == 0)
        restore->staging = openat(restore->folder, STAGING, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (restore->staging < 0)
        return error_set_errno(err, CLASS_PLATFORM, "cache-folder", removed ? -removed : errno,
                               "cannot make a folder for the layer cache");
    return 0;
}

static int fetch(struct restore *restore, struct error *err)
{
    struct store_run run = {.open = open_content, .ended = content_ended, .context = restore};
    bool stopped;

    choose(restore);
    if (restore->wanted_len == 0)
        return 0;
    if (stage(restore, err))
        return -1;
    plan(restore);
    run.tasks = restore->tasks;
    run.len = restore->blobs.len;
    store_run(restore->store, &run);
    stopped = store_stopped(restore->options);
    if (!stopped)
        tell(restore);
    deliver(restore);
    remove_wrong(restore);
    close(restore->staging);
    fs_remove_tree_at(restore->folder, STAGING);
    return stopped ? store_check(restore->store, err) : 0;
}

static void dispose(struct restore *restore)
{
    cache_manifest_dispose(&restore->own);
    cache_manifest_dispose(&restore->fallback);
    free(restore->own_place);
    free(restore->fallback_place);
    free(restore->wanted);
    cache_blobs_dispose(&restore->blobs);
    free(restore->contents);
    free(restore->tasks);
    store_free(restore->store);
}

int cache_restore(const struct cache_options *options, int folder_fd, struct cache_result *result, struct error *err)
{
    struct restore restore = {.options = options, .result = result, .folder = folder_fd, .staging = -1};
    bool other = options->fallback_ref && (!options->ref || strcmp(options->fallback_ref, options->ref) != 0);
    struct error problem;
    int status;

    *result = (struct cache_result){.entries = 0};
    if (store_open(&restore.store, options, err))
        return -1;
    status = options->ref ? load(&restore, options->ref, &restore.own_place, &restore.own, err) : 0;
    if (status == 0 && other &&
        load(&restore, options->fallback_ref, &restore.fallback_place, &restore.fallback, &problem))
        entries_warn(options, "the default branch's layer cache is not used: %s", problem.message);
    if (status == 0)
        status = fetch(&restore, err);
    dispose(&restore);
    return status;
}
