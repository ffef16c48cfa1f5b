/*
 * What only PID 1 does: the tests run as PID 1 of a PID namespace of their own, which takes root. Their parent stays
 * outside and sends the one signal that counts.
 */
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
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/mem.h"
#include "proc/executor.h"
#include "proc/processes.h"
#include "proc/standing.h"

#define BUILD_UID_FIRST 300000 /* a uid of each test's own: the limits on processes count all that a uid has */

struct fixture {
    struct loop *loop;
    struct reaper *reaper;
    struct executor *executor;
    struct command command;
    struct outcome outcome;
    struct error err;
    int stops;
    bool genuine, done;
    pid_t sender;
};

static int outside = -1; /* a byte written here asks the parent for a SIGTERM */

static void on_stop(void *context, int number, bool genuine, pid_t sender)
{
    struct fixture *f = context;

    assert_int_equal(number, SIGTERM);
    f->stops++;
    f->genuine = genuine;
    f->sender = sender;
    f->done = true;
}

static int setup_as(void **state, uid_t uid)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    struct executor_options options = {.build_uid = uid, .build_gid = uid, .self_fd = -1, .pid1 = true};

    f->loop = loop_new();
    assert_int_equal(reaper_new(&f->reaper, f->loop, &f->err), 0);
    options.loop = f->loop;
    options.reaper = f->reaper;
    assert_int_equal(executor_new(&f->executor, "local", &options, &f->err), 0);
    reaper_on_stop(f->reaper, on_stop, f);
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return setup_as(state, BUILD_UID_FIRST + (uid_t)(clock_monotonic_ms() % 100000));
}

static int setup_root(void **state)
{
    return setup_as(state, 0);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    executor_free(f->executor);
    reaper_free(f->reaper);
    loop_free(f->loop);
    free(f);
    return 0;
}

static void run_shell(struct fixture *f, const char *script)
{
    command_init(&f->command, "test");
    strings_add(&f->command.argv, "sh");
    strings_add(&f->command.argv, "-c");
    strings_add(&f->command.argv, script);
    env_set(&f->command.env, "PATH", "/usr/bin:/bin");
    if (executor_run(f->executor, &f->command, &f->outcome, &f->err))
        fail_msg("%s", f->err.message);
    command_dispose(&f->command);
}

/* How many processes there are but us. Not by kill(): that finds threads too, and an emulator has some. */
static int count_others(void)
{
    struct processes all;
    int count;

    assert_int_equal(processes_read(&all), 0);
    count = (int)all.len - 1;
    processes_dispose(&all);
    return count;
}

static void test_everything_of_the_build_ends(void **state)
{
    struct fixture *f = *state;

    run_shell(f,
              "for i in 1 2 3 4 5 6 7 8 9 10; do (setsid sh -c 'trap \"\" TERM; sleep 60 & wait' &) ; done; sleep 0.5");
    assert_true(outcome_ok(&f->outcome));
    assert_true(f->outcome.left_over >= 20);
    assert_int_equal(count_others(), 0);
}

/* It forks faster than anybody could look. */
static void test_fork_race(void **state)
{
    struct fixture *f = *state;

    /* The limit counts all processes of the user, other tests' too: where those are many, only the first is there. */
    run_shell(f, "sleep 60 & ulimit -u 200 2>/dev/null || ulimit -p 200 || exit 9; "
                 "f() { (f &); (f &); sleep 0.02; }; f 2>/dev/null; sleep 0.3");
    assert_true(outcome_ok(&f->outcome));
    assert_true(f->outcome.left_over > 0);
    assert_int_equal(count_others(), 0);
}

/* A left-over that kills whatever it may signal does not stop the one that ends it. */
static void test_left_over_that_fights_back(void **state)
{
    struct fixture *f = *state;

    run_shell(f, "setsid sh -c 'while :; do for p in /proc/[0-9]*; do p=${p#/proc/}; "
                 "[ $p = $$ ] || kill -9 $p; done; done' 2>/dev/null >&2 & sleep 0.2");
    assert_int_equal(count_others(), 0);
}

