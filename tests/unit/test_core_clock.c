#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <time.h>

#include "core/clock.h"
#include "core/mem.h"

static void test_now(void **state)
{
    int64_t before = clock_monotonic_ms();
    const struct timespec pause = {0, 20000000};
    int64_t passed;

    (void)state;
    nanosleep(&pause, NULL);
    passed = clock_monotonic_ms() - before;
    assert_true(passed >= 19 && passed < 10000);
    assert_true(llabs(clock_wall_ms() / 1000 - (int64_t)time(NULL)) <= 1);
}

static const struct {
    const char *text;
    int64_t ms;
} instants[] = {
    {"1970-01-01T00:00:00.000Z", 0},
    {"2026-01-09T12:00:00.123Z", INT64_C(1767960000123)},
    {"2000-02-29T23:59:59.999Z", INT64_C(951868799999)},
    {"1969-12-31T23:59:59.999Z", -1},
    {"0000-01-01T00:00:00.000Z", INT64_C(-62167219200000)},
    {"0001-01-01T00:00:00.000Z", INT64_C(-62135596800000)},
    {"0000-03-01T00:00:00.000Z", INT64_C(-62162035200000)},
    {"9999-12-31T23:59:59.999Z", INT64_C(253402300799999)},
    {"1900-03-01T00:00:00.000Z", INT64_C(-2203891200000)},
};

static void test_format_and_parse(void **state)
{
    char text[CLOCK_TEXT_SIZE];
    int64_t ms;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(instants); i++) {
        clock_format(instants[i].ms, text);
        assert_string_equal(text, instants[i].text);
        assert_int_equal(clock_parse(instants[i].text, &ms), 0);
        assert_int_equal(ms, instants[i].ms);
    }
    clock_format(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
    clock_format(INT64_MIN, text);
    assert_string_equal(text, "0000-01-01T00:00:00.000Z");
}

/* Each 37th hour of a century and a half, against the libc's calendar. */
static void test_calendar_against_libc(void **state)
{
    char text[CLOCK_TEXT_SIZE];
    int64_t parsed;
    int64_t at;

    (void)state;
    for (at = -2208988800; at < 2524608000; at += 37 * 3600 + 11) {
        clock_format(at * 1000, text);
        assert_int_equal(clock_parse(text, &parsed), 0);
        assert_int_equal(parsed, at * 1000);
    }
}

static void test_parse_variants(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"2026-01-09T12:00:00Z", INT64_C(1767960000000)},
        {"2026-01-09t12:00:00z", INT64_C(1767960000000)},
        {"2026-01-09 12:00:00Z", INT64_C(1767960000000)},
        {"2026-01-09T14:30:00+02:30", INT64_C(1767960000000)},
        {"2026-01-08T23:00:00-13:00", INT64_C(1767960000000)},
        {"2026-01-09T12:00:00-00:00", INT64_C(1767960000000)},
        {"2026-01-09T12:00:00.1Z", INT64_C(1767960000100)},
        {"2026-01-09T12:00:00.123999999999999999Z", INT64_C(1767960000123)},
        {"2016-12-31T23:59:60Z", INT64_C(1483228799000)},
        {"2016-12-31T23:59:60.5Z", INT64_C(1483228799500)},
    };
    static const char *const bad[] = {
        "",
        "2026",
        "2026-01-09",
        "2026-01-09T12:00:00",
        "2026-01-09T12:00Z",
        "2026-1-9T12:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-01-09T24:00:00Z",
        "2026-01-09T12:60:00Z",
        "2026-01-09T12:00:61Z",
        "2026-01-09T12:00:00.Z",
        "2026-01-09T12:00:00+0200",
        "2026-01-09T12:00:00+24:00",
        "2026-01-09T12:00:00+02:60",
        "2026-01-09T12:00:00Zjunk",
        " 2026-01-09T12:00:00Z",
        "2026-01-09T12:00:00Z ",
        "+026-01-09T12:00:00Z",
        "-026-01-09T12:00:00Z",
        "12026-01-09T12:00:00Z",
        "2026-01-09X12:00:00Z",
        "2026-01-09T12:00:00+-2:00",
    };
    int64_t ms = 42;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(bad); i++)
        if (clock_parse(bad[i], &ms) != -1 || ms != 42)
            fail_msg("\"%s\" passed", bad[i]);
    for (i = 0; i < ARRAY_LEN(good); i++) {
        assert_int_equal(clock_parse(good[i].text, &ms), 0);
        assert_int_equal(ms, good[i].ms);
    }
}

static void test_parse_http(void **state)
{
    static const char *const bad[] = {
        "",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Xyz, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun,06 Nov 1994 08:49:37 GMT",
        "Su",
        "Sun, 06 No",
    };
    int64_t ms = 42;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(bad); i++)
        if (clock_parse_http(bad[i], &ms) != -1 || ms != 42)
            fail_msg("\"%s\" passed", bad[i]);
    assert_int_equal(clock_parse_http("Sun, 06 Nov 1994 08:49:37 GMT", &ms), 0);
    assert_int_equal(ms, INT64_C(784111777000));
    assert_int_equal(clock_parse_http("Fri, 09 Jan 2026 12:00:00 GMT", &ms), 0);
    assert_int_equal(ms, INT64_C(1767960000000));
}

