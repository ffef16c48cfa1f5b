/* Patterns, content types and header rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/mem.h"
#include "publish/content_type.h"
#include "publish/glob.h"
#include "publish/header_rules.h"

static void test_globs(void **state)
{
    static const struct {
        const char *pattern, *path;
        bool matches;
    } cases[] = {
        {"**", "a", true},
        {"**", "a/b/.c", true},
        {"*", "a", true},
        {"*", "a/b", false},
        {"*", ".hidden", true},
        {"*.map", "a.map", true},
        {"*.map", "d/a.map", false},
        {"**/*.map", "a.map", true},
        {"**/*.map", "d/e/a.map", true},
        {"**/*.map", "d/e/a.mapx", false},
        {"assets/**", "assets/a/b.js", true},
        {"assets/**", "assets", false},
        {"assets/**", "assetsx/a", false},
        {"assets/", "assets/a/b.js", true},
        {"/assets/*", "assets/b.js", true},
        {"./assets/*", "assets/b.js", true},
        {"a/**/b", "a/b", true},
        {"a/**/b", "a/x/y/b", true},
        {"a/**/b", "a/x/y/bb", false},
        {"a/**/b/**/c", "a/b/b/x/c", true},
        {"a/**/b/**/c", "a/c/b", false},
        {"**/a/*/c", "a/a/b/c", true},
        {"**/a/*/c", "x/a/b/d/a/b/c", true},
        {"a**b", "axxb", true},
        {"a**b", "a/b", false},
        {"***", "ab", true},
        {"?", "a", true},
        {"?", "\xc3\xa4", true},
        {"?", "ab", false},
        {"a?b", "a/b", false},
        {"[a-c]x", "bx", true},
        {"[a-c]x", "dx", false},
        {"[!a-c]x", "dx", true},
        {"[^a-c]x", "bx", false},
        {"[]]x", "]x", true},
        {"[a-]x", "-x", true},
        {"[\xc3\xa0-\xc3\xbc]", "\xc3\xa4", true},
        {"a[/]b", "a/b", false},
        {"a[!x]b", "a/b", false},
        {"*.{js,css}", "a.css", true},
        {"*.{js,css}", "a.cs", false},
        {"{a,b/{c,d}}/*", "b/d/x", true},
        {"{a,b/{c,d}}/*", "b/x", false},
        {"x{,y}", "x", true},
        {"x{,y}", "xy", true},
        {"a\\*b", "a*b", true},
        {"a\\*b", "axb", false},
        {"\\{a,b}", "{a,b}", true},
        {"a\\{b", "a{b", true},
        {"*a*b*c", "xaxxbxxc", true},
        {"*a*b*c", "xaxxcxxb", false},
        {"index.html", "index.html", true},
        {"index.html", "a/index.html", false},
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        struct glob glob;

        assert_int_equal(glob_init(&glob, cases[i].pattern, NULL), 0);
        if (glob_matches(&glob, cases[i].path) != cases[i].matches)
            fail_msg("%s %s %s", cases[i].pattern, cases[i].matches ? "should match" : "should not match",
                     cases[i].path);
        glob_dispose(&glob);
    }
}

static void test_bad_globs(void **state)
{
    static const char *const bad[] = {
        "",
        "a{b",
        "[a",
        "a[",
        "x[!",
        "\xff",
        "{{{{{{{{a,b},c},d},e},f},g},h}",
        "{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}", /* 512 */
        "{0,1,2,3,4,5,6,7,8,9}{0,1,2,3,4,5,6,7,8,9}{0,1,2,3,4,5,6,7,8,9}{0,1,2,3,4,5,6,7,8,9}{0,1,2,3,4,5,6,7,8,9}",
    };
    struct error err;
    struct glob glob;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(bad); i++) {
        memset(&err, 0, sizeof err);
        if (glob_init(&glob, bad[i], &err) == 0)
            fail_msg("%s was taken", bad[i]);
        assert_string_equal(err.reason, "bad-glob");
        assert_int_equal(err.class, CLASS_SPEC_INVALID);
    }
}

/* Patterns that make backtracking matchers run for ages. */
static void test_globs_are_quick(void **state)
{
    char path[1025];
    struct glob glob;
    int64_t started = clock_monotonic_ms();
    size_t i;

    (void)state;
    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    for (i = 16; i < sizeof path - 1; i += 16)
        path[i] = '/';
    assert_int_equal(glob_init(&glob, "**/*a*a*a*a*a*a*b/**/*a*a*a*a*a*a*b/**/*a*a*b/**/**/**/**/c", NULL), 0);
    assert_false(glob_matches(&glob, path));
    glob_dispose(&glob);
    memset(path, 'a', sizeof path - 1);
    assert_int_equal(glob_init(&glob, "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", NULL), 0);
    assert_false(glob_matches(&glob, path));
    glob_dispose(&glob);
    assert_true(clock_monotonic_ms() - started < 1000);
}

