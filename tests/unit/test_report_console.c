/* Rendering of records in each format, and a console whose reader does not read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/mem.h"
#include "core/utf8.h"
#include "report/console.h"

static struct record make(enum record_kind kind, const char *text)
{
    struct record record = {.kind = kind, .wall_ms = 1767960000123, .sequence = 7, .text = text};

    record.text_len = strlen(text);
    snprintf(record.step, sizeof record.step, "build");
    return record;
}

static void expect(enum log_format format, const struct record *record, const char *wanted)
{
    struct render render = {.format = format};
    struct buf out;

    buf_init(&out, 4096);
    render_record(&render, record, &out);
    assert_string_equal(buf_text(&out), wanted);
    buf_dispose(&out);
}

static void test_plain(void **state)
{
    struct record record = make(RECORD_OUTPUT, "\033[32mgreen\033[0m done");

    (void)state;
    expect(LOG_PLAIN, &record, "12:00:00 build    | green done\n");
    record = make(RECORD_WARNING, "careful");
    expect(LOG_PLAIN, &record, "12:00:00 build    warning: careful\n");
    record = make(RECORD_COMMAND, "npm ci");
    expect(LOG_PLAIN, &record, "12:00:00 build    $ npm ci\n");
    record = make(RECORD_DEBUG, "hidden");
    expect(LOG_PLAIN, &record, "");
    record = make(RECORD_PROGRESS, "40 %");
    expect(LOG_PLAIN, &record, "");
    record = make(RECORD_STEP_END, "build");
    record.ok = true;
    record.duration_ms = 4200;
    expect(LOG_PLAIN, &record, "12:00:00 build    done in 4.2s\n");
}

static void test_emoji(void **state)
{
    struct record record = make(RECORD_STEP_BEGIN, "build");

    (void)state;
    expect(LOG_EMOJI, &record, "12:00:00 build    \xf0\x9f\x94\x84 begins\n");
    record = make(RECORD_STEP_END, "build");
    record.duration_ms = 1000;
    expect(LOG_EMOJI, &record, "12:00:00 build    \xe2\x9d\x8c failed in 1s\n");
    record.ok = true;
    expect(LOG_EMOJI, &record, "12:00:00 build    \xe2\x9c\x85 done in 1s\n");
    record = make(RECORD_WARNING, "careful");
    expect(LOG_EMOJI, &record, "12:00:00 build    \xe2\x9a\xa0\xef\xb8\x8f careful\n");
}

static void test_github(void **state)
{
    struct record record = make(RECORD_STEP_BEGIN, "build");

    (void)state;
    expect(LOG_GITHUB, &record, "::group::build\n");
    record = make(RECORD_STEP_END, "build");
    record.duration_ms = 1000;
    expect(LOG_GITHUB, &record, "::endgroup::\n12:00:00 build    failed in 1s\n");
    record = make(RECORD_OUTPUT, "::error::forged ##[error]x");
    expect(LOG_GITHUB, &record, "12:00:00 build    | ::error::forged #-[error]x\n");
    record = make(RECORD_RESULT, "{\"exit_code\":0}");
    expect(LOG_GITHUB, &record, "12:00:00 build    result {\"exit_code\":0}\n");
    record = make(RECORD_RESULT,
                  "{\"exit_code\":31,\"class\":\"a:b,c\",\"step\":\"build\",\"message\":\"50%: x\\n::error::y\","
                  "\"hint\":\"look\"}");
    expect(LOG_GITHUB, &record,
           "12:00:00 build    result {\"exit_code\":31,\"class\":\"a:b,c\",\"step\":\"build\",\"message\":\"50%: "
           "x\\n::error::y\","
           "\"hint\":\"look\"}\n::error title=a%3Ab%2Cc in step build::50%25: x%0A::error::y%0Atry: look\n");
}

#define RESULT                                                                                                         \
    "{\"id\":\"j1\",\"status\":\"succeeded\",\"exit_code\":0,\"source\":{\"repository\":"                              \
    "\"https://github.com/user/repo.git\",\"commit\":\"0f3c\"},\"artifacts\":[{\"url\":\"s3://site/a b/\"},{\"url\":"  \
    "\"s3://else/x\",\"endpoint\":\"https://r2.example\"}],\"image\":{\"repository\":"                                 \
    "\"123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/web\",\"tags\":[\"t1\"],\"published\":true},\"log_url\":"     \
    "\"file:/logs/j1.gz\"}"

static void test_links(void **state)
{
    struct record record = make(RECORD_RESULT, RESULT);
    struct render render = {.format = LOG_TERMINAL, .links = true};
    struct buf out;

    (void)state;
    expect(LOG_TERMINAL, &record, "");
    buf_init(&out, 65536);
    render_record(&render, &record, &out);
    assert_string_equal(
        buf_text(&out),
        "\033[2mcommit   \033[0m \033]8;;https://github.com/user/repo/commit/0f3c\033\\0f3c\033]8;;\033\\\n"
        "\033[2mpublished\033[0m \033]8;;https://s3.console.aws.amazon.com/s3/buckets/site?prefix=a%20b/\033\\"
        "s3://site/a b/\033]8;;\033\\\n"
        "\033[2mimage    \033[0m "
        "\033]8;;https://eu-west-1.console.aws.amazon.com/ecr/repositories/private/123456789012/"
        "shop/web\033\\123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/web:t1\033]8;;\033\\\n"
        "\033[2mlog      \033[0m \033]8;;file:///logs/j1.gz\033\\file:/logs/j1.gz\033]8;;\033\\\n");
    buf_dispose(&out);
    expect(LOG_GITHUB, &record,
           "12:00:00 build    result " RESULT "\n::notice title=job j1 succeeded::commit "
           "https://github.com/user/repo/commit/0f3c%0Apublished "
           "https://s3.console.aws.amazon.com/s3/buckets/site?prefix=a%2520b/%0Apublished s3://else/x%0Aimage "
           "https://eu-west-1.console.aws.amazon.com/ecr/repositories/private/123456789012/shop/web%0Alog "
           "file:///logs/j1.gz\n");
}

/* Lines of a build that look like ours, or like what CI systems obey. */
static void test_forged_lines(void **state)
{
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"12:00:00 build    done in 1s", "12:00:00 build    done in 1s"},
        {"==> publish", "==> publish"},
        {"::error::no", "::error::no"},
        {"##[group]x", "#-[group]x"},
        {"text ##[error]y ##[", "text #-[error]y #-["},
        {"##vso[task.complete]", "#-vso[task.complete]"},
        {"###[x] ##teamcity[y]", "##-[x] #-teamcity[y]"},
        {"## a heading", "## a heading"},
        {"######", "######"},
        {"##", "##"},
    };
    static const enum log_format formats[] = {LOG_PLAIN, LOG_EMOJI};
    struct render render = {.format = LOG_JSON};
    size_t i, j;

    (void)state;
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        struct record record = make(RECORD_OUTPUT, cases[i].text);
        CLEANUP_FREE char *wanted = xasprintf("12:00:00 build    | %s\n", cases[i].shown);
        struct buf out;
        json_t *line;

        for (j = 0; j < ARRAY_LEN(formats); j++)
            expect(formats[j], &record, wanted);
        buf_init(&out, 4096);
        render_record(&render, &record, &out);
        assert_null(strstr(buf_text(&out), "##"));
        line = json_loads(buf_text(&out), 0, NULL);
        assert_string_equal(json_text(line, "type", ""), "output");
        assert_string_equal(json_text(line, "text", ""), cases[i].text);
        json_decref(line);
        buf_dispose(&out);
        /* What we say quotes others. */
        record.kind = RECORD_ERROR;
        buf_init(&out, 4096);
        render.format = LOG_PLAIN;
        render_record(&render, &record, &out);
        assert_null(strstr(buf_text(&out), "##["));
        render.format = LOG_JSON;
        buf_dispose(&out);
    }
}

