/* Landlock, asked of the kernel: each case in a child, because what it takes is gone for good. */
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

#include "core/fs.h"
#include "core/mem.h"
#include "proc/landlock.h"

struct fixture {
    char *folder;
    char paths[8][256];
};

static const char *place(struct fixture *f, int slot, const char *name)
{
    snprintf(f->paths[slot], sizeof f->paths[slot], "%s/%s", f->folder, name);
    return f->paths[slot];
}

static void write_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
}

static int setup(void **state)
{
    static const char *const folders[] = {"home", "home/private", "home/tools", "home/tools/bin", "own", "other"};
    static const char *const files[] = {"home/private/key", "home/tools/bin/tool", "own/file", "other/file"};
    struct fixture *f = xcalloc(1, sizeof *f);
    CLEANUP_FREE char *made = NULL;
    size_t i;

    assert_int_equal(fs_make_temp(".", "landlock-", &made), 0);
    f->folder = realpath(made, NULL);
    for (i = 0; i < ARRAY_LEN(folders); i++)
        assert_int_equal(mkdir(place(f, 0, folders[i]), 0777), 0);
    for (i = 0; i < ARRAY_LEN(files); i++)
        write_file(place(f, 0, files[i]));
    /* beside what is hidden, where each entry has a rule of its own */
    assert_int_equal(symlink("home/private", place(f, 0, "link")), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fs_remove_tree(f->folder);
    free(f->folder);
    free(f);
    return 0;
}

static int try_open(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0666);

    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

/* Each that fails has a bit: the exit code says which. */
static int what_fails(struct fixture *f)
{
    int failed = 0;

    failed |= (try_open(place(f, 0, "home/private/key"), O_RDONLY) == EACCES) ? 0 : 1;
    failed |= (try_open(place(f, 0, "link/key"), O_RDONLY) == EACCES) ? 0 : 1;
    failed |= try_open(place(f, 0, "home/tools/bin/tool"), O_RDONLY) == 0 ? 0 : 2;
    failed |= try_open(place(f, 0, "home/tools/bin/tool"), O_WRONLY) == EACCES ? 0 : 4;
    failed |= try_open(place(f, 0, "own/new"), O_WRONLY | O_CREAT) == 0 ? 0 : 8;
    failed |= try_open(place(f, 0, "other/file"), O_RDONLY) == 0 ? 0 : 16;
    failed |= try_open(place(f, 0, "other/new"), O_WRONLY | O_CREAT) == EACCES ? 0 : 32;
    /* what npm does all the time: from one folder to another */
    if (mkdir(place(f, 1, "own/a"), 0777) || rename(place(f, 2, "own/new"), place(f, 3, "own/a/new")) ||
        link(place(f, 4, "own/a/new"), place(f, 5, "own/again")))
        failed |= 64;
    if (rename(place(f, 2, "own/again"), place(f, 3, "other/again")) == 0)
        failed |= 128;
    return failed;
}

static int in_child(struct fixture *f, int version, int (*test)(struct fixture *f))
{
    const char *const hidden[] = {place(f, 5, "home"), NULL};
    const char *const visible[] = {place(f, 6, "home/tools/bin"), "/not/there", NULL};
    const char *const owned[] = {place(f, 7, "own"), NULL};
    const struct landlock_wish wish = {hidden, visible, owned};
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        int ruleset = landlock_make(version, &wish);

        prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L);
        if (ruleset < 0 || landlock_enforce(ruleset))
            _exit(255);
        _exit(test(f));
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_files(void **state)
{
    /* As every version that we know would have it. */
    int version = landlock_version(), at;

    if (!version)
        printf("SKIPPED: this kernel has no Landlock that we can use\n");
    for (at = 2; at <= version; at++) {
        assert_int_equal(in_child(*state, at, what_fails), 0);
        teardown(state);
        setup(state);
    }
}

static int signal_parent(struct fixture *f)
{
    (void)f;
    return kill(getppid(), 0) < 0 && errno == EPERM ? 0 : 1;
}

static int signal_own_child(struct fixture *f)
{
    pid_t pid = fork();
    int status;

    (void)f;
    if (pid == 0)
        for (;;)
            pause();
    if (kill(pid, SIGKILL) < 0)
        return 1;
    waitpid(pid, &status, 0);
    return WIFSIGNALED(status) ? 0 : 2;
}

static void test_signals(void **state)
{
    int version = landlock_version();

    if (version < 6)
        return;
    assert_int_equal(in_child(*state, version, signal_parent), 0);
    assert_int_equal(in_child(*state, version, signal_own_child), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_signals, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
