#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/mem.h"
#include "proc/reap.h"
#include "support/skip.h"

struct fixture {
    struct loop *loop;
    struct reaper *reaper;
    int calls, status;
    int stops, number;
    bool genuine;
    pid_t sender;
    bool done;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    struct error err;

    f->loop = loop_new();
    assert_int_equal(reaper_new(&f->reaper, f->loop, &err), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    reaper_free(f->reaper);
    loop_free(f->loop);
    free(f);
    return 0;
}

static void on_exit_status(void *context, int status, const struct rusage *usage)
{
    struct fixture *f = context;

    assert_non_null(usage);
    f->calls++;
    f->status = status;
    f->done = true;
}

static pid_t child_that_exits(int code)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(code);
    return pid;
}

static void wait_done(struct fixture *f)
{
    f->done = false;
    loop_run_until(f->loop, &f->done);
}

static void test_exit_of_a_watched_child(void **state)
{
    struct fixture *f = *state;

    reaper_watch(f->reaper, child_that_exits(5), on_exit_status, f);
    wait_done(f);
    assert_int_equal(f->calls, 1);
    assert_int_equal(WEXITSTATUS(f->status), 5);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(reaper_orphans(f->reaper), 0);
}

static void test_exit_before_the_watch_is_kept(void **state)
{
    struct fixture *f = *state;
    pid_t pid = child_that_exits(6);

    while (reaper_orphans(f->reaper) == 0)
        loop_run_once(f->loop, -1);
    reaper_watch(f->reaper, pid, on_exit_status, f);
    assert_int_equal(f->calls, 0);
    wait_done(f);
    assert_int_equal(f->calls, 1);
    assert_int_equal(WEXITSTATUS(f->status), 6);
}

static void test_unwatched_exits_call_nobody(void **state)
{
    struct fixture *f = *state;
    pid_t pid = child_that_exits(0);

    reaper_watch(f->reaper, pid, on_exit_status, f);
    reaper_unwatch(f->reaper, pid);
    while (reaper_orphans(f->reaper) == 0)
        loop_run_once(f->loop, -1);
    assert_int_equal(f->calls, 0);
    /* Kept, watched and given up again before the loop could tell. */
    reaper_watch(f->reaper, pid, on_exit_status, f);
    reaper_unwatch(f->reaper, pid);
    loop_run_once(f->loop, 1);
    assert_int_equal(f->calls, 0);
}

/* 300 children of a child that ends first. */
static void test_orphans_come_to_us(void **state)
{
    struct fixture *f = *state;
    pid_t pid;
    int i;

    if (prctl(PR_GET_CHILD_SUBREAPER, &i, 0L, 0L, 0L))
        skip_emulated("PR_SET_CHILD_SUBREAPER: orphans do not come to us");
    pid = fork();
    if (pid == 0) {
        for (i = 0; i < 300; i++)
            if (fork() == 0) {
                usleep(20000);
                _exit(0);
            }
        _exit(0);
    }
    reaper_watch(f->reaper, pid, on_exit_status, f);
    while (reaper_orphans(f->reaper) < 300)
        loop_run_once(f->loop, -1);
    assert_int_equal(f->calls, 1);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void on_stop(void *context, int number, bool genuine, pid_t sender)
{
    struct fixture *f = context;

    f->stops++;
    f->number = number;
    f->genuine = genuine;
    f->sender = sender;
    f->done = true;
}

static void test_stop_signals(void **state)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    struct fixture *f = *state;
    size_t i;

    reaper_on_stop(f->reaper, on_stop, f);
    for (i = 0; i < ARRAY_LEN(numbers); i++) {
        kill(getpid(), numbers[i]);
        wait_done(f);
        assert_int_equal(f->number, numbers[i]);
        assert_true(f->genuine);
        assert_int_equal(f->sender, getpid());
    }
    assert_int_equal(f->stops, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_exit_of_a_watched_child, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exit_before_the_watch_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unwatched_exits_call_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(test_orphans_come_to_us, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stop_signals, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
