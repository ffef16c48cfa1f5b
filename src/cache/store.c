#include "cache/store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/mem.h"
#include "net/loop.h"

#define PAUSE_MS 20

int store_open(struct store **store, const struct cache_options *options, struct error *err)
{
    if (strncmp(options->to, "s3://", 5) == 0 && options->s3 && options->loop)
        return store_open_s3(store, options, err);
    if (strncmp(options->to, "file:", 5) == 0)
        return store_open_folder(store, options, err);
    return error_set(err, CLASS_USAGE, "bad-place",
                     "\"%s\" is no place for a cache: s3://bucket/prefix/ or file:/folder/", options->to);
}

void store_free(struct store *store)
{
    if (store)
        store->type->free(store);
}

char *store_place(const char *project, const char *ref)
{
    CLEANUP_FREE char *first = cache_component(project);
    CLEANUP_FREE char *second = cache_component(ref);

    return xasprintf("%s/%s", first, second);
}

int store_load(struct store *store, const char *place, struct buf *text, char version[STORE_VERSION_SIZE],
               struct error *err)
{
    version[0] = '\0';
    return store_check(store, err) ? -1 : store->type->load(store, place, text, version, err);
}

int store_swap(struct store *store, const char *place, struct view text, char version[STORE_VERSION_SIZE], bool *lost,
               struct error *err)
{
    *lost = false;
    return store_check(store, err) ? -1 : store->type->swap(store, place, text, version, lost, err);
}

void store_run(struct store *store, struct store_run *run)
{
    size_t i;

    for (i = 0; i < run->len; i++) {
        run->tasks[i].status = STORE_WAITING;
        run->tasks[i].fd = -1;
    }
    store->type->run(store, run);
    for (i = 0; i < run->len; i++)
        if (run->tasks[i].status == STORE_WAITING)
            store_task_end(run, &run->tasks[i], STORE_FAILED, NULL);
}

bool store_stopped(const struct cache_options *options)
{
    return (options->stop && *options->stop) || (options->stopped && options->stopped(options->stopped_context));
}

int store_check(const struct store *store, struct error *err)
{
    if (store_stopped(store->options))
        return error_set(err, CLASS_INTERRUPTED, "stopped", "the layer cache was stopped");
    if (store->options->deadline_ms && clock_monotonic_ms() >= store->options->deadline_ms)
        return error_set(err, CLASS_TIME_LIMIT, "cache-timeout", "the layer cache took longer than it may");
    return 0;
}

void store_pause(const struct store *store, int lost)
{
    uint16_t chance = 0;
    int64_t most_ms = (int64_t)PAUSE_MS << (lost < 5 ? lost : 5), ms;

    if (getrandom(&chance, sizeof chance, GRND_NONBLOCK) != (ssize_t)sizeof chance)
        chance = UINT16_MAX / 2;
    ms = most_ms * chance / UINT16_MAX;
    if (store->options->loop)
        loop_sleep(store->options->loop, ms, store->options->stop);
    else
        usleep((useconds_t)ms * 1000);
}

int store_task_begin(struct store_run *run, struct store_task *task)
{
    if (task->act != STORE_FETCH && task->act != STORE_ADD)
        return 0;
    task->fd = run->open(run->context, task);
    if (task->fd >= 0)
        return 0;
    store_task_end(run, task, STORE_FAILED, NULL);
    return -1;
}

void store_task_end(struct store_run *run, struct store_task *task, enum store_status status, const struct error *error)
{
    task->status = status;
    if (run->ended)
        run->ended(run->context, task, error);
    if (task->fd >= 0)
        close(task->fd);
    task->fd = -1;
}
