/* What becomes a link, of documents that anybody wrote. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/json.h"
#include "core/lines.h"
#include "core/mem.h"
#include "report/links.h"

static void test_addresses(void **state)
{
    static const struct {
        const char *url, *wanted; /* NULL: no link */
    } cases[] = {
        {"https://example.com/a?b=c#d", "https://example.com/a?b=c#d"},
        {"HTTP://example.com/", "HTTP://example.com/"},
        {"https://user:secret@example.com/x", "https://example.com/x"},
        {"https://example.com/\033]8;;https://evil.example\033\\",
         "https://example.com/%1B]8;;https://evil.example%1B%5C"},
        {"https://example.com/\a\n \"<>", "https://example.com/%07%0A%20%22%3C%3E"},
        {"https://example.com/\xc2\x9d\xe2\x80\xae", "https://example.com/%C2%9D%E2%80%AE"},
        {"file:/var/log/x.gz", "file:///var/log/x.gz"},
        {"file:///var/log/x.gz", "file:///var/log/x.gz"},
        {"file:out/x", NULL},
        {"javascript:alert(1)", NULL},
        {"s3://bucket/key", NULL},
        {"ssh://host/", NULL},
        {"", NULL},
    };
    CLEANUP_FREE char *longer = xcalloc(1, 4000);
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP_FREE char *address = link_address(cases[i].url);

        if (cases[i].wanted)
            assert_string_equal(address, cases[i].wanted);
        else
            assert_null(address);
    }
    memset(longer, 'x', 3999);
    memcpy(longer, "https://", 8);
    assert_null(link_address(longer));
    longer[1500] = '\0';
    memset(longer + 1000, ' ', 500); /* encoded it is too long */
    assert_null(link_address(longer));
}

static void expect_page(const char *text, const char *label, const char *wanted)
{
    CLEANUP_JSON json_t *document = json_loads(text, 0, NULL);
    struct result_link links[RESULT_LINKS_MAX];
    size_t len = result_links(document, links), i;

    for (i = 0; i < len && strcmp(links[i].label, label) != 0; i++)
        ;
    assert_int_not_equal(i, len);
    if (wanted)
        assert_string_equal(links[i].url, wanted);
    else
        assert_null(links[i].url);
    result_links_free(links, len);
}

static void test_pages(void **state)
{
    (void)state;
    expect_page("{\"source\":{\"repository\":\"https://gitlab.com/a/b/c\",\"commit\":\"1\"}}", "commit",
                "https://gitlab.com/a/b/c/-/commit/1");
    expect_page("{\"source\":{\"repository\":\"https://gitlab.acme.example:8443/a/b.git\",\"commit\":\"1\"}}", "commit",
                "https://gitlab.acme.example:8443/a/b/-/commit/1");
    expect_page("{\"source\":{\"repository\":\"https://bitbucket.org/a/b\",\"commit\":\"1\"}}", "commit",
                "https://bitbucket.org/a/b/commits/1");
    expect_page("{\"source\":{\"repository\":\"https://github.com.evil.example/a/b\",\"commit\":\"1\"}}", "commit",
                NULL);
    expect_page("{\"source\":{\"repository\":\"git@github.com:a/b\",\"commit\":\"1\"}}", "commit", NULL);
    expect_page("{\"source\":{\"commit\":\"1\"}}", "commit", NULL);
    expect_page("{\"artifacts\":[{\"url\":\"s3://b/k/x.tar.zst\"}]}", "published",
                "https://s3.console.aws.amazon.com/s3/object/b?prefix=k/x.tar.zst");
    expect_page("{\"artifacts\":[{\"url\":\"s3:///x\"}]}", "published", NULL);
    expect_page("{\"artifacts\":[{\"url\":\"https://site.example/\"}]}", "published", "https://site.example/");
    expect_page("{\"image\":{\"repository\":\"docker.io/library/x\",\"published\":true}}", "image",
                "https://hub.docker.com/_/x");
    expect_page("{\"image\":{\"repository\":\"docker.io/user/x\",\"published\":true}}", "image",
                "https://hub.docker.com/r/user/x");
    expect_page("{\"image\":{\"repository\":\"ghcr.io/user/x\",\"existed\":true}}", "image", "https://ghcr.io/user/x");
    expect_page("{\"image\":{\"repository\":\"oci:out/image\",\"published\":true}}", "image", NULL);
    expect_page("{\"log_url\":\"s3://b/log.gz\"}", "log", NULL);
}

