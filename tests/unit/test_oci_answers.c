/* What registries and token servers say, as hostile text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/mem.h"
#include "oci/registry_internal.h"

static void test_challenges(void **state)
{
    static const struct {
        const char *text;
        enum auth_scheme scheme;
        const char *realm, *service, *scope;
    } cases[] = {
        {"", AUTH_NONE, "", "", ""},
        {"Basic realm=\"https://1234.dkr.ecr.eu-west-1.amazonaws.com/\",service=\"ecr.amazonaws.com\"", AUTH_BASIC, "",
         "", ""},
        {"basic", AUTH_BASIC, "", "", ""},
        {"Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope=\"repository:a/b:pull,"
         "push\",error=\"invalid_token\"",
         AUTH_BEARER, "https://auth.docker.io/token", "registry.docker.io", "repository:a/b:pull,push"},
        {"BEARER  REALM = \"https://a.test/t\" , Service=x", AUTH_BEARER, "https://a.test/t", "x", ""},
        {"Bearer realm=\"https://a.test/\\\"q\\\\\"", AUTH_BEARER, "https://a.test/\"q\\", "", ""},
        {"Basic realm=\"x\", Bearer realm=\"https://a.test/t\"", AUTH_BEARER, "https://a.test/t", "", ""},
        {"Bearer realm=\"https://a.test/t\", Basic realm=\"x\"", AUTH_BEARER, "https://a.test/t", "", ""},
        {"Negotiate", AUTH_OTHER, "", "", ""},
        {"Negotiate YWJjZGVm==, Basic realm=\"x\"", AUTH_BASIC, "", "", ""},
        {"Digest realm=\"a\", nonce=\"b,c=d\"", AUTH_OTHER, "", "", ""},
        {"Bearer", AUTH_OTHER, "", "", ""},
        {"Bearer realm=\"\"", AUTH_OTHER, "", "", ""},
        {"Bearer realm=\"https://a.test/\x01\"", AUTH_OTHER, "", "", ""},
        {"Bearer realm=\"https://a.test/\xc3\xa4\"", AUTH_OTHER, "", "", ""},
        {"Bearer realm=\"https://a.test/unfinished", AUTH_BEARER, "https://a.test/unfinished", "", ""},
        {"Bearer realm=\"a\\", AUTH_BEARER, "a\\", "", ""},
        {",,, Bearer ,, realm=https://a", AUTH_BEARER, "https", "", ""},
        {"=\"x\"", AUTH_OTHER, "", "", ""},
        {"\"Bearer realm=x\"", AUTH_BEARER, "x", "", ""},
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        struct challenge challenge = {.scheme = AUTH_NONE};

        challenge_parse(view_of(cases[i].text), &challenge);
        if (challenge.scheme != cases[i].scheme || strcmp(challenge.realm, cases[i].realm) != 0 ||
            strcmp(challenge.service, cases[i].service) != 0 || strcmp(challenge.scope, cases[i].scope) != 0)
            fail_msg("%s: %d %s %s %s", cases[i].text, challenge.scheme, challenge.realm, challenge.service,
                     challenge.scope);
    }
}

/* An address that is cut would be another one. */
static void test_long_challenge(void **state)
{
    struct challenge challenge = {.scheme = AUTH_NONE};
    CLEANUP_FREE char *realm = xcalloc(1, 5000);
    CLEANUP_FREE char *text = NULL;

    (void)state;
    memset(realm, 'a', 1024);
    text = xasprintf("Bearer realm=\"%s\"", realm);
    challenge_parse(view_of(text), &challenge);
    assert_int_equal(challenge.scheme, AUTH_OTHER);
    realm[1023] = '\0';
    free(text);
    text = xasprintf("Bearer realm=\"%s\"", realm);
    challenge = (struct challenge){.scheme = AUTH_NONE};
    challenge_parse(view_of(text), &challenge);
    assert_int_equal(challenge.scheme, AUTH_BEARER);
    assert_string_equal(challenge.realm, realm);
}

