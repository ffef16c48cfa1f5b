/* Hostile texts: each is refused, or read, within bounded time; what is too large says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/mem.h"
#include "spec/document.h"
#include "spec/spec.h"
#include "support/vectors.h"

#define TEXT_MAX ((size_t)8 << 20)
#define CPU_LIMIT_MS 5000 /* under the sanitizers, or emulated; elsewhere each takes milliseconds */

static void repeat(struct buf *out, const char *text, size_t times)
{
    while (times--)
        buf_adds(out, text);
}

/* Fills up to the limit of a spec's text. */
static void fill_up(struct buf *out, const char *text)
{
    repeat(out, text, (DOCUMENT_TEXT_MAX - out->len) / strlen(text));
}

/* Of this process alone: a busy machine is no fault of ours. */
static int64_t cpu_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Loads within the time limit. The problems as one text; "" when it was accepted. Caller frees. */
static char *load(struct view text)
{
    struct spec_context context = {.name = "spec", .default_id = "id"};
    struct problems problems = {0};
    struct error err = {0};
    struct spec spec;
    struct buf out;
    int64_t begin = cpu_ms();
    int rc = spec_load(&spec, text, &context, &problems, &err);

    assert_true(cpu_ms() - begin < CPU_LIMIT_MS);
    assert_int_equal(rc == 0, problems.len == 0);
    buf_init(&out, TEXT_MAX);
    problems_print(&problems, "spec", &out);
    spec_dispose(&spec);
    problems_dispose(&problems);
    return buf_take(&out);
}

static void expect(const struct buf *text, const char *message)
{
    char *found = load((struct view){buf_text(text), text->len});

    if (!strstr(found, message))
        fail_msg("expected \"%s\" in:\n%.2000s", message, found);
    free(found);
}

static void expect_text(const char *before, const char *repeated, size_t times, const char *after, const char *message)
{
    struct buf text;

    buf_init(&text, TEXT_MAX);
    buf_adds(&text, before);
    repeat(&text, repeated, times);
    buf_adds(&text, after);
    assert_false(text.overflow);
    expect(&text, message);
    buf_dispose(&text);
}

static void text_size(void **state)
{
    static const char head[] = "version: 1\nsource: { repository: a/b }\n#";
    struct buf text;
    char *found;

    (void)state;
    buf_init(&text, TEXT_MAX);
    buf_adds(&text, head);
    fill_up(&text, "x");
    assert_int_equal(text.len, DOCUMENT_TEXT_MAX);
    found = load((struct view){text.data, text.len});
    assert_string_equal(found, "");
    free(found);
    buf_addc(&text, 'x');
    expect(&text, "the text is larger than 1 MiB");
    buf_dispose(&text);
}