/* Of a root build too, whoever its processes have become. */
static void test_everything_of_a_root_build_ends(void **state)
{
    struct fixture *f = *state;

    run_shell(f, "for i in 1 2 3 4 5; do (setsid sh -c 'trap \"\" TERM; sleep 60 & wait' &); done; "
                 "(setsid setpriv --reuid 4321 --clear-groups sleep 60 &); sleep 60 & kill -STOP $!; sleep 0.3");
    assert_true(outcome_ok(&f->outcome));
    assert_true(f->outcome.left_over >= 10);
    assert_int_equal(count_others(), 0);
}

/* Where we may not signal other users' processes either. */
static void test_other_users_of_a_root_build_end_without_cap_kill(void **state)
{
    struct fixture *f = *state;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

    assert_int_equal(syscall(SYS_capget, &header, sets), 0);
    sets[0].effective &= ~(1u << CAP_KILL);
    assert_int_equal(syscall(SYS_capset, &header, sets), 0);
    run_shell(f, "(setsid setpriv --reuid 4321 --clear-groups sleep 60 &); sleep 0.3");
    sets[0].effective |= 1u << CAP_KILL;
    assert_int_equal(syscall(SYS_capset, &header, sets), 0);
    assert_int_equal(f->outcome.left_over, 1);
    assert_int_equal(count_others(), 0);
}

/* Root without CAP_SYS_RESOURCE: what a root build is. It neither sets our limits nor keeps our uid. */
static void test_our_limits_are_ours(void **state)
{
    struct fixture *f = *state;

    assert_true(standing_take_saved_uid());
    assert_true(standing_has_saved_uid());
    run_shell(f, "grep -q '^Uid:.0.0.0.0$' /proc/self/status && ! prlimit --pid 1 --nofile=3:3 2>/dev/null");
    assert_int_equal(f->outcome.exit_code, 0);
    assert_int_equal(setresuid((uid_t)-1, (uid_t)-1, 0), 0);
}

/* Without the filter in between: the kernel's own rule. */
static void test_our_limits_are_ours_by_the_saved_uid_alone(void **state)
{
    const struct rlimit few = {3, 3};
    int status, i;

    (void)state;
    for (i = 0; i < 2; i++) {
        pid_t pid;

        if (i == 1)
            assert_true(standing_take_saved_uid());
        pid = fork();
        if (pid == 0) {
            struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
            struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

            setresuid(0, 0, 0);
            syscall(SYS_capset, &header, none);
            _exit(prlimit(1, RLIMIT_CORE, i == 0 ? &(struct rlimit){0, 0} : &few, NULL) == 0 ? 0 : errno);
        }
        waitpid(pid, &status, 0);
        assert_int_equal(WEXITSTATUS(status), i == 0 ? 0 : EPERM);
    }
    assert_int_equal(setresuid((uid_t)-1, (uid_t)-1, 0), 0);
}

static void write_own_score(const char *text)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

/* A root build may write the score of PID 1: before the next command it is what it was. */
static void test_our_oom_score_is_put_back(void **state)
{
    struct fixture *f = *state;
    struct standing before, after;

    standing_read(&before);
    write_own_score("300");
    run_shell(f, "echo 900 >/proc/1/oom_score_adj");
    standing_read(&after);
    assert_int_equal(after.oom_score, 300);
    run_shell(f, "test $(cat /proc/1/oom_score_adj) = 300 && test $(cat /proc/self/oom_score_adj) = 800");
    assert_true(outcome_ok(&f->outcome));
    write_own_score(before.oom_score == 0 ? "0" : "300");
}