static void test_several_headers(void **state)
{
    struct http_response response;
    struct challenge challenge;

    (void)state;
    http_response_init(&response);
    strings_add(&response.headers, "www-authenticate: Basic realm=\"x\"");
    strings_add(&response.headers, "content-type: text/plain");
    strings_add(&response.headers, "www-authenticate: Bearer realm=\"https://a.test/\"");
    challenge_of(&response, &challenge);
    assert_int_equal(challenge.scheme, AUTH_BEARER);
    http_response_dispose(&response);
}

static void test_failures(void **state)
{
    static const struct {
        const char *text, *code, *message;
    } cases[] = {
        {"", "", ""},
        {"<html>", "", ""},
        {"Your authorization token has expired.\r\nX", "", "Your authorization token has expired."},
        {"a\x1b[2Jb", "", "a [2Jb"},
        {"{\"errors\":[{\"code\":\"NAME_UNKNOWN\",\"message\":\"no such\",\"detail\":{}}]}", "NAME_UNKNOWN", "no such"},
        {"{\"errors\":[{\"code\":\"A\",\"message\":\"x\"},{\"code\":\"B\"}]}", "A", "x"},
        {"{\"errors\":[]}", "", ""},
        {"{\"errors\":{\"code\":\"A\"}}", "", ""},
        {"{\"errors\":[7]}", "", ""},
        {"{\"details\":\"incorrect username or password\"}", "", "incorrect username or password"},
        {"{\"error\":\"invalid_token\",\"error_description\":\"ran out\"}", "invalid_token", "ran out"},
        {"{\"code\":\"DENIED\",\"message\":\"a\\nb\\u001b[2Jc\"}", "DENIED", "a b [2Jc"},
        {"{\"code\":\"two words\",\"message\":\"x\"}", "", "x"},
        {"[1,2]", "", ""},
        {"\"text\"", "", ""},
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        struct registry_failure failure;

        registry_failure_parse(view_of(cases[i].text), &failure);
        if (strcmp(failure.code, cases[i].code) != 0 || strcmp(failure.message, cases[i].message) != 0)
            fail_msg("%s: %s %s", cases[i].text, failure.code, failure.message);
    }
}

static void test_tokens(void **state)
{
    static const struct {
        const char *text, *token; /* NULL: none */
        int64_t lifetime_ms;
    } cases[] = {
        {"{\"token\":\"abc.def-_~+/=\",\"expires_in\":300}", "abc.def-_~+/=", 300000},
        {"{\"access_token\":\"abc\"}", "abc", 60000},
        {"{\"token\":\"a\",\"access_token\":\"b\",\"expires_in\":0}", "a", 60000},
        {"{\"token\":\"a\",\"expires_in\":-5}", "a", 60000},
        {"{\"token\":\"a\",\"expires_in\":99999999999}", "a", 86400000},
        {"{\"token\":\"a\",\"expires_in\":\"12\"}", "a", 60000},
        {"{\"token\":\"\"}", NULL, 0},
        {"{\"token\":\"a b\"}", NULL, 0},
        {"{\"token\":\"a\\r\\nX: y\"}", NULL, 0},
        {"{\"token\":\"\\u00e4\"}", NULL, 0},
        {"{\"token\":7}", NULL, 0},
        {"[]", NULL, 0},
        {"", NULL, 0},
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t lifetime_ms = 0;
        char *token = NULL;
        int result = token_parse(view_of(cases[i].text), &token, &lifetime_ms);

        if ((result == 0) != (cases[i].token != NULL))
            fail_msg("%s", cases[i].text);
        if (result == 0) {
            assert_string_equal(token, cases[i].token);
            assert_int_equal(lifetime_ms, cases[i].lifetime_ms);
        }
        secret_free(token);
    }
}

/* ---- where a registry may send us ---- */

