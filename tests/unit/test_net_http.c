#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/mem.h"
#include "net/http.h"
#include "support/http_server.h"
#include <unit/support/http_bed.h>

static void test_get(void **state)
{
    struct fixture *f = *state;
    struct exchange x;

    prepare(&x, f, "GET", "/echo?a=b");
    http_request_header(&x.request, "X-Token", "abc");
    http_request_header(&x.request, "X-Empty", "");
    assert_string_equal(go(&x, f), "");
    assert_int_equal(x.response.status, 200);
    assert_string_equal(http_response_header(&x.response, "content-type"), "text/plain");
    assert_null(http_response_header(&x.response, "content"));
    assert_true(x.response.date_ms == INT64_C(784111777000));
    assert_non_null(strstr(buf_text(&x.response.body), "GET /echo?a=b HTTP/1.1\r\n"));
    assert_non_null(strstr(buf_text(&x.response.body), "X-Token: abc\r\n"));
    assert_non_null(strstr(buf_text(&x.response.body), "X-Empty:\r\n"));
    assert_non_null(strstr(buf_text(&x.response.body), "User-Agent: caisson/"));
    discard(&x);
}

static void test_put_from_memory(void **state)
{
    struct fixture *f = *state;
    struct exchange x;

    prepare(&x, f, "PUT", "/echo");
    x.request.body = view_of("hello, body");
    assert_string_equal(go(&x, f), "");
    assert_non_null(strstr(buf_text(&x.response.body), "PUT /echo HTTP/1.1\r\n"));
    assert_non_null(strstr(buf_text(&x.response.body), "Content-Length: 11\r\n"));
    assert_non_null(strstr(buf_text(&x.response.body), "\r\n\r\nhello, body"));
    assert_null(strcasestr(buf_text(&x.response.body), "expect:"));
    assert_null(strcasestr(buf_text(&x.response.body), "content-type:"));
    assert_null(strcasestr(buf_text(&x.response.body), "transfer-encoding:"));
    discard(&x);
}

/* S3 refuses a PUT or POST without a length. */
static void test_empty_bodies_say_so(void **state)
{
    struct fixture *f = *state;
    static const char *const methods[] = {"PUT", "POST"};
    struct exchange x;
    size_t i;

    for (i = 0; i < 2; i++) {
        prepare(&x, f, methods[i], "/echo");
        assert_string_equal(go(&x, f), "");
        assert_non_null(strstr(buf_text(&x.response.body), methods[i]));
        assert_non_null(strstr(buf_text(&x.response.body), "Content-Length: 0\r\n"));
        discard(&x);
    }
    prepare(&x, f, "DELETE", "/echo");
    assert_string_equal(go(&x, f), "");
    assert_non_null(strstr(buf_text(&x.response.body), "DELETE /echo"));
    assert_null(strcasestr(buf_text(&x.response.body), "transfer-encoding"));
    discard(&x);
}

static int temporary_file(const char *text)
{
    char path[] = "/tmp/caisson-test-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    return fd;
}

static void test_put_from_file(void **state)
{
    struct fixture *f = *state;
    struct exchange x;

    prepare(&x, f, "PUT", "/echo");
    x.request.body_fd = temporary_file("0123456789");
    x.request.body_offset = 2;
    x.request.body_length = 5;
    assert_string_equal(go(&x, f), "");
    assert_non_null(strstr(buf_text(&x.response.body), "\r\n\r\n23456"));
    assert_null(strstr(buf_text(&x.response.body), "234567"));
    /* A file that became shorter. */
    x.request.body_length = 100;
    assert_string_equal(go(&x, f), "body-unreadable");
    assert_false(x.err.retryable);
    close(x.request.body_fd);
    discard(&x);
}

static void test_head_and_status(void **state)
{
    struct fixture *f = *state;
    static const int statuses[] = {200, 204, 304, 403, 404, 503};
    struct exchange x;
    char path[32];
    size_t i;

    for (i = 0; i < ARRAY_LEN(statuses); i++) {
        snprintf(path, sizeof path, "/status/%d", statuses[i]);
        prepare(&x, f, "GET", path);
        assert_string_equal(go(&x, f), "");
        assert_int_equal(x.response.status, statuses[i]);
        discard(&x);
    }
    prepare(&x, f, "HEAD", "/status/200");
    assert_string_equal(go(&x, f), "");
    assert_int_equal(x.response.status, 200);
    assert_int_equal(x.response.body.len, 0);
    discard(&x);
}

