#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/buf.h"

static void test_empty(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 10);
    assert_string_equal(buf_text(&buf), "");
    buf_consume(&buf, 5);
    buf_reset(&buf);
    assert_int_equal(buf_add(&buf, NULL, 0), 0);
    assert_string_equal(buf_text(&buf), "");
    buf_wipe(&buf);
    buf_dispose(&buf);
    assert_int_equal(buf.max, 10);
}

static void test_adds(void **state)
{
    struct buf buf;
    int i;

    (void)state;
    buf_init(&buf, 100000);
    assert_int_equal(buf_adds(&buf, "a"), 0);
    assert_int_equal(buf_addc(&buf, 'b'), 0);
    assert_int_equal(buf_addf(&buf, "%d%s", 42, "!"), 0);
    assert_int_equal(buf_add(&buf, "\0x", 2), 0);
    assert_int_equal(buf.len, 7);
    assert_memory_equal(buf.data, "ab42!\0x", 8);
    for (i = 0; i < 1000; i++)
        assert_int_equal(buf_addf(&buf, "%050d", i), 0);
    assert_int_equal(buf.len, 50007);
    assert_int_equal(strlen(buf.data + 6), 50001);
    buf_wipe(&buf);
    assert_null(buf.data);
}

static void test_ceiling(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 5);
    assert_int_equal(buf_adds(&buf, "12345"), 0);
    assert_false(buf.overflow);
    assert_int_equal(buf_addc(&buf, '6'), -1);
    assert_true(buf.overflow);
    assert_string_equal(buf_text(&buf), "12345");
    assert_int_equal(buf_add(&buf, "", SIZE_MAX), -1);
    buf_reset(&buf);
    assert_false(buf.overflow);
    assert_int_equal(buf_adds(&buf, "123456"), -1);
    assert_int_equal(buf_addf(&buf, "%s", "123456"), -1);
    assert_string_equal(buf_text(&buf), "");
    assert_int_equal(buf_addf(&buf, "%s", "12345"), 0);
    buf_dispose(&buf);
    buf_init(&buf, 0);
    assert_int_equal(buf_addc(&buf, 'x'), -1);
    assert_int_equal(buf_adds(&buf, ""), 0);
    buf_dispose(&buf);
}

static void test_consume_and_take(void **state)
{
    struct buf buf;
    char *text;

    (void)state;
    buf_init(&buf, 100);
    buf_adds(&buf, "hello world");
    buf_consume(&buf, 6);
    assert_string_equal(buf_text(&buf), "world");
    buf_consume(&buf, 0);
    assert_int_equal(buf.len, 5);
    text = buf_take(&buf);
    assert_string_equal(text, "world");
    free(text);
    text = buf_take(&buf);
    assert_string_equal(text, "");
    free(text);
    buf_adds(&buf, "again");
    buf_consume(&buf, 100);
    assert_string_equal(buf_text(&buf), "");
    buf_dispose(&buf);
}

static void test_views(void **state)
{
    struct view view = view_of("prefix-rest");

    (void)state;
    assert_int_equal(view.len, 11);
    assert_true(view_is(view, "prefix-rest"));
    assert_false(view_is(view, "prefix"));
    assert_false(view_is(view, "prefix-rest2"));
    assert_true(view_starts(view, "prefix"));
    assert_true(view_starts(view, ""));
    assert_false(view_starts(view, "prefix-rest2"));
    assert_int_equal(view_of(NULL).len, 0);
    assert_true(view_is(view_of(""), ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),   cmocka_unit_test(test_adds),
        cmocka_unit_test(test_ceiling), cmocka_unit_test(test_consume_and_take),
        cmocka_unit_test(test_views),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
