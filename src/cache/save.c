/* The three steps of cache.h: note as pending, upload, list; and what is dropped on the way. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/entries.h"
#include "cache/store.h"
#include "core/clock.h"
#include "core/mem.h"

#define LOST_MAX 20
/* A use is written down when the one that is known is older than this: a rebuild without a change changes nothing. */
#define USE_STEP_MS ((int64_t)60 * 60 * 1000)
/* Removals begin within this time of the mark, far from its end. */
#define REMOVE_WITHIN_MS ((int64_t)10 * 60 * 1000)

struct save {
    const struct cache_options *options;
    struct store *store;
    struct cache_result *result;
    struct cache_manifest found;   /* in the folder, without what the default branch has */
    struct cache_manifest current; /* what is stored */
    struct cache_manifest next;    /* what is to be stored */
    struct cache_blobs stored;     /* what `current` lists, and may be relied on */
    struct cache_blobs uploaded;   /* by us */
    char version[STORE_VERSION_SIZE];
    char *place;
    int folder;
    int failed; /* uploads */
};

/* ---- reading ---- */

/* What the default branch has need not be stored twice. */
static void leave_out_fallback(struct save *save)
{
    const struct cache_options *options = save->options;
    CLEANUP_FREE char *place = NULL;
    char version[STORE_VERSION_SIZE];
    struct cache_manifest fallback = {.project = NULL};
    struct error problem;
    struct buf text;
    size_t i;

    if (!options->fallback_ref || strcmp(options->fallback_ref, options->ref) == 0)
        return;
    place = store_place(options->project, options->fallback_ref);
    buf_init(&text, CACHE_MANIFEST_BYTES);
    if (store_load(save->store, place, &text, version, &problem) == 0 && version[0] &&
        cache_manifest_parse(&fallback, (struct view){text.data, text.len}, place, &problem) == 0)
        for (i = save->found.entries_len; i-- > 0;) {
            const struct cache_entry *entry = &save->found.entries[i];
            const struct cache_entry *there = cache_manifest_find(&fallback, entry->name);

            if (!there || !cache_entry_same(there, entry))
                continue;
            save->result->from_fallback++;
            save->result->used += entry->used_ms != 0 && entry->written_ms == 0;
            cache_manifest_remove(&save->found, entry->name);
        }
    buf_dispose(&text);
    cache_manifest_dispose(&fallback);
}

/* No clock is believed that is ahead of ours. */
static void clamp(struct cache_manifest *manifest, int64_t now_ms)
{
    size_t i;

    for (i = 0; i < manifest->entries_len; i++) {
        struct cache_entry *entry = &manifest->entries[i];

        entry->used_ms = entry->used_ms < now_ms ? entry->used_ms : now_ms;
        entry->written_ms = entry->written_ms < now_ms ? entry->written_ms : now_ms;
    }
}

static int read_current(struct save *save, struct error *err)
{
    const struct cache_options *options = save->options;
    struct error problem;
    struct buf text;
    int status;

    cache_manifest_dispose(&save->current);
    cache_blobs_dispose(&save->stored);
    buf_init(&text, CACHE_MANIFEST_BYTES);
    status = store_load(save->store, save->place, &text, save->version, err);
    if (status == 0 && save->version[0] &&
        cache_manifest_parse(&save->current, (struct view){text.data, text.len}, save->place, &problem) != 0)
        entries_warn(options, "the layer cache begins anew: %s", problem.message);
    buf_dispose(&text);
    if (save->current.project &&
        (strcmp(save->current.project, options->project) != 0 || strcmp(save->current.ref, options->ref) != 0)) {
        entries_warn(options, "the layer cache begins anew: its manifest is of %s, %s", save->current.project,
                     save->current.ref);
        cache_manifest_dispose(&save->current);
    }
    if (!save->current.project)
        cache_manifest_init(&save->current, options->project, options->ref);
    clamp(&save->current, options->now_ms);
    return status;
}

/* ---- deciding ---- */

static bool needs_dead(const struct save *save, const struct cache_entry *entry)
{
    size_t k;

    for (k = 0; k < entry->files_len; k++)
        if (cache_blobs_find(&save->current.dead, entry->files[k].sha256))
            return true;
    return false;
}

