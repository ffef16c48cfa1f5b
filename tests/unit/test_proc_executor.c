#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/mem.h"
#include "proc/executor.h"

/* Any uid but root; need not be in passwd. */
#define BUILD_UID 12345
#define BUILD_GID 12346

struct fixture {
    struct loop *loop;
    struct reaper *reaper;
    struct executor *executor;
    struct executor_options options;
    struct command command;
    struct outcome outcome;
    struct error err;
    struct buf output;
    size_t bytes, error_bytes;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);

    f->loop = loop_new();
    if (reaper_new(&f->reaper, f->loop, &f->err))
        return -1;
    f->options = (struct executor_options){.loop = f->loop,
                                           .reaper = f->reaper,
                                           .build_uid = BUILD_UID,
                                           .build_gid = BUILD_GID,
                                           .self_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
                                           .pid1 = getpid() == 1};
    if (executor_new(&f->executor, "local", &f->options, &f->err))
        return -1;
    buf_init(&f->output, 1024 * 1024);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    executor_free(f->executor);
    reaper_free(f->reaper);
    loop_free(f->loop);
    close(f->options.self_fd);
    buf_dispose(&f->output);
    free(f);
    return 0;
}

static void keep_output(void *context, bool is_stderr, const char *data, size_t len)
{
    struct fixture *f = context;

    f->bytes += len;
    f->error_bytes += is_stderr ? len : 0;
    buf_add(&f->output, data, len);
}

