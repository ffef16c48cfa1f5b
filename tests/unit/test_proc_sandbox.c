/* The executor "sandbox" against the real server in another process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/mem.h"
#include "support/executor_fixture.h"
#include "support/sandbox_fixture.h"
#include "support/skip.h"

#define LONG_MS 20000

static struct sandbox_fixture *start(void **state)
{
    struct sandbox_fixture *f = *state;

    sandbox_start_server(f, LONG_MS, LONG_MS);
    sandbox_connect_runner(f, LONG_MS);
    return f;
}

static void test_a_command_runs_there(void **state)
{
    struct sandbox_fixture *f = start(state);
    char wanted[128];

    sandbox_shell(f, "pwd; echo \"$A|$HOME\"; cat; echo error >&2; exit 7");
    env_set(&f->command.env, "A", "one\ntwo \xff");
    f->command.directory = f->folder;
    f->command.input = view_of("given\n");
    assert_int_equal(executor_run(f->executor, &f->command, &f->outcome, &f->err), 0);
    assert_int_equal(f->outcome.kind, OUTCOME_EXITED);
    assert_int_equal(f->outcome.exit_code, 7);
    assert_true(f->outcome.peak_rss_bytes > 0);
    snprintf(wanted, sizeof wanted, "%s\none\ntwo \xff|\ngiven\n", f->folder);
    assert_non_null(strstr(buf_text(&f->output), wanted));
    assert_non_null(strstr(buf_text(&f->output), "error\n"));
    /* Nobody can come after us. */
    assert_int_equal(access(f->socket, F_OK), -1);
    sandbox_run(f, "kill -KILL $$");
    assert_int_equal(f->outcome.kind, OUTCOME_SIGNALED);
    assert_int_equal(f->outcome.signal, SIGKILL);
    sandbox_run(f, "exit 0");
    assert_true(outcome_ok(&f->outcome));
}

static void test_much_output_is_whole(void **state)
{
    struct sandbox_fixture *f = start(state);
    const char *at;
    char *end;
    long wanted;

    sandbox_run(f, "seq 1000000");
    assert_true(outcome_ok(&f->outcome));
    assert_int_equal(f->bytes, 6888896);
    for (at = buf_text(&f->output), wanted = 1; *at; at = end + 1, wanted++)
        if (strtol(at, &end, 10) != wanted || *end != '\n')
            fail_msg("line %ld is wrong", wanted);
    assert_int_equal(wanted, 1000001);
}

static void read_slowly(void *context, bool is_stderr, const char *data, size_t len)
{
    struct sandbox_fixture *f = context;

    (void)is_stderr;
    (void)data;
    if (f->bytes == 0)
        usleep(1500 * 1000);
    f->bytes += len;
}

/* The command waits for us: what it has not yet said is not held in anybody's memory. */
static void test_a_slow_reader_slows_the_command(void **state)
{
    struct sandbox_fixture *f = start(state);

    sandbox_shell(f, "head -c 64000000 /dev/zero; sleep 0.1; echo");
    f->command.on_output = read_slowly;
    f->command.idle_ms = 1000; /* the pause is ours, not the command's */
    assert_int_equal(executor_run(f->executor, &f->command, &f->outcome, &f->err), 0);
    assert_int_equal(f->outcome.kind, OUTCOME_EXITED);
    assert_int_equal(f->bytes, 64000001);
}

static void test_output_that_nobody_wants(void **state)
{
    struct sandbox_fixture *f = start(state);

    sandbox_shell(f, "seq 1000; exit 3");
    f->command.on_output = NULL;
    assert_int_equal(executor_run(f->executor, &f->command, &f->outcome, &f->err), 0);
    assert_int_equal(f->outcome.exit_code, 3);
}

static void test_a_large_command(void **state)
{
    struct sandbox_fixture *f = start(state);
    char *large = xmalloc(120001);

    memset(large, 'x', 120000);
    large[120000] = '\0';
    sandbox_shell(f, "printf '%s' \"$A$B\" | wc -c");
    env_set(&f->command.env, "A", large);
    env_set(&f->command.env, "B", large);
    free(large);
    assert_int_equal(executor_run(f->executor, &f->command, &f->outcome, &f->err), 0);
    assert_non_null(strstr(buf_text(&f->output), "240000"));
}

