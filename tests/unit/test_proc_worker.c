#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/mem.h"
#include "proc/worker.h"
#include "support/executor_fixture.h"

/* ---- the workers: what our own binary does as `--worker NAME` ---- */

static json_t *work_well(struct worker *worker, const json_t *request, struct error *err)
{
    int i;

    (void)err;
    worker_info(worker, "hello %s", json_text(request, "name", "?"));
    worker_warning(worker, "broken text: %s",
                   "a\xff"
                   "b\nc");
    for (i = 0; i < 1000; i++)
        worker_progress(worker, "%d of 1000", i);
    worker_mark(worker, json_pack("{s:i}", "point", 7));
    return json_pack("{s:s, s:i, s:b, s:i}", "token", json_text(request, "token", ""), "uid", (int)getuid(), "no_env",
                     environ == NULL || environ[0] == NULL, "dumpable", prctl(PR_GET_DUMPABLE));
}

static json_t *work_error(struct worker *worker, const json_t *request, struct error *err)
{
    (void)worker;
    (void)request;
    error_set(err, CLASS_REF_NOT_FOUND, "ref-not-found", "no branch \"%s\"", "x\xff");
    error_hint(err, "look at the branches");
    error_retryable(err, 1500);
    return NULL;
}

static json_t *work_crash(struct worker *worker, const json_t *request, struct error *err)
{
    (void)request;
    (void)err;
    worker_info(worker, "about to crash");
    raise(SIGKILL);
    return NULL;
}

static json_t *work_large(struct worker *worker, const json_t *request, struct error *err)
{
    char *text = xmalloc(2000000);
    json_t *value;

    (void)worker;
    (void)request;
    (void)err;
    memset(text, 'x', 2000000);
    value = json_stringn(text, 2000000);
    free(text);
    return value;
}

static json_t *work_forever(struct worker *worker, const json_t *request, struct error *err)
{
    (void)worker;
    (void)request;
    (void)err;
    while (pause())
        continue;
    return NULL;
}

static json_t *work_on_after_term(struct worker *worker, const json_t *request, struct error *err)
{
    (void)request;
    (void)err;
    signal(SIGTERM, SIG_IGN);
    worker_mark(worker, json_object());
    usleep(300000);
    return json_true();
}

static const struct worker_entry entries[] = {
    {"well", work_well},   {"error", work_error},     {"crash", work_crash},
    {"large", work_large}, {"forever", work_forever}, {"on", work_on_after_term},
};

/* What a worker that was taken over could say, by name. */
static const struct {
    const char *name, *text;
    int exit_code;
} hostile[] = {
    {"silent", "", 0},
    {"bad-json", "{\"type\":\"log\"\n", 0},
    {"no-object", "[1,2]\n", 0},
    {"unknown-type", "{\"type\":\"exec\"}\n", 0},
    {"no-newline", "{\"type\":\"result\",\"value\":1}", 0},
    {"no-value", "{\"type\":\"result\"}\n", 0},
    {"two-results", "{\"type\":\"result\",\"value\":1}\n{\"type\":\"result\",\"value\":2}\n", 0},
    {"after-result", "{\"type\":\"result\",\"value\":1}\n{\"type\":\"log\",\"level\":\"info\",\"text\":\"x\"}\n", 0},
    {"class-zero", "{\"type\":\"error\",\"class\":0,\"reason\":\"x\",\"message\":\"m\"}\n", 1},
    {"class-unknown", "{\"type\":\"error\",\"class\":77,\"reason\":\"x\",\"message\":\"m\"}\n", 1},
    {"bad-reason", "{\"type\":\"error\",\"class\":22,\"reason\":\"No Word\",\"message\":\"m\"}\n", 1},
    {"result-then-fails", "{\"type\":\"result\",\"value\":1}\n", 9},
};

static int say_hostile(const char *name)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(hostile); i++)
        if (strcmp(hostile[i].name, name) == 0) {
            fputs(hostile[i].text, stdout);
            fputs("a complaint\n", stderr);
            fflush(NULL);
            _exit(hostile[i].exit_code);
        }
    if (strcmp(name, "endless-line") == 0)
        while (write(1, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 72) > 0)
            continue;
    if (strcmp(name, "endless-log") == 0) {
        char line[4096];
        int len = snprintf(line, sizeof line, "{\"type\":\"progress\",\"text\":\"%04000d\"}\n", 1);

        while (write(1, line, (size_t)len) > 0)
            continue;
    }
    return 1;
}

