#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "aws/s3_internal.h"
#include "aws/xml.h"
#include "core/clock.h"
#include "core/mem.h"

#define RETRY_BASE_MS 100
#define RETRY_CAP_MS 5000
/* After SlowDown at least this, with as much jitter as for the others: how often S3 is asked at all is the pace's. */
#define SLOW_DOWN_MS 100
#define SLOW_DOWN_BASE_MS 200
#define PATIENT_CAP_MS 1000

struct s3_operation {
    struct s3 *s3;
    struct s3_operation *next, *previous;
    struct s3_call *call; /* borrowed */
    void (*done)(void *context, const struct error *error);
    void *context;
    char *key; /* encoded, with its slash; "" for the bucket */
    char hash[SHA256_HEX_SIZE];
    const char *payload_hash;       /* NULL until known */
    struct http_transfer *transfer; /* at most one of these three */
    struct loop_timer *timer;
    struct credentials_wait *wait;
    uint64_t generation; /* of the credentials that signed last */
    struct retry retry;
    struct retry slow_downs; /* has no end by itself where S3 is waited for with patience */
    struct s3_turn turn;
    struct error *failure;                             /* to be told by the timer; else NULL */
    bool clock_tried, credentials_tried, region_tried; /* each remedy once */
    bool expect;                                       /* wait for "100 Continue" before the body */
    char region[S3_REGION_MAX];                        /* that signed last */
};

static void unlink_operation(struct s3_operation *operation)
{
    if (operation->previous)
        operation->previous->next = operation->next;
    else
        operation->s3->running = operation->next;
    if (operation->next)
        operation->next->previous = operation->previous;
}

static void free_operation(struct s3_operation *operation)
{
    unlink_operation(operation);
    free(operation->failure);
    free(operation->key);
    free(operation);
}

static void finish(struct s3_operation *operation, const struct error *error)
{
    void (*done)(void *context, const struct error *error) = operation->done;
    void *context = operation->context;
    /* The operation is gone before `done` runs, which may free all around it. */
    struct error copy;

    if (error)
        copy = *error;
    free_operation(operation);
    done(context, error ? &copy : NULL);
}

static void on_failure_due(void *context)
{
    struct s3_operation *operation = context;

    operation->timer = NULL;
    finish(operation, operation->failure);
}

/* From within s3_start `done` must not be called. */
static void fail_later(struct s3_operation *operation, const struct error *error)
{
    operation->failure = xmalloc(sizeof *operation->failure);
    *operation->failure = *error;
    operation->timer = loop_timer_start(operation->s3->loop, 0, on_failure_due, operation);
}

/* ---- one attempt ---- */

static int hash_payload(struct s3_operation *operation, struct error *err)
{
    struct s3_call *call = operation->call;

    if (call->body_sha256) {
        operation->payload_hash = call->body_sha256;
    } else if (call->body_fd < 0) {
        sha256_hex(call->body.data, call->body.len, operation->hash);
        operation->payload_hash = operation->hash;
    } else if (operation->s3->place.secure) {
        operation->payload_hash = SIGN_UNSIGNED_PAYLOAD;
    } else {
        CLEANUP_FREE char *uri = s3_uri(operation->s3, call->key);

        errno = 0;
        if (sha256_hex_file(call->body_fd, call->body_offset, call->body_length, operation->hash))
            return errno ? error_set_errno(err, CLASS_UPLOAD_FAILED, "body-unreadable", errno,
                                           "%s %s: reading the file", call->method, uri)
                         : error_set(err, CLASS_UPLOAD_FAILED, "file-changed", "%s %s: the file is shorter than it was",
                                     call->method, uri);
        operation->payload_hash = operation->hash;
    }
    return 0;
}

static void sign(struct s3_operation *operation, const struct credentials *credentials, const char *path,
                 struct strings *out)
{
    struct s3 *s3 = operation->s3;
    struct s3_call *call = operation->call;
    const struct sign_request request = {
        .method = call->method,
        .host = s3->place.host,
        .path = path,
        .query = call->query,
        .headers = &call->headers,
        .payload_hash = operation->payload_hash,
        .region = s3->region,
        .service = "s3",
        .wall_ms = clock_wall_ms() + s3->skew_ms,
        .content_hash_header = true,
        .cache = &s3->cache,
    };

    sign_headers(&request, credentials, out);
    operation->generation = credentials_generation(s3->provider);
    memcpy(operation->region, s3->region, sizeof operation->region);
}

static void on_answer(void *context, const struct error *error);