static void test_one_stream_keeps_the_order(void **state)
{
    struct sandbox_fixture *f = start(state);

    sandbox_shell(f, "for i in 1 2 3 4; do echo out $i; echo err $i >&2; done");
    f->command.one_stream = true;
    assert_int_equal(executor_run(f->executor, &f->command, &f->outcome, &f->err), 0);
    assert_non_null(strstr(buf_text(&f->output), "out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\nout 4\nerr 4\n"));
}

static void test_what_cannot_run(void **state)
{
    struct sandbox_fixture *f = start(state);

    sandbox_shell(f, "");
    strings_dispose(&f->command.argv);
    strings_add(&f->command.argv, "no-such-program");
    assert_int_equal(executor_run(f->executor, &f->command, &f->outcome, &f->err), -1);
    assert_int_equal(f->err.class, CLASS_INTERNAL);
    assert_string_equal(f->err.reason, "command-not-found");
    assert_non_null(strstr(f->err.message, "no-such-program"));
    sandbox_shell(f, "true");
    f->command.directory = "/no/such/folder";
    assert_int_equal(executor_run(f->executor, &f->command, &f->outcome, &f->err), -1);
    assert_string_equal(f->err.reason, "bad-directory");
    /* The user over there is not ours to choose, nor is it our binary that runs there. */
    sandbox_shell(f, "true");
    f->command.user = COMMAND_AS_SELF;
    assert_int_equal(executor_run(f->executor, &f->command, &f->outcome, &f->err), -1);
    assert_string_equal(f->err.reason, "not-for-sandbox");
    sandbox_shell(f, "true");
    f->command.contains_itself = true;
    assert_int_equal(executor_run(f->executor, &f->command, &f->outcome, &f->err), -1);
    assert_string_equal(f->err.reason, "cannot-contain-itself");
    sandbox_run(f, "true");
}

static void test_limits_of_time(void **state)
{
    struct sandbox_fixture *f = start(state);

    sandbox_shell(f, "echo before; sleep 60");
    f->command.timeout_ms = 300;
    assert_int_equal(executor_run(f->executor, &f->command, &f->outcome, &f->err), 0);
    assert_int_equal(f->outcome.kind, OUTCOME_TIMED_OUT);
    sandbox_shell(f, "trap '' TERM; sleep 60");
    f->command.idle_ms = 300;
    f->command.grace_ms = 200;
    assert_int_equal(executor_run(f->executor, &f->command, &f->outcome, &f->err), 0);
    assert_int_equal(f->outcome.kind, OUTCOME_IDLE);
}

static void test_what_a_command_leaves_is_ended(void **state)
{
    struct sandbox_fixture *f = start(state);
    pid_t left;

    if (!executor_adopts_orphans())
        skip_emulated("PR_SET_CHILD_SUBREAPER: what is left over does not come to us");
    sandbox_run(f, "setsid sleep 600 >/dev/null 2>&1 & echo $!");
    left = (pid_t)strtol(buf_text(&f->output), NULL, 10);
    assert_true(left > 1);
    assert_int_equal(f->outcome.left_over, 1);
    assert_int_equal(kill(left, 0), -1);
}

/* ---- stopping ---- */

static void stop_soon(void *context)
{
    struct sandbox_fixture *f = context;

    executor_stop(f->executor, clock_monotonic_ms() + 1500);
}

static void test_a_stop_ends_what_runs(void **state)
{
    struct sandbox_fixture *f = start(state);
    int64_t began_ms;

    sandbox_run(f, "true");
    loop_timer_start(f->loop, 200, stop_soon, f);
    sandbox_run(f, "trap 'echo asked; exit 0' TERM; while :; do sleep 0.05; done");
    assert_int_equal(f->outcome.kind, OUTCOME_STOPPED);
    assert_non_null(strstr(buf_text(&f->output), "asked"));
    assert_int_equal(executor_run(f->executor, &f->command, &f->outcome, &f->err), -1);
    assert_string_equal(f->err.reason, "stopping");
    executor_resume(f->executor);
    loop_timer_start(f->loop, 200, stop_soon, f);
    began_ms = clock_monotonic_ms();
    sandbox_run(f, "trap '' TERM; while :; do sleep 0.05; done");
    assert_int_equal(f->outcome.kind, OUTCOME_STOPPED);
    assert_true(clock_monotonic_ms() - began_ms < 5000);
    executor_resume(f->executor);
    sandbox_run(f, "echo and on");
    assert_string_equal(buf_text(&f->output), "and on\n");
}