static void test_content_types(void **state)
{
    static const struct {
        const char *path, *type;
    } cases[] = {
        {"index.html", "text/html; charset=utf-8"},
        {"a/INDEX.HTM", "text/html; charset=utf-8"},
        {"app.mjs", "text/javascript; charset=utf-8"},
        {"app.css", "text/css; charset=utf-8"},
        {"app.js.map", "application/json"},
        {"x.wasm", "application/wasm"},
        {"site.webmanifest", "application/manifest+json"},
        {"f.woff2", "font/woff2"},
        {"i.avif", "image/avif"},
        {"i.svg", "image/svg+xml"},
        {"feed.rss", "application/rss+xml"},
        {"robots.txt", "text/plain; charset=utf-8"},
        {"x.gz", "application/gzip"},
        {"v.mp4", "video/mp4"},
        {"noextension", "application/octet-stream"},
        {"dir.html/file", "application/octet-stream"},
        {"x.unknown", "application/octet-stream"},
        {"x.averylongextensionindeed", "application/octet-stream"},
        {"x.", "application/octet-stream"},
        {".html", "text/html; charset=utf-8"},
    };
    size_t i, base;

    (void)state;
    for (i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(content_type_of(cases[i].path), cases[i].type);
    assert_string_equal(content_encoding_of("a/b.js.gz", &base), "gzip");
    assert_int_equal(base, 6);
    assert_string_equal(content_encoding_of("b.js.br", &base), "br");
    assert_string_equal(content_encoding_of("b.js.zst", &base), "zstd");
    assert_null(content_encoding_of("b.js", &base));
    assert_null(content_encoding_of("a/.gz", &base));
    assert_true(content_type_is_page("text/html; charset=utf-8"));
    assert_true(content_type_is_page("application/xhtml+xml"));
    assert_false(content_type_is_page("text/plain"));
}

static char *headers_of(const struct publish_header_rule *rules, size_t len, const char *path, const char *encoding,
                        bool *page)
{
    struct header_rules *compiled;
    struct strings headers = {0};
    struct buf text;
    char meta[META_SIZE], *result;
    size_t i;

    assert_int_equal(header_rules_new(&compiled, rules, len, NULL), 0);
    header_rules_apply(compiled, path, encoding, &headers);
    header_rules_summary(&headers, meta, page);
    assert_int_equal(strlen(meta), META_SIZE - 1);
    buf_init(&text, 4096);
    for (i = 0; i < headers.len; i++)
        buf_addf(&text, "%s%s", i ? "|" : "", headers.items[i]);
    result = buf_take(&text);
    buf_dispose(&text);
    strings_dispose(&headers);
    header_rules_free(compiled);
    return result;
}

static void expect_headers(const char *path, const char *encoding, const char *headers, bool is_page)
{
    static const struct publish_header_rule rules[] = {
        {.match = (char *)(uintptr_t) "assets/**", .cache_control = (char *)(uintptr_t) "immutable"},
        {.match = (char *)(uintptr_t) "**/*.data", .content_type = (char *)(uintptr_t) "text/html"},
        {.match = (char *)(uintptr_t) "**",
         .cache_control = (char *)(uintptr_t) "no-cache",
         .content_disposition = (char *)(uintptr_t) "inline",
         .content_language = (char *)(uintptr_t) "de"},
    };
    bool page;
    CLEANUP_FREE char *found = headers_of(rules, ARRAY_LEN(rules), path, encoding, &page);

    assert_string_equal(found, headers);
    assert_int_equal(page, is_page);
}

static void test_header_rules(void **state)
{
    bool page;
    CLEANUP_FREE char *none = headers_of(NULL, 0, "a.js", NULL, &page);

    (void)state;
    assert_string_equal(none, "Content-Type: text/javascript; charset=utf-8");
    expect_headers("assets/a.js", NULL, "Content-Type: text/javascript; charset=utf-8|Cache-Control: immutable", false);
    expect_headers("assets/a.js.br", "br",
                   "Content-Type: text/javascript; charset=utf-8|Content-Encoding: br|Cache-Control: immutable", false);
    expect_headers("x.data", NULL, "Content-Type: text/html", true);
    expect_headers("x.data.gz", "gzip", "Content-Type: text/html|Content-Encoding: gzip", true);
    expect_headers("i.png", NULL,
                   "Content-Type: image/png|Cache-Control: no-cache|Content-Disposition: inline|Content-Language: de",
                   false);
}

static void test_bad_header_rules(void **state)
{
    static const char *const bad[] = {"a\r\nx-evil: 1", "a\nb", "", "\x7f", "\xc3\xa4", "a\tb"};
    struct header_rules *rules;
    struct error err;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(bad); i++) {
        struct publish_header_rule rule = {.match = (char *)(uintptr_t) "**",
                                           .cache_control = (char *)(uintptr_t)bad[i]};

        memset(&err, 0, sizeof err);
        assert_int_equal(header_rules_new(&rules, &rule, 1, &err), -1);
        assert_string_equal(err.reason, "bad-header");
        assert_int_equal(err.class, CLASS_SPEC_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_globs),           cmocka_unit_test(test_bad_globs),
        cmocka_unit_test(test_globs_are_quick), cmocka_unit_test(test_content_types),
        cmocka_unit_test(test_header_rules),    cmocka_unit_test(test_bad_header_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
