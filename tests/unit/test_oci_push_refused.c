/* Pushes that a registry refuses, sends elsewhere or lies about, and blobs that change under them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

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

/* ---- other places ---- */

static bool upload_elsewhere(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    CLEANUP_FREE char *location = xasprintf("Location: http://%s/up?sig=1\r\n", hub->other_host);

    if (!is(request, "POST", "/v2/app/"))
        return false;
    loop_answer(out, 202, location, "");
    return true;
}

static bool redirect_puts(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    const char *digest = strstr(request->target, "digest=");
    CLEANUP_FREE char *location =
        digest ? xasprintf("Location: http://%s/moved?%s\r\n", hub->other_host, digest) : NULL;

    if (!is(request, "PUT", "/v2/app/blobs/"))
        return false;
    loop_answer(out, 307, location, "");
    return true;
}

static void goes_elsewhere_without_authorization(struct oci_hub *hub)
{
    struct push_result result;

    hub->basic = "dXNlcjpwYXNz";
    hub->given = (struct registry_credentials){xstrdup("user"), xstrdup("pass")};
    pushes(hub, "v1", &result);
    assert_int_equal(result.blobs_sent, 3);
    assert_int_equal(hub->elsewhere_log.len, 3);
    assert_int_equal(oci_hub_count(&hub->elsewhere_log, "PUT /"), 3);
    for (size_t i = 0; i < hub->elsewhere_log.len; i++)
        assert_null(strstr(hub->elsewhere_log.items[i], "Basic"));
    assert_true(oci_hub_count(&hub->log, "PUT /v2/app/manifests/v1 Basic dXNlcjpwYXNz") == 1);
    push_result_dispose(&result);
}

static void test_upload_elsewhere(void **state)
{
    struct oci_hub *hub = *state;

    hub->meddle = upload_elsewhere;
    goes_elsewhere_without_authorization(hub);
}

static void test_redirected_upload(void **state)
{
    struct oci_hub *hub = *state;

    hub->meddle = redirect_puts;
    goes_elsewhere_without_authorization(hub);
}

static bool redirect_in_circles(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    (void)hub;
    if (!is(request, "HEAD", "/v2/app/blobs/"))
        return false;
    loop_answer(out, 307, "Location: /v2/app/blobs/again\r\n", "");
    return true;
}

static void test_redirect_in_circles(void **state)
{
    struct oci_hub *hub = *state;

    hub->meddle = redirect_in_circles;
    fails(hub, CLASS_PUSH_FAILED, "redirect-refused", "more than 5 redirects");
    assert_true(oci_hub_count(&hub->log, "HEAD ") <= 3 * 6);
}

static bool send_away(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    (void)hub;
    if (!is(request, "POST", "/v2/app/"))
        return false;
    loop_answer(out, 202, "Location: http://cdn.test/up\r\n", "");
    return true;
}

static void test_sent_away_by_http(void **state)
{
    struct oci_hub *hub = *state;

    hub->meddle = send_away;
    fails(hub, CLASS_PUSH_FAILED, "redirect-refused", "cdn.test, by plain http");
}

/* ---- refusals ---- */

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

static void test_refusals(void **state)
{
    static const struct {
        const char *method, *prefix;
        int status;
        const char *body, *reason, *says;
    } cases[] = {
        {"POST", "/v2/app/", 404, "{\"errors\":[{\"code\":\"NAME_UNKNOWN\",\"message\":\"no app\"}]}",
         "repository-missing", "404 NAME_UNKNOWN: no app"},
        {"POST", "/v2/app/", 404, "", "repository-missing", "404"},
        {"POST", "/v2/app/", 403, "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"no\"}]}", "registry-denied",
         "403 DENIED: no"},
        {"POST", "/v2/app/", 405, "", "registry-error", "405"},
        {"POST", "/v2/app/", 202, "", "redirect-refused", "nowhere"},
        {"POST", "/v2/app/", 401, "", "registry-unauthorized", "401"},
        {"PUT", "/v2/app/blobs/", 413, "", "too-large", "413"},
        {"PUT", "/v2/app/blobs/", 400, "{\"errors\":[{\"code\":\"DIGEST_INVALID\"}]}", "digest-refused", "DIGEST"},
        {"PUT", "/v2/app/manifests/", 400, "{\"errors\":[{\"code\":\"MANIFEST_INVALID\"}]}", "manifest-refused",
         "writing the tag v1"},
        {"PUT", "/v2/app/manifests/", 404, "{\"errors\":[{\"code\":\"MANIFEST_BLOB_UNKNOWN\"}]}", "manifest-refused",
         "MANIFEST_BLOB_UNKNOWN"},
        {"PUT", "/v2/app/manifests/", 500, "", "registry-error", "after 2 attempts"},
    };
    struct oci_hub *hub = *state;
    size_t i;

    hub->meddle = refuse;
    refusal.headers = "";
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        refusal.method = cases[i].method;
        refusal.prefix = cases[i].prefix;
        refusal.status = cases[i].status;
        refusal.body = cases[i].body;
        strings_dispose(&hub->blobs);
        oci_hub_connect(hub, 2);
        fails(hub, CLASS_PUSH_FAILED, cases[i].reason, cases[i].says);
        assert_int_equal(hub->tags.len, 0);
    }
}

