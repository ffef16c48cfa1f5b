/* One request: its authorization, its redirects, its answer. */
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "oci/registry_internal.h"

#define REDIRECTS_MAX 5
#define STALL_MS 60000

void registry_call_init(struct registry_call *call, const char *method, const char *path, const char *what)
{
    *call = (struct registry_call){.method = method, .path = path, .what = what, .body_fd = -1};
    http_response_init(&call->response);
}

static void unlink_call(struct registry_call *call)
{
    struct registry *registry = call->registry;

    if (call->previous)
        call->previous->next = call->next;
    else
        registry->calls = call->next;
    if (call->next)
        call->next->previous = call->previous;
    call->next = call->previous = NULL;
    call->registry = NULL;
}

static void stop(struct registry_call *call)
{
    http_cancel(call->transfer);
    loop_timer_stop(call->timer);
    call->transfer = NULL;
    call->timer = NULL;
    call->waiting = call->due = false;
    if (call->registry)
        unlink_call(call);
}

void registry_call_dispose(struct registry_call *call)
{
    stop(call);
    strings_dispose(&call->headers);
    http_response_dispose(&call->response);
    free(call->url);
    free(call->redirected);
    call->url = call->redirected = NULL;
}

int64_t registry_call_sent(const struct registry_call *call)
{
    return call->transfer ? http_body_sent(call->transfer) : 0;
}

static void finish(struct registry_call *call, const struct error *error)
{
    registry_call_done *done = call->done;

    stop(call);
    done(call->context, error);
}

/* ---- sending ---- */

static void on_answer(void *context, const struct error *error);

static void transmit(struct registry_call *call)
{
    struct registry *registry = call->registry;
    struct http_request request;

    free(call->url);
    if (call->redirected)
        call->url = xstrdup(call->redirected);
    else
        call->url = call->location ? xstrdup(call->location) : registry_url(registry, call->path);
    http_request_init(&request, call->method, call->url);
    strings_copy(&request.headers, &call->headers);
    /* Whoever it is that a redirect leads to, the registry's password is not for it. */
    call->authorized = registry_is_own(registry, call->url);
    if (call->authorized && registry->auth.header)
        http_request_header(&request, "Authorization", registry->auth.header);
    call->generation = registry->auth.generation;
    request.body = call->body;
    request.body_fd = call->body_fd;
    request.body_length = call->body_length;
    request.max_response = call->max_response;
    request.stall_ms = call->stall_ms ? call->stall_ms : STALL_MS;
    call->transfer = http_start(registry->client, &request, &call->response, on_answer, call);
    http_request_dispose(&request);
}

static void send_when_allowed(void *context)
{
    struct registry_call *call = context;
    struct registry *registry = call->registry;
    int64_t wait_ms = registry->hold_until_ms - clock_monotonic_ms();

    call->timer = NULL;
    if (wait_ms > 0) {
        call->timer = loop_timer_start(registry->loop, wait_ms, send_when_allowed, call);
        return;
    }
    if (!registry_auth_ready(registry)) {
        call->waiting = true;
        registry_auth_begin(registry);
        return;
    }
    transmit(call);
}

void registry_call_resume(struct registry_call *call, const struct error *error)
{
    call->waiting = call->due = false;
    if (error)
        finish(call, error);
    else
        send_when_allowed(call);
}

void registry_send(struct registry *registry, struct registry_call *call, registry_call_done *done, void *context)
{
    call->registry = registry;
    call->done = done;
    call->context = context;
    call->redirects = call->refused = 0;
    free(call->redirected);
    call->redirected = NULL;
    call->previous = NULL;
    call->next = registry->calls;
    if (registry->calls)
        registry->calls->previous = call;
    registry->calls = call;
    send_when_allowed(call);
}

/* ---- the answer ---- */

static void fail(struct registry_call *call, struct error *error)
{
    if (error->class == CLASS_PLATFORM)
        error->class = CLASS_PUSH_FAILED;
    finish(call, error);
}

