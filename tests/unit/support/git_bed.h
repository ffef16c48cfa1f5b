/* Real servers (git http-backend behind support/git_server.py), repositories, and one checkout of them. For one test
 * program. */
#ifndef CAISSON_TESTS_GIT_BED_H
#define CAISSON_TESTS_GIT_BED_H

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/mem.h"
#include "git/checkout.h"

static struct {
    char *folder; /* all of the test's files */
    char *repositories;
    char *log; /* the server's output */
    pid_t server;
    int server_input;
    int http_port, other_port, tls_port, proxy_port;
    char first[41], second[41], third[41];
} bed;

/* ---- the bed ---- */

/* Runs a program with its output in a file; its pid. `input` is its standard input. */
static inline pid_t start(const char *const argv[], const char *output, int input)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (input >= 0)
        posix_spawn_file_actions_adddup2(&actions, input, 0);
    if (posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ))
        pid = -1;
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static inline int run_program(const char *program, const char *script, const char *argument, const char *output)
{
    CLEANUP_FREE char *path = xasprintf("%s/unit/support/%s", TEST_DATA_DIR, script);
    const char *argv[] = {program, path, argument, NULL};
    pid_t pid = start(argv, output, -1);
    int status;

    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline char *read_text(const char *path)
{
    struct buf text;

    buf_init(&text, (size_t)1 << 20);
    fs_read_file(path, (size_t)1 << 20, &text);
    return buf_take(&text);
}

static inline int start_server(void)
{
    CLEANUP_FREE char *script = xasprintf("%s/unit/support/git_server.py", TEST_DATA_DIR);
    const char *argv[] = {"python3", script, bed.repositories, bed.folder, NULL};
    int64_t end_ms = clock_monotonic_ms() + 30000;
    int ends[2];
    int found = 0;

    bed.log = xasprintf("%s/log", bed.folder);
    if (pipe2(ends, O_CLOEXEC))
        return -1;
    bed.server_input = ends[1];
    bed.server = start(argv, bed.log, ends[0]);
    close(ends[0]);
    while (bed.server > 0 && found != 4 && clock_monotonic_ms() < end_ms) {
        CLEANUP_FREE char *text = read_text(bed.log);

        found = strchr(text, '\n')
                    ? sscanf(text, "%d %d %d %d", &bed.http_port, &bed.other_port, &bed.tls_port, &bed.proxy_port)
                    : 0;
        usleep(20000);
    }
    return found == 4 ? 0 : -1;
}

static inline int open_bed(void **state)
{
    const char *parent = getenv("TMPDIR");
    CLEANUP_FREE char *list = NULL;
    CLEANUP_FREE char *text = NULL;

    (void)state;
    if (fs_make_temp(parent ? parent : "/tmp", "checkout-", &bed.folder))
        return -1;
    bed.repositories = xasprintf("%s/repositories", bed.folder);
    list = xasprintf("%s/list", bed.folder);
    if (mkdir(bed.repositories, 0700) || run_program("sh", "plain_repositories.sh", bed.repositories, list))
        return -1;
    text = read_text(list);
    if (sscanf(text, "FIRST=%40s SECOND=%40s THIRD=%40s", bed.first, bed.second, bed.third) != 3)
        return -1;
    return start_server();
}

static inline int close_bed(void **state)
{
    int status;

    (void)state;
    close(bed.server_input);
    if (bed.server > 0)
        waitpid(bed.server, &status, 0);
    status = fs_remove_tree(bed.folder);
    free(bed.folder);
    free(bed.repositories);
    free(bed.log);
    return status;
}

/* ---- one checkout ---- */

static struct checkout_request request;
static struct checkout_result result;
static struct error err;

static inline int setup(void **state)
{
    (void)state;
    request = (struct checkout_request){.directory = xasprintf("%s/out", bed.folder)};
    return 0;
}

static inline int teardown(void **state)
{
    int status = fs_remove_tree(request.directory);

    (void)state;
    checkout_request_dispose(&request);
    checkout_result_dispose(&result);
    return status;
}

static inline void set_url(const char *scheme, int port, const char *rest)
{
    free(request.repository);
    request.repository =
        xasprintf("%s://%s:%d/%s", scheme, strcmp(scheme, "https") == 0 ? "localhost" : "127.0.0.1", port, rest);
}

static inline void set(char **field, const char *value)
{
    free(*field);
    *field = xstrdup(value);
}

static inline void expect_ok(void)
{
    checkout_result_dispose(&result);
    memset(&err, 0, sizeof err);
    if (fs_remove_tree(request.directory) || checkout(NULL, &request, &result, &err))
        fail_msg("%s: %s", err.reason, err.message);
    assert_string_equal(err.message, "");
}

static inline void expect_error(enum error_class class, const char *reason, bool retryable, const char *part)
{
    checkout_result_dispose(&result);
    memset(&err, 0, sizeof err);
    assert_int_equal(fs_remove_tree(request.directory), 0);
    if (checkout(NULL, &request, &result, &err) == 0)
        fail_msg("%s was checked out, wanted %s", request.repository, reason);
    if ((int)err.class != (int)class || strcmp(err.reason, reason) != 0 || err.retryable != retryable)
        fail_msg("%s: class %d, %s, retryable %d; wanted %d, %s: %s", request.repository, (int)err.class, err.reason,
                 err.retryable, (int)class, reason, err.message);
    if (!strstr(err.message, part))
        fail_msg("\"%s\" does not say \"%s\"", err.message, part);
    assert_string_not_equal(err.hint, "");
    assert_null(strstr(err.message, "p:w"));
    assert_null(result.ref);
}

static inline char *content(const char *name)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", request.directory, name);

    return read_text(path);
}

static inline void expect_content(const char *name, const char *text)
{
    CLEANUP_FREE char *got = content(name);

    assert_string_equal(got, text);
}

static inline bool exists(const char *name)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", request.directory, name);
    struct stat st;

    return lstat(path, &st) == 0;
}

/* git's own opinion of what we left. */
static inline void expect_clean(void)
{
    CLEANUP_FREE char *command = xasprintf("cd '%s' && git -c safe.directory='*' fsck --strict 2>&1 && "
                                           "test -z \"$(git -c safe.directory='*' status --porcelain 2>&1)\"",
                                           request.directory);
    CLEANUP_FREE char *output = xasprintf("%s/opinion", bed.folder);
    const char *argv[] = {"sh", "-c", command, NULL};
    pid_t pid = start(argv, output, -1);
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != 0) {
        CLEANUP_FREE char *text = read_text(output);

        fail_msg("git: %s", text);
    }
}

static inline void set_plain(int transport)
{
    if (transport == 0)
        set_url("http", bed.http_port, "open/plain.git");
    else {
        free(request.repository);
        request.repository = xasprintf("file://%s/plain.git", bed.repositories);
    }
}

/* How often the servers' log says `part`. */
static inline int logged(const char *part)
{
    CLEANUP_FREE char *text = read_text(bed.log);
    const char *at = text;
    int count = 0;

    while ((at = strstr(at, part))) {
        count++;
        at++;
    }
    return count;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
