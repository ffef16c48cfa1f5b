#include "aws/s3_multipart.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aws/s3_internal.h"
#include "aws/s3_parts.h"
#include "aws/xml.h"
#include "core/clock.h"
#include "core/mem.h"

#define UPLOAD_ID_MAX 2048
#define DEFAULT_CONCURRENCY 4
#define ABORTS 6
#define ABORT_AGAIN_MS 50 /* doubled with each */

enum state {
    STARTING, /* CreateMultipartUpload */
    PARTS,
    COMPLETING,
    CHECKING, /* HEAD: did an earlier sending of the Complete succeed? */
    DROPPED,  /* given up while starting: aborts as soon as the id is known */
    ABORTING,
};

struct part {
    struct s3_upload *upload;
    struct part *next;
    int64_t index;
    char hash[SHA256_HEX_SIZE];
    char *query;
    struct s3_call call;
    struct s3_operation *operation;
};

struct s3_upload {
    struct s3 *s3;
    struct s3_upload *next, *previous;
    struct s3_upload_options options; /* key, headers, conditions are those below */
    char *key;
    struct strings headers, conditions;
    enum state state;
    char *id;             /* percent-encoded; NULL until known */
    int64_t count, begun; /* parts in all; the first so many were begun */
    struct s3_parts parts;
    struct part *running;
    int running_count;
    int64_t bytes;
    struct loop_timer *timer; /* the next part begins in the next turn of the loop */
    struct s3_call call;      /* create, complete, check, abort: one at a time */
    char *query;
    struct buf body; /* of the Complete */
    struct s3_operation *operation;
    struct error failure; /* of the Complete, while checking */
    int aborts, aborts_wanted;
    void (*done)(void *context, const char *etag, const struct error *error);
    void *context;
};

/* ---- ends ---- */

static void free_part(struct part *part)
{
    struct part **at = &part->upload->running;

    while (*at != part)
        at = &(*at)->next;
    *at = part->next;
    part->upload->running_count--;
    s3_cancel(part->operation);
    s3_call_dispose(&part->call);
    free(part->query);
    free(part);
}

static void stop_work(struct s3_upload *upload)
{
    while (upload->running)
        free_part(upload->running);
    loop_timer_stop(upload->timer);
    upload->timer = NULL;
}

static void free_upload(struct s3_upload *upload)
{
    stop_work(upload);
    s3_cancel(upload->operation);
    if (upload->previous)
        upload->previous->next = upload->next;
    else
        upload->s3->uploads = upload->next;
    if (upload->next)
        upload->next->previous = upload->previous;
    s3_call_dispose(&upload->call);
    s3_parts_dispose(&upload->parts);
    buf_dispose(&upload->body);
    strings_dispose(&upload->headers);
    strings_dispose(&upload->conditions);
    free(upload->query);
    free(upload->key);
    free(upload->id);
    free(upload);
}

void s3_uploads_free(struct s3 *s3)
{
    while (s3->uploads)
        free_upload(s3->uploads);
}

/* Begins the upload's own next call; the caller adds to it and starts it. */
static struct s3_call *next_call(struct s3_upload *upload, const char *method)
{
    s3_call_dispose(&upload->call);
    free(upload->query);
    upload->query = upload->id ? xasprintf("uploadId=%s", upload->id) : xstrdup("uploads=");
    s3_call_init(&upload->call, method, upload->key);
    upload->call.query = upload->query;
    return &upload->call;
}

static void abort_upload(void *context);

/* Parts that stay behind cost money. A part that was in flight may still arrive, and is kept even after the abort:
 * "it might be necessary to abort a given multipart upload multiple times" (API, AbortMultipartUpload). When the abort
 * fails altogether, a lifecycle rule of the bucket must clean up. */
static void on_aborted(void *context, const struct error *error)
{
    struct s3_upload *upload = context;

    upload->operation = NULL;
    if (!error && ++upload->aborts < upload->aborts_wanted)
        upload->timer = loop_timer_start(upload->s3->loop, ABORT_AGAIN_MS << upload->aborts, abort_upload, upload);
    else
        free_upload(upload);
}

static void abort_upload(void *context)
{
    struct s3_upload *upload = context;

    upload->timer = NULL;
    upload->state = ABORTING;
    upload->operation = s3_start(upload->s3, next_call(upload, "DELETE"), on_aborted, upload);
}

/* Nothing of the caller's is touched from here on. */
static void give_up(struct s3_upload *upload)
{
    upload->aborts_wanted = upload->running ? ABORTS : 1;
    stop_work(upload);
    if (upload->state == STARTING) {
        upload->state = DROPPED;
        return;
    }
    s3_cancel(upload->operation);
    upload->operation = NULL;
    abort_upload(upload);
}

static void fail(struct s3_upload *upload, const struct error *error)
{
    void (*done)(void *context, const char *etag, const struct error *error) = upload->done;
    void *context = upload->context;
    struct error copy = *error;

    if (upload->state == STARTING)
        free_upload(upload);
    else
        give_up(upload);
    done(context, NULL, &copy);
}