static void kill_soon(void *context)
{
    executor_kill(((struct sandbox_fixture *)context)->executor);
}

static void test_a_kill(void **state)
{
    struct sandbox_fixture *f = start(state);

    sandbox_run(f, "true");
    loop_timer_start(f->loop, 200, kill_soon, f);
    sandbox_run(f, "trap '' TERM; sleep 600");
    assert_int_equal(f->outcome.kind, OUTCOME_SIGNALED);
    assert_int_equal(f->outcome.signal, SIGKILL);
}

static void test_a_stop_while_nobody_is_there(void **state)
{
    struct sandbox_fixture *f = *state;

    sandbox_connect_runner(f, LONG_MS);
    loop_timer_start(f->loop, 200, stop_soon, f);
    sandbox_shell(f, "true");
    assert_int_equal(executor_run(f->executor, &f->command, &f->outcome, &f->err), -1);
    assert_int_equal(f->err.class, CLASS_INTERRUPTED);
}

/* ---- the end ---- */

static void test_the_proof_of_the_end(void **state)
{
    struct sandbox_fixture *f = start(state);

    sandbox_run(f, "true");
    assert_int_equal(executor_finish(f->executor, &f->err), 0);
    assert_int_equal(f->asked, 1);
    assert_true(f->peer_ended);
    assert_int_equal(f->exit_code, 0);
    assert_int_equal(executor_finish(f->executor, &f->err), 0);
    assert_int_equal(f->asked, 1);
    sandbox_shell(f, "true");
    assert_int_equal(executor_run(f->executor, &f->command, &f->outcome, &f->err), -1);
    assert_string_equal(f->err.reason, "sandbox-finished");
}

static void test_an_end_that_nobody_confirms(void **state)
{
    struct sandbox_fixture *f = *state;
    int64_t began_ms;

    sandbox_start_server(f, LONG_MS, LONG_MS);
    sandbox_connect_runner(f, 3000);
    f->deny = true;
    sandbox_run(f, "true");
    began_ms = clock_monotonic_ms();
    assert_int_equal(executor_finish(f->executor, &f->err), -1);
    assert_int_equal(f->err.class, CLASS_SANDBOX_LOST);
    assert_string_equal(f->err.reason, "sandbox-not-stopped");
    assert_non_null(strstr(f->err.message, "it says RUNNING"));
    assert_true(f->err.retryable);
    assert_true(clock_monotonic_ms() - began_ms < 6000);
    f->deny = false;
    f->err.reason[0] = '\0';
    assert_int_equal(executor_finish(f->executor, &f->err), -1);
    assert_string_equal(f->err.reason, "sandbox-not-stopped");
}

static void test_where_nothing_ran_nothing_is_to_be_proved(void **state)
{
    struct sandbox_fixture *f = *state;

    sandbox_connect_runner(f, LONG_MS);
    assert_int_equal(executor_finish(f->executor, &f->err), 0);
    assert_int_equal(f->asked, 0);
}

static void test_a_stop_during_the_proof(void **state)
{
    struct sandbox_fixture *f = start(state);

    f->deny = true;
    sandbox_run(f, "true");
    loop_timer_start(f->loop, 500, stop_soon, f);
    assert_int_equal(executor_finish(f->executor, &f->err), -1);
    assert_int_equal(f->err.class, CLASS_INTERRUPTED);
}

/* ---- losses ---- */

static void lose(struct sandbox_fixture *f, const char *reason)
{
    assert_int_equal(executor_run(f->executor, &f->command, &f->outcome, &f->err), -1);
    if (f->err.class != CLASS_SANDBOX_LOST || strcmp(f->err.reason, reason) != 0)
        fail_msg("%d, %s: %s", (int)f->err.class, f->err.reason, f->err.message);
    assert_true(*f->err.hint);
    /* For good. */
    assert_int_equal(executor_run(f->executor, &f->command, &f->outcome, &f->err), -1);
    assert_string_equal(f->err.reason, reason);
}

