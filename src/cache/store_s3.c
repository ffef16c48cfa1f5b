/* A prefix in S3 as store. Large contents come in ranges and go in parts, many at once over kept connections. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aws/s3_multipart.h"
#include "cache/store.h"
#include "core/clock.h"
#include "core/mem.h"
#include "net/loop.h"

#define AT_ONCE 16
#define RANGE_BYTES ((int64_t)1 << 20)
#define PARTS_FROM ((int64_t)16 << 20)
#define PARTS_AT_ONCE 4
/* Below it sending is cheaper than asking first. */
#define LOOK_FROM ((int64_t)256 << 10)
#define TICK_MS 200
#define DRAIN_MS 3000

struct s3_store {
    struct store base;
    char *prefix; /* "" or with a slash at its end */
    bool denied;  /* what is not there is answered like that, where listing is not allowed */
    struct error denial;
};

static struct s3_store *of(struct store *store)
{
    return (struct s3_store *)store;
}

static char *manifest_key(struct store *base, const char *place)
{
    return xasprintf("%s%s/manifest.json", of(base)->prefix, place);
}

/* ---- the manifest ---- */

static int take_etag(const struct s3_call *call, char version[STORE_VERSION_SIZE], struct error *err)
{
    const char *etag = s3_etag(call);

    if (!etag || strlen(etag) >= STORE_VERSION_SIZE)
        return error_set(err, CLASS_PLATFORM, "no-etag", "S3 gave no ETag for the layer cache's manifest");
    memcpy(version, etag, strlen(etag) + 1);
    return 0;
}

struct waiting {
    bool done;
    struct error *err;
    int status;
};

static void on_answer(void *context, const struct error *error)
{
    struct waiting *waiting = context;

    waiting->done = true;
    waiting->status = error ? -1 : 0;
    if (error && waiting->err)
        *waiting->err = *error;
}

/* One call, unless it is stopped or out of time. */
static int perform(struct store *base, struct s3_call *call, struct error *err)
{
    struct error error;
    struct waiting waiting = {.err = &error};
    struct s3_operation *operation = s3_start(base->options->s3, call, on_answer, &waiting);

    while (!waiting.done) {
        if (store_check(base, err)) {
            s3_cancel(operation);
            return -1;
        }
        loop_run_once(base->options->loop, TICK_MS);
    }
    if (waiting.status && err)
        *err = error;
    return waiting.status;
}

static int load(struct store *base, const char *place, struct buf *text, char version[STORE_VERSION_SIZE],
                struct error *err)
{
    CLEANUP_FREE char *key = manifest_key(base, place);
    struct error error = {.reason = ""};
    struct s3_call call;
    int status;

    s3_call_init(&call, "GET", key);
    call.max_response = CACHE_MANIFEST_BYTES;
    status = perform(base, &call, &error);
    if (status == 0 &&
        (take_etag(&call, version, &error) || buf_add(text, buf_text(&call.response.body), call.response.body.len)))
        status = -1;
    of(base)->denied = status && strcmp(error.reason, "access-denied") == 0;
    if (of(base)->denied)
        of(base)->denial = error;
    if (status && (of(base)->denied || strcmp(error.reason, "no-such-key") == 0))
        status = 0;
    /* No manifest of ours is that large: it can be replaced as soon as its version is known. */
    if (status && strcmp(error.reason, "response-too-large") == 0)
        status = take_etag(&call, version, &error);
    if (status && err)
        *err = error;
    s3_call_dispose(&call);
    return status;
}

static int swap(struct store *base, const char *place, struct view text, char version[STORE_VERSION_SIZE], bool *lost,
                struct error *err)
{
    CLEANUP_FREE char *key = manifest_key(base, place);
    struct error error;
    struct s3_call call;
    int status;

    s3_call_init(&call, "PUT", key);
    call.body = text;
    strings_add(&call.headers, "Content-Type: application/json");
    if (version[0])
        strings_addf(&call.headers, "If-Match: %s", version);
    else
        strings_add(&call.headers, "If-None-Match: *");
    status = perform(base, &call, &error);
    if (status == 0) {
        status = take_etag(&call, version, &error);
    } else if (strcmp(error.reason, "precondition-failed") == 0 || strcmp(error.reason, "conflict") == 0 ||
               strcmp(error.reason, "no-such-key") == 0) {
        /* Perhaps by an earlier sending of this very call: the caller reads it again, and finds all done then. */
        *lost = !of(base)->denied;
        status = *lost ? 0 : -1;
        error = *lost ? error : of(base)->denial; /* so it is there after all, and we may not read it */
    }
    if (status && err)
        *err = error;
    s3_call_dispose(&call);
    return status;
}

/* ---- contents ---- */