/* 301 and 302 change the method of what is not read, by old custom: those of uploads are 307 and 308. */
static bool is_redirect(const struct registry_call *call)
{
    long status = call->response.status;
    bool reads = strcmp(call->method, "GET") == 0 || strcmp(call->method, "HEAD") == 0;

    return status == 307 || status == 308 || (reads && (status == 301 || status == 302 || status == 303));
}

static void redirect(struct registry_call *call)
{
    struct registry *registry = call->registry;
    const char *location = http_response_header(&call->response, "location");
    char *url;
    struct error error;

    if (++call->redirects > REDIRECTS_MAX) {
        error_set(&error, CLASS_PUSH_FAILED, "redirect-refused", "%s of %s: more than %d redirects", call->what,
                  registry->shown, REDIRECTS_MAX);
    } else if (!registry_location(registry, call->url, location, &url, &error)) {
        free(call->redirected);
        call->redirected = url;
        send_when_allowed(call);
        return;
    } else {
        error_context(&error, "%s", call->what);
    }
    finish(call, &error);
}

/* ECR says 403 for a password that has run out. */
static bool is_expired(const struct registry_call *call)
{
    return call->response.status == 403 && strstr(call->failure.message, "expired") &&
           (strstr(call->failure.message, "oken") || strstr(call->failure.message, "redential"));
}

static void take_answer(struct registry_call *call)
{
    struct registry *registry = call->registry;
    long status = call->response.status;
    long wait_ms = http_response_retry_after(&call->response);
    struct error error;

    registry_failure_parse((struct view){buf_text(&call->response.body), call->response.body.len}, &call->failure);
    if (is_redirect(call)) {
        redirect(call);
        return;
    }
    if (call->authorized && (status == 401 || is_expired(call))) {
        if (registry_auth_refused(call)) {
            call->waiting = true;
            registry_auth_begin(registry);
            return;
        }
        registry_refusal(registry, call, &error);
        finish(call, &error);
        return;
    }
    if (call->authorized)
        registry->auth.credentials_worked = registry->auth.header != NULL;
    if (status != 429 && status != 408 && (status < 500 || status == 501)) {
        finish(call, NULL);
        return;
    }
    if (call->authorized && clock_monotonic_ms() + wait_ms > registry->hold_until_ms)
        registry->hold_until_ms = clock_monotonic_ms() + wait_ms;
    registry_refusal(registry, call, &error);
    finish(call, &error);
}

static void on_answer(void *context, const struct error *error)
{
    struct registry_call *call = context;
    struct error own;

    call->transfer = NULL;
    if (!error) {
        take_answer(call);
        return;
    }
    own = *error;
    call->failure = (struct registry_failure){0};
    error_context(&own, "%s of %s", call->what, call->registry->shown);
    fail(call, &own);
}

/* ---- one at a time ---- */

struct performed {
    bool done, failed;
    struct error error;
};

static void on_performed(void *context, const struct error *error)
{
    struct performed *performed = context;

    performed->done = true;
    performed->failed = error != NULL;
    if (error)
        performed->error = *error;
}

static int interrupted(struct error *err)
{
    error_set(err, CLASS_INTERRUPTED, "interrupted", "stopped while talking to the registry");
    return error_retryable(err, 0);
}

int registry_perform(struct registry *registry, struct registry_call *call, struct error *err)
{
    struct retry retry = registry_retry(registry);
    int64_t wait_ms;

    for (;;) {
        struct performed performed = {0};

        registry_send(registry, call, on_performed, &performed);
        while (!performed.done && !registry_stopped(registry))
            loop_run_once(registry->loop, -1);
        if (!performed.done) {
            stop(call);
            return interrupted(err);
        }
        if (!performed.failed)
            return 0;
        wait_ms = retry_next(&retry, &performed.error);
        if (wait_ms < 0) {
            if (err)
                *err = performed.error;
            if (retry.attempts > 1)
                error_context(err, "after %d attempts", retry.attempts);
            return -1;
        }
        loop_sleep(registry->loop, wait_ms, registry->stop);
        if (registry_stopped(registry))
            return interrupted(err);
    }
}