static void test_duration_parse(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"90s", 90000},
        {"30m", 1800000},
        {"1h30m", 5400000},
        {"500ms", 500},
        {"2d", 172800000},
        {"0s", 0},
        {"30d", INT64_C(2592000000)},
        {"1d2h3m4s5ms", 93784005},
        {"1m500ms", 60500},
        {"007s", 7000},
        {"720h", INT64_C(2592000000)},
    };
    static const char *const bad[] = {
        "",
        "s",
        "90",
        "-1s",
        "+1s",
        "1.5h",
        "1h30",
        "30m1h",
        "1s1s",
        "1 s",
        " 1s",
        "1s ",
        "1w",
        "1M",
        "1S",
        "30d1ms",
        "31d",
        "99999999999999999999s",
        "9223372036854775807d",
        "1mss",
        "1sm",
        "0x1s",
        "1h-1s",
        "2592000001ms",
    };
    int64_t ms = 42;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(bad); i++)
        if (duration_parse(bad[i], &ms) != -1 || ms != 42)
            fail_msg("\"%s\" passed", bad[i]);
    for (i = 0; i < ARRAY_LEN(good); i++) {
        if (duration_parse(good[i].text, &ms))
            fail_msg("\"%s\" refused", good[i].text);
        assert_int_equal(ms, good[i].ms);
    }
}

static void test_duration_format(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {-5, "0s"},
        {0, "0s"},
        {1, "1ms"},
        {870, "870ms"},
        {999, "999ms"},
        {1000, "1s"},
        {4200, "4.2s"},
        {4249, "4.2s"},
        {4250, "4.3s"},
        {4999, "5s"},
        {59949, "59.9s"},
        {59950, "1m"},
        {59999, "1m"},
        {60000, "1m"},
        {60499, "1m"},
        {60500, "1m1s"},
        {120000, "2m"},
        {5400000, "1h30m"},
        {3661000, "1h1m1s"},
        {86400000, "1d"},
        {INT64_C(2592000000), "30d"},
        {INT64_MAX, "106751991167d7h12m56s"},
    };
    char text[CLOCK_TEXT_SIZE];
    int64_t back;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        duration_format(cases[i].ms, text);
        assert_string_equal(text, cases[i].text);
        if (cases[i].ms <= INT64_C(2592000000) && !strchr(text, '.'))
            assert_int_equal(duration_parse(text, &back), 0);
    }
}

static void test_size_parse(void **state)
{
    static const struct {
        const char *text;
        int64_t bytes;
    } good[] = {
        {"0", 0},
        {"512", 512},
        {"512B", 512},
        {"64KiB", 65536},
        {"5GiB", INT64_C(5) << 30},
        {"10MB", 10000000},
        {"1kB", 1000},
        {"1KB", 1000},
        {"3TB", INT64_C(3000000000000)},
        {"2TiB", INT64_C(2) << 40},
        {"9223372036854775807", INT64_MAX},
    };
    static const char *const bad[] = {
        "",      "-1",   "+1",    "1.5GiB", "1 GiB", "1gib", "1G", "GiB", "9223372036854775808", "9007199254740992KiB",
        "1KiBx", "0x10", "1PiB ", " 1",
    };
    int64_t bytes = 42;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(bad); i++)
        if (size_parse(bad[i], &bytes) != -1 || bytes != 42)
            fail_msg("\"%s\" passed", bad[i]);
    for (i = 0; i < ARRAY_LEN(good); i++) {
        if (size_parse(good[i].text, &bytes))
            fail_msg("\"%s\" refused", good[i].text);
        assert_int_equal(bytes, good[i].bytes);
    }
}

static void test_limit_parse(void **state)
{
    static const char *const bad[] = {"", "0", "0%", "101%", "%", "-1%", "9.5%", "90 %", "90%%", "x", "1Gib", "0MiB"};
    int64_t bytes;
    int percent;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(limit_parse(bad[i], &bytes, &percent), -1);
    assert_int_equal(limit_parse("90%", &bytes, &percent), 0);
    assert_int_equal(percent, 90);
    assert_int_equal(bytes, 0);
    assert_int_equal(limit_parse("3GiB", &bytes, &percent), 0);
    assert_int_equal(percent, 0);
    assert_int_equal(bytes, (int64_t)3 << 30);
}

static void test_size_format(void **state)
{
    static const struct {
        int64_t bytes;
        const char *text;
    } cases[] = {
        {-1, "0 B"},
        {0, "0 B"},
        {1023, "1023 B"},
        {1024, "1 KiB"},
        {1536, "1.5 KiB"},
        {35756441, "34.1 MiB"},
        {64 << 20, "64 MiB"},
        {1048575, "1 MiB"},
        {1048524, "1023.9 KiB"},
        {INT64_C(5) << 30, "5 GiB"},
        {INT64_MAX, "8 EiB"},
        {(INT64_C(1) << 60) - 1, "1 EiB"},
    };
    char text[CLOCK_TEXT_SIZE];
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        size_format(cases[i].bytes, text);
        assert_string_equal(text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_now),
        cmocka_unit_test(test_format_and_parse),
        cmocka_unit_test(test_calendar_against_libc),
        cmocka_unit_test(test_parse_variants),
        cmocka_unit_test(test_parse_http),
        cmocka_unit_test(test_duration_parse),
        cmocka_unit_test(test_duration_format),
        cmocka_unit_test(test_size_parse),
        cmocka_unit_test(test_limit_parse),
        cmocka_unit_test(test_size_format),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
