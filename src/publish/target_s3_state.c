/* The state of an S3 prefix: the object .caisson/<prefix>/manifest.json of the same bucket. */
#include <stdlib.h>
#include <string.h>

#include "aws/xml.h"
#include "core/clock.h"
#include "core/mem.h"
#include "publish/target_s3.h"

bool s3_target_is_conflict(const struct error *error)
{
    return strcmp(error->reason, "precondition-failed") == 0 || strcmp(error->reason, "conflict") == 0 ||
           strcmp(error->reason, "no-such-key") == 0;
}

#define CLOCK_NEAR_MS (60 * 1000)

struct wait {
    bool done, failed;
    struct error error;
};

static void on_waited(void *context, const struct error *error)
{
    struct wait *wait = context;

    wait->done = true;
    if (error) {
        wait->failed = true;
        wait->error = *error;
    }
}

/* Pumps until it is done, or until *stop (NULL: never). */
static int wait_for(struct s3_target *target, struct wait *wait, struct s3_operation *operation, const bool *stop,
                    struct error *err)
{
    while (!wait->done) {
        if (stop && *stop) {
            s3_cancel(operation);
            return target_stopped(err);
        }
        loop_run_once(target->base.loop, 100);
    }
    if (!wait->failed)
        return 0;
    *err = wait->error;
    return -1;
}

int s3_target_perform(struct s3_target *target, struct s3_call *call, const bool *stop, struct error *err)
{
    struct wait wait = {0};

    return wait_for(target, &wait, s3_start(target->s3, call, on_waited, &wait), stop, err);
}

struct state_read {
    struct s3_target *target;
    struct s3_call call;
    struct wait wait;
    struct s3_operation *operation;
};

/* A second is what a Date can tell, and a fleet's clocks differ by some anyway: what is near is left alone. */
static void take_time(struct s3_target *target, int64_t date_ms)
{
    int64_t now_ms = clock_wall_ms(), off_ms = date_ms ? date_ms - now_ms : 0;

    target->told_ms = off_ms < -CLOCK_NEAR_MS || off_ms > CLOCK_NEAR_MS ? date_ms : now_ms;
    target->told_at_ms = clock_monotonic_ms();
}

static void on_state(void *context, const struct error *error)
{
    struct state_read *read = context;

    take_time(read->target, read->call.response.date_ms);
    on_waited(&read->wait, error);
}

void s3_target_prepare(struct target *base)
{
    struct s3_target *target = (struct s3_target *)base;
    struct state_read *read = xcalloc(1, sizeof *read);

    s3_target_forget(target);
    read->target = target;
    s3_call_init(&read->call, "GET", target->state_key);
    read->call.max_response = MANIFEST_MAX_BYTES;
    read->operation = s3_start(target->s3, &read->call, on_state, read);
    target->early = read;
}

void s3_target_forget(struct s3_target *target)
{
    struct state_read *read = target->early;

    if (!read)
        return;
    target->early = NULL;
    if (!read->wait.done)
        s3_cancel(read->operation);
    s3_call_dispose(&read->call);
    free(read);
}

int s3_target_read_state(struct target *base, const bool *stop, struct buf *text, char **version, struct error *err)
{
    struct s3_target *target = (struct s3_target *)base;
    struct state_read *read;
    struct error error = {0};
    int result;

    if (!target->early)
        s3_target_prepare(base);
    read = target->early;
    result = wait_for(target, &read->wait, read->operation, stop, &error);
    read->wait.done = true; /* by a stop: cancelled */
    if (result && strcmp(error.reason, "no-such-key") == 0) {
        result = 0;
    } else if (result) {
        *err = error;
        error_context(err, "reading the state of %s", base->uri);
    } else if (!s3_etag(&read->call)) {
        result = error_set(err, CLASS_UPLOAD_FAILED, "bad-answer", "%s: S3 gave no ETag for the state", base->uri);
    } else {
        *version = xstrdup(s3_etag(&read->call));
        result = buf_add(text, buf_text(&read->call.response.body), read->call.response.body.len);
    }
    s3_target_forget(target);
    return result;
}

int64_t s3_target_now_ms(struct target *target)
{
    const struct s3_target *s3 = (const struct s3_target *)target;

    return s3->told_ms + clock_monotonic_ms() - s3->told_at_ms;
}

int s3_target_write_state(struct target *base, const bool *stop, struct view text, const char *version,
                          char **new_version, struct error *err)
{
    struct s3_target *target = (struct s3_target *)base;
    struct s3_call call;
    struct error error = {0};
    int result;

    s3_call_init(&call, "PUT", target->state_key);
    strings_add(&call.headers, "Content-Type: application/json");
    if (version)
        strings_addf(&call.headers, "If-Match: %s", version);
    else
        strings_add(&call.headers, "If-None-Match: *");
    call.body = text;
    result = s3_target_perform(target, &call, stop, &error);
    if (result) {
        if (s3_target_is_conflict(&error))
            error_set(&error, CLASS_UPLOAD_FAILED, "precondition-failed", "the state of %s was changed meanwhile",
                      base->uri);
        *err = error;
        error_context(err, "writing the state of %s", base->uri);
    } else if (s3_etag(&call)) {
        *new_version = xstrdup(s3_etag(&call));
    } else {
        result = error_set(err, CLASS_UPLOAD_FAILED, "bad-answer", "%s: S3 gave no ETag for the state", base->uri);
    }
    s3_call_dispose(&call);
    return result;
}

bool s3_target_is_empty(struct target *base, const bool *stop)
{
    struct s3_target *target = (struct s3_target *)base;
    CLEANUP_FREE char *query = NULL;
    struct s3_call call;
    struct error error = {0};
    struct buf text;
    char count[16] = "";
    bool empty;

    buf_init(&text, 8192);
    buf_adds(&text, "list-type=2&max-keys=1&prefix=");
    url_encode(target->prefix, false, &text);
    query = buf_take(&text);
    buf_dispose(&text);
    s3_call_init(&call, "GET", NULL);
    call.query = query;
    empty = s3_target_perform(target, &call, stop, &error) == 0 &&
            xml_text((struct view){buf_text(&call.response.body), call.response.body.len}, "KeyCount", count,
                     sizeof count) &&
            strcmp(count, "0") == 0;
    s3_call_dispose(&call);
    return empty;
}
