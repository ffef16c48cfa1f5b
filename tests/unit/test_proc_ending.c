/* How a command ends, by itself or by us, and that nothing of it is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "proc/executor.h"
#include "support/executor_fixture.h"
#include "support/skip.h"

static bool is_alive(pid_t pid)
{
    return kill(pid, 0) == 0 || errno == EPERM;
}

static void test_daemon_that_keeps_the_streams(void **state)
{
    struct executor_fixture *f = *state;
    int64_t begin = clock_monotonic_ms();

    if (!executor_adopts_orphans())
        skip_emulated("PR_SET_CHILD_SUBREAPER: what is left over does not come to us");
    executor_run_shell(f, "sleep 60 & echo $!");
    assert_true(outcome_ok(&f->outcome));
    assert_true(clock_monotonic_ms() - begin < 10000);
    assert_int_equal(f->outcome.left_over, 1);
    assert_false(is_alive((pid_t)strtol(buf_text(&f->output), NULL, 10)));
}

static void test_left_over_sessions(void **state)
{
    struct executor_fixture *f = *state;
    char *line, *rest;
    int count = 0;

    if (!executor_adopts_orphans())
        skip_emulated("PR_SET_CHILD_SUBREAPER: what is left over does not come to us");
    executor_run_shell(f, "for i in 1 2 3 4 5 6 7 8 9 10; do setsid sh -c 'trap \"\" TERM HUP; echo $$; "
                          "(setsid sleep 60 &) ; while :; do sleep 60; done' & done; sleep 0.5");
    assert_true(outcome_ok(&f->outcome));
    assert_true(f->outcome.left_over >= 20);
    for (rest = f->output.data; (line = strsep(&rest, "\n")) && *line; count++)
        assert_false(is_alive((pid_t)strtol(line, NULL, 10)));
    assert_int_equal(count, 10);
}

static void test_other_children_stay(void **state)
{
    struct executor_fixture *f = *state;
    pid_t other;

    if (getpid() == 1 && geteuid() != 0)
        skip_because("as PID 1 without root everything goes");
    if (!executor_adopts_orphans())
        skip_emulated("PR_SET_CHILD_SUBREAPER: what is left over does not come to us");
    other = fork();
    if (other == 0) {
        for (;;)
            pause();
    }
    executor_run_shell(f, "sleep 60 &");
    assert_int_equal(f->outcome.left_over, 1);
    assert_int_equal(waitpid(other, NULL, WNOHANG), 0);
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
}

static void test_leftover_that_writes_without_end(void **state)
{
    struct executor_fixture *f = *state;

    if (!executor_adopts_orphans())
        skip_emulated("PR_SET_CHILD_SUBREAPER: what is left over does not come to us");
    executor_run_shell(f, "yes & sleep 0.1");
    assert_true(outcome_ok(&f->outcome));
    assert_int_equal(f->outcome.left_over, 1);
}

static void test_time_limit(void **state)
{
    struct executor_fixture *f = *state;

    executor_shell(f, "echo begin; sleep 60");
    f->command.timeout_ms = 200;
    executor_run_prepared(f);
    assert_int_equal(f->outcome.kind, OUTCOME_TIMED_OUT);
    assert_int_equal(f->outcome.signal, SIGTERM);
    assert_in_range(f->outcome.duration_ms, 200, 5000);
}

static void test_term_is_ignored(void **state)
{
    struct executor_fixture *f = *state;

    executor_shell(f, "trap 'echo asked' TERM; while :; do sleep 0.05; done");
    f->command.timeout_ms = 1000; /* the shell must have come to its trap */
    f->command.grace_ms = 300;
    executor_run_prepared(f);
    assert_int_equal(f->outcome.kind, OUTCOME_TIMED_OUT);
    assert_int_equal(f->outcome.signal, SIGKILL);
    assert_non_null(strstr(buf_text(&f->output), "asked"));
    assert_in_range(f->outcome.duration_ms, 1300, 15000);
}

static void test_idle(void **state)
{
    struct executor_fixture *f = *state;

    executor_shell(f, "for i in 1 2 3 4 5 6; do echo $i; sleep 0.1; done; sleep 60");
    f->command.idle_ms = 400;
    executor_run_prepared(f);
    assert_int_equal(f->outcome.kind, OUTCOME_IDLE);
    assert_in_range(f->outcome.duration_ms, 900, 8000);
    assert_string_equal(buf_text(&f->output), "1\n2\n3\n4\n5\n6\n");
}

static void stop_now(void *context)
{
    struct executor_fixture *f = context;

    executor_stop(f->executor, clock_monotonic_ms() + 200);
}

