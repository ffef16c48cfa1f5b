#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/mem.h"
#include "core/redact.h"

static bool add(struct redactor *redactor, const char *value)
{
    return redactor_add(redactor, value, strlen(value));
}

static void expect(const struct redactor *redactor, const char *text, const char *expected)
{
    struct buf out;

    buf_init(&out, 1 << 20);
    redact_text(redactor, view_of(text), &out);
    assert_string_equal(buf_text(&out), expected);
    assert_int_equal(redact_finds(redactor, view_of(text)), strcmp(text, expected) != 0);
    buf_dispose(&out);
}

static void test_without_values(void **state)
{
    struct redactor *redactor = redactor_new();

    (void)state;
    assert_int_equal(redactor_longest(redactor), 0);
    expect(redactor, "", "");
    expect(redactor, "plain text", "plain text");
    redactor_free(redactor);
    redactor_free(NULL);
}

static void test_too_short(void **state)
{
    struct redactor *redactor = redactor_new();

    (void)state;
    assert_false(add(redactor, ""));
    assert_false(add(redactor, "12345"));
    assert_false(add(redactor, "12345\r\n\n"));
    assert_true(add(redactor, "123456"));
    expect(redactor, "12345 1234567", "12345 ***7");
    redactor_free(redactor);
}

static void test_forms(void **state)
{
    static const struct {
        const char *value;
        const char *text;
        const char *expected;
    } cases[] = {
        {"hunter2hunter2", "a hunter2hunter2 b", "a *** b"},
        /* base64 of the value, of the value and a newline, of the value and more. */
        {"s3cr3t-token", "[czNjcjN0LXRva2Vu]", "[***]"},
        {"s3cr3t-tokens", "[czNjcjN0LXRva2Vucw==]", "[***==]"},
        {"s3cr3t-tokens", "[czNjcjN0LXRva2Vucwo=]", "[***=]"},
        {"s3cr3t-tokens", "[czNjcjN0LXRva2VucyBhbmQgbW9yZQ==]", "[***cyBhbmQgbW9yZQ==]"},
        {"\xfb\xff\xbf\xfb\xff\xbf", "+/+/+/+/ -_-_-_-_", "*** ***"},
        {"p@ss word/!x", "p%40ss%20word%2F%21x p%40ss%20word%2f%21x p%40ss%20word%2F!x p%40ss+word%2F%21x",
         "*** *** *** ***"},
        {"a\"b\\c\nd\te\001", "{\"x\":\"a\\\"b\\\\c\\nd\\te\\u0001\"}", "{\"x\":\"***\"}"},
        {"gr\xC3\xBC\xC3\x9F"
         "e!",
         "gr\xC3\xBC\xC3\x9F"
         "e! gr%C3%BC%C3%9Fe!",
         "*** ***"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        struct redactor *redactor = redactor_new();

        assert_true(add(redactor, cases[i].value));
        expect(redactor, cases[i].text, cases[i].expected);
        redactor_free(redactor);
    }
}

static void test_base64_in_lines(void **state)
{
    struct redactor *redactor = redactor_new();

    (void)state;
    /* printf github_pat_… | base64, as coreutils breaks it. */
    assert_true(add(redactor, "github_pat_11ABCDEFG0aaaaaaaaaaaa_"
                              "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"));
    expect(redactor,
           "Z2l0aHViX3BhdF8xMUFCQ0RFRkcwYWFhYWFhYWFhYWFhX2JiYmJiYmJiYmJiYmJiYmJiYmJiYmJi\n"
           "YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYg==\n",
           "***\n***==\n");
    redactor_free(redactor);
}

static void test_lines_of_a_key(void **state)
{
    struct redactor *redactor = redactor_new();

    (void)state;
    assert_true(add(redactor, "-----BEGIN KEY-----\r\nAAAAB3NzaC1yc2E\r\nshort\r\n-----END KEY-----\r\n"));
    expect(redactor, "  AAAAB3NzaC1yc2E,", "  ***,");
    expect(redactor, "short", "short");
    expect(redactor, "QUFBQUIzTnphQzF5YzJF", "***");
    expect(redactor, "-----BEGIN KEY-----\nAAAAB3NzaC1yc2E\nshort\n-----END KEY-----\n", "***\n***\nshort\n***\n");
    expect(redactor, "-----BEGIN KEY-----\r\nAAAAB3NzaC1yc2E\r\nshort\r\n-----END KEY-----\r\n", "***\r\n");
    expect(redactor, "-----BEGIN KEY-----\\r\\nAAAAB3NzaC1yc2E\\r\\nshort\\r\\n-----END KEY-----", "***");
    redactor_free(redactor);
}

static void test_overlaps(void **state)
{
    struct redactor *redactor = redactor_new();

    (void)state;
    add(redactor, "abcdefgh");
    add(redactor, "efghijkl");
    add(redactor, "abcdefghijklmnop");
    expect(redactor, "abcdefghijkl", "***");
    expect(redactor, "abcdefghijklmnop", "***");
    expect(redactor, "abcdefghijklmnoXX", "***mnoXX");
    expect(redactor, "abcdefghabcdefgh", "***");
    expect(redactor, "abcdefgh abcdefgh", "*** ***");
    expect(redactor, "xabcdefg", "xabcdefg");
    expect(redactor, "abcdefgabcdefgh", "abcdefg***");
    redactor_free(redactor);
}

static void test_output_ceiling(void **state)
{
    struct redactor *redactor = redactor_new();
    struct buf out;

    (void)state;
    add(redactor, "abcdefgh");
    buf_init(&out, 8);
    buf_adds(&out, "> ");
    redact_text(redactor, view_of("x abcdefgh tail"), &out);
    assert_string_equal(buf_text(&out), "> x *** ");
    assert_true(out.overflow);
    buf_dispose(&out);
    redactor_free(redactor);
}

static void test_long_values(void **state)
{
    struct redactor *redactor = redactor_new();
    char *value = xmalloc(10001);
    uint32_t x = 1;
    size_t i;

    (void)state;
    for (i = 0; i < 10000; i++) {
        x = x * 1664525 + 1013904223;
        value[i] = (char)('!' + (x >> 16) % 90);
    }
    value[10000] = '\0';
    assert_true(redactor_add(redactor, value, 10000));
    expect(redactor, value, "***");
    assert_true(redactor_longest(redactor) < 10000);
    /* A piece alone is found as well. */
    value[9999] = '\0';
    assert_true(redact_finds(redactor, view_of(value)));
    free(value);
    redactor_free(redactor);
}

/* Feeds in pieces whose lengths follow from `step`, and compares with the whole. */
static void compare_stream(const struct redactor *redactor, struct view text, size_t step)
{
    struct redact_stream stream;
    struct buf whole;
    struct buf pieces;
    size_t at = 0;
    size_t piece;

    buf_init(&whole, 1 << 22);
    buf_init(&pieces, 1 << 22);
    redact_text(redactor, text, &whole);
    redact_stream_init(&stream, redactor);
    for (; at < text.len; at += piece) {
        piece = 1 + (at * 7 + step) % step;
        if (piece > text.len - at)
            piece = text.len - at;
        redact_stream_feed(&stream, (struct view){text.data + at, piece}, &pieces);
        assert_true(stream.held.len < redactor_longest(redactor) || stream.held.len == 0);
    }
    redact_stream_flush(&stream, &pieces);
    assert_int_equal(pieces.len, whole.len);
    assert_memory_equal(buf_text(&pieces), buf_text(&whole), whole.len);
    redact_stream_dispose(&stream);
    buf_dispose(&whole);
    buf_dispose(&pieces);
}

static void test_stream_in_all_pieces(void **state)
{
    static const char text[] = "aab abcabcabd abcabcabcabc xabcabcabdabcabcab abcabcab";
    struct redactor *redactor = redactor_new();
    size_t step;

    (void)state;
    add(redactor, "abcabcabc");
    add(redactor, "abcabd");
    add(redactor, "bcabcabdabc");
    for (step = 1; step < sizeof text; step++)
        compare_stream(redactor, view_of(text), step);
    redactor_free(redactor);
}

static void test_stream_of_random_letters(void **state)
{
    struct redactor *redactor = redactor_new();
    char *text = xmalloc(200000);
    uint32_t x = 7;
    size_t i;

    (void)state;
    for (i = 0; i < 200000; i++) {
        x = x * 1664525 + 1013904223;
        text[i] = (char)('a' + (x >> 24) % 2);
    }
    add(redactor, "abababab");
    add(redactor, "aaaaaaaaaaaa");
    add(redactor, "bbaabbaabb");
    for (i = 1; i < 20; i++)
        compare_stream(redactor, (struct view){text, 20000}, i);
    compare_stream(redactor, (struct view){text, 200000}, 100000);
    free(text);
    redactor_free(redactor);
}

static void test_stream_holds_no_more_than_it_must(void **state)
{
    struct redactor *redactor = redactor_new();
    struct redact_stream stream;
    struct buf out;

    (void)state;
    add(redactor, "abcdefgh");
    buf_init(&out, 1000);
    redact_stream_init(&stream, redactor);
    redact_stream_feed(&stream, view_of("xxabc"), &out);
    assert_string_equal(buf_text(&out), "xx");
    redact_stream_feed(&stream, view_of("x"), &out);
    assert_string_equal(buf_text(&out), "xxabcx");
    redact_stream_feed(&stream, view_of("abcdefg"), &out);
    assert_string_equal(buf_text(&out), "xxabcx");
    redact_stream_feed(&stream, view_of("h"), &out);
    assert_string_equal(buf_text(&out), "xxabcx***");
    /* A value that comes later counts at once, for what is held too. */
    redact_stream_feed(&stream, view_of("abcd"), &out);
    add(redactor, "abcdxyz");
    redact_stream_feed(&stream, view_of("xyz."), &out);
    assert_string_equal(buf_text(&out), "xxabcx***.");
    redact_stream_feed(&stream, view_of("abcdef"), &out);
    redact_stream_flush(&stream, &out);
    assert_string_equal(buf_text(&out), "xxabcx***.abcdef");
    redact_stream_flush(&stream, &out);
    assert_string_equal(buf_text(&out), "xxabcx***.abcdef");
    redact_stream_dispose(&stream);
    buf_dispose(&out);
    redactor_free(redactor);
}

static void test_bytes_of_any_kind(void **state)
{
    struct redactor *redactor = redactor_new();
    struct buf out;

    (void)state;
    redactor_add(redactor, "\0\xff\0\xfe\0\xfd", 6);
    buf_init(&out, 100);
    redact_text(redactor,
                (struct view){"a\0\xff\0\xfe\0\xfd"
                              "b\0",
                              9},
                &out);
    assert_int_equal(out.len, 6);
    assert_memory_equal(out.data, "a***b\0", 6);
    buf_dispose(&out);
    redactor_free(redactor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_values),
        cmocka_unit_test(test_too_short),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_base64_in_lines),
        cmocka_unit_test(test_lines_of_a_key),
        cmocka_unit_test(test_overlaps),
        cmocka_unit_test(test_output_ceiling),
        cmocka_unit_test(test_long_values),
        cmocka_unit_test(test_stream_in_all_pieces),
        cmocka_unit_test(test_stream_of_random_letters),
        cmocka_unit_test(test_stream_holds_no_more_than_it_must),
        cmocka_unit_test(test_bytes_of_any_kind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