static void test_json(void **state)
{
    struct render render = {.format = LOG_JSON};
    struct record record = make(RECORD_OUTPUT, "quote \" and \xc3\xbc");
    struct buf out;
    json_t *line;

    (void)state;
    record.is_stderr = true;
    buf_init(&out, 4096);
    render_record(&render, &record, &out);
    line = json_loads(buf_text(&out), 0, NULL);
    assert_non_null(line);
    assert_string_equal(json_text(line, "type", ""), "output");
    assert_string_equal(json_text(line, "stream", ""), "stderr");
    assert_string_equal(json_text(line, "step", ""), "build");
    assert_string_equal(json_text(line, "time", ""), "2026-01-09T12:00:00.123Z");
    assert_string_equal(json_text(line, "text", ""), "quote \" and \xc3\xbc");
    json_decref(line);
    buf_dispose(&out);
}

/* A heading for each step, its lines beneath it, colours of the build's own kept, and no machine's line. */
static void test_terminal(void **state)
{
    struct render render = {.format = LOG_TERMINAL, .colour = true};
    struct record record = make(RECORD_STEP_BEGIN, "build");
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    render_record(&render, &record, &out);
    record = make(RECORD_OUTPUT, "\033[32mgreen");
    render_record(&render, &record, &out);
    record = make(RECORD_WARNING, "look here");
    render_record(&render, &record, &out);
    record = make(RECORD_RESULT, "{}");
    render_record(&render, &record, &out);
    record = make(RECORD_STEP_END, "build");
    record.ok = true;
    record.duration_ms = 1500;
    render_record(&render, &record, &out);
    assert_string_equal(buf_text(&out), "\033[1;36m==> build\033[0m\n"
                                        "  \033[2m\xe2\x94\x82\033[0m \033[32mgreen\033[0m\n"
                                        "    \033[33mwarning: look here\033[0m\n"
                                        "\033[32mbuild done in 1.5s\033[0m\n");
    buf_dispose(&out);
}

