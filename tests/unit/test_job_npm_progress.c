/* What npm's own log tells of an install. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "job/npm_progress.h"

static const char text[] =
    "0 verbose cli /usr/bin/node /usr/bin/npm\n"
    "15 silly idealTree buildDeps\n"
    "18 http fetch GET 200 https://r.test/is-odd 940ms (cache miss)\n"
    "34 silly tarball no local data for is-number@https://r.test/is-number-6.0.0.tgz. Extracting\n"
    "35 silly tarball no local data for left-pad@https://r.test/left-pad-1.3.0.tgz. Extracting\n"
    "37 http fetch GET 200 https://r.test/is-number/-/is-number-6.0.0.tgz 935ms (cache miss)\n"
    "38 http fetch GET 404 https://r.test/left-pad/-/left-pad-1.3.0.tgz 919ms (cache miss)\n"
    "40 silly ADD node_modules/is-number\n"
    "41 http fetch POST 200 https://r.test/-/npm/v1/security/advisories/bulk 100ms\n";

static void test_counts(void **state)
{
    size_t piece;

    (void)state;
    for (piece = 1; piece < sizeof text; piece++) { /* however it is cut */
        struct npm_log npm = {0};
        size_t at, len = strlen(text);

        for (at = 0; at < len; at += piece)
            npm_log_feed(&npm, (struct view){text + at, len - at < piece ? len - at : piece});
        assert_int_equal(npm.fetched, 1);
    }
}

/* However long a line, and however it begins. */
static void test_odd_lines(void **state)
{
    static const char fetched[] = "2 http fetch GET 200 https://r.test/b.tgz\n";
    static const char odd[] =
        "\n.tgz\nhttp fetch GET 200 \n3 http fetch GET 200 .tgz\n4 http fetch GET 200 https://r/x.tgz?a b\n";
    struct npm_log npm = {0};
    char long_line[5000];

    (void)state;
    npm_log_feed(&npm, (struct view){odd, strlen(odd)});
    assert_int_equal(npm.fetched, 1);
    memset(long_line, '7', sizeof long_line);
    npm_log_feed(&npm, (struct view){long_line, sizeof long_line});
    npm_log_feed(&npm, (struct view){fetched, strlen(fetched)}); /* still that line */
    npm_log_feed(&npm, (struct view){fetched, strlen(fetched)});
    assert_int_equal(npm.fetched, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_counts), cmocka_unit_test(test_odd_lines)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