/* A task under way. */
struct handling {
    struct store_task *task;
    char *key;
    bool looked;
    int64_t next; /* where the next range begins */
    int under_way;
    bool ended;
    enum store_status status; /* of the first range that failed; else STORE_DONE */
    struct error error;
};
/* A request under way. */
struct flight {
    struct pool *pool;
    struct handling *handling;
    struct s3_call call;
    struct s3_operation *operation;
    struct s3_upload *upload;
    int64_t offset, length;
    bool active;
};
struct pool {
    struct store *base;
    struct store_run *run;
    struct handling *handlings; /* one a task */
    struct flight *flights;     /* at_once */
    size_t at_once, first;      /* the first task that is not ended */
};

static void handling_end(struct pool *pool, struct handling *handling)
{
    handling->ended = true;
    free(handling->key);
    handling->key = NULL;
    store_task_end(pool->run, handling->task, handling->status,
                   handling->status == STORE_FAILED ? &handling->error : NULL);
}

/* A request has ended; so has its task when nothing of it is left to do. */
static void land(struct flight *flight, enum store_status status, const struct error *error, bool again)
{
    struct handling *handling = flight->handling;

    flight->active = false;
    flight->operation = NULL;
    flight->upload = NULL;
    handling->under_way--;
    if (status != STORE_DONE && handling->status == STORE_DONE) {
        handling->status = status;
        if (error)
            handling->error = *error;
    }
    if (handling->under_way == 0 && !again &&
        (handling->status != STORE_DONE || handling->task->act != STORE_FETCH ||
         handling->next >= handling->task->size))
        handling_end(flight->pool, handling);
}

static enum store_status status_of(const struct error *error)
{
    if (!error)
        return STORE_DONE;
    return strcmp(error->reason, "no-such-key") == 0 ? STORE_ABSENT : STORE_FAILED;
}

/* A range's bytes go where they belong. */
static enum store_status keep_range(struct flight *flight, struct error *error)
{
    const struct buf *body = &flight->call.response.body;
    size_t at = 0;

    if (body->len != (size_t)flight->length)
        return STORE_WRONG;
    while (at < body->len) {
        ssize_t put =
            pwrite(flight->handling->task->fd, body->data + at, body->len - at, (off_t)(flight->offset + (int64_t)at));

        if (put <= 0) {
            error_set(error, CLASS_PLATFORM, "cache-folder", "what was fetched cannot be written");
            return STORE_FAILED;
        }
        at += (size_t)put;
    }
    return STORE_DONE;
}

static void on_done(void *context, const struct error *error)
{
    struct flight *flight = context;
    struct handling *handling = flight->handling;
    enum store_status status = status_of(error);
    struct error own;
    bool again = false;

    if (handling->task->act == STORE_FETCH && status == STORE_DONE) {
        status = keep_range(flight, &own);
        error = &own;
    } else if (handling->task->act == STORE_FETCH && error &&
               (flight->call.response.status == 416 || strcmp(error->reason, "response-too-large") == 0)) {
        status = STORE_WRONG; /* shorter or longer than it was said to be */
    } else if (handling->task->act == STORE_REMOVE && status == STORE_ABSENT) {
        status = STORE_DONE;
    } else if (handling->task->act == STORE_ADD && !handling->looked) {
        handling->looked = true;
        again = status == STORE_ABSENT || (error && strcmp(error->reason, "access-denied") == 0);
        status = again ? STORE_DONE : status;
    } else if (handling->task->act == STORE_ADD && error && strcmp(error->reason, "precondition-failed") == 0) {
        status = STORE_DONE; /* somebody has stored it */
    }
    s3_call_dispose(&flight->call);
    land(flight, status, status == STORE_FAILED ? error : NULL, again);
}

static void on_uploaded(void *context, const char *etag, const struct error *error)
{
    struct flight *flight = context;
    bool there = error && strcmp(error->reason, "precondition-failed") == 0;

    (void)etag;
    land(flight, error && !there ? STORE_FAILED : STORE_DONE, error, false);
}

static void start_upload(struct flight *flight)
{
    const struct handling *handling = flight->handling;
    struct strings conditions = {.items = NULL};
    struct s3_upload_options options;

    strings_add(&conditions, "If-None-Match: *");
    s3_upload_options_init(&options, handling->key);
    options.conditions = &conditions;
    options.fd = handling->task->fd;
    options.size = handling->task->size;
    options.concurrency = PARTS_AT_ONCE;
    flight->upload = s3_upload_start(flight->pool->base->options->s3, &options, on_uploaded, flight);
    strings_dispose(&conditions);
}

