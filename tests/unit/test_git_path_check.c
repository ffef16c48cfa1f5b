#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/mem.h"
#include "git/local.h"
#include "git/path_check.h"
#include "git/remote.h"

static void test_refuses(void **state)
{
    static const char *const bad[] = {
        "",      ".",          "..",         "a/b",        "/a",
        "a\nb",  "a\x7f",      "\x1b[2J",    ".git",       ".GIT",
        ".Git ", ".git.",      ".git . .",   ".git:x",     ".git::$INDEX_ALLOCATION",
        "git~1", "GIT~1",      "git~1.",     "a\\.git",    "..\\a",
        "a\\..", ".g\u200cit", "\u200e.git", ".git\ufeff", ".\u206eGI\u202at",
    };
    char name[257];
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(bad); i++)
        if (!path_fault(view_of(bad[i])))
            fail_msg("\"%s\" was taken", bad[i]);
    memset(name, 'n', sizeof name - 1);
    name[256] = '\0';
    assert_non_null(path_fault(view_of(name)));
}

static void test_takes(void **state)
{
    static const char *const good[] = {
        "a",        "...",       "..a",  ".gitignore", ".gitattributes",
        ".github",  ".gitx",     "git",  "git~2",      "git~10",
        "a.git",    "x.git",     "a b",  " a",         "ü",
        "\xff\xfe", "CON",       "a\\b", "a:b",        ".git-x",
        "\u200c",   "Makefile~",
    };
    char name[256];
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(good); i++)
        if (path_fault(view_of(good[i])))
            fail_msg("\"%s\" was refused: %s", good[i], path_fault(view_of(good[i])));
    memset(name, 'n', sizeof name - 1);
    name[255] = '\0';
    assert_null(path_fault(view_of(name)));
}

static void test_shows(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 64);
    path_show(view_of("a\n\x1b\xff\x7fü"), &out);
    assert_string_equal(buf_text(&out), "a??\xEF\xBF\xBD?ü");
    buf_dispose(&out);
}

static void test_no_proxy(void **state)
{
    (void)state;
    assert_false(no_proxy_has(NULL, "a.example", "443"));
    assert_false(no_proxy_has("", "a.example", "443"));
    assert_true(no_proxy_has("*", "a.example", "443"));
    assert_true(no_proxy_has("x, A.example", "a.EXAMPLE", "443"));
    assert_true(no_proxy_has("example", "a.example", "443"));
    assert_true(no_proxy_has(".example", "a.example", "443"));
    assert_true(no_proxy_has("169.254.170.2 a.example:443", "a.example", "443"));
    assert_false(no_proxy_has("a.example:8443", "a.example", "443"));
    assert_false(no_proxy_has("ple", "a.example", "443"));
    assert_false(no_proxy_has("b.a.example", "a.example", "443"));
    assert_true(no_proxy_has("::1", "::1", "443"));
}

static void expect_path(const char *repository, const char *path)
{
    CLEANUP_FREE char *got = local_path(repository);

    if (path)
        assert_string_equal(got, path);
    else
        assert_null(got);
}

static void test_local_paths(void **state)
{
    (void)state;
    expect_path("/a/b", "/a/b");
    expect_path("file:///a/b%20c", "/a/b c");
    expect_path("FILE:/a", "/a");
    expect_path("file://localhost/a", "/a");
    expect_path("file://other/a", NULL);
    expect_path("file:a", NULL);
    expect_path("file:///a%00b", NULL);
    expect_path("file:///a%2", NULL);
    expect_path("https://a/b", NULL);
    expect_path("a/b", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses),  cmocka_unit_test(test_takes),       cmocka_unit_test(test_shows),
        cmocka_unit_test(test_no_proxy), cmocka_unit_test(test_local_paths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
