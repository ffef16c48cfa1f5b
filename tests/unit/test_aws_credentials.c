#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "aws/credentials.h"
#include "aws/credentials_endpoint.h"
#include "aws/credentials_parse.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/mem.h"
#include "support/loop_server.h"

/* ---- sources ---- */

static void find(struct credentials_source *source, bool allow_full_uri, const char *const *env)
{
    struct strings list = {0};

    for (; *env; env++)
        strings_add(&list, *env);
    credentials_source_find(source, &list, allow_full_uri);
    strings_dispose(&list);
}
#define FIND(source, allow, ...) find(source, allow, (const char *const[]){__VA_ARGS__, NULL})

static void test_static_wins(void **state)
{
    struct credentials_source source;

    (void)state;
    FIND(&source, true, "AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=secret", "AWS_SESSION_TOKEN=token",
         "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/x", "AWS_PROFILE=p");
    assert_int_equal(source.kind, CREDENTIALS_STATIC);
    assert_string_equal(source.fixed.access_key, "AKID");
    assert_string_equal(source.fixed.secret_key, "secret");
    assert_string_equal(source.fixed.session_token, "token");
    assert_string_equal(credentials_source_name(&source), "AWS_ACCESS_KEY_ID");
    credentials_source_dispose(&source);
    FIND(&source, true, "AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=", "HOME=/nonexistent");
    assert_int_equal(source.kind, CREDENTIALS_NONE);
    assert_string_equal(credentials_source_name(&source), "nothing");
    credentials_source_dispose(&source);
    FIND(&source, true, "AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=s", "AWS_SESSION_TOKEN=");
    assert_null(source.fixed.session_token);
    credentials_source_dispose(&source);
}

static void test_container_sources(void **state)
{
    struct credentials_source source;

    (void)state;
    FIND(&source, true, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/credentials/id",
         "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1/x", "AWS_CONTAINER_AUTHORIZATION_TOKEN=t");
    assert_int_equal(source.kind, CREDENTIALS_ENDPOINT);
    assert_string_equal(source.endpoint, "http://169.254.170.2/v2/credentials/id");
    assert_null(source.endpoint_token);
    credentials_source_dispose(&source);

    FIND(&source, true, "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1/x", "AWS_CONTAINER_AUTHORIZATION_TOKEN=t",
         "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/f");
    assert_int_equal(source.kind, CREDENTIALS_ENDPOINT);
    assert_string_equal(source.endpoint_token, "t");
    assert_string_equal(source.endpoint_token_file, "/f");
    credentials_source_dispose(&source);

    FIND(&source, false, "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1/x", "HOME=/nonexistent");
    assert_int_equal(source.kind, CREDENTIALS_NONE);
    credentials_source_dispose(&source);

    /* A value without its slash must not become part of a host name. */
    FIND(&source, true, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=.evil.example/x");
    assert_string_equal(source.endpoint, "http://169.254.170.2/.evil.example/x");
    credentials_source_dispose(&source);
}

static void test_file_sources(void **state)
{
    struct credentials_source source;

    (void)state;
    FIND(&source, true, "AWS_SHARED_CREDENTIALS_FILE=/etc/c", "HOME=/root");
    assert_int_equal(source.kind, CREDENTIALS_FILE);
    assert_string_equal(source.file, "/etc/c");
    assert_string_equal(source.profile, "default");
    credentials_source_dispose(&source);
    FIND(&source, true, "AWS_PROFILE=dev", "HOME=/home/u");
    assert_string_equal(source.file, "/home/u/.aws/credentials");
    assert_string_equal(source.profile, "dev");
    assert_string_equal(credentials_source_name(&source), "profile dev of ~/.aws/credentials");
    credentials_source_dispose(&source);
}

static void test_endpoint_hosts(void **state)
{
    static const char *const good[] = {
        "http://169.254.170.2/v2/x",
        "http://169.254.170.23/v1/credentials",
        "http://127.0.0.1:8080/",
        "http://127.9.9.9/",
        "http://localhost:1234/x",
        "http://[::1]:80/",
        "http://[fd00:ec2::23]/v1/credentials",
        "https://example.com/x",
    };
    static const char *const bad[] = {
        "http://example.com/x",
        "http://169.254.169.254/latest",
        "http://169.254.170.2.evil.example/",
        "http://169.254.170.2@evil.example/",
        "http://10.0.0.1/",
        "http://localhost.evil.example/",
        "ftp://127.0.0.1/",
        "http://[::2]/",
        "file:///etc/passwd",
        "//",
        "",
        "http://127.evil.example/",
    };
    struct error err;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(good); i++)
        if (credentials_endpoint_check(good[i], &err))
            fail_msg("%s: %s", good[i], err.message);
    for (i = 0; i < ARRAY_LEN(bad); i++) {
        if (credentials_endpoint_check(bad[i], &err) == 0)
            fail_msg("%s was allowed", bad[i]);
        assert_int_equal(err.class, CLASS_CREDENTIALS);
    }
}