static void send_request(struct s3_operation *operation, const struct credentials *credentials)
{
    struct s3 *s3 = operation->s3;
    struct s3_call *call = operation->call;
    CLEANUP_FREE char *path = xasprintf("%s%s", s3->place.prefix, operation->key);
    CLEANUP_FREE char *url = xasprintf("%s://%s%s%s%s", s3->place.secure ? "https" : "http", s3->place.host,
                                       *path ? path : "/", call->query ? "?" : "", call->query ? call->query : "");
    struct http_request request;

    http_request_init(&request, call->method, url);
    strings_copy(&request.headers, &call->headers);
    sign(operation, credentials, path, &request.headers);
    if (operation->expect)
        strings_add(&request.headers, "Expect: 100-continue");
    request.body = call->body;
    request.body_fd = call->body_fd;
    request.body_offset = call->body_offset;
    request.body_length = call->body_length;
    request.max_response = call->max_response;
    request.error_body_only = strcmp(call->method, "PUT") == 0;
    call->attempts++;
    call->sent_ms = clock_monotonic_ms();
    s3->stats.requests++;
    operation->transfer = http_start(s3->client, &request, &call->response, on_answer, operation);
    http_request_dispose(&request);
}

static void on_credentials(void *context, const struct credentials *credentials, const struct error *error)
{
    struct s3_operation *operation = context;

    operation->wait = NULL;
    if (error) {
        CLEANUP_FREE char *uri = s3_uri(operation->s3, operation->call->key);
        struct error err = *error;

        error_context(&err, "%s %s", operation->call->method, uri);
        finish(operation, &err);
        return;
    }
    send_request(operation, credentials);
}

static void send_in_turn(void *context)
{
    struct s3_operation *operation = context;
    const struct credentials *credentials;

    credentials = credentials_now(operation->s3->provider);
    if (credentials)
        send_request(operation, credentials);
    else
        operation->wait = credentials_renew(operation->s3->provider, on_credentials, operation);
}

static void attempt(void *context)
{
    struct s3_operation *operation = context;
    struct error err;

    operation->timer = NULL;
    if (!operation->payload_hash && hash_payload(operation, &err)) {
        fail_later(operation, &err);
        return;
    }
    if (s3_turn_take(operation->s3, &operation->turn, send_in_turn, operation))
        send_in_turn(operation);
}

/* ---- its answer ---- */

/* -1: no more. */
static int64_t wait_after_slow_down(struct s3_operation *operation, struct error *err)
{
    struct s3 *s3 = operation->s3;
    int64_t wait_ms, refused_ms;
    char time[CLOCK_TEXT_SIZE];

    s3->stats.slow_downs++;
    s3_pace_refused(s3, operation->call->sent_ms);
    if (err->retry_after_ms < SLOW_DOWN_MS)
        err->retry_after_ms = SLOW_DOWN_MS;
    wait_ms = retry_next(&operation->slow_downs, err);
    if (s3->options.patience_ms <= 0 || s3_pace_is_patient(s3, wait_ms, &refused_ms))
        return wait_ms;
    duration_format(refused_ms, time);
    error_context(err, "S3 has taken no request for %s", time);
    return -1;
}

static void try_again_or_finish(struct s3_operation *operation, struct error *err, bool slow_down)
{
    struct s3 *s3 = operation->s3;
    int64_t wait_ms = slow_down ? wait_after_slow_down(operation, err) : retry_next(&operation->retry, err);

    if (wait_ms < 0) {
        if (operation->call->attempts > 1)
            error_context(err, "after %d attempts", operation->call->attempts);
        finish(operation, err);
        return;
    }
    s3->stats.retries++;
    operation->timer = loop_timer_start(s3->loop, wait_ms, attempt, operation);
}

static void on_renewed(void *context, const struct credentials *credentials, const struct error *error)
{
    struct s3_operation *operation = context;

    operation->wait = NULL;
    /* Nothing newer came: what S3 said is the better message. */
    if (error || credentials_generation(operation->s3->provider) == operation->generation) {
        finish(operation, operation->failure);
        return;
    }
    operation->s3->stats.retries++;
    send_request(operation, credentials);
}

static void renew(struct s3_operation *operation, const struct error *err)
{
    struct credentials_provider *provider = operation->s3->provider;
    const struct credentials *credentials = credentials_now(provider);

    /* Another call has had them renewed meanwhile. */
    if (credentials && credentials_generation(provider) != operation->generation) {
        operation->s3->stats.retries++;
        send_request(operation, credentials);
        return;
    }
    free(operation->failure);
    operation->failure = xmalloc(sizeof *operation->failure);
    *operation->failure = *err;
    operation->wait = credentials_renew(provider, on_renewed, operation);
}

static void move_to_region(struct s3 *s3, const char *region)
{
    if (strcmp(region, s3->region) == 0)
        return;
    snprintf(s3->region, sizeof s3->region, "%s", region);
    s3_place_dispose(&s3->place);
    s3_place_init(&s3->place, &s3->options, s3->region);
}

