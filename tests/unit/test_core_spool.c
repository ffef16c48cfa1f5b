#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/mem.h"
#include "core/spool.h"
#include "support/skip.h"

static void append(struct spool *spool, enum record_kind kind, const char *text)
{
    const struct record record = {.kind = kind, .text = text, .text_len = strlen(text)};

    spool_append(spool, &record);
}

static void append_number(struct spool *spool, int number)
{
    char text[64];

    snprintf(text, sizeof text, "line %d of the output of a command", number);
    append(spool, RECORD_OUTPUT, text);
}

static void expect(struct spool_cursor *cursor, enum record_kind kind, const char *text)
{
    struct record record;

    assert_int_equal(spool_read(cursor, &record), 1);
    assert_int_equal(record.kind, kind);
    assert_string_equal(record.text, text);
    assert_int_equal(record.text_len, strlen(text));
}

static void expect_number(struct spool_cursor *cursor, int number)
{
    char text[64];

    snprintf(text, sizeof text, "line %d of the output of a command", number);
    expect(cursor, RECORD_OUTPUT, text);
}

static void expect_end(struct spool_cursor *cursor)
{
    struct record record;

    assert_int_equal(spool_read(cursor, &record), 0);
    assert_true(spool_at_end(cursor));
}

static void check_records_come_back(const char *directory)
{
    struct spool *spool = spool_new(directory, 1 << 20);
    const struct record end = {
        .kind = RECORD_STEP_END,
        .wall_ms = 123,
        .duration_ms = -5,
        .attempts = 3,
        .ok = true,
        .step = "install",
        .text = "install",
        .text_len = 7,
    };
    struct spool_cursor cursor;
    struct record record;

    spool_cursor_init(&cursor, spool);
    assert_true(spool_at_end(&cursor));
    expect_end(&cursor);
    append(spool, RECORD_INFO, "hello");
    spool_append(spool, &end);
    spool_append(spool, &(struct record){.kind = RECORD_OUTPUT, .is_stderr = true, .step = "build"});
    assert_false(spool_at_end(&cursor));

    assert_int_equal(spool_read(&cursor, &record), 1);
    assert_string_equal(record.text, "hello");
    assert_string_equal(record.step, "");
    assert_int_equal(record.sequence, 1);
    assert_true(llabs(record.wall_ms - clock_wall_ms()) < 60000);
    assert_int_equal(spool_read(&cursor, &record), 1);
    assert_int_equal(record.kind, RECORD_STEP_END);
    assert_int_equal(record.wall_ms, 123);
    assert_int_equal(record.duration_ms, -5);
    assert_int_equal(record.attempts, 3);
    assert_true(record.ok);
    assert_string_equal(record.step, "install");
    assert_int_equal(spool_read(&cursor, &record), 1);
    assert_string_equal(record.text, "");
    assert_string_equal(record.step, "build");
    assert_true(record.is_stderr);
    assert_false(record.ok);
    assert_int_equal(record.sequence, 3);
    expect_end(&cursor);
    spool_cursor_dispose(&cursor);
    spool_free(spool);
}

static void test_records_come_back(void **state)
{
    (void)state;
    check_records_come_back("/tmp");
    check_records_come_back(NULL);
    check_records_come_back("/nonexistent");
    check_records_come_back("/proc"); /* no file can be made there */
    spool_free(NULL);
}

static void test_file_is_unlinked(void **state)
{
    char *path;
    struct spool *spool;

    (void)state;
    assert_int_equal(fs_make_temp("/tmp", "caisson-spool-", &path), 0);
    spool = spool_new(path, 1 << 20);
    append(spool, RECORD_INFO, "x");
    assert_int_equal(rmdir(path), 0);
    spool_free(spool);
    free(path);
}

static void test_cursors_lag_and_keep_up(void **state)
{
    struct spool *spool = spool_new("/tmp", 64 << 20);
    struct spool_cursor early;
    struct spool_cursor late;
    int i;

    (void)state;
    spool_cursor_init(&early, spool);
    for (i = 0; i < 20000; i++) {
        append_number(spool, i);
        expect_number(&early, i);
    }
    expect_end(&early);
    spool_cursor_init(&late, spool);
    for (i = 0; i < 20000; i++) {
        expect_number(&late, i);
        /* The file and the memory move on beneath a reader. */
        if (i < 5000)
            append_number(spool, 20000 + i);
    }
    for (; i < 25000; i++) {
        expect_number(&late, i);
        expect_number(&early, i);
    }
    expect_end(&late);
    expect_end(&early);
    spool_cursor_dispose(&early);
    spool_cursor_dispose(&late);
    spool_free(spool);
}

static void test_text_outlives_appends(void **state)
{
    struct spool *spool = spool_new("/tmp", 64 << 20);
    struct spool_cursor cursor;
    struct record record;
    int i;

    (void)state;
    spool_cursor_init(&cursor, spool);
    append(spool, RECORD_INFO, "stays");
    assert_int_equal(spool_read(&cursor, &record), 1);
    for (i = 0; i < 10000; i++)
        append_number(spool, i);
    assert_string_equal(record.text, "stays");
    spool_cursor_dispose(&cursor);
    spool_free(spool);
}

