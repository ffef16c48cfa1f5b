/* The stored log as its readers find it: what log_copy.h writes is read back, whole and in pieces, in every encoding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/fs.h"
#include "core/mem.h"
#include "report/deliver.h"
#include "report/log_index.h"
#include "report/log_query.h"
#include "report/log_reader.h"

#define MANY 40000
#define BEGAN_MS 1767997790000 /* 2026-01-09T22:29:50Z; it goes on past midnight */

static char *folder;

static void append(struct spool *spool, enum record_kind kind, const char *step, int64_t wall_ms, const char *text)
{
    struct record record = {.kind = kind, .wall_ms = wall_ms, .text = text, .text_len = strlen(text), .ok = true};

    snprintf(record.step, sizeof record.step, "%s", step);
    spool_append(spool, &record);
}

/* Two steps, one of them long and over midnight, and lines outside. */
static struct spool *job(void)
{
    struct spool *spool = spool_new(folder, (int64_t)64 << 20);
    char text[80];
    int i;

    append(spool, RECORD_INFO, "", BEGAN_MS, "build    begins is not what this says");
    append(spool, RECORD_STEP_BEGIN, "checkout", BEGAN_MS, "checkout");
    append(spool, RECORD_INFO, "checkout", BEGAN_MS + 10, "cloning");
    append(spool, RECORD_STEP_END, "checkout", BEGAN_MS + 1000, "checkout");
    append(spool, RECORD_STEP_BEGIN, "build", BEGAN_MS + 2000, "build");
    append(spool, RECORD_COMMAND, "build", BEGAN_MS + 2000, "make");
    for (i = 0; i < MANY; i++) {
        snprintf(text, sizeof text, "line %d of a build that says much the same again and again", i);
        append(spool, RECORD_OUTPUT, "build", BEGAN_MS + 3000 + (int64_t)i * 500, text);
    }
    append(spool, RECORD_OUTPUT, "build", BEGAN_MS + 20004000, "23:59:59 build    done in 1s");
    append(spool, RECORD_WARNING, "build", BEGAN_MS + 20005000, "careful");
    append(spool, RECORD_STEP_END, "build", BEGAN_MS + 20006000, "build");
    append(spool, RECORD_RESULT, "", BEGAN_MS + 20007000, "{\"id\":\"j1\"}");
    return spool;
}

static char *store(const char *name)
{
    struct deliver deliver = {0};
    char *to = xasprintf("file:%s/%s", folder, name);
    struct spool *spool = job();
    struct error err;

    assert_int_equal(deliver_log(&deliver, to, spool, &err), 0);
    spool_free(spool);
    return to;
}

struct got {
    int64_t lines, first, last;
    int64_t first_ms, last_ms;
    int outputs, ends;
    char step[24], type[24], text[200];
    int64_t enough; /* 0: takes all */
};

static bool on_line(void *context, const struct log_line *line)
{
    struct got *got = context;

    if (!got->lines++) {
        got->first = line->number;
        got->first_ms = line->wall_ms;
    }
    got->last = line->number;
    got->last_ms = line->wall_ms;
    got->outputs += strcmp(line->type, "output") == 0;
    got->ends += line->last;
    snprintf(got->step, sizeof got->step, "%s", line->step);
    snprintf(got->type, sizeof got->type, "%s", line->type);
    snprintf(got->text, sizeof got->text, "%.*s", (int)line->text.len, line->text.data);
    return got->lines != got->enough;
}

static int query(const char *name, struct log_query query, struct got *got, struct error *err)
{
    struct log_access access = {0};
    struct log_source *source;
    char *note;
    int status;

    query.emit = on_line;
    query.context = got;
    if (!query.since.wall_ms && !query.since.clock_s)
        query.since.clock_s = -1;
    assert_int_equal(log_source_open(&source, &access, name, err), 0);
    status = log_query_run(&query, &access, source, &note, err);
    assert_null(note);
    log_source_free(source);
    return status;
}

static const char *const names[] = {"a.log", "a.log.gz", "a.log.zst"};

static void test_whole(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < 2 * ARRAY_LEN(names); i++) {
        CLEANUP_FREE char *name = store(names[i / 2]);
        struct got got = {0};
        struct error err;

        assert_int_equal(query(name, (struct log_query){.no_index = i % 2}, &got, &err), 0);
        assert_int_equal(got.lines, MANY + 10);
        assert_int_equal(got.outputs, MANY + 1);
        assert_int_equal(got.ends, 1);
        assert_string_equal(got.type, "result");
        assert_string_equal(got.text, "{\"id\":\"j1\"}");
        assert_string_equal(got.step, "");
        /* the day that the text does not have, past midnight */
        assert_int_equal(got.last_ms, i % 2 ? 0 : BEGAN_MS + 20007000);
    }
}