static void succeed(struct s3_upload *upload, const char *etag)
{
    void (*done)(void *context, const char *etag, const struct error *error) = upload->done;
    void *context = upload->context;
    CLEANUP_FREE char *copy = xstrdup(etag);

    /* After a check the upload may still be open: the object was there, but not by this Complete. */
    if (upload->state == CHECKING)
        give_up(upload);
    else
        free_upload(upload);
    done(context, copy, NULL);
}

/* ---- complete ---- */

static void on_checked(void *context, const struct error *error)
{
    struct s3_upload *upload = context;
    const char *etag = error ? NULL : s3_etag(&upload->call);
    char expected[S3_PARTS_ETAG_SIZE];

    upload->operation = NULL;
    if (etag && s3_parts_etag(&upload->parts, upload->count, expected) && strcmp(etag, expected) == 0)
        succeed(upload, etag);
    else
        fail(upload, &upload->failure);
}

static void check(struct s3_upload *upload, const struct error *error)
{
    struct s3_call *call = next_call(upload, "HEAD");

    upload->state = CHECKING;
    upload->failure = *error;
    call->query = NULL;
    upload->operation = s3_start(upload->s3, call, on_checked, upload);
}

/* Whether the error may be about a Complete that an earlier sending of the same had done. With the condition failed
 * only when there was one that we know of: an equal object is not yet ours. */
static bool may_be_done(const struct s3_upload *upload, const struct error *error)
{
    return strcmp(error->reason, "no-such-upload") == 0 ||
           (strcmp(error->reason, "precondition-failed") == 0 && upload->call.attempts > 1);
}

static void on_completed(void *context, const struct error *error)
{
    struct s3_upload *upload = context;
    struct view body = {buf_text(&upload->call.response.body), upload->call.response.body.len};
    char etag[256];
    struct error err;

    upload->operation = NULL;
    if (error && may_be_done(upload, error)) {
        check(upload, error);
    } else if (error) {
        fail(upload, error);
    } else if (xml_text(body, "ETag", etag, sizeof etag) && *etag) {
        succeed(upload, etag);
    } else {
        CLEANUP_FREE char *uri = s3_uri(upload->s3, upload->key);

        error_set(&err, CLASS_UPLOAD_FAILED, "bad-response", "POST %s: S3 said that it is complete, but not its ETag",
                  uri);
        fail(upload, &err);
    }
}

static void complete(struct s3_upload *upload)
{
    struct s3_call *call = next_call(upload, "POST");

    upload->state = COMPLETING;
    s3_parts_document(&upload->parts, upload->count, &upload->body);
    strings_add(&call->headers, "Content-Type: application/xml");
    strings_copy(&call->headers, &upload->conditions);
    call->body = (struct view){buf_text(&upload->body), upload->body.len};
    upload->operation = s3_start(upload->s3, call, on_completed, upload);
}

/* ---- parts ---- */

static int64_t part_length(const struct s3_upload *upload, int64_t index)
{
    int64_t start = index * upload->options.part_size;
    int64_t left = upload->options.size - start;

    return left < upload->options.part_size ? left : upload->options.part_size;
}

static void begin_parts(struct s3_upload *upload);

static void on_part(void *context, const struct error *error)
{
    struct part *part = context;
    struct s3_upload *upload = part->upload;
    const char *etag = s3_etag(&part->call);
    struct error err;

    part->operation = NULL;
    if (!error && s3_parts_set(&upload->parts, part->index, etag ? etag : "") == 0) {
        upload->bytes += part_length(upload, part->index);
        free_part(part);
        begin_parts(upload);
        return;
    }
    if (error) {
        err = *error;
    } else {
        CLEANUP_FREE char *uri = s3_uri(upload->s3, upload->key);

        error_set(&err, CLASS_UPLOAD_FAILED, "bad-response", "PUT %s: S3 took a part, but gave no usable ETag", uri);
    }
    error_context(&err, "part %lld of %lld", (long long)part->index + 1, (long long)upload->count);
    free_part(part);
    fail(upload, &err);
}

static int hash_part(struct part *part, struct error *err)
{
    const struct s3_upload_options *options = &part->upload->options;
    struct s3_call *call = &part->call;
    CLEANUP_FREE char *uri = NULL;

    if (options->part_sha256)
        call->body_sha256 = options->part_sha256[part->index];
    if (call->body_sha256 || call->body_fd < 0 || options->unsigned_parts)
        return 0;
    errno = 0;
    if (sha256_hex_file(call->body_fd, call->body_offset, call->body_length, part->hash) == 0) {
        call->body_sha256 = part->hash;
        return 0;
    }
    uri = s3_uri(part->upload->s3, part->upload->key);
    return errno ? error_set_errno(err, CLASS_UPLOAD_FAILED, "body-unreadable", errno, "PUT %s: reading the file", uri)
                 : error_set(err, CLASS_UPLOAD_FAILED, "file-changed", "PUT %s: the file is shorter than it was", uri);
}

static struct part *new_part(struct s3_upload *upload)
{
    const struct s3_upload_options *options = &upload->options;
    struct part *part = xcalloc(1, sizeof *part);
    int64_t start = upload->begun * options->part_size;