static void test_long_text_is_cut_between_characters(void **state)
{
    struct spool *spool = spool_new("/tmp", 1 << 20);
    struct spool_cursor cursor;
    struct record record;
    struct buf text;
    size_t total = 0;
    int i;

    (void)state;
    buf_init(&text, 1 << 20);
    buf_addc(&text, 'x');
    for (i = 0; i < 12000; i++)
        buf_adds(&text, "\xE2\x82\xAC");
    append(spool, RECORD_OUTPUT, buf_text(&text));
    spool_cursor_init(&cursor, spool);
    for (i = 0; spool_read(&cursor, &record); i++) {
        assert_true(record.text_len <= SPOOL_LINE_MAX);
        assert_memory_equal(record.text, text.data + total, record.text_len);
        assert_int_equal((unsigned char)record.text[record.text_len - 1], 0xAC);
        total += record.text_len;
    }
    assert_int_equal(total, text.len);
    assert_int_equal(i, 3);
    spool_cursor_dispose(&cursor);
    spool_free(spool);
    buf_dispose(&text);
}

static void count(void *context)
{
    ++*(int *)context;
}

static void test_on_append(void **state)
{
    struct spool *spool = spool_new("/tmp", 1 << 20);
    int calls = 0;

    (void)state;
    spool_on_append(spool, count, &calls);
    append(spool, RECORD_INFO, "a");
    append(spool, RECORD_INFO, "b");
    assert_int_equal(calls, 2);
    spool_free(spool);
}

static void test_limit(void **state)
{
    struct spool *spool = spool_new("/tmp", 1000);
    struct spool_cursor cursor;
    char line[101] = {0};
    int i;

    (void)state;
    memset(line, 'x', 99);
    for (i = 0; i < 15; i++)
        append(spool, RECORD_OUTPUT, line);
    append(spool, RECORD_OUTPUT, "short, but after the cut");
    append(spool, RECORD_DEBUG, "dropped too");
    append(spool, RECORD_ERROR, "an error of ours");
    append(spool, RECORD_STEP_END, "build");
    append(spool, RECORD_STEP_BEGIN, "publish");
    append(spool, RECORD_RESULT, "failed");
    spool_cursor_init(&cursor, spool);
    for (i = 0; i < 10; i++)
        expect(&cursor, RECORD_OUTPUT, line);
    expect(&cursor, RECORD_GAP, "the log has reached its limit of 1000 B: further output is left out");
    expect(&cursor, RECORD_ERROR, "an error of ours");
    expect(&cursor, RECORD_STEP_END, "build");
    expect(&cursor, RECORD_STEP_BEGIN, "publish");
    expect(&cursor, RECORD_GAP, "7 lines (537 B) past the log's limit were left out");
    expect(&cursor, RECORD_RESULT, "failed");
    expect_end(&cursor);
    spool_cursor_dispose(&cursor);
    spool_free(spool);
}

static void test_limit_is_lowered(void **state)
{
    struct spool *spool = spool_new("/tmp", 1 << 20);
    struct spool_cursor cursor;

    (void)state;
    append(spool, RECORD_OUTPUT, "before");
    spool_limit(spool, 30);
    append(spool, RECORD_OUTPUT, "after");
    append(spool, RECORD_RESULT, "failed");
    spool_cursor_init(&cursor, spool);
    expect(&cursor, RECORD_OUTPUT, "before");
    expect(&cursor, RECORD_GAP, "the log has reached its limit of 30 B: further output is left out");
    expect(&cursor, RECORD_GAP, "1 lines (6 B) past the log's limit were left out");
    expect(&cursor, RECORD_RESULT, "failed");
    expect_end(&cursor);
    spool_cursor_dispose(&cursor);
    spool_free(spool);
}

static void test_limit_holds_for_empty_lines_and_our_own(void **state)
{
    struct spool *spool = spool_new("/tmp", 24 * 1000);
    struct spool_cursor cursor;
    struct record record;
    int kinds[RECORD_RESULT + 1] = {0};
    int i;

    (void)state;
    for (i = 0; i < 2000; i++)
        append(spool, RECORD_OUTPUT, "");
    for (i = 0; i < 100000; i++)
        append(spool, RECORD_WARNING, "");
    append(spool, RECORD_RESULT, "done");
    spool_cursor_init(&cursor, spool);
    while (spool_read(&cursor, &record))
        kinds[record.kind]++;
    assert_int_equal(kinds[RECORD_OUTPUT], 1000);
    assert_int_equal(kinds[RECORD_WARNING], SPOOL_RESERVE / 24);
    assert_int_equal(kinds[RECORD_GAP], 2);
    assert_int_equal(kinds[RECORD_RESULT], 1);
    spool_cursor_dispose(&cursor);
    spool_free(spool);
}

/* What a reader that comes late finds after `lines` lines of which a part had to go: a gap, then each line to the
 * last. Returns the number of lines lost. */
