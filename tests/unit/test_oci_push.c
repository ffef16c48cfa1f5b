/* Pushes to a registry in memory: the order of requests, and what a registry may do to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/mem.h"
#include "support/oci_hub.h"

static void pushes(struct oci_hub *hub, const char *tags, struct push_result *result)
{
    struct error err = {0};

    if (oci_hub_push(hub, tags, result, &err))
        fail_msg("%s: %s", err.reason, err.message);
}

static void fails(struct oci_hub *hub, enum error_class class, const char *reason, const char *says)
{
    struct push_result result;
    struct error err = {0};

    if (!oci_hub_push(hub, "v1", &result, &err))
        fail_msg("it was pushed");
    if (err.class != class || strcmp(err.reason, reason) != 0 || !strstr(err.message, says))
        fail_msg("%d %s: %s", err.class, err.reason, err.message);
}

static bool is(const struct loop_request *request, const char *method, const char *prefix)
{
    return strcmp(request->method, method) == 0 && strncmp(request->target, prefix, strlen(prefix)) == 0;
}

/* ---- as it should be ---- */

static void test_push(void **state)
{
    struct oci_hub *hub = *state;
    struct push_result result;

    pushes(hub, "v1,v2", &result);
    assert_int_equal(result.blobs_sent, 3);
    assert_int_equal(result.blobs_there + result.blobs_mounted, 0);
    assert_int_equal(result.bytes_sent, hub->image.bytes);
    assert_int_equal(hub->uploaded, hub->image.bytes);
    assert_int_equal(result.tags_written.len, 2);
    assert_int_equal(result.tags_there.len, 0);
    assert_int_equal(oci_hub_count(&hub->log, "GET /v2/"), 1);
    assert_int_equal(oci_hub_count(&hub->log, "HEAD /v2/app/blobs/"), 3);
    assert_int_equal(oci_hub_count(&hub->log, "POST "), 3);
    assert_int_equal(oci_hub_count(&hub->log, "PUT /v2/app/blobs/"), 3);
    assert_int_equal(oci_hub_count(&hub->log, "PATCH"), 0);
    assert_int_equal(hub->log.len, 1 + 3 * 3 + 2 * 2);
    /* The manifest comes last: after all blobs are there. */
    assert_true(strstr(hub->log.items[hub->log.len - 1], "PUT /v2/app/manifests/v2") != NULL);
    assert_true(strstr(hub->log.items[hub->log.len - 3], "PUT /v2/app/manifests/v1") != NULL);
    push_result_dispose(&result);
}

static void test_push_again(void **state)
{
    struct oci_hub *hub = *state;
    struct push_result result;

    pushes(hub, "v1", &result);
    push_result_dispose(&result);
    strings_dispose(&hub->log);
    pushes(hub, "v1,v2", &result);
    assert_int_equal(result.blobs_there, 3);
    assert_int_equal(result.bytes_sent, 0);
    assert_string_equal(result.tags_there.items[0], "v1");
    assert_string_equal(result.tags_written.items[0], "v2");
    assert_int_equal(oci_hub_count(&hub->log, "PUT "), 1);
    assert_int_equal(oci_hub_count(&hub->log, "POST "), 0);
    push_result_dispose(&result);
}

static void test_mount(void **state)
{
    struct oci_hub *hub = *state;
    struct push_result result;

    /* One can be mounted; for the others the mount's own answer begins the upload. */
    strings_add(&hub->foreign, hub->bed.layers[1]);
    pushes(hub, "v1", &result);
    assert_int_equal(result.blobs_mounted, 1);
    assert_int_equal(result.blobs_sent, 2);
    assert_int_equal(oci_hub_count(&hub->log, "POST /v2/app/blobs/uploads/?mount=sha256:"), 3);
    assert_int_equal(oci_hub_count(&hub->log, "POST "), 3);
    push_result_dispose(&result);
}

static bool deny_mounts(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    (void)hub;
    if (!strstr(request->target, "mount="))
        return false;
    loop_answer(out, 403, "", "{\"errors\":[{\"code\":\"DENIED\"}]}");
    return true;
}

static void test_mount_denied(void **state)
{
    struct oci_hub *hub = *state;
    struct push_result result;

    strings_add(&hub->foreign, "none");
    hub->meddle = deny_mounts;
    pushes(hub, "v1", &result);
    assert_int_equal(result.blobs_sent, 3);
    push_result_dispose(&result);
}

struct events {
    int64_t sent, total;
    int calls, committing;
    size_t tags_then;
    struct oci_hub *hub;
};

static void on_progress(void *context, int64_t sent, int64_t total)
{
    struct events *events = context;

    assert_true(sent > events->sent);
    assert_int_equal(events->committing, 0);
    events->sent = sent;
    events->total = total;
    events->calls++;
}

static void on_committing(void *context)
{
    struct events *events = context;

    events->committing++;
    events->tags_then = oci_hub_count(&events->hub->log, "PUT /v2/app/manifests/");
}