static void test_pieces(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < 2 * ARRAY_LEN(names); i++) {
        CLEANUP_FREE char *name = store(names[i / 2]);
        struct log_query asked = {.no_index = i % 2, .step = "checkout"};
        struct got got = {0};
        struct error err;

        assert_int_equal(query(name, asked, &got, &err), 0);
        assert_int_equal(got.first, 2);
        assert_int_equal(got.lines, 3);
        asked.step = "build";
        got = (struct got){0};
        assert_int_equal(query(name, asked, &got, &err), 0);
        assert_int_equal(got.first, 5);
        assert_int_equal(got.lines, MANY + 5);
        assert_string_equal(got.type, "step-end");
        asked.tail = 3;
        got = (struct got){0};
        assert_int_equal(query(name, asked, &got, &err), 0);
        assert_int_equal(got.first, MANY + 7);
        assert_int_equal(got.lines, 3);
        assert_int_equal(got.outputs, 1);
        asked.step = "test";
        assert_int_equal(query(name, asked, &got, &err), -1);
        assert_string_equal(err.reason, "no-such-step");
        assert_non_null(strstr(err.hint, "checkout, build"));
    }
}

static void test_since(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(names); i++) {
        CLEANUP_FREE char *name = store(names[i]);
        struct log_query asked = {0};
        struct got got = {0};
        struct error err;

        assert_int_equal(log_since_parse("2026-01-10T00:00:00Z", 0, &asked.since, &err), 0);
        assert_int_equal(query(name, asked, &got, &err), 0);
        assert_int_equal(got.first_ms, 1768003200000);
        assert_int_equal(got.last, MANY + 10);
        assert_int_equal(log_since_parse("10s", BEGAN_MS + 20007000, &asked.since, &err), 0);
        got = (struct got){0};
        assert_int_equal(query(name, asked, &got, &err), 0);
        assert_int_equal(got.first_ms, BEGAN_MS + 19997000);
        /* without the index there is no day */
        asked.no_index = true;
        assert_int_equal(query(name, asked, &got, &err), -1);
        assert_string_equal(err.reason, "no-dates");
        assert_int_equal(log_since_parse("00:00", 0, &asked.since, &err), 0);
        asked.since.wall_ms = 0;
        got = (struct got){0};
        assert_int_equal(query(name, asked, &got, &err), 0);
    }
}

static void test_since_is_refused(void **state)
{
    static const char *const texts[] = {"", "x", "25:00", "12:60", "12:0", "12:00:0", "-1m", "2026-01-10"};
    struct log_since since;
    struct error err;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(texts); i++) {
        assert_int_equal(log_since_parse(texts[i], 0, &since, &err), -1);
        assert_string_equal(err.reason, "bad-since");
    }
}

/* Whoever has enough gets no more, and nothing is read that was not asked for. */
static void test_enough(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < 2 * ARRAY_LEN(names); i++) {
        CLEANUP_FREE char *name = store(names[i / 2]);
        struct got got = {.enough = 7};
        struct error err;

        assert_int_equal(query(name, (struct log_query){.no_index = i % 2}, &got, &err), 0);
        assert_int_equal(got.lines, 7);
    }
}

/* ---- the index ---- */

static struct log_index parsed(const char *name)
{
    CLEANUP_FREE char *path = xasprintf("%s" LOG_INDEX_SUFFIX, name + strlen("file:"));
    struct log_index index;
    struct error err;
    struct buf text;

    buf_init(&text, LOG_INDEX_MAX);
    assert_int_equal(fs_read_file(path, LOG_INDEX_MAX, &text), 0);
    assert_int_equal(log_index_parse(&index, (struct view){text.data, text.len}, path, &err), 0);
    buf_dispose(&text);
    return index;
}