/* The log driver cuts lines at 16 KiB, and a cut object is none. */
static void test_json_lines_are_short_however_escaped(void **state)
{
    static const char *const units[] = {"\"", "\\", "\x1b", "\xc3\xbc", "a", "#", "##["};
    struct render render = {.format = LOG_JSON};
    char text[15901];
    size_t i, j;

    (void)state;
    for (i = 0; i < ARRAY_LEN(units); i++) {
        size_t unit = strlen(units[i]);
        struct record record;
        struct buf out, whole;
        char *line, *rest;
        bool continued = true;

        for (j = 0; j + unit < sizeof text; j += unit)
            memcpy(text + j, units[i], unit);
        text[j] = '\0';
        record = make(RECORD_OUTPUT, text);
        buf_init(&out, 1 << 20);
        buf_init(&whole, 1 << 20);
        render_record(&render, &record, &out);
        for (line = strtok_r(out.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
            json_t *object = json_loads(line, 0, NULL);

            assert_true(strlen(line) < 16 * 1024);
            assert_non_null(object);
            assert_true(continued);
            continued = json_is_true(json_object_get(object, "continued"));
            assert_int_equal(json_int(object, "sequence", 0), 7);
            buf_adds(&whole, json_text(object, "text", ""));
            json_decref(object);
        }
        assert_false(continued);
        assert_string_equal(buf_text(&whole), text);
        buf_dispose(&out);
        buf_dispose(&whole);
    }
}

static void test_json_result_is_an_object(void **state)
{
    struct render render = {.format = LOG_JSON};
    struct record record = make(RECORD_RESULT, "{\"status\":\"succeeded\"}");
    struct buf out;
    json_t *line;

    (void)state;
    buf_init(&out, 4096);
    render_record(&render, &record, &out);
    line = json_loads(buf_text(&out), 0, NULL);
    assert_string_equal(json_text(json_object_get(line, "result"), "status", ""), "succeeded");
    json_decref(line);
    buf_dispose(&out);
}

/* A pipe that nobody reads: appending stays quick, draining gives up in time, and what is read later is in order. */
static void test_reader_that_never_reads(void **state)
{
    struct loop *loop = loop_new();
    struct spool *spool = spool_new("/tmp", 64 << 20);
    struct console *console;
    char block[200];
    int64_t started_ms;
    int ends[2], i;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    console = console_new(loop, spool, ends[1], &(struct render){.format = LOG_PLAIN});
    memset(block, 'x', sizeof block - 1);
    block[sizeof block - 1] = '\0';
    started_ms = clock_monotonic_ms();
    for (i = 0; i < 20000; i++) {
        struct record record = make(RECORD_OUTPUT, block);

        spool_append(spool, &record);
        if (i % 100 == 0)
            loop_run_once(loop, 0);
    }
    assert_false(console_drain(console, 100));
    assert_true(clock_monotonic_ms() - started_ms < 10 * 1000);
    assert_true(read(ends[0], block, 17) == 17);
    assert_memory_equal(block, "12:00:00 build   ", 17);
    console_free(console);
    spool_free(spool);
    loop_free(loop);
    close(ends[0]);
    close(ends[1]);
}

/* As wide as the terminal, in characters: none of them is cut. */
static void test_the_live_line(void **state)
{
    struct loop *loop = loop_new();
    struct spool *spool = spool_new("/tmp", 64 << 20);
    int master = posix_openpt(O_RDWR | O_NOCTTY), terminal;
    struct winsize size = {.ws_row = 24, .ws_col = 40};
    struct record record = make(RECORD_STEP_BEGIN, "build");
    char told[4096];
    struct console *console;
    struct view rest;
    ssize_t len;
    int i;

    (void)state;
    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
    assert_int_equal(ioctl(terminal, TIOCSWINSZ, &size), 0);
    console = console_new(loop, spool, terminal, &(struct render){.format = LOG_AUTO});
    spool_append(spool, &record);
    record =
        make(RECORD_PROGRESS, "\xc3\xa4\xc3\xb6\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa4\xc3\xb6\xc3\xbc\xe2\x82\xac"
                              "\xc3\xa4\xc3\xb6\xc3\xbc\xe2\x82\xac\xc3\xa4\xc3\xb6\xc3\xbc\xe2\x82\xac"
                              "\xc3\xa4\xc3\xb6\xc3\xbc\xe2\x82\xac\xc3\xa4\xc3\xb6\xc3\xbc\xe2\x82\xac\xe2\x82\xac");
    spool_append(spool, &record);
    for (i = 0; i < 3; i++)
        loop_sleep(loop, 250, NULL);
    console_drain(console, 1000);
    len = read(master, told, sizeof told - 1);
    assert_true(len > 0);
    told[len] = '\0';
    assert_non_null(strstr(told, "\xe2\x80\xa6 build 0s \xc2\xb7 \xc3\xa4"));
    rest = (struct view){told, (size_t)len};
    assert_true(utf8_is_valid(rest));
    console_free(console);
    spool_free(spool);
    loop_free(loop);
    close(terminal);
    close(master);
}

static void test_everything_arrives(void **state)
{
    struct loop *loop = loop_new();
    struct spool *spool = spool_new("/tmp", 64 << 20);
    char path[] = "/tmp/caisson-console-XXXXXX";
    int fd = mkstemp(path), i;
    struct console *console = console_new(loop, spool, fd, &(struct render){.format = LOG_PLAIN});

    (void)state;
    for (i = 0; i < 1000; i++) {
        struct record record = make(RECORD_OUTPUT, "line");

        spool_append(spool, &record);
    }
    assert_true(console_drain(console, 5000));
    assert_int_equal(lseek(fd, 0, SEEK_END), 1000 * (int)strlen("12:00:00 build    | line\n"));
    console_free(console);
    spool_free(spool);
    loop_free(loop);
    close(fd);
    unlink(path);
}

static void test_gone_reader(void **state)
{
    struct loop *loop = loop_new();
    struct spool *spool = spool_new("/tmp", 64 << 20);
    struct console *console;
    struct record record = make(RECORD_INFO, "to nobody");
    int ends[2];

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    console = console_new(loop, spool, ends[1], &(struct render){.format = LOG_PLAIN});
    spool_append(spool, &record);
    assert_false(console_drain(console, 1000));
    console_free(console);
    spool_free(spool);
    loop_free(loop);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_emoji),
        cmocka_unit_test(test_github),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_the_live_line),
        cmocka_unit_test(test_forged_lines),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_terminal),
        cmocka_unit_test(test_json_lines_are_short_however_escaped),
        cmocka_unit_test(test_json_result_is_an_object),
        cmocka_unit_test(test_reader_that_never_reads),
        cmocka_unit_test(test_everything_arrives),
        cmocka_unit_test(test_gone_reader),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