static void test_events(void **state)
{
    struct oci_hub *hub = *state;
    struct events events = {.hub = hub};
    struct strings tags = {0};
    struct push_request request = {.image = &hub->image,
                                   .tags = &tags,
                                   .on_progress = on_progress,
                                   .on_committing = on_committing,
                                   .context = &events};
    struct push_result result;

    strings_add(&tags, "v1");
    strings_add(&tags, "v2");
    oci_hub_connect(hub, 2);
    assert_int_equal(registry_push(hub->registry, &request, &result, NULL), 0);
    assert_true(events.calls > 0);
    assert_int_equal(events.sent, hub->image.bytes);
    assert_int_equal(events.total, hub->image.bytes);
    assert_int_equal(events.committing, 1);
    assert_int_equal(events.tags_then, 0);
    push_result_dispose(&result);
    /* Where nothing is to be written nobody sees anything new. */
    events.sent = events.committing = 0;
    assert_int_equal(registry_push(hub->registry, &request, &result, NULL), 0);
    assert_int_equal(events.committing, 0);
    push_result_dispose(&result);
    strings_dispose(&tags);
}

/* ---- what passes by itself ---- */

static bool trouble_twice(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    CLEANUP_FREE char *prefix = xasprintf("%s %.9s", request->method, request->target);
    size_t count = oci_hub_count(&hub->log, prefix); /* this one is among them */

    if (count > 2)
        return false;
    loop_answer(out, count == 1 ? 500 : 503, "", "<html>busy</html>");
    return true;
}

static void test_trouble(void **state)
{
    struct oci_hub *hub = *state;
    struct push_result result;

    hub->meddle = trouble_twice;
    oci_hub_connect(hub, 4);
    pushes(hub, "v1", &result);
    assert_int_equal(result.tags_written.len, 1);
    assert_int_equal(oci_hub_count(&hub->log, "PUT /v2/app/b"), 5);
    assert_int_equal(oci_hub_count(&hub->log, "PUT /v2/app/m"), 3);
    push_result_dispose(&result);
}

static bool always_trouble(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    (void)hub;
    if (!is(request, "PUT", "/v2/app/blobs/"))
        return false;
    loop_answer(out, 502, "", "");
    return true;
}

static void test_trouble_for_ever(void **state)
{
    struct oci_hub *hub = *state;

    hub->meddle = always_trouble;
    oci_hub_connect(hub, 2);
    fails(hub, CLASS_PUSH_FAILED, "registry-error", "after 2 attempts");
    assert_int_equal(oci_hub_count(&hub->log, "PUT /v2/app/manifests/"), 0);
}

static bool slow_down_once(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    if (!is(request, "POST", "/v2/app/") || hub->number++)
        return false;
    loop_answer(out, 429, "Retry-After: 1\r\n", "{\"errors\":[{\"code\":\"TOOMANYREQUESTS\"}]}");
    return true;
}

static void test_slow_down(void **state)
{
    struct oci_hub *hub = *state;
    int64_t began_ms = clock_monotonic_ms();
    struct push_result result;

    hub->meddle = slow_down_once;
    pushes(hub, "v1", &result);
    assert_true(clock_monotonic_ms() - began_ms >= 1000);
    push_result_dispose(&result);
}

static bool always_slow_down(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    (void)hub;
    (void)request;
    loop_answer(out, 429, "", "");
    return true;
}

static void test_rate_limited(void **state)
{
    struct oci_hub *hub = *state;

    hub->meddle = always_slow_down;
    oci_hub_connect(hub, 2);
    fails(hub, CLASS_PUSH_FAILED, "rate-limited", "429");
}

/* The blob has come, and its answer has not. */
static bool lose_answers(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    if (!is(request, "PUT", "/v2/app/") || hub->number++ > 0)
        return false;
    oci_hub_answer(hub, request, out);
    buf_reset(out);
    return true;
}

static void test_lost_answer_of_a_blob(void **state)
{
    struct oci_hub *hub = *state;
    struct push_result result;
    size_t uploads;

    hub->meddle = lose_answers;
    pushes(hub, "v1", &result);
    assert_int_equal(result.blobs_sent + result.blobs_there, 3);
    uploads = oci_hub_count(&hub->blobs, "sha256:");
    /* curl may send a request again by itself when a kept connection closes; we look first. */
    assert_true(uploads == 3 || uploads == 4);
    assert_true(oci_hub_count(&hub->log, "HEAD /v2/app/blobs/") >= 3);
    push_result_dispose(&result);
}

/* The one that is not there is asked for first, so that what is lost is an answer of a manifest's. */
static void test_lost_answer_of_a_manifest(void **state)
{
    struct oci_hub *hub = *state;
    struct push_result result;
    size_t i;

    for (i = 0; i < hub->image.blobs_len; i++)
        strings_add(&hub->blobs, hub->image.blobs[i].digest);
    hub->meddle = lose_answers;
    pushes(hub, "v1", &result);
    assert_int_equal(result.tags_written.len, 1);
    assert_int_equal(result.blobs_there, 3);
    push_result_dispose(&result);
}