static int be_worker(const char *name)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(entries); i++)
        if (strcmp(entries[i].name, name) == 0)
            return worker_main(&entries[i], 0, 1);
    return say_hostile(name);
}

/* ---- the parent ---- */

struct fixture {
    struct loop *loop;
    struct reaper *reaper;
    struct executor *executor;
    int self_fd;
    struct spool *spool;
    struct redactor *redactor;
    struct log *log;
    json_t *request, *value;
    struct worker_call call;
    struct outcome outcome;
    struct error err;
    int marks;
    bool stop_on_mark;
    char text[100000]; /* all that the log holds */
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    struct executor_options options = {.build_uid = 12345, .build_gid = 12345};

    f->loop = loop_new();
    assert_int_equal(reaper_new(&f->reaper, f->loop, &f->err), 0);
    options.loop = f->loop;
    options.reaper = f->reaper;
    options.self_fd = f->self_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_int_equal(executor_new(&f->executor, "local", &options, &f->err), 0);
    f->spool = spool_new("/tmp", 1 << 20);
    f->redactor = redactor_new();
    f->log = log_new(f->spool, f->redactor);
    f->request = json_pack("{s:s, s:s}", "name", "world", "token", "t0ken");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    json_decref(f->request);
    log_free(f->log);
    redactor_free(f->redactor);
    spool_free(f->spool);
    executor_free(f->executor);
    reaper_free(f->reaper);
    loop_free(f->loop);
    close(f->self_fd);
    free(f);
    return 0;
}

static void on_mark(void *context, const json_t *message)
{
    struct fixture *f = context;

    f->marks += 1 + (int)json_int(message, "point", 0);
    if (f->stop_on_mark)
        executor_stop(f->executor, clock_monotonic_ms() + 5000);
}

static int call(struct fixture *f, const char *name)
{
    f->call.name = name;
    f->call.what = "checkout";
    f->call.request = f->request;
    f->call.crash_class = CLASS_CONTENT_REFUSED;
    f->call.on_mark = on_mark;
    f->call.context = f;
    f->value = NULL;
    memset(&f->err, 0, sizeof f->err);
    return worker_run(f->executor, f->log, &f->call, &f->value, &f->outcome, &f->err);
}

static const char *read_log(struct fixture *f)
{
    struct spool_cursor cursor;
    struct record record;
    size_t len = 0;

    spool_cursor_init(&cursor, f->spool);
    f->text[0] = '\0';
    while (spool_read(&cursor, &record) && len < sizeof f->text - 1) {
        int added = snprintf(f->text + len, sizeof f->text - len, "%d:%s\n", (int)record.kind, record.text);

        len += (size_t)added < sizeof f->text - len ? (size_t)added : sizeof f->text - len - 1;
    }
    spool_cursor_dispose(&cursor);
    return f->text;
}

static void test_result(void **state)
{
    static const enum command_user users[] = {COMMAND_AS_BUILD, COMMAND_AS_SELF};
    struct fixture *f = *state;
    size_t i;

    for (i = 0; i < ARRAY_LEN(users); i++) {
        f->call.user = users[i];
        f->marks = 0;
        if (call(f, "well"))
            fail_msg("%s: %s", f->err.reason, f->err.message);
        assert_string_equal(json_text(f->value, "token", ""), "t0ken");
        assert_int_equal(json_int(f->value, "uid", -1),
                         users[i] == COMMAND_AS_BUILD && geteuid() == 0 ? 12345 : (int)geteuid());
        assert_true(json_flag(f->value, "no_env", false));
        assert_int_equal(json_int(f->value, "dumpable", -1), 0);
        assert_int_equal(f->marks, 8);
        json_decref(f->value);
    }
    assert_non_null(strstr(read_log(f), "hello world\n"));
    assert_non_null(strstr(f->text, "broken text: a\xEF\xBF\xBD"
                                    "b"));
    assert_non_null(strstr(f->text, "0 of 1000"));
    assert_null(strstr(f->text, "500 of 1000\n9"));
}

