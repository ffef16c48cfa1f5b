#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/mem.h"
#include "detect/detect.h"
#include "detect/range.h"

/* wanted, a version that satisfies it, one that does not ("" : there is none) */
static const char *const cases[][3] = {
    {"20", "20.0.0", "21.0.0"},
    {"v20", "20.19.5", "19.9.9"},
    {"=v20.1", "20.1.7", "20.2.0"},
    {"20.11.1", "20.11.1", "20.11.2"},
    {"18.10", "18.10.4", "18.1.0"},
    {"18.x", "18.20.1", "20.0.0"},
    {"18.x.x", "18.20.1", "17.9.9"},
    {"18.*", "18.0.0", "19.0.0"},
    {"*", "4.0.0", ""},
    {"", "4.0.0", ""},
    {"x", "24.0.0", ""},
    {">=18", "24.1.0", "17.9.9"},
    {">= 18.2", "18.2.0", "18.1.9"},
    {">18", "19.0.0", "18.99.0"},
    {">18.2", "18.3.0", "18.2.9"},
    {"<20", "19.9.9", "20.0.0"},
    {"<=20", "20.99.99", "21.0.0"},
    {"<=20.1", "20.1.9", "20.2.0"},
    {">=18.0.0 <21.0.0", "20.5.0", "21.0.0"},
    {">=18 <21 || >=22", "22.0.0", "21.5.0"},
    {"^18.17.1 || ^20.3.0 || >=21.0.0", "20.3.0", "20.2.9"},
    {"^18.17.1||^20.3.0||>=21.0.0", "18.18.0", "19.0.0"},
    {"^0.2.3", "0.2.9", "0.3.0"},
    {"^0.0.3", "0.0.3", "0.0.4"},
    {"^0", "0.9.9", "1.0.0"},
    {"^0.0", "0.0.9", "0.1.0"},
    {"~20.1.2", "20.1.9", "20.2.0"},
    {"~20.1", "20.1.0", "20.2.0"},
    {"~20", "20.9.0", "21.0.0"},
    {"~> 20.1", "20.1.5", "20.2.0"},
    {"18 - 20", "20.99.0", "21.0.0"},
    {"18.2.0 - 20.1.3", "20.1.3", "20.1.4"},
    {"18.2.0 - 20.1.3", "18.2.0", "18.1.9"},
    {">=18.0.0-rc.1", "18.0.0", "17.0.0"},
    {"20.1.0+build.5", "20.1.0", "20.1.1"},
    {"lts/*", "22.1.0", "21.0.0"},
    {"lts/iron", "20.1.0", "22.0.0"},
    {"lts/-1", "22.1.0", "24.0.0"},
    {"node", "18.0.0", ""},
};

static void test_satisfies(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        if (!node_version_satisfies(cases[i][1], cases[i][0]))
            fail_msg("%s should satisfy \"%s\"", cases[i][1], cases[i][0]);
        if (cases[i][2][0] && node_version_satisfies(cases[i][2], cases[i][0]))
            fail_msg("%s should not satisfy \"%s\"", cases[i][2], cases[i][0]);
    }
}

static void test_refuses(void **state)
{
    static const char *const bad[] = {
        "twenty", "20,22",       "20 |22",      "||x|",    ">",          "^",    "1.2.3.4",
        "20..1",  "99999999999", "lts/nothing", "lts/-99", "- 20",       "18 -", "20 ; rm -rf /",
        "iojs",   "system",      "20\x01",      "=>20",    "20.1.0\xff",
    };
    struct range range;
    char longest[RANGE_TEXT_MAX + 2];
    char many[RANGE_TEXT_MAX + 1] = "1";
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(bad); i++) {
        if (range_parse(&range, bad[i]) == 0)
            fail_msg("\"%s\" was taken as a range", bad[i]);
        assert_int_equal(range.len, 0);
        assert_false(node_version_satisfies("20.0.0", bad[i]));
    }
    memset(longest, ' ', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(range_parse(&range, longest), -1);
    for (i = 0; i < RANGE_INTERVALS_MAX; i++)
        strncat(many, "||1", sizeof many - strlen(many) - 1);
    assert_int_equal(range_parse(&range, many), -1);
    assert_false(node_version_satisfies("20", "20"));
    assert_false(node_version_satisfies("20.x.1", "20"));
    assert_false(node_version_satisfies("", ""));
}

static void test_empty_range_has_nothing(void **state)
{
    struct range range;

    (void)state;
    assert_int_equal(range_parse(&range, ">20 <20"), 0);
    assert_int_equal(range.len, 0);
    assert_int_equal(range_highest_major(&range), -1);
    assert_false(range_has_major(&range, 20));
}

static void test_majors(void **state)
{
    struct range range;

    (void)state;
    assert_int_equal(range_parse(&range, "^18.17.1 || ^20.3.0"), 0);
    assert_true(range_has_major(&range, 18));
    assert_false(range_has_major(&range, 19));
    assert_true(range_has_major(&range, 20));
    assert_int_equal(range_highest_major(&range), 20);
    assert_int_equal(range_parse(&range, "<16"), 0);
    assert_int_equal(range_highest_major(&range), 15);
    assert_int_equal(range_parse(&range, ">=25.1"), 0);
    assert_int_equal(range_highest_major(&range), 25);
    assert_true(node_major_satisfies("20.19.0", "20.11.1"));
    assert_false(node_version_satisfies("20.19.0", "20.11.1"));
    assert_false(node_major_satisfies("22.0.0", "20.11.1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_satisfies),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_empty_range_has_nothing),
        cmocka_unit_test(test_majors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