/* Whether it was tried again at once. Each remedy is tried once a call: a server that insists is believed. */
static bool apply_remedy(struct s3_operation *operation, const struct s3_failure *failure, const struct error *err)
{
    struct s3 *s3 = operation->s3;

    switch (failure->remedy) {
    case S3_REMEDY_CLOCK:
        if (operation->clock_tried)
            return false;
        operation->clock_tried = true;
        s3->skew_ms = failure->server_ms - clock_wall_ms();
        break;
    case S3_REMEDY_CREDENTIALS:
        if (operation->credentials_tried)
            return false;
        operation->credentials_tried = true;
        renew(operation, err);
        return true;
    case S3_REMEDY_REGION:
        if (operation->region_tried || strcmp(failure->region, operation->region) == 0)
            return false;
        operation->region_tried = true;
        move_to_region(s3, failure->region);
        break;
    default: return false;
    }
    s3->stats.retries++;
    attempt(operation);
    return true;
}

static void explain_transport(struct s3_operation *operation, const struct error *error, struct error *err)
{
    CLEANUP_FREE char *uri = s3_uri(operation->s3, operation->call->key);

    *err = *error;
    err->class = CLASS_UPLOAD_FAILED;
    if (strcmp(err->reason, "body-unreadable") == 0)
        snprintf(err->reason, sizeof err->reason, "file-changed");
    error_context(err, "%s %s", operation->call->method, uri);
}

/* CompleteMultipartUpload begins its answer before it knows: 200 with an error document inside is a failure. */
static bool is_success(const struct s3_call *call)
{
    struct view body = {buf_text(&call->response.body), call->response.body.len};

    if (call->response.status < 200 || call->response.status > 299)
        return false;
    return strcmp(call->method, "POST") != 0 || !xml_root_is(body, "Error");
}

static void on_answer(void *context, const struct error *error)
{
    struct s3_operation *operation = context;
    struct s3_failure failure = {0};
    struct error err;

    operation->transfer = NULL;
    if (!error && is_success(operation->call)) {
        s3_pace_accepted(operation->s3);
        finish(operation, NULL);
        return;
    }
    if (error) {
        explain_transport(operation, error, &err);
        /* Who refuses a request may close before its body has come, and the answer is lost with the connection. */
        operation->expect = operation->expect || strcmp(err.reason, "connection-lost") == 0;
    } else {
        s3_failure_read(operation->s3, operation->call, clock_wall_ms() + operation->s3->skew_ms, &failure, &err);
        if (!failure.slow_down)
            s3_pace_accepted(operation->s3);
        if (apply_remedy(operation, &failure, &err))
            return;
    }
    try_again_or_finish(operation, &err, failure.slow_down);
}

/* ---- life cycle ---- */

static char *encode_key(const char *key)
{
    struct buf out;

    buf_init(&out, S3_URL_MAX);
    if (key) {
        buf_addc(&out, '/');
        url_encode(key, true, &out);
    }
    return buf_take(&out);
}

struct s3_operation *s3_start(struct s3 *s3, struct s3_call *call,
                              void (*done)(void *context, const struct error *error), void *context)
{
    struct s3_operation *operation = xcalloc(1, sizeof *operation);

    operation->s3 = s3;
    operation->call = call;
    operation->done = done;
    operation->context = context;
    operation->key = encode_key(call->key);
    operation->retry =
        (struct retry){.max_attempts = s3->options.max_attempts, .base_ms = RETRY_BASE_MS, .cap_ms = RETRY_CAP_MS};
    operation->slow_downs = operation->retry;
    operation->slow_downs.base_ms = SLOW_DOWN_BASE_MS;
    if (s3->options.patience_ms > 0) {
        operation->slow_downs.max_attempts = INT_MAX;
        operation->slow_downs.cap_ms = PATIENT_CAP_MS;
    }
    operation->next = s3->running;
    if (s3->running)
        s3->running->previous = operation;
    s3->running = operation;
    call->attempts = 0;
    attempt(operation);
    return operation;
}

bool s3_is_idle(const struct s3_operation *operation)
{
    return !operation->transfer;
}

void s3_cancel(struct s3_operation *operation)
{
    if (!operation)
        return;
    s3_turn_leave(operation->s3, &operation->turn);
    http_cancel(operation->transfer);
    loop_timer_stop(operation->timer);
    credentials_cancel(operation->wait);
    free_operation(operation);
}

struct perform {
    bool done, failed;
    struct error error;
};

static void on_performed(void *context, const struct error *error)
{
    struct perform *perform = context;

    perform->done = true;
    perform->failed = error;
    if (error)
        perform->error = *error;
}

int s3_perform(struct s3 *s3, struct s3_call *call, struct error *err)
{
    struct perform perform = {0};

    s3_start(s3, call, on_performed, &perform);
    loop_run_until(s3->loop, &perform.done);
    if (!perform.failed)
        return 0;
    if (err)
        *err = perform.error;
    return -1;
}