static void test_error_keeps_its_class(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(call(f, "error"), -1);
    assert_int_equal(f->err.class, CLASS_REF_NOT_FOUND);
    assert_string_equal(f->err.reason, "ref-not-found");
    assert_string_equal(f->err.message, "no branch \"x\xEF\xBF\xBD\"");
    assert_string_equal(f->err.hint, "look at the branches");
    assert_true(f->err.retryable);
    assert_int_equal(f->err.retry_after_ms, 1500);
}

static void test_crash_has_the_callers_class(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(call(f, "crash"), -1);
    assert_int_equal(f->err.class, CLASS_CONTENT_REFUSED);
    assert_string_equal(f->err.reason, "checkout-crashed");
    assert_non_null(strstr(f->err.message, "signal 9 (SIGKILL)"));
    assert_non_null(strstr(read_log(f), "about to crash"));
}

static void test_nonsense_is_a_crash(void **state)
{
    struct fixture *f = *state;
    size_t i;

    for (i = 0; i < ARRAY_LEN(hostile); i++) {
        if (call(f, hostile[i].name) == 0)
            fail_msg("%s was taken for an answer", hostile[i].name);
        assert_int_equal(f->err.class, CLASS_CONTENT_REFUSED);
        assert_string_equal(f->err.reason, "checkout-crashed");
        assert_false(f->err.retryable);
    }
    assert_non_null(strstr(read_log(f), "checkout: a complaint\n"));
}

static void test_endless_output_is_cut_off(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(call(f, "endless-line"), -1);
    assert_string_equal(f->err.reason, "checkout-crashed");
    assert_non_null(strstr(f->err.message, "1 MiB"));
    assert_int_equal(call(f, "endless-log"), -1);
    assert_string_equal(f->err.reason, "checkout-crashed");
    assert_non_null(strstr(f->err.message, "64 MiB"));
}

static void test_result_that_is_too_large(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(call(f, "large"), -1);
    assert_string_equal(f->err.reason, "result-too-large");
    assert_int_equal(f->err.class, CLASS_INTERNAL);
}

static void stop_now(void *context)
{
    struct fixture *f = context;

    executor_stop(f->executor, clock_monotonic_ms() + 5000);
}

static void test_limits_and_stops(void **state)
{
    struct fixture *f = *state;

    f->call.timeout_ms = 300;
    assert_int_equal(call(f, "forever"), -1);
    assert_int_equal(f->err.class, CLASS_TIME_LIMIT);
    assert_string_equal(f->err.reason, "checkout-timeout");
    f->call.timeout_ms = 0;
    f->call.idle_ms = 300;
    assert_int_equal(call(f, "forever"), -1);
    assert_int_equal(f->err.class, CLASS_TIME_LIMIT);
    assert_string_equal(f->err.reason, "checkout-idle-timeout");
    f->call.idle_ms = 0;
    loop_timer_start(f->loop, 300, stop_now, f);
    assert_int_equal(call(f, "forever"), -1);
    assert_int_equal(f->err.class, CLASS_INTERRUPTED);
    executor_resume(f->executor);
    /* Past its point of no return it goes on, and its answer counts. */
    f->stop_on_mark = true;
    assert_int_equal(call(f, "on"), 0);
    assert_int_equal(f->outcome.kind, OUTCOME_STOPPED);
    json_decref(f->value);
    executor_resume(f->executor);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_result, setup, teardown),
        cmocka_unit_test_setup_teardown(test_error_keeps_its_class, setup, teardown),
        cmocka_unit_test_setup_teardown(test_crash_has_the_callers_class, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nonsense_is_a_crash, setup, teardown),
        cmocka_unit_test_setup_teardown(test_endless_output_is_cut_off, setup, teardown),
        cmocka_unit_test_setup_teardown(test_result_that_is_too_large, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits_and_stops, setup, teardown),
    };

    if (argc == 3 && strcmp(argv[1], "--worker") == 0)
        return be_worker(argv[2]);
    if (argc == 3 && strcmp(argv[1], "--say") == 0)
        return 0;
    if (!executor_runs_self()) {
        printf("NOT EMULATED: test_proc_worker: exec of this very binary\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
