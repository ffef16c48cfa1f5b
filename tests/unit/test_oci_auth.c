/* Who a push is for a registry: basic and bearer, and what runs out in the middle of it. */
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

#define USER_PASS "dXNlcjpwYXNz"      /* user:pass */
#define USER_FRESH "dXNlcjpmcmVzaA==" /* user:fresh */

static void give(struct oci_hub *hub, const char *password)
{
    registry_credentials_dispose(&hub->given);
    hub->given = (struct registry_credentials){xstrdup("user"), xstrdup(password)};
}

static void pushes(struct oci_hub *hub)
{
    struct push_result result;
    struct error err = {0};

    if (oci_hub_push(hub, "v1", &result, &err))
        fail_msg("%s: %s", err.reason, err.message);
    assert_int_equal(result.blobs_sent + result.blobs_there, 3);
    assert_int_equal(result.tags_written.len, 1);
    push_result_dispose(&result);
}

static void fails(struct oci_hub *hub, enum error_class class, const char *reason, const char *says)
{
    struct push_result result;
    struct error err = {0};

    if (!oci_hub_push(hub, "v1", &result, &err))
        fail_msg("it was pushed");
    if (err.class != class || strcmp(err.reason, reason) != 0 || !strstr(err.message, says))
        fail_msg("%d %s: %s", err.class, err.reason, err.message);
    assert_null(strstr(err.message, "wrong-pass-word"));
    assert_null(strstr(err.message, "dXNl"));
    assert_int_equal(hub->tags.len, 0);
}

static bool is_push(const struct loop_request *request)
{
    return strcmp(request->method, "GET") != 0;
}

/* ---- basic ---- */

static void test_basic(void **state)
{
    struct oci_hub *hub = *state;

    hub->basic = USER_PASS;
    give(hub, "pass");
    pushes(hub);
    assert_int_equal(hub->asked, 1);
    /* Not before it is wanted, and nothing is sent in vain. */
    assert_string_equal(hub->log.items[0], "GET /v2/");
    assert_int_equal(oci_hub_count(&hub->log, "HEAD /v2/app/blobs/"), 3);
}

static void test_wrong_password(void **state)
{
    struct oci_hub *hub = *state;

    hub->basic = USER_PASS;
    give(hub, "wrong-pass-word");
    fails(hub, CLASS_PUSH_FAILED, "registry-unauthorized", "answers 401");
    assert_int_equal(hub->asked, 1);
    assert_int_equal(hub->renewed, 0);
}

static void test_nobody(void **state)
{
    struct oci_hub *hub = *state;

    hub->basic = USER_PASS;
    fails(hub, CLASS_PUSH_FAILED, "registry-unauthorized", "wants a user and a password");
}

/* The password runs out in the middle, and all that is under way is refused at once. */
static bool change_password(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    (void)request;
    (void)out;
    if (hub->number++ == 5) {
        hub->basic = USER_FRESH;
        give(hub, "fresh");
    }
    return false;
}

static void test_password_runs_out(void **state)
{
    struct oci_hub *hub = *state;

    hub->basic = USER_PASS;
    give(hub, "pass");
    hub->meddle = change_password;
    pushes(hub);
    assert_int_equal(hub->asked, 2);
    assert_int_equal(hub->renewed, 1);
}

/* ECR's way of saying it. */
static bool expire_as_ecr(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    char value[128] = "";

    loop_request_header(request, "Authorization", value, sizeof value);
    if (++hub->number == 6) {
        hub->basic = USER_FRESH;
        give(hub, "fresh");
    }
    if (hub->number < 6 || strcmp(value, "Basic " USER_PASS) != 0)
        return false;
    loop_answer(out, 403, "",
                strcmp(request->method, "HEAD") == 0
                    ? ""
                    : "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"Your Authorization Token has expired. "
                      "Reauthenticate and try again.\"}]}");
    return true;
}

static void test_password_of_ecr_runs_out(void **state)
{
    struct oci_hub *hub = *state;

    hub->basic = USER_PASS;
    give(hub, "pass");
    hub->meddle = expire_as_ecr;
    pushes(hub);
    assert_int_equal(hub->renewed, 1);
}

static bool refuse_from_now_on(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    if (hub->number++ < 5 || !is_push(request))
        return false;
    loop_answer(out, 401, "WWW-Authenticate: Basic realm=\"x\"\r\n", "");
    return true;
}

static void test_renewed_once(void **state)
{
    struct oci_hub *hub = *state;

    hub->basic = USER_PASS;
    give(hub, "pass");
    hub->meddle = refuse_from_now_on;
    fails(hub, CLASS_PUSH_FAILED, "registry-unauthorized", "401");
    assert_int_equal(hub->renewed, 1);
    assert_true(hub->log.len < 20);
}

/* ---- bearer ---- */