static void test_index_of_a_copy(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(names); i++) {
        CLEANUP_FREE char *name = store(names[i]);
        struct log_index index = parsed(name);
        struct stat status;

        assert_int_equal(stat(name + strlen("file:"), &status), 0);
        assert_int_equal(index.bytes, status.st_size);
        assert_int_equal(index.encoding, i);
        assert_int_equal(index.lines, MANY + 10);
        assert_in_range(index.parts_len, 5, 100);
        assert_int_equal(index.steps_len, 2);
        assert_string_equal(log_index_step_before(&index, 4), "checkout");
        assert_string_equal(log_index_step_before(&index, 5), "");
        assert_string_equal(log_index_step_before(&index, 6), "build");
        assert_int_equal(log_index_part_of(&index, 1), 0);
        assert_int_equal(log_index_part_of(&index, index.parts[2].line), 2);
        assert_int_equal(log_index_part_of(&index, index.parts[2].line - 1), 1);
        assert_int_equal(log_index_text_end(&index, index.parts_len - 1), index.text_bytes);
        log_index_dispose(&index);
    }
}

/* The ring in memory has lost the step's first lines: it is a step all the same. */
static void test_a_step_without_its_beginning(void **state)
{
    CLEANUP_FREE char *to = xasprintf("file:%s/ring.log.gz", folder);
    struct spool *spool = spool_new(NULL, (int64_t)64 << 20);
    struct deliver deliver = {0};
    struct got got = {0};
    struct error err;
    int i;

    (void)state;
    append(spool, RECORD_STEP_BEGIN, "build", BEGAN_MS, "build");
    for (i = 0; i < MANY; i++)
        append(spool, RECORD_OUTPUT, "build", BEGAN_MS + i, "a line of a build that says much the same");
    append(spool, RECORD_STEP_END, "build", BEGAN_MS + MANY, "build");
    append(spool, RECORD_RESULT, "", BEGAN_MS + MANY, "{}");
    assert_int_equal(deliver_log(&deliver, to, spool, &err), 0);
    spool_free(spool);
    for (i = 0; i < 2; i++) {
        got = (struct got){0};
        assert_int_equal(query(to, (struct log_query){.step = "build", .no_index = i}, &got, &err), 0);
        assert_int_equal(got.first, 1);
        assert_true(got.lines > 1000 && got.outputs == got.lines - 2);
        assert_string_equal(got.type, "step-end");
    }
}

/* ---- the reader ---- */

static bool count(void *context, struct view line)
{
    int64_t *lines = context;

    (void)line;
    ++*lines;
    return true;
}

static void test_more_text_than_there_may_be(void **state)
{
    CLEANUP_FREE char *name = store("b.log.gz");
    struct log_reader reader;
    struct error err;
    struct buf bytes;
    int64_t lines = 0;

    (void)state;
    buf_init(&bytes, (size_t)16 << 20);
    assert_int_equal(fs_read_file(name + strlen("file:"), bytes.max, &bytes), 0);
    log_reader_init(&reader, LOG_GZIP, false, 100000, count, &lines);
    assert_int_equal(log_reader_feed(&reader, (struct view){bytes.data, bytes.len}, &err), -1);
    assert_string_equal(err.reason, "log-too-large");
    assert_in_range(lines, 1, 2000);
    log_reader_dispose(&reader);
    /* and less than there should be */
    log_reader_init(&reader, LOG_GZIP, false, LOG_TEXT_MAX, count, &lines);
    assert_int_equal(log_reader_feed(&reader, (struct view){bytes.data, bytes.len - 9}, &err), 0);
    assert_int_equal(log_reader_end(&reader, &err), -1);
    assert_string_equal(err.reason, "log-damaged");
    log_reader_dispose(&reader);
    buf_dispose(&bytes);
}

static void test_a_line_without_an_end(void **state)
{
    static char block[1 << 20];
    struct log_reader reader;
    struct error err;
    int64_t lines = 0;
    int i;

    (void)state;
    memset(block, 'x', sizeof block);
    log_reader_init(&reader, LOG_IDENTITY, false, LOG_TEXT_MAX, count, &lines);
    for (i = 0; i < 16; i++)
        assert_int_equal(log_reader_feed(&reader, (struct view){block, sizeof block}, &err), 0);
    assert_true(reader.line.len <= LOG_LINE_MAX);
    assert_int_equal(log_reader_end(&reader, &err), 0);
    assert_int_equal(lines, (sizeof block * 16 + LOG_LINE_MAX - 1) / LOG_LINE_MAX);
    log_reader_dispose(&reader);
}

/* ---- lines ---- */

static void check_line(struct log_lines *lines, const char *text, const char *type, const char *step, const char *said)
{
    struct got *got = lines->context;

    assert_true(log_lines_add(lines, view_of(text)));
    assert_string_equal(got->type, type);
    assert_string_equal(got->step, step);
    assert_string_equal(got->text, said);
}