static void start(struct pool *pool, struct flight *flight, struct handling *handling)
{
    static const char *const methods[] = {
        [STORE_FETCH] = "GET", [STORE_ADD] = "PUT", [STORE_LOOK] = "HEAD", [STORE_REMOVE] = "DELETE"};
    struct store_task *task = handling->task;
    bool look = task->act == STORE_ADD && !handling->looked;

    *flight = (struct flight){.pool = pool, .handling = handling, .active = true};
    handling->under_way++;
    if (task->act == STORE_ADD && !look && task->size >= PARTS_FROM) {
        start_upload(flight);
        return;
    }
    s3_call_init(&flight->call, look ? "HEAD" : methods[task->act], handling->key);
    if (task->act == STORE_FETCH) {
        flight->offset = handling->next;
        flight->length = task->size - handling->next < RANGE_BYTES ? task->size - handling->next : RANGE_BYTES;
        handling->next += flight->length;
        if (task->size > RANGE_BYTES)
            strings_addf(&flight->call.headers, "Range: bytes=%lld-%lld", (long long)flight->offset,
                         (long long)(flight->offset + flight->length - 1));
        flight->call.max_response = (size_t)flight->length + 1;
    } else if (task->act == STORE_ADD && !look) {
        strings_add(&flight->call.headers, "If-None-Match: *");
        flight->call.body_fd = task->fd;
        flight->call.body_length = task->size;
        flight->call.body_sha256 = task->sha256;
    }
    flight->operation = s3_start(pool->base->options->s3, &flight->call, on_done, flight);
}

/* Whether the task has a request to send now. */
static bool is_due(const struct handling *handling)
{
    if (handling->ended || handling->status != STORE_DONE)
        return false;
    if (!handling->key) /* not begun */
        return true;
    if (handling->task->act == STORE_FETCH)
        return handling->next < handling->task->size;
    return handling->under_way == 0;
}

static bool begin(struct pool *pool, struct handling *handling)
{
    struct store_task *task = handling->task;

    if (handling->key)
        return true;
    if (store_task_begin(pool->run, task)) {
        handling->ended = true;
        return false;
    }
    handling->key = xasprintf("%s%s/blobs/sha256/%s", of(pool->base)->prefix, task->place, task->sha256);
    handling->looked = task->size < LOOK_FROM;
    if (task->act != STORE_FETCH || task->size > 0)
        return true;
    handling_end(pool, handling); /* there is nothing to fetch */
    return false;
}

static struct handling *next_due(struct pool *pool)
{
    size_t i;

    while (pool->first < pool->run->len && pool->handlings[pool->first].ended)
        pool->first++;
    for (i = pool->first; i < pool->run->len; i++)
        if (is_due(&pool->handlings[i]) && begin(pool, &pool->handlings[i]))
            return &pool->handlings[i];
    return NULL;
}

/* True while anything is under way. */
static bool fill(struct pool *pool)
{
    struct handling *handling;
    bool active = false;
    size_t i;

    for (i = 0; i < pool->at_once; i++) {
        if (!pool->flights[i].active && (handling = next_due(pool)))
            start(pool, &pool->flights[i], handling);
        active = active || pool->flights[i].active;
    }
    return active;
}

static void cancel(struct pool *pool, const struct error *reason)
{
    size_t i;

    for (i = 0; i < pool->at_once; i++) {
        struct flight *flight = &pool->flights[i];

        if (!flight->active)
            continue;
        if (flight->upload) {
            s3_upload_cancel(flight->upload);
        } else {
            s3_cancel(flight->operation);
            s3_call_dispose(&flight->call);
        }
        land(flight, STORE_FAILED, reason, false);
    }
    /* Begun, with no request under way just now. */
    for (i = 0; i < pool->run->len; i++)
        if (pool->handlings[i].key) {
            pool->handlings[i].status = STORE_FAILED;
            pool->handlings[i].error = *reason;
            handling_end(pool, &pool->handlings[i]);
        }
}

static void run_all(struct store *base, struct store_run *run)
{
    struct pool pool = {.base = base, .run = run};
    struct error stopped;
    size_t i;

    pool.at_once = base->options->at_once > 0 ? (size_t)base->options->at_once : AT_ONCE;
    pool.handlings = xcalloc(run->len + 1, sizeof *pool.handlings);
    pool.flights = xcalloc(pool.at_once, sizeof *pool.flights);
    for (i = 0; i < run->len; i++) {
        pool.handlings[i].task = &run->tasks[i];
        pool.handlings[i].status = STORE_DONE;
    }
    while (fill(&pool)) {
        if (store_check(base, &stopped)) {
            cancel(&pool, &stopped);
            break;
        }
        loop_run_once(base->options->loop, TICK_MS);
    }
    free(pool.handlings);
    free(pool.flights);
}

static void free_s3(struct store *base)
{
    s3_drain(base->options->s3, DRAIN_MS);
    free(of(base)->prefix);
    free(base);
}

static const struct store_type s3_type = {load, swap, run_all, free_s3};

int store_open_s3(struct store **out, const struct cache_options *options, struct error *err)
{
    CLEANUP_FREE char *bucket = NULL;
    CLEANUP_FREE char *key = NULL;
    struct s3_store *store;
    size_t len;

    if (s3_uri_parse(options->to, &bucket, &key, err))
        return -1;
    len = strlen(key);
    store = xcalloc(1, sizeof *store);
    store->base = (struct store){&s3_type, options};
    store->prefix = xasprintf("%s%s", key, len > 0 && key[len - 1] != '/' ? "/" : "");
    *out = &store->base;
    return 0;
}