static void check_round_trip(const struct credentials_source *source)
{
    struct credentials_source copy;
    struct error err;
    json_t *json = credentials_source_to_json(source);
    json_t *again;

    assert_int_equal(credentials_source_from_json(&copy, json, &err), 0);
    again = credentials_source_to_json(&copy);
    assert_true(json_equal(json, again));
    assert_int_equal(copy.kind, source->kind);
    json_decref(json);
    json_decref(again);
    credentials_source_dispose(&copy);
}

static void test_json(void **state)
{
    static const char *const bad[] = {"{}",
                                      "[]",
                                      "null",
                                      "{\"kind\":\"magic\"}",
                                      "{\"kind\":\"static\"}",
                                      "{\"kind\":\"endpoint\",\"endpoint\":7}",
                                      "{\"kind\":\"file\",\"file\":\"x\"}"};
    struct credentials_source source;
    struct error err;
    size_t i;

    (void)state;
    FIND(&source, true, "AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=secret", "AWS_SESSION_TOKEN=token");
    source.fixed.expires_ms = 1234567890123;
    check_round_trip(&source);
    credentials_source_dispose(&source);
    FIND(&source, true, "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1/x", "AWS_CONTAINER_AUTHORIZATION_TOKEN=t",
         "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/f");
    check_round_trip(&source);
    credentials_source_dispose(&source);
    FIND(&source, true, "AWS_SHARED_CREDENTIALS_FILE=/etc/c");
    check_round_trip(&source);
    credentials_source_dispose(&source);
    for (i = 0; i < ARRAY_LEN(bad); i++) {
        json_t *json = json_loads(bad[i], JSON_DECODE_ANY, NULL);

        assert_int_equal(credentials_source_from_json(&source, json, &err), -1);
        json_decref(json);
    }
}

/* ---- documents and files ---- */

static void test_documents(void **state)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{\"AccessKeyId\":\"A\"}",
        "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":7}",
        "{\"AccessKeyId\":\"A\\nX: y\",\"SecretAccessKey\":\"s\"}",
        "{\"AccessKeyId\":\"A B\",\"SecretAccessKey\":\"s\"}",
        "{\"AccessKeyId\":\"\",\"SecretAccessKey\":\"s\"}",
        "{\"AccessKeyId\":\"\xC3\xBC\",\"SecretAccessKey\":\"s\"}",
        "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\",\"Expiration\":\"tomorrow\"}",
        "{\"AccessKeyId\":\"A\",\"AccessKeyId\":\"B\",\"SecretAccessKey\":\"s\"}",
    };
    const char *good = "{\"RoleArn\":\"r\",\"AccessKeyId\":\"ASIA\",\"SecretAccessKey\":\"s/+\",\"Token\":\"t==\","
                       "\"Expiration\":\"2026-01-09T12:00:00Z\",\"Extra\":[1]}";
    struct credentials found;
    struct error err;
    size_t i;

    (void)state;
    assert_int_equal(credentials_parse_document(view_of(good), &found, &err), 0);
    assert_string_equal(found.access_key, "ASIA");
    assert_string_equal(found.secret_key, "s/+");
    assert_string_equal(found.session_token, "t==");
    assert_true(found.expires_ms == INT64_C(1767960000000));
    credentials_dispose(&found);
    for (i = 0; i < ARRAY_LEN(bad); i++) {
        if (credentials_parse_document(view_of(bad[i]), &found, &err) == 0)
            fail_msg("accepted %s", bad[i]);
        assert_int_equal(err.class, CLASS_CREDENTIALS);
        assert_false(err.retryable);
    }
}