static void test_lines_of_text(void **state)
{
    struct got got = {0};
    struct log_lines lines = {.emit = on_line, .context = &got};

    (void)state;
    check_line(&lines, "12:00:00 caisson", "info", "", "caisson");
    check_line(&lines, "12:00:00 | not in a step", "output", "", "not in a step");
    check_line(&lines, "12:00:00 build begins", "info", "", "build begins");
    check_line(&lines, "12:00:00 build    begins", "step-begin", "build", "build");
    check_line(&lines, "12:00:00 build    | build    begins", "output", "build", "build    begins");
    check_line(&lines, "12:00:00 build    | error: x", "output", "build", "error: x");
    check_line(&lines, "12:00:00 build    error: x", "error", "build", "x");
    check_line(&lines, "12:00:00 build    $ make", "command", "build", "make");
    check_line(&lines, "12:00:00 build    | test     begins", "output", "build", "test     begins");
    check_line(&lines, "12:00:00 build    test     begins", "info", "build", "test     begins");
    /* a full disk has lost the end of one step and the beginning of the next */
    check_line(&lines, "12:00:00 test     warning: 12 lines of the log were lost: the disk was full", "warning", "test",
               "12 lines of the log were lost: the disk was full");
    check_line(&lines, "12:00:00 test     | x", "output", "test", "x");
    check_line(&lines, "12:00:00 build    begins", "step-begin", "build", "build");
    assert_int_equal(got.ends, 0);
    check_line(&lines, "12:00:00 build    result {}", "info", "build", "result {}");
    check_line(&lines, "12:00:00 build    failed in 3s", "step-end", "build", "failed in 3s");
    check_line(&lines, "12:00:00 build    | after", "info", "", "build    | after");
    assert_int_equal(got.ends, 0);
    check_line(&lines, "12:00:00 result {}", "result", "", "{}");
    assert_int_equal(got.ends, 1);
    check_line(&lines, "job j failed: no", "info", "", "job j failed: no");
    assert_int_equal(got.ends, 2);
    check_line(&lines, "job j failedly", "info", "", "job j failedly");
    check_line(&lines, "", "info", "", "");
    assert_int_equal(got.ends, 2);
}

static void test_lines_of_json(void **state)
{
    struct got got = {0};
    struct log_lines lines = {.emit = on_line, .context = &got};

    (void)state;
    check_line(&lines, "{\"time\":\"2026-01-09T12:00:01.500Z\",\"type\":\"output\",\"step\":\"build\",\"text\":\"x\"}",
               "output", "build", "x");
    assert_int_equal(got.last_ms, 1767960001500);
    check_line(
        &lines,
        "{\"specversion\":\"1.0\",\"type\":\"dev.caisson.job.log\",\"data\":{\"lines\":[{\"type\":\"info\",\"text\":"
        "\"a\"},{\"type\":\"error\",\"text\":\"b\",\"step\":\"test\"}]}}",
        "error", "test", "b");
    assert_int_equal(got.last, 3);
    check_line(
        &lines,
        "{\"specversion\":\"1.0\",\"type\":\"dev.caisson.job.step\",\"data\":{\"step\":\"build\",\"phase\":\"end\","
        "\"status\":\"failed\",\"seconds\":1.5}}",
        "step-end", "build", "failed in 1.5s");
    assert_int_equal(got.ends, 0);
    check_line(&lines,
               "{\"specversion\":\"1.0\",\"type\":\"dev.caisson.job.finished\",\"data\":{\"result\":{\"a\":1}}}",
               "result", "", "{\"a\":1}");
    assert_int_equal(got.ends, 1);
    got.lines = 0;
    assert_true(log_lines_add(&lines, view_of("{\"specversion\":\"1.0\",\"type\":\"dev.caisson.job.heartbeat\"}")));
    assert_int_equal(got.lines, 0);
    check_line(&lines, "{broken", "info", "", "{broken");
}

static int setup(void **state)
{
    (void)state;
    return fs_make_temp("/tmp", "test-report-log-", &folder);
}

static int teardown(void **state)
{
    (void)state;
    fs_remove_tree(folder);
    free(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_since),
        cmocka_unit_test(test_since_is_refused),
        cmocka_unit_test(test_enough),
        cmocka_unit_test(test_index_of_a_copy),
        cmocka_unit_test(test_a_step_without_its_beginning),
        cmocka_unit_test(test_more_text_than_there_may_be),
        cmocka_unit_test(test_a_line_without_an_end),
        cmocka_unit_test(test_lines_of_text),
        cmocka_unit_test(test_lines_of_json),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