static void test_lies_about_digests(void **state)
{
    struct oci_hub *hub = *state;

    hub->meddle = refuse;
    refusal.headers = "Docker-Content-Digest: "
                      "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\r\n";
    refusal.method = "PUT";
    refusal.prefix = "/v2/app/blobs/";
    refusal.status = 201;
    refusal.body = "";
    fails(hub, CLASS_PUSH_FAILED, "digest-refused", "says that it has got sha256:e3b0c442");
    refusal.prefix = "/v2/app/manifests/";
    fails(hub, CLASS_PUSH_FAILED, "manifest-refused", "says that it has got sha256:e3b0c442");
}

static void test_huge_answer(void **state)
{
    struct oci_hub *hub = *state;
    char *body = xcalloc(1, 200001);

    memset(body, 'x', 200000);
    hub->meddle = refuse;
    refusal.headers = "";
    refusal.method = "POST";
    refusal.prefix = "/v2/app/";
    refusal.status = 400;
    refusal.body = body;
    fails(hub, CLASS_PUSH_FAILED, "response-too-large", "65536");
    free(body);
}

/* ---- tags that stay ---- */

static const char *immutable_body, *holds;
static int immutable_status;

static bool keep_tags(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    if (!is(request, "PUT", "/v2/app/manifests/"))
        return false;
    /* Written between our look and our word. */
    strings_addf(&hub->tags, "v1=%s", holds);
    loop_answer(out, immutable_status, "", immutable_body);
    return true;
}

static void test_immutable_tags(void **state)
{
    static const char other[] = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    static const struct {
        int status;
        const char *body;
    } cases[] = {
        {400, "{\"errors\":[{\"code\":\"TAG_INVALID\",\"message\":\"The image tag 'v1' already exists in the 'app' "
              "repository and cannot be overwritten because the tag is immutable.\"}]}"},
        {400, "{\"errors\":[{\"code\":\"ImageTagAlreadyExistsException\"}]}"},
        {409, ""},
        {412, "{\"errors\":[{\"code\":\"PRECONDITION\",\"message\":\"configured as immutable\"}]}"},
        {403, "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"tag is immutable\"}]}"},
    };
    struct oci_hub *hub = *state;
    struct push_result result;
    size_t i;

    hub->meddle = keep_tags;
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        immutable_status = cases[i].status;
        immutable_body = cases[i].body;
        strings_dispose(&hub->tags);
        holds = hub->image.digest;
        pushes(hub, "v1", &result);
        assert_int_equal(result.tags_written.len, 1);
        push_result_dispose(&result);
        strings_dispose(&hub->tags);
        holds = other;
        fails(hub, CLASS_PUSH_FAILED, "tag-immutable", other);
        strings_dispose(&hub->tags);
        fails(hub, CLASS_PUSH_FAILED, "tag-immutable", hub->image.digest);
    }
}

/* ---- blobs that change ---- */

static void spoil(struct oci_hub *hub)
{
    CLEANUP_FREE char *path = oci_bed_path(&hub->bed, hub->bed.layers[0]);
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);

    usleep(20000);
    assert_int_equal(pwrite(fd, "#", 1, 0), 1);
}

static void test_changed_before(void **state)
{
    struct oci_hub *hub = *state;

    spoil(hub);
    fails(hub, CLASS_OUTPUT_REFUSED, "blob-changed", hub->bed.layers[0]);
    assert_int_equal(hub->log.len, 0);
}

static bool spoil_at_the_post(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    (void)out;
    if (is(request, "POST", "/v2/app/") && !hub->number++)
        spoil(hub);
    return false;
}

static void test_changed_meanwhile(void **state)
{
    struct oci_hub *hub = *state;

    hub->meddle = spoil_at_the_post;
    fails(hub, CLASS_OUTPUT_REFUSED, "blob-changed", hub->bed.layers[0]);
    assert_int_equal(hub->tags.len, 0);
    assert_false(strings_has(&hub->blobs, hub->bed.layers[0]));
}

static bool cut_at_the_post(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    CLEANUP_FREE char *path = oci_bed_path(&hub->bed, hub->bed.layers[0]);

    (void)out;
    if (is(request, "POST", "/v2/app/") && !hub->number++)
        assert_int_equal(truncate(path, 0), 0);
    return false;
}

static void test_cut_meanwhile(void **state)
{
    struct oci_hub *hub = *state;

    hub->meddle = cut_at_the_post;
    fails(hub, CLASS_OUTPUT_REFUSED, "blob-changed", hub->bed.layers[0]);
}

int main(void)
{
#define ON_HUB(test) cmocka_unit_test_setup_teardown(test, oci_hub_setup, oci_hub_teardown)
    const struct CMUnitTest tests[] = {
        ON_HUB(test_upload_elsewhere),  ON_HUB(test_redirected_upload), ON_HUB(test_redirect_in_circles),
        ON_HUB(test_sent_away_by_http), ON_HUB(test_refusals),          ON_HUB(test_lies_about_digests),
        ON_HUB(test_huge_answer),       ON_HUB(test_immutable_tags),    ON_HUB(test_changed_before),
        ON_HUB(test_changed_meanwhile), ON_HUB(test_cut_meanwhile),
    };

    return cmocka_run_group_tests_name("oci/push_refused", tests, NULL, NULL);
}
