#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/log.h"
#include "core/mem.h"
#include "core/utf8.h"

struct fixture {
    struct spool *spool;
    struct redactor *redactor;
    struct log *log;
    struct spool_cursor cursor;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);

    f->spool = spool_new("/tmp", 64 << 20);
    f->redactor = redactor_new();
    f->log = log_new(f->spool, f->redactor);
    spool_cursor_init(&f->cursor, f->spool);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    spool_cursor_dispose(&f->cursor);
    log_free(f->log);
    redactor_free(f->redactor);
    spool_free(f->spool);
    free(f);
    return 0;
}

static void out(struct fixture *f, const char *text)
{
    log_output(f->log, false, text, strlen(text));
}

static void expect(struct fixture *f, enum record_kind kind, const char *text)
{
    struct record record;

    if (!spool_read(&f->cursor, &record))
        fail_msg("nothing where \"%s\" was expected", text);
    assert_string_equal(record.text, text);
    assert_int_equal(record.kind, kind);
}

static void expect_nothing(struct fixture *f)
{
    struct record record;

    if (spool_read(&f->cursor, &record))
        fail_msg("\"%s\" where nothing was expected", record.text);
}

static void test_lines(void **state)
{
    struct fixture *f = *state;

    out(f, "one\ntwo\n\nthr");
    expect(f, RECORD_OUTPUT, "one");
    expect(f, RECORD_OUTPUT, "two");
    expect(f, RECORD_OUTPUT, "");
    expect_nothing(f);
    out(f, "ee\r\nfour");
    expect(f, RECORD_OUTPUT, "three");
    expect_nothing(f);
    log_output_flush(f->log);
    expect(f, RECORD_OUTPUT, "four");
    log_output_flush(f->log);
    out(f, "\tfive\n");
    expect(f, RECORD_OUTPUT, "\tfive");
    expect_nothing(f);
}

static void test_streams_are_apart(void **state)
{
    struct fixture *f = *state;
    struct record record;

    out(f, "to ");
    log_output(f->log, true, "err\n", 4);
    out(f, "out\n");
    assert_int_equal(spool_read(&f->cursor, &record), 1);
    assert_string_equal(record.text, "err");
    assert_true(record.is_stderr);
    assert_int_equal(spool_read(&f->cursor, &record), 1);
    assert_string_equal(record.text, "to out");
    assert_false(record.is_stderr);
}

static void test_progress_bars(void **state)
{
    static const struct {
        const char *bytes;
        const char *line;
    } cases[] = {
        {"10 %\r20 %\r100 %\n", "100 %"},
        {"100 %\r\n", "100 %"},
        {"100 %\r\r\n", "100 %"},
        {"\rfirst\n", "first"},
        {"50 %\x1b[2K\x1b[1Gdone\n", "done"},
        {"50 %\x1b[Gdone\n", "done"},
        {"50 %\x1b[2Kdone\n", "done"},
        {"50 %\x1b[Kdone\n", "50 %done"},
        {"50 %\r\x1b[Kdone\n", "done"},
        {"\x1b[32m100 %\r\x1b[0m\n", "\x1b[32m100 %\x1b[0m"},
        {"\x1b[32m50 %\r\x1b[31mdone\n", "\x1b[31mdone\x1b[0m"},
        {"a\rb\rc\r\n", "c"},
    };
    struct fixture *f = *state;
    size_t i;

    for (i = 0; i < ARRAY_LEN(cases); i++) {
        out(f, cases[i].bytes);
        expect(f, RECORD_OUTPUT, cases[i].line);
        expect_nothing(f);
    }
}