static void alias_bombs(void **state)
{
    struct buf text;
    int i;

    (void)state;
    buf_init(&text, TEXT_MAX);
    buf_adds(&text, "x-0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for (i = 1; i < 30; i++)
        buf_addf(&text, "x-%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i, i - 1, i - 1, i - 1, i - 1, i - 1,
                 i - 1);
    expect(&text, "more than 20000 values, aliases expanded");
    buf_reset(&text);
    /* few nodes, much text */
    buf_adds(&text, "x-a: &a ");
    repeat(&text, "0123456789", 10000);
    buf_adds(&text, "\nx-b: [");
    repeat(&text, "*a,", 1000);
    buf_adds(&text, "]\n");
    expect(&text, "more than 4 MiB of text, aliases expanded");
    buf_reset(&text);
    /* by merge keys */
    buf_adds(&text, "x-0: &a0 {k: v");
    for (i = 0; i < 200; i++)
        buf_addf(&text, ", k%d: v", i);
    buf_adds(&text, "}\nx-1: [");
    repeat(&text, "{<<: *a0},", 200);
    buf_adds(&text, "]\n");
    expect(&text, "more than 20000 values, aliases expanded");
    buf_dispose(&text);
}

static void counts(void **state)
{
    struct buf text;
    int i;

    (void)state;
    expect_text("x: [", "a,", 20000, "]", "more than 20000 values");
    expect_text("{\"x\": [", "1,", 20000, "1]}", "more than 20000 values");
    buf_init(&text, TEXT_MAX);
    buf_adds(&text, "x: [");
    for (i = 0; i <= DOCUMENT_ANCHORS_MAX; i++)
        buf_addf(&text, "&a%d x,", i);
    buf_adds(&text, "]");
    expect(&text, "more than 1000 anchors");
    buf_dispose(&text);
}

static void depth(void **state)
{
    (void)state;
    expect_text("x: ", "[", 31, "", "not valid YAML");
    expect_text("x: ", "[", 32, "", "nested deeper than 32 levels");
    expect_text("", "[", 100000, "", "nested deeper than 32 levels");
    expect_text("", "{a: ", 100000, "", "nested deeper than 32 levels");
    expect_text("", "- ", 100000, "x", "nested deeper than 32 levels");
    expect_text("", "? ", 100000, "x", "");
    expect_text("{\"x\": ", "[", 100, "", "");
    expect_text("{\"x\": ", "{\"a\":", 50, "1", "");
    expect_text(
        "{\"x\": {\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":",
        "[", 18, "]]]]]]]]]]]]]]]]]]}}}}}}}}}}}}}}}", "nested deeper than 32 levels");
    /* an alias goes on where its anchor's tree ends */
    expect_text("x-a: &a [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]\nx-b: ", "[", 15, "*a]]]]]]]]]]]]]]]",
                "nested deeper than 32 levels");
}

/* A mebibyte of one piece: nothing here may take more than linear time. */
static void monotonous(void **state)
{
    static const char *const pieces[] = {
        "[",         "{",     "]",     "}",    "- ",       "? ",      ": ",     "\"",          "'",
        "&a ",       "*a ",   "!",     "!!",   "%",        "|\n",     ">\n ",   "#",           "\n",
        "\r",        "\t",    " ",     ",",    "[]",       "{},",     "a: ",    "a\n",         "a:\n",
        "\\",        "---\n", "...\n", "<<: ", "\xC3\xA9", "- - ",    "a: b\n", "@",           "`",
        "\"a\": ",   "[a,",   "{a,",   "? [",  "&a [",     "{\"a\":", "-\n",    "- |\n",       "\xEF\xBB\xBF",
        "a: &b c\n", "!a ",   "! ",    "\"\\", "- ? ",     "[? ",     "a #b\n", "%YAML 1.1\n", "--- a\n",
    };
    struct buf text;
    size_t i;

    (void)state;
    buf_init(&text, TEXT_MAX);
    for (i = 0; i < ARRAY_LEN(pieces); i++) {
        char *found;

        buf_reset(&text);
        fill_up(&text, pieces[i]);
        found = load((struct view){text.data, text.len});
        assert_string_not_equal(found, "");
        free(found);
        buf_reset(&text);
        buf_adds(&text, "a: ");
        fill_up(&text, pieces[i]);
        free(load((struct view){text.data, text.len}));
        buf_reset(&text);
        buf_adds(&text, "{\"a\": ");
        fill_up(&text, pieces[i]);
        free(load((struct view){text.data, text.len}));
    }
    buf_dispose(&text);
}

static void many_keys(void **state)
{
    struct buf text;
    char *found;
    int i;

    (void)state;
    buf_init(&text, TEXT_MAX);
    for (i = 0; i < 9990; i++)
        buf_addf(&text, "key%d: %d\n", i, i);
    found = load((struct view){text.data, text.len});
    assert_non_null(strstr(found, "there are more mistakes than the 100 shown"));
    free(found);
    buf_dispose(&text);
}

static void add_long(struct buf *text, const char *before, size_t len, const char *after)
{
    buf_adds(text, before);
    repeat(text, "x", len);
    buf_addf(text, "%s\n", after);
}

/* The messages about single values that are too long or too many. */
static void sizes(void **state)
{
    struct buf text;
    char *found;
    int i;

    (void)state;
    buf_init(&text, TEXT_MAX);
    buf_adds(&text, "version: 1\n");
    add_long(&text, "id: ", 129, "");
    add_long(&text, "result: s3://bucket/", 901, "");
    add_long(&text, "log: file:", 1025, "");
    buf_adds(&text, "source:\n");
    add_long(&text, "  repository: https://host/", 2048, "");
    add_long(&text, "  directory: ", 1025, "");
    add_long(&text, "  ref: ", 256, "");
    buf_adds(&text, "  auth:\n");
    add_long(&text, "    token: ", 65537, "");
    buf_adds(&text, "env:\n");
    add_long(&text, "  A: ", 102401, "");
    add_long(&text, "  A", 256, ": v");
    buf_adds(&text, "labels:\n");
    add_long(&text, "  a: ", 1025, "");
    add_long(&text, "  l", 128, ": v");
    buf_adds(&text, "build:\n");
    add_long(&text, "  install: ", 32769, "");
    add_long(&text, "  node: ", 65, "");
    buf_adds(&text, "artifacts:\n  - to: s3://bucket/a/\n    headers: [{ match: a, content_type: ");
    repeat(&text, "x", 1025);
    buf_adds(&text, " }]\n    include: [");
    repeat(&text, "x", 513);
    buf_adds(&text, "]\n    exclude: [");
    for (i = 0; i < 101; i++)
        buf_addf(&text, "a%d,", i);
    buf_adds(&text, "]\n    s3: { region: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa }\nsecrets: {");
    for (i = 0; i < 101; i++)
        buf_addf(&text, "S%d: a,", i);
    buf_adds(&text, "}\n");
    found = load((struct view){text.data, text.len});
    vectors_expect("vectors/spec-errors", "expected-sizes.txt", found);
    free(found);
    buf_dispose(&text);
}

/* A ref that is known makes the key too long when it is put in. */
static void long_after_expansion(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, TEXT_MAX);
    buf_adds(&text, "version: 1\nsource: { repository: a/b, ref: ");
    repeat(&text, "x", 250);
    buf_adds(&text, " }\nartifacts: [{ to: \"s3://bucket/${ref}/${ref}/${ref}/${ref}/\" }]\n");
    expect(&text, "spec:3:19: artifacts[0].to: a key has at most 900 bytes");
    buf_dispose(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_size), cmocka_unit_test(alias_bombs),          cmocka_unit_test(counts),
        cmocka_unit_test(depth),     cmocka_unit_test(monotonous),           cmocka_unit_test(many_keys),
        cmocka_unit_test(sizes),     cmocka_unit_test(long_after_expansion),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
