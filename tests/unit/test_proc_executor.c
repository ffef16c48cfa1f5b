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
#include <linux/capability.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/mem.h"
#include "proc/executor.h"
#include "support/executor_fixture.h"
#include "support/skip.h"

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

static void test_success(void **state)
{
    struct executor_fixture *f = *state;

    executor_run_shell(f, "echo out; pwd; umask; cat; echo err >&2");
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
    struct executor_fixture *f = *state;

    executor_run_shell(f, "exit 7");
    assert_int_equal(f->outcome.kind, OUTCOME_EXITED);
    assert_int_equal(f->outcome.exit_code, 7);
    assert_string_equal(described(&f->outcome), "npm ci: exited with code 7");
    executor_run_shell(f, "no-such-program-of-ours");
    assert_int_equal(f->outcome.exit_code, 127);
    assert_string_equal(described(&f->outcome), "npm ci: exited with code 127: a command was not found");
    executor_run_shell(f, "/etc/passwd");
    assert_int_equal(f->outcome.exit_code, 126);
    assert_string_equal(described(&f->outcome),
                        "npm ci: exited with code 126: a command was found but could not be executed");
    executor_run_shell(f, "sh -c 'kill -SEGV $$'; exit $?");
    assert_int_equal(f->outcome.exit_code, 139);
    assert_non_null(strstr(described(&f->outcome), "signal 11 (SIGSEGV)"));
}

static void test_killed_by_a_signal(void **state)
{
    struct executor_fixture *f = *state;

    executor_run_shell(f, "kill -KILL $$");
    assert_int_equal(f->outcome.kind, OUTCOME_SIGNALED);
    assert_int_equal(f->outcome.signal, SIGKILL);
    assert_string_equal(described(&f->outcome), "npm ci: was killed by signal 9 (SIGKILL)");
    executor_run_shell(f, "ulimit -c unlimited 2>/dev/null; kill -ABRT $$");
    assert_int_equal(f->outcome.signal, SIGABRT);
    assert_false(f->outcome.core_dumped);
}

static void assert_refused(struct executor_fixture *f, const char *reason)
{
    assert_int_equal(executor_run(f->executor, &f->command, &f->outcome, &f->err), -1);
    assert_string_equal(f->err.reason, reason);
    command_dispose(&f->command);
}

static void test_one_stream_keeps_the_order(void **state)
{
    struct executor_fixture *f = *state;
    const char *at;
    char line[32];
    int i;

    executor_shell(f, "i=0; while [ $i -lt 200 ]; do echo out $i; echo err $i >&2; i=$((i + 1)); done");
    f->command.one_stream = true;
    executor_run_prepared(f);
    assert_true(outcome_ok(&f->outcome));
    assert_int_equal(f->error_bytes, 0);
    for (i = 0, at = buf_text(&f->output); i < 400; i++, at += strlen(line)) {
        snprintf(line, sizeof line, "%s %d\n", i % 2 ? "err" : "out", i / 2);
        assert_int_equal(strncmp(at, line, strlen(line)), 0);
    }
}

/* What makes namespaces of its own needs what is taken from all others; its user is the build's all the same. */
static void test_what_contains_itself_is_not_confined(void **state)
{
    struct executor_fixture *f = *state;
    char user[32];

    executor_shell(f, "grep -E '^(NoNewPrivs|Uid)' /proc/self/status");
    f->command.contains_itself = true;
    executor_run_prepared(f);
    assert_non_null(strstr(buf_text(&f->output), "NoNewPrivs:\t0\n"));
    snprintf(user, sizeof user, "Uid:\t%u\t", geteuid() == 0 ? BUILD_UID : (unsigned)geteuid());
    assert_non_null(strstr(buf_text(&f->output), user));
}

static void use_admin_capability(bool use)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0}};

    assert_int_equal(syscall(SYS_capget, &header, sets), 0);
    sets[0].effective &= ~(1u << CAP_SYS_ADMIN);
    if (use)
        sets[0].effective |= sets[0].permitted & 1u << CAP_SYS_ADMIN;
    assert_int_equal(syscall(SYS_capset, &header, sets), 0);
}

static void test_what_contains_itself_is_refused_where_it_cannot(void **state)
{
    struct executor_fixture *f = *state;
    struct executor_options options = f->options;
    struct executor *executor;
    int status;

    options.pid1 = true;
    assert_int_equal(executor_new(&executor, "local", &options, &f->err), 0);
    executor_shell(f, "true");
    f->command.contains_itself = true;
    use_admin_capability(false);
    status = executor_run(executor, &f->command, &f->outcome, &f->err);
    use_admin_capability(true);
    command_dispose(&f->command);
    executor_free(executor);
    assert_int_equal(status, -1);
    assert_int_equal(f->err.class, CLASS_USAGE);
    assert_string_equal(f->err.reason, "cannot-contain-itself");
}

