#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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
    assert_false(add(redactor, "1234567"));
    assert_false(add(redactor, "1234567\r\n\n"));
    assert_true(add(redactor, "12345678"));
    expect(redactor, "1234567 123456789", "1234567 ***9");
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
        {"s3cr3t-tokens", "[czNjcjN0LXRva2VucyBhbmQgbW9yZQ==]", "[***yBhbmQgbW9yZQ==]"},
        {"\xfb\xff\xbf\xfb\xff\xbf\xfb\xff\xbf", "+/+/+/+/+/+/ -_-_-_-_-_-_", "*** ***"},
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
           "***==\n");
    expect(redactor, "  Z2l0aHViX3BhdF8xMUFCQ0RFRkcwYWFhYWFhYWFhYWFhX2JiYmJiYmJiYmJiYmJiYmJiYmJiYmJi\n  Ym",
           "  ***\n  Ym");
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
    expect(redactor, "-----BEGIN KEY-----\nAAAAB3NzaC1yc2E\nshort\n-----END KEY-----\n", "***\n");
    expect(redactor, "-----BEGIN KEY-----\r\nAAAAB3NzaC1yc2E\r\nshort\r\n-----END KEY-----\r\n", "***\r\n");
    expect(redactor, "-----BEGIN KEY-----\n  AAAAB3NzaC1yc2E\n  short\n", "***\n  ***\n  short\n");
    expect(redactor, "-----BEGIN KEY-----\\nAAAAB3NzaC1yc2E\\nshort\\n-----END KEY-----", "***");
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
    add(redactor, "cabcabda");
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
    add(redactor, "abcdwxyz");
    redact_stream_feed(&stream, view_of("wxyz."), &out);
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
    redactor_add(redactor, "\0\xff\0\xfe\0\xfd\0\xfc", 8);
    buf_init(&out, 100);
    redact_text(redactor,
                (struct view){"a\0\xff\0\xfe\0\xfd"
                              "\0\xfc"
                              "b\0",
                              11},
                &out);
    assert_int_equal(out.len, 6);
    assert_memory_equal(out.data, "a***b\0", 6);
    buf_dispose(&out);
    redactor_free(redactor);
}

static size_t from_hex(const char *hex, char *bytes)
{
    size_t len = strlen(hex) / 2;
    size_t i;

    for (i = 0; i < len; i++) {
        const char digits[] = {hex[2 * i], hex[2 * i + 1], 0};

        bytes[i] = (char)strtoul(digits, NULL, 16);
    }
    return len;
}

/* In two pieces, cut at every byte; and byte by byte. */
static void expect_split(const struct redactor *redactor, struct view text, struct view expected, const char *name)
{
    struct redact_stream stream;
    struct buf out;
    size_t cut, i;

    buf_init(&out, 4096);
    redact_stream_init(&stream, redactor);
    for (cut = 0; cut <= text.len; cut++) {
        buf_reset(&out);
        redact_stream_feed(&stream, (struct view){text.data, cut}, &out);
        redact_stream_feed(&stream, (struct view){text.data + cut, text.len - cut}, &out);
        redact_stream_flush(&stream, &out);
        if (out.len != expected.len || memcmp(buf_text(&out), expected.data, out.len) != 0)
            fail_msg("%s, cut at %zu: %.*s", name, cut, (int)out.len, buf_text(&out));
    }
    buf_reset(&out);
    for (i = 0; i < text.len; i++)
        redact_stream_feed(&stream, (struct view){text.data + i, 1}, &out);
    redact_stream_flush(&stream, &out);
    assert_int_equal(out.len, expected.len);
    assert_memory_equal(buf_text(&out), expected.data, out.len);
    redact_stream_dispose(&stream);
    buf_dispose(&out);
}

/* What Python's encoders, and bash, make of values: tests/vectors/redact.py. */
static void test_vectors(void **state)
{
    static char line[4096], value[1024], text[1024], expected[1024];
    FILE *file = fopen(TEST_DATA_DIR "/vectors/redact.txt", "r");
    int count = 0;

    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        char *rest;
        size_t value_len = from_hex(strtok_r(line, " ", &rest), value);
        size_t text_len = from_hex(strtok_r(NULL, " ", &rest), text);
        size_t expected_len = from_hex(strtok_r(NULL, " ", &rest), expected);
        struct redactor *redactor = redactor_new();

        assert_true(redactor_add(redactor, value, value_len));
        expect_split(redactor, (struct view){text, text_len}, (struct view){expected, expected_len}, rest);
        redactor_free(redactor);
        count++;
    }
    fclose(file);
    assert_true(count > 300);
}

static void test_names(void **state)
{
    struct redactor *redactor = redactor_new();

    (void)state;
    add(redactor, "without-a-name");
    redactor_add_named(redactor, "NPM_TOKEN", "npm-value-1", 11);
    redactor_add_named(redactor, "OTHER", "npm-value-1", 11);
    redactor_add_named(redactor, "THIRD", "value-1-and-more", 16);
    assert_null(redact_find(redactor, view_of("nothing npm-value-")));
    assert_string_equal(redact_find(redactor, view_of("x without-a-name")), "");
    assert_string_equal(redact_find(redactor, view_of("x npm-value-1")), "NPM_TOKEN");
    assert_string_equal(redact_find(redactor, view_of("x bnBtLXZhbHVlLTE=")), "NPM_TOKEN");
    assert_string_equal(redact_find(redactor, view_of("x value-1-and-more")), "THIRD");
    redactor_free(redactor);
}

/* Values that come while text is held, which ends within another value. */
static void test_values_added_in_between(void **state)
{
    struct redactor *redactor = redactor_new();
    struct redact_stream stream;
    struct buf out;

    (void)state;
    add(redactor, "abcdefghijklmnop");
    add(redactor, "cdefghij");
    buf_init(&out, 1000);
    redact_stream_init(&stream, redactor);
    redact_stream_feed(&stream, view_of("<abcdefghijk"), &out);
    assert_string_equal(buf_text(&out), "<");
    add(redactor, "hijklMNOP");
    redact_stream_feed(&stream, view_of("lMNO"), &out);
    assert_string_equal(buf_text(&out), "<ab***");
    redact_stream_feed(&stream, view_of("P>"), &out);
    assert_string_equal(buf_text(&out), "<ab***>");
    redact_stream_dispose(&stream);
    buf_dispose(&out);
    redactor_free(redactor);
}

/* Very many values, and very long ones: rare forms are left out, the value itself is not. */
static void test_many_and_large_values(void **state)
{
    struct redactor *redactor = redactor_new();
    char *large = xmalloc(65537);
    char value[32];
    size_t i;

    (void)state;
    for (i = 0; i < 65536; i++)
        large[i] = i % 80 == 79 ? '\n' : (char)('a' + (i * 7 + i / 80) % 26);
    large[65535] = 'z';
    large[65536] = '\0';
    add(redactor, large);
    for (i = 0; i < 2000; i++) {
        snprintf(value, sizeof value, "value number %zu!", i * 7919);
        add(redactor, value);
    }
    for (i = 0; i < 2000; i += 97) {
        snprintf(value, sizeof value, "value number %zu!", i * 7919);
        expect(redactor, value, "***");
    }
    expect(redactor, "value%20number%207919%21", "***");
    expect(redactor, large, "***");
    large[39999] = '\0';
    expect(redactor, large + 39920, "***");
    free(large);
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
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_values_added_in_between),
        cmocka_unit_test(test_many_and_large_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