static int read_with_one_gap(struct spool *spool, int lines)
{
    struct spool_cursor cursor;
    struct record record;
    int next = 0;
    int lost = 0;

    spool_cursor_init(&cursor, spool);
    while (spool_read(&cursor, &record)) {
        char expected[64];

        if (record.kind == RECORD_GAP) {
            if (lost || sscanf(record.text, "%d lines of the log were lost", &lost) != 1 || lost <= 0)
                return -1;
            next += lost;
            continue;
        }
        snprintf(expected, sizeof expected, "line %d of the output of a command", next++);
        if (strcmp(record.text, expected) != 0)
            return -2;
    }
    spool_cursor_dispose(&cursor);
    return next == lines ? lost : -3;
}

static void test_memory_ring_counts_what_it_loses(void **state)
{
    struct spool *spool = spool_new(NULL, 64 << 20);
    struct spool_cursor live;
    struct spool_cursor stopped;
    struct record record;
    int lost;
    int i;

    (void)state;
    spool_cursor_init(&live, spool);
    spool_cursor_init(&stopped, spool);
    for (i = 0; i < 100000; i++) {
        append_number(spool, i);
        if (i == 10)
            expect_number(&stopped, 0);
        expect_number(&live, i);
    }
    lost = read_with_one_gap(spool, 100000);
    assert_true(lost > 0);
    /* At least three quarters of the ring are there. */
    assert_true((100000 - lost) * 60 > SPOOL_RING / 4 * 3);
    /* What the cursor still had in its hands is not lost to it. */
    for (i = 1; i <= 10; i++)
        expect_number(&stopped, i);
    assert_int_equal(spool_read(&stopped, &record), 1);
    assert_int_equal(record.kind, RECORD_GAP);
    assert_int_equal(record.sequence, 12);
    expect_number(&stopped, lost);
    spool_cursor_dispose(&live);
    spool_cursor_dispose(&stopped);
    spool_free(spool);
}

/* ---- a disk that is full ---- */

static int full_file_body(void)
{
    const struct rlimit limit = {200000, 200000};
    struct spool *spool = spool_new("/tmp", 64 << 20);
    int lost;
    int i;

    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit))
        return 1;
    for (i = 0; i < 10000; i++)
        append_number(spool, i);
    if (read_with_one_gap(spool, 10000) != 0) /* the ring holds what the file does not */
        return 2;
    for (; i < 100000; i++)
        append_number(spool, i);
    lost = read_with_one_gap(spool, 100000);
    spool_free(spool);
    /* The beginning is in the file: about 200,000 bytes of 60 and 1 MiB are there. */
    return lost > 0 && lost < 100000 - 16000 ? 0 : 3;
}

static void test_file_that_cannot_grow(void **state)
{
    int status;
    pid_t pid = fork();

    (void)state;
    if (pid == 0)
        _exit(full_file_body());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* A real full disk: a small tmpfs in a mount namespace of the child's own. */
static int full_disk_body(const char *folder)
{
    char *ballast = xasprintf("%s/ballast", folder);
    char block[4096] = {0};
    struct spool *spool;
    int lost;
    int fd;
    int i;

    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", folder, "tmpfs", 0, "size=2m"))
        return 77;
    spool = spool_new(folder, 64 << 20);
    fd = open(ballast, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    for (i = 0; i < 5000; i++)
        append_number(spool, i);
    while (fs_write_all(fd, block, sizeof block) == 0)
        ;
    for (; i < 10000; i++)
        append_number(spool, i);
    if (read_with_one_gap(spool, 10000) != 0)
        return 2;
    /* Room again, before the ring had to drop anything: the file goes on, and takes more than the ring could. */
    if (ftruncate(fd, 0))
        return 3;
    for (; i < 27000; i++)
        append_number(spool, i);
    if (read_with_one_gap(spool, 27000) != 0)
        return 4;
    for (; i < 100000; i++)
        append_number(spool, i);
    lost = read_with_one_gap(spool, 100000);
    free(ballast);
    spool_free(spool);
    return lost > 0 ? 0 : 5;
}

static void test_full_disk(void **state)
{
    char *path;
    int status;
    pid_t pid;

    (void)state;
    assert_int_equal(fs_make_temp("/tmp", "caisson-full-", &path), 0);
    pid = fork();
    if (pid == 0)
        _exit(full_disk_body(path));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    rmdir(path);
    free(path);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        skip_because("mounting is not allowed here");
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_come_back),
        cmocka_unit_test(test_file_is_unlinked),
        cmocka_unit_test(test_cursors_lag_and_keep_up),
        cmocka_unit_test(test_text_outlives_appends),
        cmocka_unit_test(test_long_text_is_cut_between_characters),
        cmocka_unit_test(test_on_append),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_limit_is_lowered),
        cmocka_unit_test(test_limit_holds_for_empty_lines_and_our_own),
        cmocka_unit_test(test_memory_ring_counts_what_it_loses),
        cmocka_unit_test(test_file_that_cannot_grow),
        cmocka_unit_test(test_full_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