static void begin_bearer(struct oci_hub *hub)
{
    hub->basic = USER_PASS;
    hub->bearer = true;
    give(hub, "pass");
}

static void test_bearer(void **state)
{
    struct oci_hub *hub = *state;

    begin_bearer(hub);
    strings_add(&hub->foreign, "none");
    pushes(hub);
    assert_int_equal(hub->tokens, 1);
    assert_string_equal(hub->log.items[1],
                        "GET /token?service=the%20hub&scope=repository%3Aapp%3Apull%2Cpush&scope=repository%3Abase%3A"
                        "pull Basic " USER_PASS);
    /* The password goes to the token server alone. */
    assert_int_equal(oci_hub_count(&hub->log, "HEAD /v2/app/blobs/sha256:"), 3);
    for (size_t i = 2; i < hub->log.len; i++)
        assert_non_null(strstr(hub->log.items[i], " Bearer token-1"));
}

static void test_wrong_password_for_a_token(void **state)
{
    struct oci_hub *hub = *state;

    begin_bearer(hub);
    give(hub, "wrong-pass-word");
    fails(hub, CLASS_PUSH_FAILED, "registry-unauthorized", "the token server answers 401: wrong password");
    assert_int_equal(hub->asked, 1);
}

static bool new_token_at(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    (void)out;
    if (strncmp(request->target, "/token", 6) != 0 && ++hub->number % 4 == 0 && hub->tokens && hub->number < 9)
        hub->tokens++; /* nobody has that one: what is held is not good any more */
    return false;
}

static void test_token_runs_out(void **state)
{
    struct oci_hub *hub = *state;

    begin_bearer(hub);
    hub->meddle = new_token_at;
    pushes(hub);
    assert_int_equal(oci_hub_count(&hub->log, "GET /token"), 3);
}

/* Before it runs out: the margin is a fifth of its life. */
static bool wait_at_the_manifest(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    (void)out;
    if (strcmp(request->method, "HEAD") == 0 && strstr(request->target, "manifests"))
        hub->registry->auth.fresh_until_ms = clock_monotonic_ms() - 1;
    return false;
}

static void test_token_is_renewed_in_time(void **state)
{
    struct oci_hub *hub = *state;
    int64_t began_ms = clock_monotonic_ms();

    begin_bearer(hub);
    hub->meddle = wait_at_the_manifest;
    pushes(hub);
    assert_int_equal(oci_hub_count(&hub->log, "GET /token"), 2);
    assert_non_null(strstr(hub->log.items[hub->log.len - 1], "Bearer token-2"));
    assert_true(hub->registry->auth.fresh_until_ms >= began_ms + 290000);
    assert_true(hub->registry->auth.fresh_until_ms <= clock_monotonic_ms() + 290000);
}

static bool want_scope(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    CLEANUP_FREE char *header = NULL;

    if (!is_push(request) || oci_hub_count(&hub->log, "GET /token") > 1)
        return false;
    header = xasprintf("WWW-Authenticate: Bearer realm=\"http://%s/token\",service=\"the hub\",scope=\"repository:app:"
                       "pull,push,tag\",error=\"insufficient_scope\"\r\n",
                       hub->host);
    loop_answer(out, 401, header, "");
    return true;
}

static void test_more_scope(void **state)
{
    struct oci_hub *hub = *state;
    size_t i, found = 0;

    begin_bearer(hub);
    hub->meddle = want_scope;
    pushes(hub);
    for (i = 0; i < hub->log.len; i++)
        found += strstr(hub->log.items[i], "scope=repository%3Aapp%3Apull%2Cpush%2Ctag") != NULL;
    assert_true(found >= 1);
}

static bool never_enough(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    CLEANUP_FREE char *header = NULL;

    if (!is_push(request))
        return false;
    header =
        xasprintf("WWW-Authenticate: Bearer realm=\"http://%s/token\",scope=\"s%d\"\r\n", hub->host, hub->number++);
    loop_answer(out, 401, header, "");
    return true;
}

static void test_never_enough(void **state)
{
    struct oci_hub *hub = *state;

    begin_bearer(hub);
    hub->meddle = never_enough;
    fails(hub, CLASS_PUSH_FAILED, "registry-unauthorized", "401");
    assert_true(hub->log.len < 40);
}

static const char *realm;

static bool name_realm(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    CLEANUP_FREE char *header = xasprintf("WWW-Authenticate: Bearer realm=\"%s\"\r\n", realm);

    (void)hub;
    if (strcmp(request->target, "/v2/") != 0)
        return false;
    loop_answer(out, 401, header, "");
    return true;
}