static void merge_entry(struct save *save, const struct cache_entry *entry)
{
    struct cache_entry *there = cache_manifest_find(&save->next, entry->name);

    if (there && cache_entry_same(there, entry)) {
        if (entry->used_ms > there->used_ms)
            there->used_ms = entry->used_ms;
        return;
    }
    if (needs_dead(save, entry)) {
        cache_manifest_remove(&save->next, entry->name);
        return;
    }
    there = cache_manifest_put(&save->next, entry);
    if (!there->used_ms)
        there->used_ms = save->options->now_ms;
    if (!there->written_ms)
        there->written_ms = save->options->now_ms;
}

/* What was marked long enough ago may be forgotten, when it is gone. */
static void look_after_dead(struct save *save)
{
    struct store_run run = {.len = 0};
    int64_t before_ms = save->options->now_ms - CACHE_DEAD_MS;
    size_t i;

    run.tasks = xcalloc(save->next.dead.len + 1, sizeof *run.tasks);
    for (i = 0; i < save->next.dead.len; i++)
        if (save->next.dead.items[i].at_ms < before_ms) {
            run.tasks[run.len].act = STORE_LOOK;
            run.tasks[run.len].place = save->place;
            memcpy(run.tasks[run.len++].sha256, save->next.dead.items[i].sha256, SHA256_HEX_SIZE);
        }
    if (run.len)
        store_run(save->store, &run);
    for (i = 0; i < run.len; i++)
        if (run.tasks[i].status == STORE_ABSENT)
            cache_blobs_remove(&save->next.dead, run.tasks[i].sha256);
        else if (run.tasks[i].status == STORE_DONE) /* marked anew, and removed once more */
            cache_blobs_put(&save->next.dead, run.tasks[i].sha256, 0, save->options->now_ms);
    free(run.tasks);
}

/* Contents that `next` has no use for: dead from now on, unless someone may be about to list them. */
static void bury(struct save *save)
{
    int64_t now_ms = save->options->now_ms;
    struct cache_blobs needed, known = {.items = NULL};
    size_t i;

    cache_manifest_blobs(&save->next, &needed);
    cache_manifest_blobs(&save->current, &known);
    for (i = 0; i < save->current.pending.len; i++) {
        const struct cache_blob *blob = &save->current.pending.items[i];

        if (blob->at_ms > now_ms - CACHE_PENDING_MS && !cache_blobs_find(&needed, blob->sha256))
            continue;
        cache_blobs_remove(&save->next.pending, blob->sha256);
        cache_blobs_put(&known, blob->sha256, 0, 0);
    }
    for (i = 0; i < known.len; i++)
        if (!cache_blobs_find(&needed, known.items[i].sha256) &&
            !cache_blobs_find(&save->next.pending, known.items[i].sha256) &&
            !cache_blobs_find(&save->next.dead, known.items[i].sha256))
            cache_blobs_put(&save->next.dead, known.items[i].sha256, 0, now_ms);
    cache_blobs_dispose(&needed);
    cache_blobs_dispose(&known);
}

static void copy_blobs(struct cache_blobs *to, const struct cache_blobs *from)
{
    size_t i;

    for (i = 0; i < from->len; i++)
        cache_blobs_put(to, from->items[i].sha256, from->items[i].size, from->items[i].at_ms);
}

static void copy_manifest(struct cache_manifest *to, const struct cache_manifest *from)
{
    size_t i;

    cache_manifest_init(to, from->project, from->ref);
    for (i = 0; i < from->entries_len; i++)
        cache_manifest_put(to, &from->entries[i]);
    copy_blobs(&to->pending, &from->pending);
    copy_blobs(&to->dead, &from->dead);
}

/* Makes `next` from what is stored and what was found. */
static void decide(struct save *save)
{
    const struct cache_options *options = save->options;
    size_t i;

    cache_manifest_dispose(&save->next);
    copy_manifest(&save->next, &save->current);
    for (i = 0; options->distrust && i < options->distrust->len; i++)
        cache_manifest_remove(&save->next, options->distrust->items[i]);
    cache_blobs_dispose(&save->stored);
    cache_manifest_blobs(&save->next, &save->stored);
    for (i = 0; i < save->found.entries_len; i++)
        merge_entry(save, &save->found.entries[i]);
    save->result->dropped = cache_manifest_prune(&save->next, options->now_ms, options->max_age_ms, options->max_bytes);
    bury(save);
    look_after_dead(save);
}

/* ---- uploading ---- */

struct upload {
    const char *entry, *path; /* borrowed */
};