static struct command *shell(struct fixture *f, const char *script)
{
    command_init(&f->command, "test");
    strings_add(&f->command.argv, "sh");
    strings_add(&f->command.argv, "-c");
    strings_add(&f->command.argv, script);
    env_set(&f->command.env, "PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
    f->command.on_output = keep_output;
    f->command.context = f;
    buf_reset(&f->output);
    f->bytes = f->error_bytes = 0;
    return &f->command;
}

static void run(struct fixture *f)
{
    if (executor_run(f->executor, &f->command, &f->outcome, &f->err))
        fail_msg("%s: %s", f->err.reason, f->err.message);
    command_dispose(&f->command);
}

static void run_shell(struct fixture *f, const char *script)
{
    shell(f, script);
    run(f);
}

static char *described(const struct outcome *outcome)
{
    static char text[512];
    struct buf buf;

    buf_init(&buf, sizeof text - 1);
    outcome_describe(outcome, "npm ci", &buf);
    snprintf(text, sizeof text, "%s", buf_text(&buf));
    buf_dispose(&buf);
    return text;
}

static bool is_alive(pid_t pid)
{
    return kill(pid, 0) == 0 || errno == EPERM;
}

static void test_success(void **state)
{
    struct fixture *f = *state;

    run_shell(f, "echo out; echo err >&2; pwd; umask; cat");
    assert_true(outcome_ok(&f->outcome));
    assert_non_null(strstr(buf_text(&f->output), "out\n"));
    assert_non_null(strstr(buf_text(&f->output), "err\n"));
    assert_non_null(strstr(buf_text(&f->output), "/\n0022\n"));
    assert_int_equal(f->error_bytes, 4);
    assert_true(f->outcome.peak_rss_bytes > 100000);
    assert_int_equal(f->outcome.left_over, 0);
    assert_string_equal(described(&f->outcome), "");
}

static void test_exit_codes(void **state)
{
    struct fixture *f = *state;

    run_shell(f, "exit 7");
    assert_int_equal(f->outcome.kind, OUTCOME_EXITED);
    assert_int_equal(f->outcome.exit_code, 7);
    assert_string_equal(described(&f->outcome), "npm ci: exited with code 7");
    run_shell(f, "no-such-program-of-ours");
    assert_int_equal(f->outcome.exit_code, 127);
    assert_string_equal(described(&f->outcome), "npm ci: exited with code 127: a command was not found");
    run_shell(f, "/etc/passwd");
    assert_int_equal(f->outcome.exit_code, 126);
    assert_string_equal(described(&f->outcome),
                        "npm ci: exited with code 126: a command was found but could not be executed");
    run_shell(f, "sh -c 'kill -SEGV $$'; exit $?");
    assert_int_equal(f->outcome.exit_code, 139);
    assert_non_null(strstr(described(&f->outcome), "signal 11 (SIGSEGV)"));
}

static void test_killed_by_a_signal(void **state)
{
    struct fixture *f = *state;

    run_shell(f, "kill -KILL $$");
    assert_int_equal(f->outcome.kind, OUTCOME_SIGNALED);
    assert_int_equal(f->outcome.signal, SIGKILL);
    assert_string_equal(described(&f->outcome), "npm ci: was killed by signal 9 (SIGKILL)");
    run_shell(f, "ulimit -c unlimited 2>/dev/null; kill -ABRT $$");
    assert_int_equal(f->outcome.signal, SIGABRT);
    assert_false(f->outcome.core_dumped);
}

static void assert_refused(struct fixture *f, const char *reason)
{
    assert_int_equal(executor_run(f->executor, &f->command, &f->outcome, &f->err), -1);
    assert_string_equal(f->err.reason, reason);
    command_dispose(&f->command);
}

static void test_what_cannot_be_run(void **state)
{
    struct fixture *f = *state;

    command_init(&f->command, "x");
    strings_add(&f->command.argv, "no-such-program-of-ours");
    env_set(&f->command.env, "PATH", "/bin");
    assert_refused(f, "command-not-found");
    assert_non_null(strstr(f->err.message, "no-such-program-of-ours"));
    command_init(&f->command, "x");
    strings_add(&f->command.argv, "/etc/passwd");
    assert_refused(f, "not-executable");
    command_init(&f->command, "x");
    strings_add(&f->command.argv, "/no/such/file");
    assert_refused(f, "command-not-found");
    command_init(&f->command, "x");
    assert_refused(f, "command-not-found");
    command_init(&f->command, "x");
    strings_add(&f->command.argv, "");
    assert_refused(f, "command-not-found");
    shell(f, "true");
    f->command.directory = "/no/such/folder";
    assert_refused(f, "bad-directory");
    /* Nothing of those is left, and the next one runs. */
    run_shell(f, "true");
    assert_true(outcome_ok(&f->outcome));
}

static void test_environment_is_what_was_given(void **state)
{
    struct fixture *f = *state;

    setenv("CAISSON_TEST_LEAK", "leaked", 1);
    command_init(&f->command, "env");
    strings_add(&f->command.argv, "env");
    env_set(&f->command.env, "PATH", "/nowhere::/usr/bin:/bin");
    env_set(&f->command.env, "A", "b");
    f->command.on_output = keep_output;
    f->command.context = f;
    f->command.directory = "/tmp";
    run(f);
    assert_true(outcome_ok(&f->outcome));
    assert_string_equal(buf_text(&f->output), "PATH=/nowhere::/usr/bin:/bin\nA=b\n");
}

/* An empty folder in PATH would be the working folder: the repository. */
static void test_path_never_means_the_working_folder(void **state)
{
    struct fixture *f = *state;
    char folder[] = "/tmp/caisson-test-XXXXXX", file[64];
    FILE *script;

    assert_non_null(mkdtemp(folder));
    chmod(folder, 0755);
    snprintf(file, sizeof file, "%s/planted", folder);
    script = fopen(file, "w");
    fputs("#!/bin/sh\necho planted\n", script);
    fclose(script);
    chmod(file, 0755);
    command_init(&f->command, "x");
    strings_add(&f->command.argv, "planted");
    env_set(&f->command.env, "PATH", ":/bin:");
    f->command.directory = folder;
    assert_refused(f, "command-not-found");
    unlink(file);
    rmdir(folder);
}

static void test_input(void **state)
{
    struct fixture *f = *state;
    size_t len = 300000;
    char *text = xmalloc(len);

    memset(text, 'y', len);
    shell(f, "wc -c");
    f->command.input = (struct view){text, len};
    run(f);
    assert_int_equal(strtol(buf_text(&f->output), NULL, 10), (long)len);
    /* One that does not read it to the end. */
    shell(f, "exec 0<&-; sleep 0.05");
    f->command.input = (struct view){text, len};
    run(f);
    assert_true(outcome_ok(&f->outcome));
    free(text);
}

static void test_streams_and_state_are_clean(void **state)
{
    struct fixture *f = *state;
    int extra = open("/etc/passwd", O_RDONLY); /* without close-on-exec */

    assert_int_equal(dup2(extra, 40), 40);
    run_shell(f, "ls /proc/self/fd | wc -l; grep -E '^(SigBlk|SigIgn|NoNewPrivs|CapEff|CapPrm|CapInh)' /proc/self/status; "
                 "cat /proc/self/oom_score_adj; ulimit -c; echo again > /dev/stdout; set -- $(cat /proc/$$/stat); echo session $(($6 - $$))");
    close(extra);
    close(40);
    /* 0, 1, 2 and the one that ls itself opens */
    assert_memory_equal(buf_text(&f->output), "4\n", 2);
    assert_non_null(strstr(buf_text(&f->output), "SigBlk:\t0000000000000000\n"));
    assert_non_null(strstr(buf_text(&f->output), "SigIgn:\t0000000000000000\n"));
    assert_non_null(strstr(buf_text(&f->output), "NoNewPrivs:\t1\n"));
    assert_non_null(strstr(buf_text(&f->output), "\n800\n0\nagain\nsession 0\n"));
    if (geteuid() == 0) {
        assert_non_null(strstr(buf_text(&f->output), "CapEff:\t0000000000000000\n"));
        assert_non_null(strstr(buf_text(&f->output), "CapPrm:\t0000000000000000\n"));
    }
}

static void test_build_uid(void **state)
{
    struct fixture *f = *state;

    if (geteuid() != 0)
        skip();
    run_shell(f, "id -u; id -g; id -G; grep -E '^(Uid|Gid|CapBnd)' /proc/self/status; cat /proc/$PPID/environ");
    assert_non_null(strstr(buf_text(&f->output), "12345\n12346\n12346\n"));
    assert_non_null(strstr(buf_text(&f->output), "Uid:\t12345\t12345\t12345\t12345\n"));
    assert_non_null(strstr(buf_text(&f->output), "CapBnd:\t0000000000000000\n"));
    assert_non_null(strstr(buf_text(&f->output), "Permission denied"));
    shell(f, "id -u");
    f->command.user = COMMAND_AS_SELF;
    run(f);
    assert_string_equal(buf_text(&f->output), "0\n");
}

/* It holds both streams open; the command has ended all the same, and the daemon goes with it. */
static void test_daemon_that_keeps_the_streams(void **state)
{
    struct fixture *f = *state;
    int64_t begin = clock_monotonic_ms();

    run_shell(f, "sleep 60 & echo $!");
    assert_true(outcome_ok(&f->outcome));
    assert_true(clock_monotonic_ms() - begin < 10000);
    assert_int_equal(f->outcome.left_over, 1);
    assert_false(is_alive((pid_t)strtol(buf_text(&f->output), NULL, 10)));
}

static void test_left_over_sessions(void **state)
{
    struct fixture *f = *state;
    char *line, *rest;
    int count = 0;

    run_shell(f, "for i in 1 2 3 4 5 6 7 8 9 10; do setsid sh -c 'trap \"\" TERM HUP; echo $$; "
                 "(setsid sleep 60 &) ; while :; do sleep 60; done' & done; sleep 0.5");
    assert_true(outcome_ok(&f->outcome));
    assert_true(f->outcome.left_over >= 20);
    for (rest = f->output.data; (line = strsep(&rest, "\n")) && *line; count++)
        assert_false(is_alive((pid_t)strtol(line, NULL, 10)));
    assert_int_equal(count, 10);
}

/* Children of ours that are none of the command's stay. */
static void test_other_children_stay(void **state)
{
    struct fixture *f = *state;
    pid_t other;

    if (getpid() == 1 && geteuid() != 0)
        skip(); /* there everything goes */
    other = fork();
    if (other == 0) {
        for (;;)
            pause();
    }
    run_shell(f, "sleep 60 &");
    assert_int_equal(f->outcome.left_over, 1);
    assert_int_equal(waitpid(other, NULL, WNOHANG), 0);
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
}

static void test_leftover_that_writes_without_end(void **state)
{
    struct fixture *f = *state;

    run_shell(f, "yes & sleep 0.1");
    assert_true(outcome_ok(&f->outcome));
    assert_int_equal(f->outcome.left_over, 1);
}

static void test_time_limit(void **state)
{
    struct fixture *f = *state;

    shell(f, "echo begin; sleep 60");
    f->command.timeout_ms = 200;
    run(f);
    assert_int_equal(f->outcome.kind, OUTCOME_TIMED_OUT);
    assert_int_equal(f->outcome.signal, SIGTERM);
    assert_in_range(f->outcome.duration_ms, 200, 5000);
    assert_non_null(strstr(described(&f->outcome), "time limit"));
}

static void test_term_is_ignored(void **state)
{
    struct fixture *f = *state;

    shell(f, "trap 'echo asked' TERM; while :; do sleep 0.05; done");
    f->command.timeout_ms = 100;
    f->command.grace_ms = 300;
    run(f);
    assert_int_equal(f->outcome.kind, OUTCOME_TIMED_OUT);
    assert_int_equal(f->outcome.signal, SIGKILL);
    assert_non_null(strstr(buf_text(&f->output), "asked"));
    assert_in_range(f->outcome.duration_ms, 400, 5000);
}

static void test_idle(void **state)
{
    struct fixture *f = *state;

    shell(f, "for i in 1 2 3 4 5 6; do echo $i; sleep 0.1; done; sleep 60");
    f->command.idle_ms = 400;
    run(f);
    assert_int_equal(f->outcome.kind, OUTCOME_IDLE);
    assert_in_range(f->outcome.duration_ms, 900, 8000);
    assert_string_equal(buf_text(&f->output), "1\n2\n3\n4\n5\n6\n");
}

static void stop_now(void *context)
{
    struct fixture *f = context;

    executor_stop(f->executor, clock_monotonic_ms() + 200);
}

static void test_stop(void **state)
{
    struct fixture *f = *state;

    /* Ends politely, with output on the way. */
    shell(f, "trap 'echo bye; exit 3' TERM; while :; do sleep 0.02; done");
    loop_timer_start(f->loop, 100, stop_now, f);
    run(f);
    assert_int_equal(f->outcome.kind, OUTCOME_STOPPED);
    assert_int_equal(f->outcome.exit_code, 3);
    assert_non_null(strstr(buf_text(&f->output), "bye\n"));
    assert_true(executor_stopping(f->executor));
    shell(f, "true");
    assert_int_equal(executor_run(f->executor, &f->command, &f->outcome, &f->err), -1);
    assert_int_equal(f->err.class, CLASS_INTERRUPTED);
    command_dispose(&f->command);
    executor_resume(f->executor);
    /* Does not: the deadline is before its grace. */
    shell(f, "trap '' TERM; while :; do sleep 0.02; done");
    f->command.grace_ms = 60000;
    loop_timer_start(f->loop, 100, stop_now, f);
    run(f);
    assert_int_equal(f->outcome.kind, OUTCOME_STOPPED);
    assert_int_equal(f->outcome.signal, SIGKILL);
    assert_in_range(f->outcome.duration_ms, 300, 8000);
    executor_resume(f->executor);
    run_shell(f, "true");
    assert_true(outcome_ok(&f->outcome));
}

static void kill_now(void *context)
{
    executor_kill(((struct fixture *)context)->executor);
}

static void test_kill(void **state)
{
    struct fixture *f = *state;

    executor_kill(f->executor);
    shell(f, "sleep 60");
    loop_timer_start(f->loop, 50, kill_now, f);
    run(f);
    assert_int_equal(f->outcome.kind, OUTCOME_SIGNALED);
    assert_int_equal(f->outcome.signal, SIGKILL);
}

static void test_stopped_processes_end_too(void **state)
{
    struct fixture *f = *state;

    shell(f, "sleep 60 & kill -STOP $!; kill -STOP $$");
    f->command.timeout_ms = 200;
    run(f);
    assert_int_equal(f->outcome.kind, OUTCOME_TIMED_OUT);
    assert_int_equal(f->outcome.signal, SIGTERM);
}

static void test_much_output(void **state)
{
    struct fixture *f = *state;

    run_shell(f, "head -c 100000000 /dev/zero; head -c 1000000 /dev/zero >&2");
    assert_true(outcome_ok(&f->outcome));
    assert_int_equal(f->bytes, 101000000);
    assert_int_equal(f->error_bytes, 1000000);
}

static void test_the_last_words_are_heard(void **state)
{
    struct fixture *f = *state;
    int i;

    for (i = 0; i < 20; i++) {
        run_shell(f, "head -c 60000 /dev/zero; echo end");
        assert_int_equal(f->bytes, 60004);
    }
}

static void test_closed_streams(void **state)
{
    struct fixture *f = *state;
    int64_t begin = clock_monotonic_ms();

    run_shell(f, "exec >&- 2>&-; sleep 0.3; exit 4");
    assert_int_equal(f->outcome.exit_code, 4);
    assert_true(clock_monotonic_ms() - begin >= 300);
}

static void test_own_binary(void **state)
{
    struct fixture *f = *state;

    static const enum command_user users[] = {COMMAND_AS_SELF, COMMAND_AS_BUILD};
    size_t i;

    for (i = 0; i < ARRAY_LEN(users); i++) {
        command_init(&f->command, "ourselves");
        f->command.self = true;
        f->command.user = users[i];
        strings_add(&f->command.argv, "caisson");
        strings_add(&f->command.argv, "--say");
        strings_add(&f->command.argv, "hello");
        f->command.on_output = keep_output;
        f->command.context = f;
        buf_reset(&f->output);
        run(f);
        assert_true(outcome_ok(&f->outcome));
        assert_string_equal(buf_text(&f->output), "caisson says hello\n");
    }
}

static void test_description(void **state)
{
    struct fixture *f = *state;

    buf_reset(&f->output);
    executor_describe(f->executor, &f->output);
    assert_non_null(strstr(buf_text(&f->output), geteuid() == 0 ? "build uid 12345" : "our own uid"));
    assert_string_equal(executor_name(f->executor), "local");
    assert_int_equal(executor_new(&f->executor, "nowhere", &f->options, &f->err), -1);
    assert_int_equal(f->err.class, CLASS_USAGE);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_success, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exit_codes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_by_a_signal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_run, setup, teardown),
        cmocka_unit_test_setup_teardown(test_environment_is_what_was_given, setup, teardown),
        cmocka_unit_test_setup_teardown(test_path_never_means_the_working_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(test_input, setup, teardown),
        cmocka_unit_test_setup_teardown(test_streams_and_state_are_clean, setup, teardown),
        cmocka_unit_test_setup_teardown(test_build_uid, setup, teardown),
        cmocka_unit_test_setup_teardown(test_daemon_that_keeps_the_streams, setup, teardown),
        cmocka_unit_test_setup_teardown(test_left_over_sessions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_children_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(test_leftover_that_writes_without_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_time_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_term_is_ignored, setup, teardown),
        cmocka_unit_test_setup_teardown(test_idle, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kill, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stopped_processes_end_too, setup, teardown),
        cmocka_unit_test_setup_teardown(test_much_output, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_last_words_are_heard, setup, teardown),
        cmocka_unit_test_setup_teardown(test_closed_streams, setup, teardown),
        cmocka_unit_test_setup_teardown(test_own_binary, setup, teardown),
        cmocka_unit_test_setup_teardown(test_description, setup, teardown),
    };

    if (argc == 3 && strcmp(argv[1], "--say") == 0) {
        printf("%s says %s\n", argv[0], argv[2]);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