static void test_nobody_is_there(void **state)
{
    struct sandbox_fixture *f = *state;
    int64_t began_ms = clock_monotonic_ms();

    sandbox_connect_runner(f, 1000);
    sandbox_shell(f, "true");
    lose(f, "sandbox-absent");
    assert_non_null(strstr(f->err.message, f->socket));
    assert_in_range(clock_monotonic_ms() - began_ms, 900, 4000);
}

static void start_late(void *context)
{
    sandbox_start_server(context, LONG_MS, LONG_MS);
}

static void test_one_that_is_late(void **state)
{
    struct sandbox_fixture *f = *state;

    sandbox_connect_runner(f, LONG_MS);
    loop_timer_start(f->loop, 500, start_late, f);
    sandbox_run(f, "echo here");
    assert_string_equal(buf_text(&f->output), "here\n");
}

static void kill_peer(void *context)
{
    kill(((struct sandbox_fixture *)context)->peer, SIGKILL);
}

static void test_one_that_is_killed(void **state)
{
    struct sandbox_fixture *f = start(state);

    sandbox_run(f, "true");
    loop_timer_start(f->loop, 200, kill_peer, f);
    sandbox_shell(f, "sleep 600");
    assert_int_equal(executor_run(f->executor, &f->command, &f->outcome, &f->err), -1);
    assert_int_equal(f->err.class, CLASS_OUT_OF_MEMORY);
    assert_non_null(strstr(f->err.message, "(exit code 137), most likely"));
}

static void test_one_that_memory_ended(void **state)
{
    struct sandbox_fixture *f = start(state);

    f->pretend = true;
    f->lie = (struct container_end){.exit_code = 137, .out_of_memory = true};
    sandbox_run(f, "true");
    loop_timer_start(f->loop, 200, kill_peer, f);
    sandbox_shell(f, "sleep 600");
    assert_int_equal(executor_run(f->executor, &f->command, &f->outcome, &f->err), -1);
    assert_int_equal(f->err.class, CLASS_OUT_OF_MEMORY);
    assert_non_null(strstr(f->err.message, "memory ran out in the sandbox"));
}

static void test_one_that_ends_for_a_reason_that_is_known(void **state)
{
    struct sandbox_fixture *f = start(state);

    f->pretend = true;
    f->lie = (struct container_end){.exit_code = 3};
    sandbox_run(f, "true");
    loop_timer_start(f->loop, 200, kill_peer, f);
    sandbox_shell(f, "sleep 600");
    lose(f, "sandbox-gone");
    assert_non_null(strstr(f->err.message, "exit code 3"));
}

static void freeze_peer(void *context)
{
    kill(((struct sandbox_fixture *)context)->peer, SIGSTOP);
}

static void test_one_that_is_silent(void **state)
{
    struct sandbox_fixture *f = *state;
    int64_t began_ms;

    sandbox_start_server(f, LONG_MS, LONG_MS);
    sandbox_connect_runner(f, 2000);
    sandbox_run(f, "true");
    began_ms = clock_monotonic_ms();
    loop_timer_start(f->loop, 200, freeze_peer, f);
    sandbox_shell(f, "sleep 600");
    lose(f, "sandbox-silent");
    assert_in_range(clock_monotonic_ms() - began_ms, 1900, 8000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_setup, sandbox_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_command_runs_there),
        TEST(test_much_output_is_whole),
        TEST(test_a_slow_reader_slows_the_command),
        TEST(test_output_that_nobody_wants),
        TEST(test_a_large_command),
        TEST(test_one_stream_keeps_the_order),
        TEST(test_what_cannot_run),
        TEST(test_limits_of_time),
        TEST(test_what_a_command_leaves_is_ended),
        TEST(test_a_stop_ends_what_runs),
        TEST(test_a_kill),
        TEST(test_a_stop_while_nobody_is_there),
        TEST(test_the_proof_of_the_end),
        TEST(test_an_end_that_nobody_confirms),
        TEST(test_where_nothing_ran_nothing_is_to_be_proved),
        TEST(test_a_stop_during_the_proof),
        TEST(test_nobody_is_there),
        TEST(test_one_that_is_late),
        TEST(test_one_that_is_killed),
        TEST(test_one_that_memory_ended),
        TEST(test_one_that_ends_for_a_reason_that_is_known),
        TEST(test_one_that_is_silent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