static const struct {
    const char *bytes;
    const char *line;
} hostile[] = {
    {"\x1b[31mred\x1b[0m plain\n", "\x1b[31mred\x1b[0m plain"},
    {"\x1b[1;38;5;208mbold\n", "\x1b[1;38;5;208mbold\x1b[0m"},
    {"\x1b[38:2::1:2:3mx\x1b[m\n", "\x1b[38:2::1:2:3mx\x1b[m"},
    {"\x1b[0m\n", ""},
    {"\x1b[31m\n", ""},
    {"plain\x1b[0m\n", "plain"},
    {"a\x1b[2Jb\x1b[10;20Hc\x1b[1Ad\n", "abcd"},
    {"a\x1b[?25lb\x1b[>4;2mc\x1b[ qd\n", "abcd"},
    {"a\x1b[!pb\x1b[38;5;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1mc\n", "abc"},
    {"a\x1b]0;title\x07"
     "b\x1b]52;c;c2VjcmV0\x1b\\c\n",
     "abc"},
    {"\x1b]8;;https://x.example\x1b\\link\x1b]8;;\x1b\\\n", "link"},
    {"a\x1bP1;2|dcs\x1b\\b\x1b_apc\x1b\\c\x1b^pm\x1b\\d\x1bXsos\x1b\\e\n", "abcde"},
    {"a\x1b"
     "cb\x1b(Bc\x1b#8d\x1b"
     "7e\n",
     "abcde"},
    {"a\x1b\x1b[31mb\n", "a\x1b[31mb\x1b[0m"},
    {"a\x1b[3\x1b[31mb\n", "a\x1b[31mb\x1b[0m"},
    {"a\x1b]x\x1b[31mb\n", "a\x1b[31mb\x1b[0m"},
    {"bell\a, \b, \v, \f, \x7f.\n", "bell, , , , ."},
    {"lost\x1b]0;never ended\n", "lost"},
    {"next\n", "next"},
    {"lost\x1b[3\n", "lost"},
    {"next\n", "next"},
    {"lost\x1b\n", "lost"},
    {"[31m\n", "[31m"},
    {"c1 \xC2\x9B"
     "31m \xC2\x85.\n",
     "c1 31m ."},
    {"\x9b"
     "31m\n",
     "\xEF\xBF\xBD"
     "31m"},
    {"a\xE2\x80\xAE"
     "b\xE2\x80\xA8"
     "c\xE2\x80\xA9"
     "d\xE2\x81\xA6"
     "e\xE2\x81\xA9.\n",
     "a\xEF\xBF\xBD"
     "b\xEF\xBF\xBD"
     "c\xEF\xBF\xBD"
     "d\xEF\xBF\xBD"
     "e\xEF\xBF\xBD."},
    {"\xE2\x80\x8D\xE2\x80\xAF\xE2\x80\x8E\xE2\x81\xA0\n", "\xE2\x80\x8D\xE2\x80\xAF\xE2\x80\x8E\xE2\x81\xA0"},
    {"::error::text like any other\n", "::error::text like any other"},
    {"gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x98\x80\n", "gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x98\x80"},
    {"\xff\xfe \xC3( \xE2\x82 \xED\xA0\x80 \xC0\x80 \xF4\x90\x80\x80\n",
     "\xEF\xBF\xBD\xEF\xBF\xBD \xEF\xBF\xBD( \xEF\xBF\xBD \xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD "
     "\xEF\xBF\xBD\xEF\xBF\xBD \xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
    {"cut \xE2\x82\n", "cut \xEF\xBF\xBD"},
    {"\xE2\x1b[31mx\n", "\xEF\xBF\xBD\x1b[31mx\x1b[0m"},
};

static void test_hostile_bytes(void **state)
{
    struct fixture *f = *state;
    size_t i;
    size_t at;

    for (i = 0; i < ARRAY_LEN(hostile); i++) {
        out(f, hostile[i].bytes);
        expect(f, RECORD_OUTPUT, hostile[i].line);
        expect_nothing(f);
        /* The same byte by byte. */
        for (at = 0; hostile[i].bytes[at]; at++)
            log_output(f->log, false, hostile[i].bytes + at, 1);
        expect(f, RECORD_OUTPUT, hostile[i].line);
        expect_nothing(f);
    }
}

static void test_nul(void **state)
{
    struct fixture *f = *state;

    log_output(f->log, false, "a\0b\n", 4);
    expect(f, RECORD_OUTPUT, "ab");
}

static void test_flush_breaks_a_character_off(void **state)
{
    struct fixture *f = *state;

    out(f, "x\xE2\x82");
    log_output_flush(f->log);
    expect(f, RECORD_OUTPUT, "x\xEF\xBF\xBD");
    out(f, "\x1b[31m");
    log_output_flush(f->log);
    expect_nothing(f);
}

static void test_long_lines(void **state)
{
    struct fixture *f = *state;
    struct buf text;
    struct record record;
    size_t total = 0;
    int i;

    buf_init(&text, 1 << 20);
    for (i = 0; i < 30000; i++)
        buf_adds(&text, i % 3 ? "a" : "\xE2\x82\xAC");
    log_output(f->log, false, text.data, text.len);
    out(f, "\n");
    for (i = 0; spool_read(&f->cursor, &record); i++) {
        assert_true(record.text_len <= SPOOL_LINE_MAX && record.text_len > 0);
        assert_true(utf8_is_valid((struct view){record.text, record.text_len}));
        assert_memory_equal(record.text, text.data + total, record.text_len);
        total += record.text_len;
    }
    assert_int_equal(total, text.len);
    assert_int_equal(i, 4);
    buf_dispose(&text);
}

static void test_long_line_of_ascii_and_colours(void **state)
{
    struct fixture *f = *state;
    char *text = xmalloc(100001);
    struct record record;
    size_t total = 0;

    memset(text, 'x', 100000);
    text[100000] = '\n';
    out(f, "\x1b[31m");
    log_output(f->log, false, text, 100001);
    assert_int_equal(spool_read(&f->cursor, &record), 1);
    assert_int_equal(record.text_len, SPOOL_LINE_MAX);
    assert_memory_equal(record.text, "\x1b[31mx", 6);
    assert_memory_equal(record.text + record.text_len - 5, "x\x1b[0m", 5);
    total = record.text_len - 9;
    while (spool_read(&f->cursor, &record))
        total += record.text_len;
    assert_int_equal(total, 100000);
    free(text);
}

static void test_secrets(void **state)
{
    struct fixture *f = *state;

    redactor_add(f->redactor, "hunter2hunter2", 14);
    out(f, "token hunter2hun");
    out(f, "ter2!\n");
    expect(f, RECORD_OUTPUT, "token ***!");
    /* Hidden from the first look by bytes that are dropped later. */
    out(f, "token hunter2\x07hun\x1b[2Jter2!\n");
    expect(f, RECORD_OUTPUT, "token ***!");
    log_info(f->log, "cloning https://x:%s@host", "hunter2hunter2");
    expect(f, RECORD_INFO, "cloning https://x:***@host");
    log_warning(f->log, "name: %s", "hunter2\rhunter2");
    expect(f, RECORD_WARNING, "name: ***");
    log_command(f->log, "curl -H hunter2hunter2");
    expect(f, RECORD_COMMAND, "curl -H ***");
    log_result(f->log, "{\"message\":\"hunter2hunter2\"}");
    expect(f, RECORD_RESULT, "{\"message\":\"***\"}");
    out(f, "hunter2");
    expect_nothing(f);
    log_output_flush(f->log);
    expect(f, RECORD_OUTPUT, "hunter2");
}

static void test_messages(void **state)
{
    struct fixture *f = *state;
    char big[40001];

    log_info(f->log, "%d files", 3);
    expect(f, RECORD_INFO, "3 files");
    log_warning(f->log, "name: %s", "x\rerror: forged\n\x1b[1A\x1b[31mresult succeeded\x1b[0m\xff");
    expect(f, RECORD_WARNING, "name: xerror: forged");
    expect(f, RECORD_WARNING, "  result succeeded\xEF\xBF\xBD");
    log_error(f->log, "%s", "");
    expect(f, RECORD_ERROR, "");
    log_debug(f->log, "%s", "d");
    expect(f, RECORD_DEBUG, "d");
    log_progress(f->log, "receiving %d %%", 40);
    expect(f, RECORD_PROGRESS, "receiving 40 %");
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    log_info(f->log, "%s", big);
    for (int parts = 0; parts < 3; parts++) {
        struct record record;

        assert_int_equal(spool_read(&f->cursor, &record), 1);
        assert_true(record.text_len <= SPOOL_LINE_MAX);
    }
    expect_nothing(f);
}

static void test_steps(void **state)
{
    struct fixture *f = *state;
    struct record record;

    log_info(f->log, "before");
    log_step_begin(f->log, "install");
    out(f, "unfinished");
    log_step_end(f->log, true, 2, 1234);
    log_info(f->log, "after");
    assert_int_equal(spool_read(&f->cursor, &record), 1);
    assert_string_equal(record.step, "");
    assert_int_equal(spool_read(&f->cursor, &record), 1);
    assert_int_equal(record.kind, RECORD_STEP_BEGIN);
    assert_string_equal(record.text, "install");
    assert_string_equal(record.step, "install");
    assert_int_equal(spool_read(&f->cursor, &record), 1);
    assert_string_equal(record.text, "unfinished");
    assert_string_equal(record.step, "install");
    assert_int_equal(spool_read(&f->cursor, &record), 1);
    assert_int_equal(record.kind, RECORD_STEP_END);
    assert_string_equal(record.text, "install");
    assert_true(record.ok);
    assert_int_equal(record.duration_ms, 1234);
    assert_int_equal(spool_read(&f->cursor, &record), 1);
    assert_string_equal(record.step, "");
    log_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_streams_are_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_progress_bars, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nul, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flush_breaks_a_character_off, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_line_of_ascii_and_colours, setup, teardown),
        cmocka_unit_test_setup_teardown(test_secrets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_messages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_steps, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