static void test_stop(void **state)
{
    struct executor_fixture *f = *state;

    /* Ends politely, with output on the way. */
    executor_shell(f, "trap 'echo bye; exit 3' TERM; while :; do sleep 0.02; done");
    loop_timer_start(f->loop, 1000, stop_now, f); /* the shell has set its trap by then, on a busy machine too */
    executor_run_prepared(f);
    assert_int_equal(f->outcome.kind, OUTCOME_STOPPED);
    assert_int_equal(f->outcome.exit_code, 3);
    assert_non_null(strstr(buf_text(&f->output), "bye\n"));
    assert_true(executor_stopping(f->executor));
    executor_shell(f, "true");
    assert_int_equal(executor_run(f->executor, &f->command, &f->outcome, &f->err), -1);
    assert_int_equal(f->err.class, CLASS_INTERRUPTED);
    command_dispose(&f->command);
    executor_resume(f->executor);
    /* Does not: the deadline is before its grace. */
    executor_shell(f, "trap '' TERM; while :; do sleep 0.02; done");
    f->command.grace_ms = 60000;
    loop_timer_start(f->loop, 1000, stop_now, f); /* the shell has set its trap by then, on a busy machine too */
    executor_run_prepared(f);
    assert_int_equal(f->outcome.kind, OUTCOME_STOPPED);
    assert_int_equal(f->outcome.signal, SIGKILL);
    assert_in_range(f->outcome.duration_ms, 300, 8000);
    executor_resume(f->executor);
    executor_run_shell(f, "true");
    assert_true(outcome_ok(&f->outcome));
}

static void kill_now(void *context)
{
    executor_kill(((struct executor_fixture *)context)->executor);
}

static void test_kill(void **state)
{
    struct executor_fixture *f = *state;

    executor_kill(f->executor);
    executor_shell(f, "sleep 60");
    loop_timer_start(f->loop, 50, kill_now, f);
    executor_run_prepared(f);
    assert_int_equal(f->outcome.kind, OUTCOME_SIGNALED);
    assert_int_equal(f->outcome.signal, SIGKILL);
}

static void test_stopped_processes_end_too(void **state)
{
    struct executor_fixture *f = *state;

    executor_shell(f, "sleep 60 & kill -STOP $!; kill -STOP $$");
    f->command.timeout_ms = 200;
    executor_run_prepared(f);
    assert_int_equal(f->outcome.kind, OUTCOME_TIMED_OUT);
    assert_int_equal(f->outcome.signal, SIGTERM);
}

/* A process whose first thread has ended looks dead in /proc, and is not. */
static void test_left_over_without_first_thread(void **state)
{
    struct executor_fixture *f = *state;

    if (!executor_runs_self() || !executor_adopts_orphans())
        skip();
    command_init(&f->command, "test");
    f->command.self = true;
    strings_add(&f->command.argv, "caisson");
    strings_add(&f->command.argv, "leave-headless");
    executor_run_prepared(f);
    assert_true(outcome_ok(&f->outcome));
    assert_int_equal(f->outcome.left_over, 1);
}

static void *live_on(void *nothing)
{
    for (;;)
        pause();
    return nothing;
}

static _Noreturn void leave_headless(void)
{
    pthread_t thread;

    if (fork() > 0) {
        usleep(300 * 1000);
        _exit(0);
    }
    setsid();
    if (pthread_create(&thread, NULL, live_on, NULL))
        _exit(1);
    syscall(SYS_exit, 0L);
    _exit(1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_daemon_that_keeps_the_streams, executor_setup, executor_teardown),
        cmocka_unit_test_setup_teardown(test_left_over_sessions, executor_setup, executor_teardown),
        cmocka_unit_test_setup_teardown(test_other_children_stay, executor_setup, executor_teardown),
        cmocka_unit_test_setup_teardown(test_leftover_that_writes_without_end, executor_setup, executor_teardown),
        cmocka_unit_test_setup_teardown(test_time_limit, executor_setup, executor_teardown),
        cmocka_unit_test_setup_teardown(test_term_is_ignored, executor_setup, executor_teardown),
        cmocka_unit_test_setup_teardown(test_idle, executor_setup, executor_teardown),
        cmocka_unit_test_setup_teardown(test_stop, executor_setup, executor_teardown),
        cmocka_unit_test_setup_teardown(test_kill, executor_setup, executor_teardown),
        cmocka_unit_test_setup_teardown(test_stopped_processes_end_too, executor_setup, executor_teardown),
        cmocka_unit_test_setup_teardown(test_left_over_without_first_thread, executor_setup, executor_teardown),
    };

    if (argc == 2 && strcmp(argv[1], "leave-headless") == 0)
        leave_headless();
    if (argc > 1) /* "--say" of the fixture: whether we can be run at all */
        return 0;

    return cmocka_run_group_tests(tests, NULL, NULL);
}