static bool forget_uploads(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    if (!is(request, "PUT", "/v2/app/blobs/") || hub->number++)
        return false;
    loop_answer(out, 404, "", "{\"errors\":[{\"code\":\"BLOB_UPLOAD_UNKNOWN\"}]}");
    return true;
}

static void test_forgotten_upload(void **state)
{
    struct oci_hub *hub = *state;
    struct push_result result;

    hub->meddle = forget_uploads;
    pushes(hub, "v1", &result);
    assert_int_equal(result.blobs_sent, 3);
    assert_int_equal(oci_hub_count(&hub->log, "POST "), 4);
    push_result_dispose(&result);
}

/* ---- stop, and the rest ---- */

static struct {
    const char *method, *prefix;
    int status;
    const char *headers, *body;
} refusal;

static bool refuse(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    (void)hub;
    if (!is(request, refusal.method, refusal.prefix))
        return false;
    loop_answer(out, refusal.status, refusal.headers, refusal.body);
    return true;
}

static bool stop_at_the_post(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    (void)out;
    hub->stop = hub->stop || is(request, "POST", "/v2/app/");
    return false;
}

static void test_stop(void **state)
{
    struct oci_hub *hub = *state;

    hub->meddle = stop_at_the_post;
    fails(hub, CLASS_INTERRUPTED, "interrupted", "stopped");
    assert_int_equal(hub->tags.len, 0);
}

static bool forget_the_header(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    (void)hub;
    if (!is(request, "HEAD", "/v2/app/manifests/") && !is(request, "GET", "/v2/app/manifests/"))
        return false;
    loop_answer(out, 200, "", strcmp(request->method, "GET") == 0 ? "{}" : "");
    return true;
}

static void test_digest_of_a_tag(void **state)
{
    static const char of_braces[] = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    struct oci_hub *hub = *state;
    char digest[OCI_DIGEST_SIZE];
    struct push_result result;
    struct error err = {0};

    oci_hub_connect(hub, 2);
    assert_int_equal(registry_tag_digest(hub->registry, "v1", digest, &err), 0);
    assert_string_equal(digest, "");
    pushes(hub, "v1", &result);
    push_result_dispose(&result);
    assert_int_equal(registry_tag_digest(hub->registry, "v1", digest, &err), 0);
    assert_string_equal(digest, hub->image.digest);
    hub->meddle = forget_the_header;
    assert_int_equal(registry_tag_digest(hub->registry, "v1", digest, &err), 0);
    assert_string_equal(digest, of_braces);
}

static void test_delete(void **state)
{
    struct oci_hub *hub = *state;
    struct error err = {0};

    oci_hub_connect(hub, 2);
    assert_int_equal(registry_delete(hub->registry, hub->image.digest, &err), 0);
    assert_int_equal(oci_hub_count(&hub->log, "DELETE /v2/app/manifests/sha256:"), 1);
    hub->meddle = refuse;
    refusal.method = "DELETE";
    refusal.prefix = "/";
    refusal.headers = refusal.body = "";
    refusal.status = 404;
    assert_int_equal(registry_delete(hub->registry, hub->image.digest, &err), 0);
    refusal.status = 405;
    assert_int_equal(registry_delete(hub->registry, hub->image.digest, &err), -1);
    assert_string_equal(err.reason, "registry-denied");
}

static void test_nobody_there(void **state)
{
    struct oci_hub *hub = *state;

    free(hub->host);
    hub->host = xstrdup("127.0.0.1:1");
    oci_hub_connect(hub, 1);
    fails(hub, CLASS_PUSH_FAILED, "connect-failed", "logging in to 127.0.0.1:1");
}

int main(void)
{
#define ON_HUB(test) cmocka_unit_test_setup_teardown(test, oci_hub_setup, oci_hub_teardown)
    const struct CMUnitTest tests[] = {
        ON_HUB(test_push),
        ON_HUB(test_push_again),
        ON_HUB(test_mount),
        ON_HUB(test_mount_denied),
        ON_HUB(test_events),
        ON_HUB(test_trouble),
        ON_HUB(test_trouble_for_ever),
        ON_HUB(test_slow_down),
        ON_HUB(test_rate_limited),
        ON_HUB(test_lost_answer_of_a_blob),
        ON_HUB(test_lost_answer_of_a_manifest),
        ON_HUB(test_forgotten_upload),
        ON_HUB(test_stop),
        ON_HUB(test_digest_of_a_tag),
        ON_HUB(test_delete),
        ON_HUB(test_nobody_there),
    };

    return cmocka_run_group_tests_name("oci/push", tests, NULL, NULL);
}
