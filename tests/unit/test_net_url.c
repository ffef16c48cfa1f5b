#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/http.h"
#include "net/retry.h"

static void test_url_parts(void **state)
{
    struct url url;
    struct error err;

    (void)state;
    assert_int_equal(url_parse("https://us%40er:p%2Fw@Example.com:8443/a%20b/c?x=1&y#f", &url, &err), 0);
    assert_string_equal(url.scheme, "https");
    assert_string_equal(url.host, "Example.com");
    assert_string_equal(url.port, "8443");
    assert_string_equal(url.path, "/a%20b/c");
    assert_string_equal(url.query, "x=1&y");
    assert_string_equal(url.user, "us@er");
    assert_string_equal(url.password, "p/w");
    url_dispose(&url);
    assert_int_equal(url_parse("http://[::1]:80", &url, &err), 0);
    assert_string_equal(url.host, "[::1]");
    assert_null(url.port);
    assert_string_equal(url.path, "/");
    assert_null(url.query);
    assert_null(url.user);
    url_dispose(&url);
    assert_int_equal(url_parse("ssh://git@host/x.git", &url, &err), 0);
    assert_string_equal(url.scheme, "ssh");
    url_dispose(&url);
}

static void test_url_that_is_none(void **state)
{
    static const char *const bad[] = {
        "", "no scheme", "http://", "https://user:pa/ss@host/", "http://h\nost/", "http://host:99999/"};
    struct error err;
    struct url url;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(url_parse(bad[i], &url, &err), -1);
        assert_string_equal(err.reason, "bad-url");
        assert_null(strstr(err.message, "pa/ss"));
    }
}

static void assert_shown(const char *text, const char *expected)
{
    char *shown = url_without_userinfo(text);

    assert_string_equal(shown, expected);
    free(shown);
}

static void test_userinfo_is_removed(void **state)
{
    (void)state;
    assert_shown("https://token@host/path", "https://host/path");
    assert_shown("https://a:b%40c@host:1/p@q?r=s@t", "https://host:1/p@q?r=s@t");
    assert_shown("https://host/@scope/pkg", "https://host/@scope/pkg");
    assert_shown("git@host:owner/repo", "git@host:owner/repo");
    /* No URL: where the password ends is a guess, so the guess is generous. */
    assert_shown("https://user:pa/ss@host/x", "https://host/x");
    assert_shown("", "");
}

static void test_encoding(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 1000);
    url_encode("a b/ä~-._*+%", true, &out);
    assert_string_equal(buf_text(&out), "a%20b/%C3%A4~-._%2A%2B%25");
    buf_reset(&out);
    url_encode("a/b", false, &out);
    assert_string_equal(buf_text(&out), "a%2Fb");
    buf_dispose(&out);
}

static void test_retry_waits_longer_and_ends(void **state)
{
    struct error err = {.retryable = true};
    int64_t largest[4] = {0};
    int round, attempt;

    (void)state;
    for (round = 0; round < 200; round++) {
        struct retry retry = {.max_attempts = 5, .base_ms = 100, .cap_ms = 300};

        for (attempt = 0; attempt < 4; attempt++) {
            int64_t wait = retry_next(&retry, &err);

            assert_in_range(wait, 0, attempt == 0 ? 100 : attempt == 1 ? 200 : 300);
            if (wait > largest[attempt])
                largest[attempt] = wait;
        }
        assert_int_equal(retry_next(&retry, &err), -1);
        assert_int_equal(retry.attempts, 5);
    }
    /* Full jitter reaches far beyond the ceiling of the attempt before. */
    assert_true(largest[1] > 100 && largest[2] > 200);
}

static void test_retry_obeys_the_other_side(void **state)
{
    struct retry retry = {.max_attempts = 3, .base_ms = 1, .cap_ms = 10};
    struct error err = {.retryable = true, .retry_after_ms = 5000};

    (void)state;
    assert_in_range(retry_next(&retry, &err), 5000, 5001); /* with jitter on top */
    err.retryable = false;
    assert_int_equal(retry_next(&retry, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_url_parts),
        cmocka_unit_test(test_url_that_is_none),
        cmocka_unit_test(test_userinfo_is_removed),
        cmocka_unit_test(test_encoding),
        cmocka_unit_test(test_retry_waits_longer_and_ends),
        cmocka_unit_test(test_retry_obeys_the_other_side),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