static void test_others_of_ours_stay(void **state)
{
    struct fixture *f = *state;
    pid_t other = fork();

    if (other == 0)
        for (;;)
            pause();
    run_shell(f, "sleep 60 &");
    assert_int_equal(f->outcome.left_over, 1);
    assert_int_equal(kill(other, 0), 0);
    kill(other, SIGKILL);
    reaper_watch(f->reaper, other, NULL, NULL);
    reaper_unwatch(f->reaper, other);
    while (kill(other, 0) == 0)
        loop_run_once(f->loop, 10);
}

static void test_orphans_are_reaped(void **state)
{
    struct fixture *f = *state;

    run_shell(f, "i=0; while [ $i -lt 200 ]; do (true &); i=$((i+1)); done; sleep 0.3");
    assert_true(outcome_ok(&f->outcome));
    assert_int_equal(count_others(), 0);
    assert_true(reaper_orphans(f->reaper) >= 200);
}

static void wait_for_stop(struct fixture *f)
{
    f->done = false;
    loop_run_until(f->loop, &f->done);
}

/* What root within the container can send: kill, and rt_sigqueueinfo with the sender's number forged. */
static void send_from_child(int code)
{
    pid_t pid = fork();

    if (pid == 0) {
        siginfo_t info = {0};

        info.si_signo = SIGTERM;
        info.si_code = code;
        info.si_pid = 0;
        if (code == SI_USER)
            kill(1, SIGTERM);
        else
            syscall(SYS_rt_sigqueueinfo, 1, SIGTERM, &info);
        _exit(0);
    }
}

static void test_signals_from_inside_do_not_count(void **state)
{
    struct fixture *f = *state;

    send_from_child(SI_USER);
    wait_for_stop(f);
    assert_false(f->genuine);
    assert_true(f->sender > 1);
    send_from_child(SI_QUEUE);
    wait_for_stop(f);
    assert_false(f->genuine);
    assert_int_equal(f->sender, 0);
    assert_int_equal(f->stops, 2);
}

static void test_signal_from_outside_counts(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(write(outside, "t", 1), 1);
    wait_for_stop(f);
    assert_true(f->genuine);
    assert_int_equal(f->sender, 0);
}

static int run_as_pid1(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_everything_of_the_build_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fork_race, setup, teardown),
        cmocka_unit_test_setup_teardown(test_left_over_that_fights_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_everything_of_a_root_build_ends, setup_root, teardown),
        cmocka_unit_test_setup_teardown(test_other_users_of_a_root_build_end_without_cap_kill, setup_root, teardown),
        cmocka_unit_test_setup_teardown(test_our_limits_are_ours, setup_root, teardown),
        cmocka_unit_test_setup_teardown(test_our_limits_are_ours_by_the_saved_uid_alone, setup_root, teardown),
        cmocka_unit_test_setup_teardown(test_our_oom_score_is_put_back, setup_root, teardown),
        cmocka_unit_test_setup_teardown(test_others_of_ours_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(test_orphans_are_reaped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_signals_from_inside_do_not_count, setup, teardown),
        cmocka_unit_test_setup_teardown(test_signal_from_outside_counts, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
    int fds[2], status;
    char byte;
    pid_t pid;

    if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0) {
        printf("SKIPPED: test_proc_pid1: a PID namespace of our own: %s\n", strerror(errno));
        return 0;
    }
    if (pipe2(fds, O_CLOEXEC) || (pid = fork()) < 0)
        return 1;
    if (pid == 0) {
        close(fds[0]);
        outside = fds[1];
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("proc", "/proc", "proc", 0, NULL)) {
            printf("SKIPPED: test_proc_pid1: a /proc of our own: %s\n", strerror(errno));
            return 0;
        }
        status = run_as_pid1();
        fflush(NULL);
        _exit(status); /* LeakSanitizer cannot attach to PID 1 */
    }
    close(fds[1]);
    while (read(fds[0], &byte, 1) == 1)
        kill(pid, SIGTERM);
    waitpid(pid, &status, 0);
    fflush(NULL);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1); /* nor can it start its helper once PID 1 is gone */
}