static void test_documents_are_bounded_and_not_quoted(void **state)
{
    struct credentials found;
    struct error err;
    struct buf text;

    (void)state;
    buf_init(&text, 1 << 20);
    buf_adds(&text, "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"");
    while (text.len < 2000)
        buf_adds(&text, "TOPSECRET");
    buf_adds(&text, "\"}");
    assert_int_equal(credentials_parse_document((struct view){text.data, text.len}, &found, &err), -1);
    assert_null(strstr(err.message, "TOPSECRET"));
    while (text.len <= CREDENTIALS_DOCUMENT_MAX)
        buf_adds(&text, "          ");
    assert_int_equal(credentials_parse_document((struct view){text.data, text.len}, &found, &err), -1);
    assert_non_null(strstr(err.message, "larger than"));
    buf_dispose(&text);
}

static int parse_profile(const char *text, const char *profile, struct credentials *found, struct error *err)
{
    return credentials_parse_profile(view_of(text), "FILE", profile, found, err);
}

static void test_profiles(void **state)
{
    const char *text =
        "\xEF\xBB\xBF# comment\n[default]\naws_access_key_id = A1\r\naws_secret_access_key=S1\n; no\n"
        "\n[ dev ]  # second\n  aws_access_key_id=A2\naws_secret_access_key = S=2\naws_session_token = T2\n"
        "region = x\n[role]\nrole_arn = arn\nsource_profile = default\n[half]\naws_access_key_id = A\n"
        "[empty]\naws_access_key_id =\naws_secret_access_key =\n[notoken]\naws_access_key_id = A3\n"
        "aws_secret_access_key = S3\naws_session_token =";
    struct credentials found;
    struct error err;

    (void)state;
    assert_int_equal(parse_profile(text, "default", &found, &err), 0);
    assert_string_equal(found.access_key, "A1");
    assert_string_equal(found.secret_key, "S1");
    assert_null(found.session_token);
    credentials_dispose(&found);
    assert_int_equal(parse_profile(text, "dev", &found, &err), 0);
    assert_string_equal(found.secret_key, "S=2");
    assert_string_equal(found.session_token, "T2");
    credentials_dispose(&found);
    assert_int_equal(parse_profile(text, "notoken", &found, &err), 0);
    assert_null(found.session_token);
    credentials_dispose(&found);
    assert_int_equal(parse_profile(text, "missing", &found, &err), -1);
    assert_string_equal(err.reason, "profile-not-found");
    assert_int_equal(parse_profile(text, "role", &found, &err), -1);
    assert_string_equal(err.reason, "profile-not-supported");
    assert_int_equal(parse_profile(text, "half", &found, &err), -1);
    assert_int_equal(parse_profile(text, "empty", &found, &err), -1);
    assert_int_equal(parse_profile("[", "", &found, &err), -1);
    assert_int_equal(parse_profile("", "default", &found, &err), -1);
}

/* ---- providers ---- */

struct endpoint {
    struct loop *loop;
    struct http_client *client;
    struct loop_server *server;
    struct credentials_source source;
    struct credentials_provider *provider;
    int asked;
    int fail_first;  /* so many 503 first */
    int status;      /* answered when not 0 */
    int64_t life_ms; /* of what is handed out */
    char token[64];  /* as last seen */
    char path[64];
    struct strings secrets;
};

static void answer(void *context, const struct loop_request *request, struct buf *out)
{
    struct endpoint *e = context;
    char expires[CLOCK_TEXT_SIZE];
    char *body;

    e->asked++;
    snprintf(e->path, sizeof e->path, "%s", request->target);
    if (!loop_request_header(request, "Authorization", e->token, sizeof e->token))
        e->token[0] = '\0';
    if (e->asked <= e->fail_first) {
        loop_answer(out, 503, "", "busy");
        return;
    }
    if (e->status) {
        loop_answer(out, e->status, "Location: http://127.0.0.1:1/\r\n",
                    "{\"code\":\"NoId\",\"message\":\"id GUID-SECRET unknown\"}");
        return;
    }
    clock_format(clock_wall_ms() + e->life_ms, expires);
    body = xasprintf("{\"AccessKeyId\":\"AK%d\",\"SecretAccessKey\":\"SK%d\",\"Token\":\"TK%d\",\"Expiration\":\"%s\"}",
                     e->asked, e->asked, e->asked, expires);
    loop_answer(out, 200, "", body);
    free(body);
}

static void on_secret(void *context, const char *value)
{
    strings_add(&((struct endpoint *)context)->secrets, value);
}

static int endpoint_setup(void **state)
{
    struct endpoint *e = xcalloc(1, sizeof *e);
    CLEANUP_FREE char *uri = NULL;

    e->loop = loop_new();
    /* A proxy of the program's that must not be used. */
    e->client = http_client_new(e->loop, &(struct http_options){.proxy = "http://127.0.0.1:1"});
    e->server = loop_server_start(e->loop, answer, e);
    e->life_ms = 3600 * 1000;
    uri = xasprintf("AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:%d/v2/credentials/GUID-SECRET",
                    loop_server_port(e->server));
    FIND(&e->source, true, uri, "AWS_CONTAINER_AUTHORIZATION_TOKEN=Bearer x");
    e->provider = credentials_provider_new(&e->source, e->client);
    credentials_on_secret(e->provider, on_secret, e);
    *state = e;
    return 0;
}

static int endpoint_teardown(void **state)
{
    struct endpoint *e = *state;

    credentials_provider_free(e->provider);
    credentials_source_dispose(&e->source);
    strings_dispose(&e->secrets);
    loop_server_stop(e->server);
    http_client_free(e->client);
    loop_free(e->loop);
    free(e);
    return 0;
}

static void expect_get(struct endpoint *e, bool renew, const char *access_key)
{
    const struct credentials *credentials;
    struct error err = {0};

    if (credentials_get(e->provider, renew, &credentials, &err))
        fail_msg("%s", err.message);
    assert_string_equal(credentials->access_key, access_key);
}

static void test_endpoint(void **state)
{
    struct endpoint *e = *state;
    uint64_t generation;

    expect_get(e, false, "AK1");
    expect_get(e, false, "AK1");
    assert_int_equal(e->asked, 1);
    assert_string_equal(e->token, "Bearer x");
    assert_string_equal(e->path, "/v2/credentials/GUID-SECRET");
    generation = credentials_generation(e->provider);
    expect_get(e, true, "AK2");
    assert_int_equal(e->asked, 2);
    assert_true(credentials_generation(e->provider) != generation);
    assert_true(strings_has(&e->secrets, "SK1"));
    assert_true(strings_has(&e->secrets, "SK2"));
    assert_true(strings_has(&e->secrets, "TK2"));
    assert_true(strings_has(&e->secrets, "Bearer x"));
    assert_true(strings_has(&e->secrets, "GUID-SECRET"));
    assert_true(strings_has(&e->secrets, "/v2/credentials/GUID-SECRET"));
}

static void test_endpoint_renews_in_time(void **state)
{
    struct endpoint *e = *state;

    e->life_ms = 290 * 1000;
    expect_get(e, false, "AK1");
    /* Within five minutes of the end; but just renewed, so that a short-lived one is not asked for at each call. */
    assert_non_null(credentials_now(e->provider));
    assert_int_equal(e->asked, 1);
    e->life_ms = 1500;
    expect_get(e, true, "AK2");
    assert_int_equal(e->asked, 2);
    loop_sleep(e->loop, 800, NULL);
    assert_null(credentials_now(e->provider));
    expect_get(e, false, "AK3");
}

static void test_endpoint_is_asked_again(void **state)
{
    struct endpoint *e = *state;

    e->fail_first = 2;
    expect_get(e, false, "AK3");
    assert_int_equal(e->asked, 3);
}

static void test_endpoint_refusal_is_final(void **state)
{
    struct endpoint *e = *state;
    const struct credentials *credentials;
    struct error err;

    e->status = 400;
    assert_int_equal(credentials_get(e->provider, false, &credentials, &err), -1);
    assert_int_equal(e->asked, 1);
    assert_int_equal(err.class, CLASS_CREDENTIALS);
    assert_non_null(strstr(err.message, "400 NoId"));
    assert_null(strstr(err.message, "GUID-SECRET"));
    e->status = 429;
    e->asked = 0;
    assert_int_equal(credentials_get(e->provider, false, &credentials, &err), -1);
    assert_int_equal(e->asked, 5);
}

static void test_endpoint_redirect_is_not_followed(void **state)
{
    struct endpoint *e = *state;
    const struct credentials *credentials;
    struct error err;

    e->status = 302;
    assert_int_equal(credentials_get(e->provider, false, &credentials, &err), -1);
    assert_int_equal(e->asked, 1);
}

static void test_living_credentials_survive_failure(void **state)
{
    struct endpoint *e = *state;

    e->life_ms = 250 * 1000;
    expect_get(e, false, "AK1");
    e->status = 403;
    expect_get(e, true, "AK1");
    assert_int_equal(e->asked, 2);
    /* And the endpoint is left in peace for a while. */
    expect_get(e, false, "AK1");
    assert_int_equal(e->asked, 2);
}

static void test_expired_document_is_an_error(void **state)
{
    struct endpoint *e = *state;
    const struct credentials *credentials;
    struct error err;

    e->life_ms = -1000;
    assert_int_equal(credentials_get(e->provider, false, &credentials, &err), -1);
    assert_string_equal(err.reason, "credentials-expired");
}

struct waiter {
    struct endpoint *e;
    struct credentials_wait *cancel, *wait;
    int called;
};

static void on_renewed(void *context, const struct credentials *credentials, const struct error *error)
{
    struct waiter *waiter = context;

    assert_non_null(credentials);
    assert_null(error);
    waiter->called++;
    credentials_cancel(waiter->cancel);
}

static void test_one_renewal_for_all(void **state)
{
    struct endpoint *e = *state;
    struct waiter waiters[300] = {0};
    bool all = false;
    size_t i;

    for (i = 0; i < ARRAY_LEN(waiters); i++)
        waiters[i].wait = credentials_renew(e->provider, on_renewed, &waiters[i]);
    /* The first one's callback ends the second's wait; the third ends its own before. */
    waiters[0].cancel = waiters[1].wait;
    credentials_cancel(waiters[2].wait);
    loop_sleep(e->loop, 300, &all);
    assert_int_equal(e->asked, 1);
    assert_int_equal(waiters[0].called, 1);
    assert_int_equal(waiters[1].called, 0);
    assert_int_equal(waiters[2].called, 0);
    for (i = 3; i < ARRAY_LEN(waiters); i++)
        assert_int_equal(waiters[i].called, 1);
}

static void write_file(const char *path, const char *text)
{
    assert_int_equal(fs_write_file(path, text, strlen(text), 0600), 0);
}

static void test_token_file_is_read_anew(void **state)
{
    struct endpoint *e = *state;
    char *folder = NULL;
    const struct credentials *credentials;
    struct error err;

    assert_int_equal(fs_make_temp("/tmp", "caisson-credentials-", &folder), 0);
    e->source.endpoint_token_file = xasprintf("%s/token", folder);
    write_file(e->source.endpoint_token_file, "first\n");
    expect_get(e, false, "AK1");
    assert_string_equal(e->token, "first");
    write_file(e->source.endpoint_token_file, "second");
    expect_get(e, true, "AK2");
    assert_string_equal(e->token, "second");
    e->life_ms = 100;
    expect_get(e, true, "AK3");
    loop_sleep(e->loop, 150, NULL);
    write_file(e->source.endpoint_token_file, "a\r\nX-Evil: 1");
    assert_int_equal(credentials_get(e->provider, true, &credentials, &err), -1);
    assert_string_equal(err.reason, "bad-token");
    unlink(e->source.endpoint_token_file);
    assert_int_equal(credentials_get(e->provider, true, &credentials, &err), -1);
    assert_string_equal(err.reason, "token-file");
    assert_int_equal(e->asked, 3);
    fs_remove_tree(folder);
    free(folder);
}

static void test_refused_endpoint_is_not_asked(void **state)
{
    struct endpoint *e = *state;
    const struct credentials *credentials;
    struct error err;

    free(e->source.endpoint);
    e->source.endpoint = xasprintf("http://caisson.invalid:%d/", loop_server_port(e->server));
    assert_int_equal(credentials_get(e->provider, false, &credentials, &err), -1);
    assert_string_equal(err.reason, "endpoint-refused");
    assert_int_equal(e->asked, 0);
}

static void test_other_providers(void **state)
{
    struct endpoint *e = *state;
    struct credentials_source source;
    struct credentials_provider *provider;
    const struct credentials *credentials;
    CLEANUP_FREE char *variable = NULL;
    char *folder = NULL;
    CLEANUP_FREE char *file = NULL;
    struct error err;

    FIND(&source, true, "HOME=/nonexistent");
    provider = credentials_provider_new(&source, e->client);
    assert_int_equal(credentials_get(provider, false, &credentials, &err), -1);
    assert_string_equal(err.reason, "no-credentials");
    credentials_provider_free(provider);
    credentials_source_dispose(&source);

    FIND(&source, true, "AWS_ACCESS_KEY_ID=A", "AWS_SECRET_ACCESS_KEY=secret\n");
    provider = credentials_provider_new(&source, e->client);
    assert_int_equal(credentials_get(provider, false, &credentials, &err), -1);
    assert_string_equal(err.reason, "bad-credentials");
    assert_null(strstr(err.message, "secret\n"));
    credentials_provider_free(provider);
    credentials_source_dispose(&source);

    assert_int_equal(fs_make_temp("/tmp", "caisson-credentials-", &folder), 0);
    file = xasprintf("%s/credentials", folder);
    variable = xasprintf("AWS_SHARED_CREDENTIALS_FILE=%s", file);
    FIND(&source, true, variable);
    provider = credentials_provider_new(&source, e->client);
    assert_int_equal(credentials_get(provider, false, &credentials, &err), -1);
    assert_string_equal(err.reason, "credentials-file");
    write_file(file, "[default]\naws_access_key_id=A\naws_secret_access_key=S\n");
    assert_int_equal(credentials_get(provider, false, &credentials, &err), 0);
    assert_string_equal(credentials->secret_key, "S");
    write_file(file, "[default]\naws_access_key_id=A\naws_secret_access_key=S2\n");
    assert_int_equal(credentials_get(provider, true, &credentials, &err), 0);
    assert_string_equal(credentials->secret_key, "S2");
    credentials_provider_free(provider);
    credentials_source_dispose(&source);
    fs_remove_tree(folder);
    free(folder);
}

#define ENDPOINT_TEST(name) cmocka_unit_test_setup_teardown(name, endpoint_setup, endpoint_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_static_wins),
        cmocka_unit_test(test_container_sources),
        cmocka_unit_test(test_file_sources),
        cmocka_unit_test(test_endpoint_hosts),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_documents_are_bounded_and_not_quoted),
        cmocka_unit_test(test_profiles),
        ENDPOINT_TEST(test_endpoint),
        ENDPOINT_TEST(test_endpoint_renews_in_time),
        ENDPOINT_TEST(test_endpoint_is_asked_again),
        ENDPOINT_TEST(test_endpoint_refusal_is_final),
        ENDPOINT_TEST(test_endpoint_redirect_is_not_followed),
        ENDPOINT_TEST(test_living_credentials_survive_failure),
        ENDPOINT_TEST(test_expired_document_is_an_error),
        ENDPOINT_TEST(test_one_renewal_for_all),
        ENDPOINT_TEST(test_token_file_is_read_anew),
        ENDPOINT_TEST(test_refused_endpoint_is_not_asked),
        ENDPOINT_TEST(test_other_providers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