static void test_connection_is_kept(void **state)
{
    struct fixture *f = *state;
    struct exchange x;
    int i;

    for (i = 1; i <= 3; i++) {
        prepare(&x, f, "GET", "/count");
        assert_string_equal(go(&x, f), "");
        assert_int_equal(atoi(buf_text(&x.response.body)), i);
        discard(&x);
    }
}

/* A kept connection that the server closed meanwhile: the body is sent again on a new one. */
static void test_kept_connection_that_was_closed(void **state)
{
    struct fixture *f = *state;
    struct exchange x;
    int i;

    for (i = 0; i < 3; i++) {
        prepare(&x, f, "PUT", "/once");
        x.request.body = view_of("some bytes");
        assert_string_equal(go(&x, f), "");
        assert_int_equal(x.response.status, 200);
        discard(&x);
        usleep(5000);
    }
}

static void test_bounds(void **state)
{
    struct fixture *f = *state;
    struct exchange x;

    prepare(&x, f, "GET", "/size/65537");
    assert_string_equal(go(&x, f), "response-too-large");
    assert_false(x.err.retryable);
    assert_int_equal(x.err.class, CLASS_PLATFORM);
    discard(&x);
    prepare(&x, f, "GET", "/size/65536");
    assert_string_equal(go(&x, f), "");
    assert_int_equal(x.response.body.len, 65536);
    discard(&x);
    prepare(&x, f, "GET", "/size/200000");
    x.request.max_response = 1000000;
    assert_string_equal(go(&x, f), "");
    assert_int_equal(x.response.body.len, 200000);
    discard(&x);
    prepare(&x, f, "GET", "/headers/100000");
    assert_string_equal(go(&x, f), "response-too-large");
    discard(&x);
}

static void test_error_body_only(void **state)
{
    struct fixture *f = *state;
    struct exchange x;

    prepare(&x, f, "GET", "/status/200");
    x.request.error_body_only = true;
    assert_string_equal(go(&x, f), "");
    assert_int_equal(x.response.body.len, 0);
    discard(&x);
    prepare(&x, f, "GET", "/status/403");
    x.request.error_body_only = true;
    assert_string_equal(go(&x, f), "");
    assert_string_equal(buf_text(&x.response.body), "status 403");
    discard(&x);
}

static void test_transport_failures(void **state)
{
    struct fixture *f = *state;
    struct exchange x;

    prepare(&x, f, "GET", "/close");
    assert_string_equal(go(&x, f), "connection-lost");
    assert_true(x.err.retryable);
    discard(&x);
    prepare(&x, f, "GET", "/cut");
    assert_string_equal(go(&x, f), "connection-lost");
    assert_true(x.err.retryable);
    discard(&x);
    prepare(&x, f, "GET", "/");
    snprintf(x.url, sizeof x.url, "http://127.0.0.1:%d/secret-path?signature=s3cr3t", http_server_unused_port());
    assert_string_equal(go(&x, f), "connect-failed");
    assert_true(x.err.retryable);
    assert_non_null(strstr(x.err.message, "GET http://127.0.0.1:"));
    assert_null(strstr(x.err.message, "secret-path"));
    assert_null(strstr(x.err.message, "s3cr3t"));
    discard(&x);
    prepare(&x, f, "GET", "/");
    snprintf(x.url, sizeof x.url, "http://no-such-host.invalid/");
    assert_string_equal(go(&x, f), "name-lookup-failed");
    assert_true(x.err.retryable);
    discard(&x);
}

static void test_urls_that_are_not_spoken(void **state)
{
    static const char *const urls[] = {"file:///etc/passwd", "ftp://127.0.0.1/x", "no url at all", ""};
    struct fixture *f = *state;
    struct exchange x;
    size_t i;

    for (i = 0; i < ARRAY_LEN(urls); i++) {
        prepare(&x, f, "GET", "/");
        snprintf(x.url, sizeof x.url, "%s", urls[i]);
        assert_string_equal(go(&x, f), "bad-url");
        assert_false(x.err.retryable);
        discard(&x);
    }
}