/* Whoever it is that the registry names gets the password. */
static void test_bad_realms(void **state)
{
    static const struct {
        const char *realm, *reason;
    } cases[] = {
        {"http://tokens.test/t", "redirect-refused"},
        {"ftp://127.0.0.1/t", "redirect-refused"},
        {"https://user:pw@127.0.0.1/t", "redirect-refused"},
        {"/token", "registry-error"},
        {"tokens", "registry-error"},
    };
    struct oci_hub *hub = *state;
    size_t i;

    begin_bearer(hub);
    hub->meddle = name_realm;
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        realm = cases[i].realm;
        oci_hub_connect(hub, 2);
        fails(hub, CLASS_PUSH_FAILED, cases[i].reason, "logging in");
    }
}

static bool broken_tokens(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    if (strncmp(request->target, "/token", 6) != 0 || hub->number++ % 3 == 2)
        return false;
    loop_answer(out, hub->number % 3 == 1 ? 503 : 429, "", "");
    return true;
}

static void test_token_server_in_trouble(void **state)
{
    struct oci_hub *hub = *state;

    begin_bearer(hub);
    hub->meddle = broken_tokens;
    pushes(hub);
}

/* A neighbour whose layers might be mounted, and who lets nobody in. */
static bool deny_neighbours(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    (void)hub;
    if (!strstr(request->target, "scope=repository%3Abase"))
        return false;
    loop_answer(out, 403, "", "{\"errors\":[{\"code\":\"DENIED\"}]}");
    return true;
}

static void test_no_token_for_a_neighbour(void **state)
{
    struct oci_hub *hub = *state;

    begin_bearer(hub);
    strings_add(&hub->foreign, "none");
    hub->meddle = deny_neighbours;
    pushes(hub);
    assert_int_equal(oci_hub_count(&hub->log, "GET /token"), 2);
}

static bool no_tokens(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    (void)hub;
    if (strncmp(request->target, "/token", 6) != 0)
        return false;
    loop_answer(out, 200, "", "{\"token\":\"a b\"}");
    return true;
}

static void test_no_token(void **state)
{
    struct oci_hub *hub = *state;

    begin_bearer(hub);
    hub->meddle = no_tokens;
    fails(hub, CLASS_PUSH_FAILED, "registry-error", "holds no token");
}

/* ---- others ---- */

static bool negotiate(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    (void)hub;
    (void)request;
    loop_answer(out, 401, "WWW-Authenticate: Negotiate\r\n", "");
    return true;
}

static void test_other_schemes(void **state)
{
    struct oci_hub *hub = *state;

    give(hub, "pass");
    hub->meddle = negotiate;
    fails(hub, CLASS_PUSH_FAILED, "registry-unauthorized", "neither basic nor bearer");
}

/* Who may be read by anybody asks at the first thing that he keeps for himself. */
static bool open_door(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    (void)hub;
    if (strcmp(request->target, "/v2/") != 0)
        return false;
    loop_answer(out, 200, "", "{}");
    return true;
}

static void test_asked_late(void **state)
{
    struct oci_hub *hub = *state;

    hub->basic = USER_PASS;
    give(hub, "pass");
    hub->meddle = open_door;
    pushes(hub);
}

static void test_asked_late_for_a_token(void **state)
{
    struct oci_hub *hub = *state;

    begin_bearer(hub);
    hub->meddle = open_door;
    pushes(hub);
}

static int refuse_credentials(void *context, bool renew, struct registry_credentials *credentials, struct error *err)
{
    (void)context;
    (void)renew;
    (void)credentials;
    return error_set(err, CLASS_CREDENTIALS, "credentials-refused", "the role is gone");
}

static void test_no_credentials(void **state)
{
    struct oci_hub *hub = *state;

    begin_bearer(hub);
    oci_hub_connect(hub, 2);
    hub->registry->credentials = refuse_credentials;
    fails(hub, CLASS_CREDENTIALS, "credentials-refused", "the role is gone");
}

int main(void)
{
#define ON_HUB(test) cmocka_unit_test_setup_teardown(test, oci_hub_setup, oci_hub_teardown)
    const struct CMUnitTest tests[] = {
        ON_HUB(test_basic),
        ON_HUB(test_wrong_password),
        ON_HUB(test_nobody),
        ON_HUB(test_password_runs_out),
        ON_HUB(test_password_of_ecr_runs_out),
        ON_HUB(test_renewed_once),
        ON_HUB(test_bearer),
        ON_HUB(test_wrong_password_for_a_token),
        ON_HUB(test_token_runs_out),
        ON_HUB(test_token_is_renewed_in_time),
        ON_HUB(test_more_scope),
        ON_HUB(test_never_enough),
        ON_HUB(test_bad_realms),
        ON_HUB(test_token_server_in_trouble),
        ON_HUB(test_no_token_for_a_neighbour),
        ON_HUB(test_no_token),
        ON_HUB(test_other_schemes),
        ON_HUB(test_asked_late),
        ON_HUB(test_asked_late_for_a_token),
        ON_HUB(test_no_credentials),
    };

    return cmocka_run_group_tests_name("oci/auth", tests, NULL, NULL);
}