static int open_upload(void *context, struct store_task *task)
{
    const struct save *save = context;
    const struct upload *upload = task->item;
    int fd = entries_open(save->folder, upload->entry, upload->path);

    return fd < 0 ? -1 : fd;
}

static void upload_ended(void *context, struct store_task *task, const struct error *error)
{
    struct save *save = context;

    if (task->status != STORE_DONE) {
        if (save->failed++ == 0)
            entries_warn(save->options, "sha256:%s cannot be stored in the layer cache, nor what needs it: %s",
                         task->sha256, error ? error->message : "its file cannot be read");
        return;
    }
    cache_blobs_put(&save->uploaded, task->sha256, task->size, 0);
    save->result->transferred_files++;
    save->result->transferred_bytes += task->size;
    if (save->options->on_progress)
        save->options->on_progress(save->options->context, save->result->transferred_bytes, 0);
}

/* Tasks for all that `next` needs and nobody has stored. Their number. */
static size_t missing(struct save *save, struct store_task **tasks, struct upload **uploads)
{
    struct cache_blobs seen = {.items = NULL};
    size_t i, k, len = 0, most = 0;

    for (i = 0; i < save->next.entries_len; i++)
        most += save->next.entries[i].files_len;
    *tasks = xcalloc(most + 1, sizeof **tasks);
    *uploads = xcalloc(most + 1, sizeof **uploads);
    for (i = 0; i < save->next.entries_len; i++)
        for (k = 0; k < save->next.entries[i].files_len; k++) {
            const struct cache_entry *entry = &save->next.entries[i];
            const struct cache_file *file = &entry->files[k];

            if (cache_blobs_find(&save->stored, file->sha256) || cache_blobs_find(&save->uploaded, file->sha256) ||
                cache_blobs_find(&seen, file->sha256))
                continue;
            cache_blobs_put(&seen, file->sha256, 0, 0);
            (*uploads)[len] = (struct upload){entry->name, file->path};
            (*tasks)[len].act = STORE_ADD;
            (*tasks)[len].place = save->place;
            (*tasks)[len].size = file->size;
            (*tasks)[len].item = &(*uploads)[len];
            memcpy((*tasks)[len++].sha256, file->sha256, SHA256_HEX_SIZE);
        }
    cache_blobs_dispose(&seen);
    return len;
}

static int swap(struct save *save, const struct cache_manifest *manifest, bool *lost, struct error *err)
{
    struct buf text;
    int status;

    buf_init(&text, CACHE_MANIFEST_BYTES);
    if (cache_manifest_format(manifest, &text))
        status = error_set(err, CLASS_PLATFORM, "manifest-too-large", "the manifest of the layer cache is too large");
    else
        status = store_swap(save->store, save->place, (struct view){text.data, text.len}, save->version, lost, err);
    buf_dispose(&text);
    return status;
}

/* Notes as pending what will be uploaded. */
static int announce(struct save *save, const struct store_task *tasks, size_t len, bool *lost, struct error *err)
{
    size_t i;

    for (i = 0; i < len; i++)
        cache_blobs_put(&save->current.pending, tasks[i].sha256, 0, save->options->now_ms);
    return swap(save, &save->current, lost, err);
}

/* What could not be stored takes its entries with it. */
static void give_up(struct save *save, const struct store_task *task)
{
    size_t i, k;

    for (i = save->found.entries_len; i-- > 0;)
        for (k = 0; k < save->found.entries[i].files_len; k++)
            if (strcmp(save->found.entries[i].files[k].sha256, task->sha256) == 0) {
                cache_manifest_remove(&save->found, save->found.entries[i].name);
                break;
            }
}

/* Uploads what is missing. *lost: someone else was quicker to change the manifest. */
static int upload(struct save *save, struct store_run *run, bool *lost, struct error *err)
{
    int status = announce(save, run->tasks, run->len, lost, err);
    size_t i;

    if (status || *lost)
        return status;
    store_run(save->store, run);
    for (i = 0; i < run->len; i++)
        if (run->tasks[i].status != STORE_DONE)
            give_up(save, &run->tasks[i]);
    return store_check(save->store, err);
}

/* ---- the end ---- */

static bool same_blobs(const struct cache_blobs *a, const struct cache_blobs *b)
{
    size_t i;

    if (a->len != b->len)
        return false;
    for (i = 0; i < a->len; i++)
        if (strcmp(a->items[i].sha256, b->items[i].sha256) != 0 || a->items[i].at_ms != b->items[i].at_ms)
            return false;
    return true;
}