static void test_locations(void **state)
{
    static const struct {
        const char *repository;
        bool insecure;
        const char *asked, *location, *url; /* NULL: refused */
    } cases[] = {
        {"r.test/a", false, "https://r.test/v2/a/blobs/uploads/", "/v2/a/blobs/uploads/1?_state=x",
         "https://r.test/v2/a/blobs/uploads/1?_state=x"},
        {"r.test/a", false, "https://r.test/v2/a/blobs/uploads/", "1?s=x", "https://r.test/v2/a/blobs/uploads/1?s=x"},
        {"r.test/a", false, "https://r.test/v2/", "https://cdn.test:8443/u#f", "https://cdn.test:8443/u"},
        {"r.test/a", false, "https://r.test/v2/", "//cdn.test/u", "https://cdn.test/u"},
        {"r.test/a", false, "https://r.test/v2/", "http://r.test/u", "https://r.test/u"},
        {"r.test:5000/a", false, "https://r.test:5000/v2/", "http://r.test:5000/u", "https://r.test:5000/u"},
        {"r.test/a", false, "https://r.test/v2/", "http://cdn.test/u", NULL},
        {"r.test/a", false, "https://r.test/v2/", "http://r.test:81/u", NULL},
        {"r.test/a", false, "https://r.test/v2/", "http://127.0.0.1/u", NULL},
        {"r.test/a", false, "https://r.test/v2/", "http://169.254.170.2/v2/credentials", NULL},
        {"r.test/a", false, "https://r.test/v2/", "file:///etc/passwd", NULL},
        {"r.test/a", false, "https://r.test/v2/", "ftp://r.test/u", NULL},
        {"r.test/a", false, "https://r.test/v2/", "https://user:pass@r.test/u", NULL},
        {"r.test/a", false, "https://r.test/v2/", "https://", NULL},
        {"r.test/a", false, "https://r.test/v2/", NULL, NULL},
        {"localhost:5000/a", false, "http://localhost:5000/v2/", "http://127.0.0.1:9000/u", "http://127.0.0.1:9000/u"},
        {"localhost:5000/a", false, "http://localhost:5000/v2/", "http://cdn.test/u", NULL},
        {"localhost:5000/a", false, "http://localhost:5000/v2/", "https://cdn.test/u", "https://cdn.test/u"},
        {"r.test/a", true, "http://r.test/v2/", "http://cdn.test/u", "http://cdn.test/u"},
    };
    struct loop *loop = loop_new();
    struct http_client *client = http_client_new(loop, &(struct http_options){0});
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        struct registry_options options = {
            .client = client, .repository = cases[i].repository, .insecure = cases[i].insecure};
        struct registry *registry;
        struct error err = {0};
        char *url = NULL;
        int result;

        assert_int_equal(registry_new(&registry, &options, &err), 0);
        result = registry_location(registry, cases[i].asked, cases[i].location, &url, &err);
        if ((result == 0) != (cases[i].url != NULL) || (url && strcmp(url, cases[i].url) != 0))
            fail_msg("%s: %s", cases[i].location, url ? url : err.message);
        if (result)
            assert_string_equal(err.reason, "redirect-refused");
        free(url);
        registry_free(registry);
    }
    http_client_free(client);
    loop_free(loop);
}

static void test_own_address(void **state)
{
    struct loop *loop = loop_new();
    struct http_client *client = http_client_new(loop, &(struct http_options){0});
    struct registry_options options = {.client = client, .repository = "R.test:443/a"};
    struct registry *registry;

    (void)state;
    assert_int_equal(registry_new(&registry, &options, NULL), 0);
    assert_true(registry_is_own(registry, "https://r.test/x"));
    assert_true(registry_is_own(registry, "https://R.TEST:443/x"));
    assert_false(registry_is_own(registry, "http://r.test/x"));
    assert_false(registry_is_own(registry, "https://r.test:444/x"));
    assert_false(registry_is_own(registry, "https://r.test.evil.test/x"));
    assert_false(registry_is_own(registry, "https://r.test@evil.test/x"));
    registry_free(registry);
    options.repository = "docker.io/app";
    assert_int_equal(registry_new(&registry, &options, NULL), 0);
    assert_string_equal(registry->host, "registry-1.docker.io");
    assert_string_equal(registry->name, "library/app");
    registry_free(registry);
    http_client_free(client);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_challenges),      cmocka_unit_test(test_long_challenge),
        cmocka_unit_test(test_several_headers), cmocka_unit_test(test_failures),
        cmocka_unit_test(test_tokens),          cmocka_unit_test(test_locations),
        cmocka_unit_test(test_own_address),
    };

    return cmocka_run_group_tests_name("oci/answers", tests, NULL, NULL);
}
