#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/mem.h"
#include "core/utf8.h"

/* The bytes of a code point, by the plain arithmetic of RFC 3629; its length. */
static size_t encode(uint32_t c, char *to)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xC0 | c >> 6);
        to[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xE0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 63));
        to[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    to[0] = (char)(0xF0 | c >> 18);
    to[1] = (char)(0x80 | (c >> 12 & 63));
    to[2] = (char)(0x80 | (c >> 6 & 63));
    to[3] = (char)(0x80 | (c & 63));
    return 4;
}

static void test_every_code_point(void **state)
{
    char text[4];
    uint32_t c;

    (void)state;
    for (c = 0; c < 0x1FFFFF; c++) {
        size_t len = encode(c, text);
        bool valid = c <= 0x10FFFF && !(c >= 0xD800 && c <= 0xDFFF);
        int step = utf8_step(text, len);
        size_t cut;

        if (valid ? step != (int)len : step >= 0)
            fail_msg("U+%X: %d", c, step);
        for (cut = 1; valid && cut < len; cut++)
            assert_int_equal(utf8_step(text, cut), 0);
    }
}

/* All two-byte beginnings: nothing overlong passes, and what is broken is never taken for more than it is. */
static void test_all_pairs(void **state)
{
    char text[2];
    int a;
    int b;

    (void)state;
    for (a = 0; a < 256; a++)
        for (b = 0; b < 256; b++) {
            int step;

            text[0] = (char)a;
            text[1] = (char)b;
            step = utf8_step(text, 2);
            assert_true(step >= -1 && step <= 2);
            assert_int_equal(step == 2, a >= 0xC2 && a <= 0xDF && b >= 0x80 && b <= 0xBF);
            assert_int_equal(step == 1, a < 0x80);
        }
}

static void test_repair(void **state)
{
    static const struct {
        const char *text;
        const char *repaired;
    } cases[] = {
        {"", ""},
        {"plain text, longer than eight bytes", "plain text, longer than eight bytes"},
        {"gr\xC3\xBC\xC3\x9F", "gr\xC3\xBC\xC3\x9F"},
        {"\xff", "\xEF\xBF\xBD"},
        {"12345678\xffx", "12345678\xEF\xBF\xBDx"},
        {"a\xE2\x82", "a\xEF\xBF\xBD"},
        {"\xE2\x82(", "\xEF\xBF\xBD("},
        {"\xF0\x9F\x98\xE2\x82\xAC", "\xEF\xBF\xBD\xE2\x82\xAC"},
        /* The table of Unicode 3.9, "substitution of maximal subparts". */
        {"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82"
         "A",
         "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
         "A"},
        {"\xED\xA0\x80\xED\xBF\xBF\xED\xAF"
         "A",
         "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
         "A"},
        {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF"
         "A",
         "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
         "A"},
    };
    struct buf out;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        buf_init(&out, 1000);
        utf8_repair(view_of(cases[i].text), &out);
        assert_string_equal(buf_text(&out), cases[i].repaired);
        assert_true(utf8_is_valid(view_of(buf_text(&out))));
        assert_int_equal(utf8_is_valid(view_of(cases[i].text)), strcmp(cases[i].text, cases[i].repaired) == 0);
        buf_dispose(&out);
    }
    buf_init(&out, 2);
    utf8_repair(view_of("\xff"), &out);
    assert_int_equal(out.len, 0);
    assert_true(out.overflow);
    buf_dispose(&out);
}

static void test_cut(void **state)
{
    struct view text = view_of("a\xE2\x82\xAC\xF0\x9F\x98\x80");
    static const size_t cuts[] = {0, 1, 1, 1, 4, 4, 4, 4, 8, 8};
    size_t max;

    (void)state;
    for (max = 0; max < ARRAY_LEN(cuts); max++)
        assert_int_equal(utf8_cut(text, max), cuts[max]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_point),
        cmocka_unit_test(test_all_pairs),
        cmocka_unit_test(test_repair),
        cmocka_unit_test(test_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
