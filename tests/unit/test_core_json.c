#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/buf.h"
#include "core/json.h"

static json_t *parse(const char *text, struct error *err)
{
    return json_parse(text, strlen(text), CLASS_PLATFORM, "answer", err);
}

static void test_parses(void **state)
{
    struct error err = {.message = "untouched"};
    CLEANUP_JSON json_t *json = parse("{\"a\":1,\"b\":\"x\",\"c\":true,\"d\":\"\\ud83d\\ude00\"}", &err);

    (void)state;
    assert_non_null(json);
    assert_string_equal(err.message, "untouched");
    assert_int_equal(json_int(json, "a", 7), 1);
    assert_string_equal(json_text(json, "b", "-"), "x");
    assert_true(json_flag(json, "c", false));
    assert_string_equal(json_text(json, "d", "-"), "\xF0\x9F\x98\x80");
}

static void test_lookups_never_fault(void **state)
{
    CLEANUP_JSON json_t *json = parse("{\"a\":1.5,\"b\":[1],\"c\":null,\"d\":\"1\"}", NULL);

    (void)state;
    assert_int_equal(json_int(json, "a", 7), 7);
    assert_int_equal(json_int(json, "d", 7), 7);
    assert_int_equal(json_int(json, "missing", 7), 7);
    assert_null(json_text(json, "b", NULL));
    assert_string_equal(json_text(json, "a", "-"), "-");
    assert_true(json_flag(json, "c", true));
    assert_false(json_flag(json, "d", false));
    assert_int_equal(json_int(NULL, "a", 3), 3);
    assert_string_equal(json_text(json_object_get(json, "b"), "a", "-"), "-");
    assert_false(json_flag(json_object_get(json, "d"), "a", false));
}

static void test_refuses(void **state)
{
    static const char *const bad[] = {
        "",
        "   ",
        "{",
        "{\"a\":1} x",
        "{\"a\":1,\"a\":2}",
        "{'a':1}",
        "[1,]",
        "\"\\u0000\"",
        "\"\xff\"",
        "nul",
        "{\"a\":\"\\ud800\"}",
        "[1e999]",
        "[99999999999999999999]",
        "\xEF\xBB\xBF{}",
    };
    struct error err;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        memset(&err, 0, sizeof err);
        assert_null(parse(bad[i], &err));
        assert_int_equal(err.class, CLASS_PLATFORM);
        assert_string_equal(err.reason, "bad-json");
        assert_ptr_equal(strstr(err.message, "answer: not valid JSON: line "), err.message);
    }
    assert_null(json_parse(NULL, 0, CLASS_PLATFORM, "answer", &err));
}

static void test_message_names_the_place_and_quotes_nothing(void **state)
{
    struct error err;

    (void)state;
    assert_null(parse("{\n  \"key\": hunter2secret\n}", &err));
    assert_non_null(strstr(err.message, "line 2, column "));
    assert_null(strstr(err.message, "hunter2secret"));
    assert_null(parse("{\"hunter2\":1,\"hunter2\":2}", &err));
    assert_null(strstr(err.message, "hunter2"));
}

static void test_depth_is_bounded(void **state)
{
    struct buf deep;
    struct error err;
    int i;

    (void)state;
    buf_init(&deep, 1 << 20);
    for (i = 0; i < 100000; i++)
        buf_addc(&deep, '[');
    assert_null(json_parse(deep.data, deep.len, CLASS_PLATFORM, "answer", &err));
    assert_string_equal(err.reason, "bad-json");
    buf_dispose(&deep);
}

static void test_put_text(void **state)
{
    CLEANUP_JSON json_t *json = json_object();

    (void)state;
    json_put_text(json, "none", NULL);
    assert_null(json_object_get(json, "none"));
    json_put_text(json, "good", "gr\xC3\xBC\xC3\x9F");
    assert_string_equal(json_text(json, "good", ""), "gr\xC3\xBC\xC3\x9F");
    json_put_text(json, "bad", "a\xff\xC3(\xED\xA0\x80z");
    assert_string_equal(json_text(json, "bad", ""), "a\xEF\xBF\xBD\xEF\xBF\xBD(\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz");
}

static void test_add_string(void **state)
{
    char every[200], *wanted;
    size_t len = 0;
    json_t *json;
    struct buf out;
    int c;

    (void)state;
    for (c = 1; c < 0x80; c++)
        every[len++] = (char)c;
    len += (size_t)snprintf(every + len, sizeof every - len, "\"gr\xC3\xBC\xC3\x9F\xF0\x9F\x98\x80\\");
    buf_init(&out, 4096);
    json_add_string(&out, (struct view){every, len});
    json = json_stringn(every, len);
    wanted = json_dumps(json, JSON_ENCODE_ANY);
    assert_string_equal(buf_text(&out), wanted);
    buf_reset(&out);
    json_add_string(&out, view_of(""));
    assert_string_equal(buf_text(&out), "\"\"");
    buf_reset(&out);
    json_add_string(&out, (struct view){"a\0b", 3});
    assert_string_equal(buf_text(&out), "\"a\\u0000b\"");
    free(wanted);
    json_decref(json);
    buf_dispose(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parses),           cmocka_unit_test(test_lookups_never_fault),
        cmocka_unit_test(test_refuses),          cmocka_unit_test(test_message_names_the_place_and_quotes_nothing),
        cmocka_unit_test(test_depth_is_bounded), cmocka_unit_test(test_put_text),
        cmocka_unit_test(test_add_string),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