static void test_line_break_in_a_header(void **state)
{
    struct fixture *f = *state;
    struct exchange x;

    prepare(&x, f, "GET", "/echo");
    http_request_header(&x.request, "X-Name", "value\r\nX-Other: injected");
    assert_string_equal(go(&x, f), "bad-header");
    discard(&x);
}

static void test_time_limits(void **state)
{
    struct fixture *f = *state;
    int64_t begin = clock_monotonic_ms();
    struct exchange x;

    prepare(&x, f, "GET", "/stall");
    x.request.timeout_ms = 100;
    assert_string_equal(go(&x, f), "timed-out");
    assert_true(x.err.retryable);
    discard(&x);
    prepare(&x, f, "GET", "/stall");
    x.request.stall_ms = 160;
    assert_string_equal(go(&x, f), "timed-out");
    assert_non_null(strstr(x.err.message, "160 ms"));
    discard(&x);
    assert_in_range(clock_monotonic_ms() - begin, 260, 10000);
    /* Slow, but it moves: longer in all than a stall may be. */
    prepare(&x, f, "GET", "/drip/50");
    x.request.stall_ms = 300;
    assert_string_equal(go(&x, f), "");
    assert_int_equal(x.response.body.len, 10);
    assert_true(x.response.duration_ms >= 450);
    discard(&x);
}

static void test_redirects(void **state)
{
    struct fixture *f = *state;
    char path[256];
    struct exchange x;

    prepare(&x, f, "GET", "/redirect/302?/status/200");
    assert_string_equal(go(&x, f), "");
    assert_int_equal(x.response.status, 302);
    assert_string_equal(http_response_header(&x.response, "location"), "/status/200");
    discard(&x);
    prepare(&x, f, "GET", "/redirect/302?/redirect/307?/status/200");
    x.request.max_redirects = 2;
    assert_string_equal(go(&x, f), "");
    assert_int_equal(x.response.status, 200);
    assert_null(http_response_header(&x.response, "location"));
    x.request.max_redirects = 1;
    assert_string_equal(go(&x, f), "redirect-refused");
    assert_false(x.err.retryable);
    discard(&x);
    prepare(&x, f, "GET", "/redirect/302?file:///etc/passwd");
    x.request.max_redirects = 5;
    assert_string_equal(go(&x, f), "redirect-refused");
    discard(&x);
    /* A PUT is never sent to another place. */
    prepare(&x, f, "PUT", "/redirect/307?/echo");
    x.request.max_redirects = 5;
    x.request.body = view_of("x");
    assert_string_equal(go(&x, f), "");
    assert_int_equal(x.response.status, 307);
    discard(&x);
    snprintf(path, sizeof path, "/redirect/302?http://localhost:%d/echo", f->other.port);
    prepare(&x, f, "GET", path);
    x.request.max_redirects = 1;
    http_request_header(&x.request, "Authorization", "Bearer s3cr3t");
    assert_string_equal(go(&x, f), "");
    assert_int_equal(x.response.status, 200);
    assert_non_null(strstr(buf_text(&x.response.body), "GET /echo"));
    assert_null(strstr(buf_text(&x.response.body), "s3cr3t"));
    discard(&x);
}

static long retry_after(struct fixture *f, const char *value)
{
    struct exchange x;
    char path[128];
    long wait;

    snprintf(path, sizeof path, "/retry-after?%s", value);
    prepare(&x, f, "GET", path);
    assert_string_equal(go(&x, f), "");
    assert_int_equal(x.response.status, 503);
    wait = http_response_retry_after(&x.response);
    discard(&x);
    return wait;
}