static void check_harmless(const char *text)
{
    for (; *text; text++)
        assert_true((unsigned char)*text >= 0x20 && *text != 0x7f);
}

/* Neither the text nor the address of any link moves a cursor; no document is too strange. */
static void test_hostile_documents(void **state)
{
    static const char *const documents[] = {
        "null",
        "[]",
        "{\"source\":7,\"artifacts\":{},\"image\":[],\"log_url\":{}}",
        "{\"artifacts\":[null,7,{}]}",
        "{\"log_url\":\"https://x.example/\\u001b]8;;https://evil.example\\u0007\\u001b[2J\"}",
        ("{\"source\":{\"commit\":\"\\u001b]8;;https://evil.example\\u001b\\\\0f\",\"repository\":"
         "\"https://github.com/a\\u001b\\n/b\"}}"),
        "{\"image\":{\"repository\":\".dkr.ecr.\",\"published\":true}}",
        "{\"image\":{\"repository\":\"x/.dkr.ecr.\\u001b\",\"published\":true,\"tags\":[\"\\u001b[31m\"]}}"};
    size_t i, j;

    (void)state;
    for (i = 0; i < ARRAY_LEN(documents); i++) {
        CLEANUP_JSON json_t *document = json_loads(documents[i], JSON_DECODE_ANY, NULL);
        struct result_link links[RESULT_LINKS_MAX];
        size_t len = result_links(document, links);

        for (j = 0; j < len; j++) {
            check_harmless(links[j].text);
            check_harmless(links[j].url ? links[j].url : "");
        }
        result_links_free(links, len);
    }
}

static void on_line(void *context, const char *text, size_t len)
{
    buf_add(context, text, len);
}

/* A build's own links are taken out of its output, whatever it may colour. */
static void test_a_build_makes_none(void **state)
{
    static const char *const outputs[] = {"\033]8;;https://evil.example\033\\click\033]8;;\033\\",
                                          "\033]8;id=1;https://evil.example\aclick\033]8;;\a",
                                          "\xc2\x9d"
                                          "8;;https://evil.example\xc2\x9c"
                                          "click"};
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(outputs); i++) {
        struct lines lines;
        struct buf out;

        buf_init(&out, 4096);
        lines_init(&lines, true, on_line, &out);
        lines_feed(&lines, view_of(outputs[i]));
        lines_end(&lines);
        assert_null(strchr(buf_text(&out), '\033'));
        assert_null(strstr(buf_text(&out), "\xc2\x9d"));
        assert_non_null(strstr(buf_text(&out), "click"));
        lines_dispose(&lines);
        buf_dispose(&out);
    }
}

static bool shown(int fd, const char *variable, const char *terminal)
{
    struct strings env = {0};
    bool result;

    if (terminal)
        strings_addf(&env, "TERM=%s", terminal);
    if (variable)
        strings_add(&env, variable);
    result = links_shown(&env, fd);
    strings_dispose(&env);
    return result;
}

static void test_who_shows_links(void **state)
{
    int terminal = posix_openpt(O_RDWR | O_NOCTTY), other = open("/dev/null", O_WRONLY);

    (void)state;
    assert_true(terminal >= 0 && other >= 0);
    assert_true(shown(terminal, NULL, "xterm-256color"));
    assert_true(shown(terminal, "CI=false", "xterm"));
    assert_true(shown(terminal, "NO_COLOR=", "xterm"));
    assert_false(shown(terminal, NULL, "dumb"));
    assert_false(shown(terminal, NULL, NULL));
    assert_false(shown(terminal, "NO_COLOR=1", "xterm"));
    assert_false(shown(terminal, "CI=true", "xterm"));
    assert_false(shown(other, NULL, "xterm"));
    close(terminal);
    close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),         cmocka_unit_test(test_pages),
        cmocka_unit_test(test_hostile_documents), cmocka_unit_test(test_a_build_makes_none),
        cmocka_unit_test(test_who_shows_links),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