    part->upload = upload;
    part->index = upload->begun++;
    part->query = xasprintf("partNumber=%lld&uploadId=%s", (long long)part->index + 1, upload->id);
    s3_call_init(&part->call, "PUT", upload->key);
    part->call.query = part->query;
    part->call.body_fd = options->fd;
    part->call.body_offset = options->offset + start;
    part->call.body_length = part_length(upload, part->index);
    if (options->fd < 0)
        part->call.body = (struct view){options->body.data + start, (size_t)part->call.body_length};
    part->next = upload->running;
    upload->running = part;
    upload->running_count++;
    return part;
}

static void on_next_turn(void *context)
{
    struct s3_upload *upload = context;

    upload->timer = NULL;
    begin_parts(upload);
}

/* One a turn of the loop: hashing a part takes milliseconds in which those before it shall move. */
static void begin_parts(struct s3_upload *upload)
{
    struct error err;
    struct part *part;

    loop_timer_stop(upload->timer);
    upload->timer = NULL;
    if (upload->begun == upload->count) {
        if (!upload->running)
            complete(upload);
        return;
    }
    if (upload->running_count >= upload->options.concurrency)
        return;
    part = new_part(upload);
    if (hash_part(part, &err)) {
        fail(upload, &err);
        return;
    }
    part->operation = s3_start(upload->s3, &part->call, on_part, part);
    if (upload->begun < upload->count && upload->running_count < upload->options.concurrency)
        upload->timer = loop_timer_start(upload->s3->loop, 0, on_next_turn, upload);
}

/* ---- beginning ---- */

static void on_started(void *context, const struct error *error)
{
    struct s3_upload *upload = context;
    struct view body = {buf_text(&upload->call.response.body), upload->call.response.body.len};
    char id[UPLOAD_ID_MAX];
    struct buf encoded;
    struct error err;

    upload->operation = NULL;
    if (!error && xml_text(body, "UploadId", id, sizeof id) && *id) {
        buf_init(&encoded, 3 * sizeof id);
        url_encode(id, false, &encoded);
        upload->id = buf_take(&encoded);
        if (upload->state == DROPPED) {
            abort_upload(upload);
            return;
        }
        upload->state = PARTS;
        begin_parts(upload);
        return;
    }
    if (upload->state == DROPPED) {
        free_upload(upload);
    } else if (error) {
        fail(upload, error);
    } else {
        CLEANUP_FREE char *uri = s3_uri(upload->s3, upload->key);

        error_set(&err, CLASS_UPLOAD_FAILED, "bad-response", "POST %s: S3 gave no usable UploadId", uri);
        fail(upload, &err);
    }
}

static void take_options(struct s3_upload *upload, const struct s3_upload_options *options)
{
    upload->key = xstrdup(options->key);
    if (options->headers)
        strings_copy(&upload->headers, options->headers);
    if (options->conditions)
        strings_copy(&upload->conditions, options->conditions);
    upload->options = *options;
    upload->options.key = upload->key;
    upload->options.headers = NULL;
    upload->options.conditions = NULL;
    if (options->fd < 0)
        upload->options.size = (int64_t)options->body.len;
    if (options->part_size <= 0)
        upload->options.part_size = s3_part_size(upload->options.size);
    if (options->concurrency <= 0)
        upload->options.concurrency = DEFAULT_CONCURRENCY;
    upload->count = s3_part_count(upload->options.size, upload->options.part_size);
}

struct s3_upload *s3_upload_start(struct s3 *s3, const struct s3_upload_options *options,
                                  void (*done)(void *context, const char *etag, const struct error *error),
                                  void *context)
{
    struct s3_upload *upload = xcalloc(1, sizeof *upload);
    struct s3_call *call;

    upload->s3 = s3;
    upload->done = done;
    upload->context = context;
    take_options(upload, options);
    s3_parts_init(&upload->parts, upload->count);
    buf_init(&upload->body, S3_PARTS_DOCUMENT_MAX);
    upload->next = s3->uploads;
    if (s3->uploads)
        s3->uploads->previous = upload;
    s3->uploads = upload;
    s3_call_init(&upload->call, "POST", upload->key);
    call = next_call(upload, "POST");
    strings_copy(&call->headers, &upload->headers);
    upload->operation = s3_start(s3, call, on_started, upload);
    return upload;
}

int64_t s3_upload_bytes(const struct s3_upload *upload)
{
    return upload->bytes;
}

void s3_upload_cancel(struct s3_upload *upload)
{
    if (upload)
        give_up(upload);
}

/* ---- aborts ---- */

static bool is_aborting(const struct s3 *s3)
{
    const struct s3_upload *upload;

    for (upload = s3->uploads; upload; upload = upload->next)
        if (upload->state == ABORTING || upload->state == DROPPED)
            return true;
    return false;
}

void s3_drain(struct s3 *s3, int64_t timeout_ms)
{
    int64_t end_ms = clock_monotonic_ms() + timeout_ms;

    while (is_aborting(s3)) {
        int64_t left_ms = end_ms - clock_monotonic_ms();

        if (left_ms <= 0)
            return;
        loop_run_once(s3->loop, left_ms);
    }
}