static void test_what_cannot_be_run(void **state)
{
    struct executor_fixture *f = *state;

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
    executor_shell(f, "true");
    f->command.directory = "/no/such/folder";
    assert_refused(f, "bad-directory");
    /* Nothing of those is left, and the next one runs. */
    executor_run_shell(f, "true");
    assert_true(outcome_ok(&f->outcome));
}

static void test_environment_is_what_was_given(void **state)
{
    struct executor_fixture *f = *state;

    setenv("CAISSON_TEST_LEAK", "leaked", 1);
    command_init(&f->command, "env");
    strings_add(&f->command.argv, "env");
    env_set(&f->command.env, "PATH", "/nowhere::/usr/bin:/bin");
    env_set(&f->command.env, "A", "b");
    f->command.on_output = executor_keep_output;
    f->command.context = f;
    f->command.directory = "/tmp";
    executor_run_prepared(f);
    assert_true(outcome_ok(&f->outcome));
    assert_string_equal(buf_text(&f->output), "PATH=/nowhere::/usr/bin:/bin\nA=b\n");
}

static void test_path_never_means_the_working_folder(void **state)
{
    struct executor_fixture *f = *state;
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
    struct executor_fixture *f = *state;
    size_t len = 300000;
    char *text = xmalloc(len);

    memset(text, 'y', len);
    executor_shell(f, "wc -c");
    f->command.input = (struct view){text, len};
    executor_run_prepared(f);
    assert_int_equal(strtol(buf_text(&f->output), NULL, 10), (long)len);
    /* One that does not read it to the end. */
    executor_shell(f, "exec 0<&-; sleep 0.05");
    f->command.input = (struct view){text, len};
    executor_run_prepared(f);
    assert_true(outcome_ok(&f->outcome));
    free(text);
}

/* The output is said where it lacks the line: what a machine does otherwise should be seen at once. */
static void expect_line(const struct executor_fixture *f, const char *line)
{
    if (!strstr(buf_text(&f->output), line))
        fail_msg("no %s in:\n%s", line, buf_text(&f->output));
}

static void test_streams_and_state_are_clean(void **state)
{
    struct executor_fixture *f = *state;
    int extra = open("/etc/passwd", O_RDONLY); /* without close-on-exec */

    assert_int_equal(dup2(extra, 40), 40);
    executor_run_shell(
        f, "ls /proc/self/fd | wc -l; grep -E '^(SigBlk|SigIgn|NoNewPrivs|CapEff|CapPrm|CapInh)' /proc/self/status; "
           "cat /proc/self/oom_score_adj; ulimit -c; echo again > /dev/stdout; set -- $(cat /proc/$$/stat); echo "
           "session $(($6 - $$))");
    close(extra);
    close(40);
    /* 0, 1, 2 and the one that ls itself opens */
    assert_memory_equal(buf_text(&f->output), "4\n", 2);
    expect_line(f, "SigBlk:\t0000000000000000\n");
    expect_line(f, "SigIgn:\t0000000000000000\n");
    expect_line(f, "NoNewPrivs:\t1\n");
    expect_line(f, "\n800\n0\nagain\nsession 0\n");
    if (geteuid() == 0) {
        expect_line(f, "CapEff:\t0000000000000000\n");
        expect_line(f, "CapPrm:\t0000000000000000\n");
    }
}

static void test_build_uid(void **state)
{
    struct executor_fixture *f = *state;

    if (geteuid() != 0)
        skip_because("needs root");
    executor_run_shell(f,
                       "id -u; id -g; id -G; grep -E '^(Uid|Gid|CapBnd)' /proc/self/status; cat /proc/$PPID/environ");
    assert_non_null(strstr(buf_text(&f->output), "12345\n12346\n12346\n"));
    assert_non_null(strstr(buf_text(&f->output), "Uid:\t12345\t12345\t12345\t12345\n"));
    assert_non_null(strstr(buf_text(&f->output), "CapBnd:\t0000000000000000\n"));
    assert_non_null(strstr(buf_text(&f->output), "Permission denied"));
    executor_shell(f, "id -u");
    f->command.user = COMMAND_AS_SELF;
    executor_run_prepared(f);
    assert_string_equal(buf_text(&f->output), "0\n");
}

static void test_much_output(void **state)
{
    struct executor_fixture *f = *state;

    executor_run_shell(f, "head -c 100000000 /dev/zero; head -c 1000000 /dev/zero >&2");
    assert_true(outcome_ok(&f->outcome));
    assert_int_equal(f->bytes, 101000000);
    assert_int_equal(f->error_bytes, 1000000);
}