static void test_retry_after(void **state)
{
    struct fixture *f = *state;
    struct http_response dated;

    assert_int_equal(retry_after(f, "3"), 3000);
    assert_int_equal(retry_after(f, "99999999999999999999"), 600000);
    assert_int_equal(retry_after(f, "-5"), 0);
    assert_int_equal(retry_after(f, "3x"), 0);
    assert_int_equal(retry_after(f, "soon"), 0);
    http_response_init(&dated);
    dated.date_ms = INT64_C(784111777000);
    strings_add(&dated.headers, "retry-after: Sun, 06 Nov 1994 08:49:47 GMT");
    assert_int_equal(http_response_retry_after(&dated), 10000);
    http_response_dispose(&dated);
}

static void test_proxy(void **state)
{
    struct fixture *f = *state;
    char proxy[64];
    struct http_options options = {.http_proxy = proxy, .no_proxy = "127.0.0.1"};
    struct http_client *client, *like;
    struct exchange x;

    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", f->server.port);
    client = http_client_new(f->loop, &options);
    prepare(&x, f, "GET", "/");
    snprintf(x.url, sizeof x.url, "http://elsewhere.invalid/x");
    assert_int_equal(http_perform(client, &x.request, &x.response, &x.err), 0);
    assert_string_equal(buf_text(&x.response.body), "no such path");
    discard(&x);
    /* who brings a bundle of its own does not go past the proxy */
    like = http_client_like(client, "/nonexistent/ca.pem", 1);
    prepare(&x, f, "GET", "/");
    snprintf(x.url, sizeof x.url, "http://elsewhere.invalid/x");
    assert_int_equal(http_perform(like, &x.request, &x.response, &x.err), 0);
    assert_string_equal(buf_text(&x.response.body), "no such path");
    discard(&x);
    http_client_free(like);
    prepare(&x, f, "GET", "/status/201");
    assert_int_equal(http_perform(client, &x.request, &x.response, &x.err), 0);
    assert_int_equal(x.response.status, 201);
    discard(&x);
    http_client_free(client);
}

static void expect_private(struct http_client *client, struct fixture *f, const char *host)
{
    struct exchange x;

    prepare(&x, f, "POST", "/status/201");
    snprintf(x.url, sizeof x.url, "http://%s:%d/status/201", host, f->server.port);
    x.request.refuse_private = true;
    assert_int_equal(http_perform(client, &x.request, &x.response, &x.err), -1);
    assert_string_equal(x.err.reason, "private-address");
    assert_false(x.err.retryable);
    discard(&x);
}

/* Whatever the name says, and whether or not a connection is there already. */
static void test_private_addresses(void **state)
{
    struct fixture *f = *state;
    char proxy[64];
    struct http_options options = {.http_proxy = proxy, .no_proxy = "127.0.0.1"};
    struct http_client *client;
    struct exchange x;

    expect_private(f->client, f, "127.0.0.1");
    expect_private(f->client, f, "localhost");
    prepare(&x, f, "GET", "/status/201");
    assert_string_equal(go(&x, f), "");
    discard(&x);
    expect_private(f->client, f, "127.0.0.1");
    /* What is beyond a proxy is the proxy's to decide; what goes past it is not. */
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", f->server.port);
    client = http_client_new(f->loop, &options);
    expect_private(client, f, "127.0.0.1");
    prepare(&x, f, "GET", "/");
    snprintf(x.url, sizeof x.url, "http://elsewhere.invalid/x");
    x.request.refuse_private = true;
    assert_int_equal(http_perform(client, &x.request, &x.response, &x.err), 0);
    discard(&x);
    http_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_get, setup, teardown),
        cmocka_unit_test_setup_teardown(test_put_from_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_empty_bodies_say_so, setup, teardown),
        cmocka_unit_test_setup_teardown(test_put_from_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_head_and_status, setup, teardown),
        cmocka_unit_test_setup_teardown(test_connection_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kept_connection_that_was_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_error_body_only, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transport_failures, setup, teardown),
        cmocka_unit_test_setup_teardown(test_urls_that_are_not_spoken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_line_break_in_a_header, setup, teardown),
        cmocka_unit_test_setup_teardown(test_time_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_redirects, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retry_after, setup, teardown),
        cmocka_unit_test_setup_teardown(test_proxy, setup, teardown),
        cmocka_unit_test_setup_teardown(test_private_addresses, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
