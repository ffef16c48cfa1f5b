/* How credentials are got and renewed, against a container endpoint of the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <unistd.h>

#include "aws/credentials.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/mem.h"
#include "support/loop_server.h"

static void find(struct credentials_source *source, bool allow_full_uri, const char *const *env)
{
    struct strings list = {0};

    for (; *env; env++)
        strings_add(&list, *env);
    credentials_source_find(source, &list, allow_full_uri);
    strings_dispose(&list);
}
#define FIND(source, allow, ...) find(source, allow, (const char *const[]){__VA_ARGS__, NULL})

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
    int64_t off_ms;  /* its clock from ours; 0: it does not tell the time */
    char token[64];  /* as last seen */
    char path[64];
    struct strings secrets;
};

/* A header line (RFC 9110, IMF-fixdate). */
static const char *date_of(int64_t wall_ms, char line[64])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;

    strftime(line, 64, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime_r(&seconds, &tm));
    return line;
}

static void answer(void *context, const struct loop_request *request, struct buf *out)
{
    struct endpoint *e = context;
    char expires[CLOCK_TEXT_SIZE], head[64];
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
    clock_format(clock_wall_ms() + e->off_ms + e->life_ms, expires);
    body = xasprintf("{\"AccessKeyId\":\"AK%d\",\"SecretAccessKey\":\"SK%d\",\"Token\":\"TK%d\",\"Expiration\":\"%s\"}",
                     e->asked, e->asked, e->asked, expires);
    loop_answer(out, 200, e->off_ms ? date_of(clock_wall_ms() + e->off_ms, head) : "", body);
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

/* Of a machine whose clock is a year ahead, or one behind. */
static void test_expiry_is_by_the_clock_of_the_endpoint(void **state)
{
    struct endpoint *e = *state;
    const struct credentials *credentials;
    struct error err;

    e->off_ms = INT64_C(-365) * 24 * 3600 * 1000;
    expect_get(e, false, "AK1");
    assert_non_null(credentials_now(e->provider));
    e->off_ms = -e->off_ms;
    e->life_ms = -5000;
    assert_int_equal(credentials_get(e->provider, true, &credentials, &err), -1);
    assert_string_equal(err.reason, "credentials-expired");
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
        ENDPOINT_TEST(test_endpoint),
        ENDPOINT_TEST(test_endpoint_renews_in_time),
        ENDPOINT_TEST(test_endpoint_is_asked_again),
        ENDPOINT_TEST(test_endpoint_refusal_is_final),
        ENDPOINT_TEST(test_endpoint_redirect_is_not_followed),
        ENDPOINT_TEST(test_living_credentials_survive_failure),
        ENDPOINT_TEST(test_expired_document_is_an_error),
        ENDPOINT_TEST(test_expiry_is_by_the_clock_of_the_endpoint),
        ENDPOINT_TEST(test_one_renewal_for_all),
        ENDPOINT_TEST(test_token_file_is_read_anew),
        ENDPOINT_TEST(test_refused_endpoint_is_not_asked),
        ENDPOINT_TEST(test_other_providers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