static void test_the_last_words_are_heard(void **state)
{
    struct executor_fixture *f = *state;
    int i;

    for (i = 0; i < 20; i++) {
        executor_run_shell(f, "head -c 60000 /dev/zero; echo end");
        assert_int_equal(f->bytes, 60004);
    }
}

static void test_closed_streams(void **state)
{
    struct executor_fixture *f = *state;
    int64_t begin = clock_monotonic_ms();

    executor_run_shell(f, "exec >&- 2>&-; sleep 0.3; exit 4");
    assert_int_equal(f->outcome.exit_code, 4);
    assert_true(clock_monotonic_ms() - begin >= 300);
}

static void test_own_binary(void **state)
{
    struct executor_fixture *f = *state;

    static const enum command_user users[] = {COMMAND_AS_SELF, COMMAND_AS_BUILD};
    size_t i;

    if (!executor_runs_self())
        skip_emulated("exec of this very binary");
    for (i = 0; i < ARRAY_LEN(users); i++) {
        command_init(&f->command, "ourselves");
        f->command.self = true;
        f->command.user = users[i];
        strings_add(&f->command.argv, "caisson");
        strings_add(&f->command.argv, "--say");
        strings_add(&f->command.argv, "hello");
        f->command.on_output = executor_keep_output;
        f->command.context = f;
        buf_reset(&f->output);
        executor_run_prepared(f);
        assert_true(outcome_ok(&f->outcome));
        assert_string_equal(buf_text(&f->output), "caisson says hello\n");
    }
}

static void test_description(void **state)
{
    struct executor_fixture *f = *state;

    buf_reset(&f->output);
    executor_describe(f->executor, &f->output);
    assert_non_null(strstr(buf_text(&f->output), geteuid() == 0 ? "build uid 12345" : "our own uid"));
    assert_string_equal(executor_name(f->executor), "local");
    assert_int_equal(executor_new(&f->executor, "nowhere", &f->options, &f->err), -1);
    assert_int_equal(f->err.class, CLASS_USAGE);
}

static int open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;

    assert_non_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

/* PID 1 lives on when a command cannot be started. */
static void test_a_start_that_fails_leaves_no_descriptor(void **state)
{
    struct executor_fixture *f = *state;
    int before = open_descriptors(), more, refused = 0;
    struct rlimit usual, few;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    for (more = 0; more < 24; more++) {
        executor_shell(f, "true");
        few = (struct rlimit){(rlim_t)(before - 3 + more), usual.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        refused += executor_run(f->executor, &f->command, &f->outcome, &f->err) != 0;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
        command_dispose(&f->command);
        assert_int_equal(open_descriptors(), before);
    }
    assert_in_range(refused, 3, 23);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_success, executor_setup, executor_teardown),
        cmocka_unit_test_setup_teardown(test_exit_codes, executor_setup, executor_teardown),
        cmocka_unit_test_setup_teardown(test_killed_by_a_signal, executor_setup, executor_teardown),
        cmocka_unit_test_setup_teardown(test_one_stream_keeps_the_order, executor_setup, executor_teardown),
        cmocka_unit_test_setup_teardown(test_what_contains_itself_is_not_confined, executor_setup, executor_teardown),
        cmocka_unit_test_setup_teardown(test_what_contains_itself_is_refused_where_it_cannot, executor_setup,
                                        executor_teardown),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_run, executor_setup, executor_teardown),
        cmocka_unit_test_setup_teardown(test_environment_is_what_was_given, executor_setup, executor_teardown),
        cmocka_unit_test_setup_teardown(test_path_never_means_the_working_folder, executor_setup, executor_teardown),
        cmocka_unit_test_setup_teardown(test_input, executor_setup, executor_teardown),
        cmocka_unit_test_setup_teardown(test_streams_and_state_are_clean, executor_setup, executor_teardown),
        cmocka_unit_test_setup_teardown(test_build_uid, executor_setup, executor_teardown),
        cmocka_unit_test_setup_teardown(test_much_output, executor_setup, executor_teardown),
        cmocka_unit_test_setup_teardown(test_the_last_words_are_heard, executor_setup, executor_teardown),
        cmocka_unit_test_setup_teardown(test_closed_streams, executor_setup, executor_teardown),
        cmocka_unit_test_setup_teardown(test_own_binary, executor_setup, executor_teardown),
        cmocka_unit_test_setup_teardown(test_a_start_that_fails_leaves_no_descriptor, executor_setup,
                                        executor_teardown),
        cmocka_unit_test_setup_teardown(test_description, executor_setup, executor_teardown),
    };

    if (argc == 3 && strcmp(argv[1], "--say") == 0) {
        printf("%s says %s\n", argv[0], argv[2]);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