/* Whether `next` says nothing that is worth a request. */
static bool is_stale_enough(const struct save *save)
{
    const struct cache_manifest *a = &save->current, *b = &save->next;
    size_t i;

    if (a->entries_len != b->entries_len || !same_blobs(&a->pending, &b->pending) || !same_blobs(&a->dead, &b->dead))
        return false;
    for (i = 0; i < a->entries_len; i++)
        if (strcmp(a->entries[i].name, b->entries[i].name) != 0 || !cache_entry_same(&a->entries[i], &b->entries[i]) ||
            b->entries[i].used_ms > a->entries[i].used_ms + USE_STEP_MS)
            return false;
    return true;
}

/* What this save has marked, and no other. */
static void remove_dead(struct save *save, int64_t marked_ms)
{
    struct store_run run = {.len = 0};
    size_t i;

    run.tasks = xcalloc(save->next.dead.len + 1, sizeof *run.tasks);
    for (i = 0; i < save->next.dead.len; i++)
        if (save->next.dead.items[i].at_ms == save->options->now_ms) {
            run.tasks[run.len].act = STORE_REMOVE;
            run.tasks[run.len].place = save->place;
            memcpy(run.tasks[run.len++].sha256, save->next.dead.items[i].sha256, SHA256_HEX_SIZE);
        }
    if (run.len && clock_monotonic_ms() - marked_ms < REMOVE_WITHIN_MS)
        store_run(save->store, &run);
    free(run.tasks);
}

static void count(struct save *save)
{
    struct cache_result *result = save->result;
    size_t i;

    for (i = 0; i < save->found.entries_len; i++) {
        result->used += save->found.entries[i].used_ms != 0 && save->found.entries[i].written_ms == 0;
        result->added += save->found.entries[i].written_ms != 0;
    }
    result->entries = (int64_t)save->next.entries_len;
    for (i = 0; i < save->next.entries_len; i++)
        result->bytes += cache_entry_bytes(&save->next.entries[i]);
}

/* One step towards the end. */
static int advance(struct save *save, bool *lost, bool *ended, struct error *err)
{
    struct store_run run = {.open = open_upload, .ended = upload_ended, .context = save};
    struct upload *uploads;
    int status = 0;

    *lost = *ended = false;
    decide(save);
    run.len = missing(save, &run.tasks, &uploads);
    if (run.len)
        status = upload(save, &run, lost, err);
    else if (is_stale_enough(save))
        *ended = true;
    else
        status = swap(save, &save->next, lost, err);
    *ended = *ended || (!run.len && status == 0 && !*lost);
    free(run.tasks);
    free(uploads);
    return status;
}

static int run(struct save *save, struct error *err)
{
    int64_t begin_ms = clock_monotonic_ms();
    bool lost = true, ended = false;
    int losses = -1;

    while (!ended) {
        if (lost && ++losses > LOST_MAX) {
            error_set(err, CLASS_PLATFORM, "cache-contended", "too many jobs save to the layer cache at once");
            return error_retryable(err, 0);
        }
        if (lost && losses > 0)
            store_pause(save->store, losses);
        if ((lost && read_current(save, err)) || advance(save, &lost, &ended, err))
            return -1;
    }
    remove_dead(save, begin_ms);
    return 0;
}

int cache_save(const struct cache_options *options, int folder_fd, struct cache_result *result, struct error *err)
{
    struct save save = {.options = options, .result = result, .folder = folder_fd};
    int status;

    *result = (struct cache_result){.entries = 0};
    if (!options->ref)
        return error_set(err, CLASS_USAGE, "no-ref", "nothing is saved to the layer cache without a ref");
    if (store_open(&save.store, options, err))
        return -1;
    save.place = store_place(options->project, options->ref);
    cache_manifest_init(&save.found, options->project, options->ref);
    status = entries_list(options, folder_fd, &save.found, err);
    if (status == 0)
        leave_out_fallback(&save);
    if (status == 0)
        status = run(&save, err);
    if (status == 0)
        count(&save);
    cache_manifest_dispose(&save.found);
    cache_manifest_dispose(&save.current);
    cache_manifest_dispose(&save.next);
    cache_blobs_dispose(&save.stored);
    cache_blobs_dispose(&save.uploaded);
    free(save.place);
    store_free(save.store);
    return status;
}
