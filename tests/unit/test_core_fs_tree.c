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
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/fs.h"
#include "core/mem.h"
#include "support/skip.h"

struct fixture {
    char *path; /* holds "tree", to be removed, and "outside", to stay */
    int fd;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);

    if (fs_make_temp("/tmp", "caisson-tree-", &f->path))
        return -1;
    f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = f;
    return mkdirat(f->fd, "tree", 0755) || mkdirat(f->fd, "outside", 0755) || mkdirat(f->fd, "outside/kept", 0755);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    int result;

    close(f->fd);
    result = fs_remove_tree(f->path);
    free(f->path);
    free(f);
    return result;
}

static void make_file(int folder_fd, const char *name)
{
    int fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    close(fd);
}

static bool exists(int folder_fd, const char *name)
{
    return faccessat(folder_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Nests folders of one name below "tree", with a file in each hundredth. */
static void nest(int folder_fd, int levels)
{
    int at = openat(folder_fd, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int i;

    for (i = 0; i < levels; i++) {
        int next;

        if (i % 100 == 0)
            make_file(at, "file");
        assert_int_equal(mkdirat(at, "a", 0755), 0);
        next = openat(at, "a", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        close(at);
        at = next;
    }
    close(at);
}

static void test_odd_names(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fs_remove_tree_at(f->fd, "missing"), 0);
    assert_int_equal(fs_remove_tree("/nonexistent/folder"), 0);
    assert_int_equal(fs_remove_tree(""), -EINVAL);
    assert_int_equal(fs_remove_tree("/"), -EINVAL);
    assert_int_equal(fs_remove_tree("///"), -EINVAL);
    assert_int_equal(fs_remove_tree_at(f->fd, "."), -EINVAL);
    assert_int_equal(fs_remove_tree_at(f->fd, ".."), -EINVAL);
    assert_true(exists(f->fd, "tree"));
    make_file(f->fd, "file");
    assert_int_equal(fs_remove_tree_at(f->fd, "file"), 0);
    assert_false(exists(f->fd, "file"));
}

static void test_links_are_not_followed(void **state)
{
    struct fixture *f = *state;
    char *link = xasprintf("%s/link/", f->path);

    assert_int_equal(symlinkat("../outside", f->fd, "tree/relative"), 0);
    assert_int_equal(symlinkat("/", f->fd, "tree/root"), 0);
    assert_int_equal(symlinkat("outside", f->fd, "link"), 0);
    assert_int_equal(mkfifoat(f->fd, "tree/fifo", 0600), 0);
    assert_int_equal(fs_remove_tree_at(f->fd, "tree"), 0);
    assert_int_equal(fs_remove_tree(link), 0);
    assert_false(exists(f->fd, "tree"));
    assert_false(exists(f->fd, "link"));
    assert_true(exists(f->fd, "outside/kept"));
    free(link);
}

static void test_deep_nesting_with_few_descriptors_and_little_stack(void **state)
{
    struct fixture *f = *state;
    int status;
    pid_t pid;

    nest(f->fd, 10000);
    pid = fork();
    if (pid == 0) {
        const struct rlimit descriptors = {64, 64};
        const struct rlimit stack = {512 * 1024, 512 * 1024};

        setrlimit(RLIMIT_NOFILE, &descriptors);
        setrlimit(RLIMIT_STACK, &stack);
        _exit(fs_remove_tree_at(f->fd, "tree") == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_false(exists(f->fd, "tree"));
}

static void test_wide_folders(void **state)
{
    struct fixture *f = *state;
    char name[64];
    int i;

    for (i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "tree/%d-with-a-name-that-fills-the-listing's-buffer", i);
        if (i % 3 == 0)
            assert_int_equal(mkdirat(f->fd, name, 0755), 0);
        else
            make_file(f->fd, name);
    }
    assert_int_equal(fs_remove_tree_at(f->fd, "tree"), 0);
    assert_false(exists(f->fd, "tree"));
}

/* Runs as somebody whom permissions bind. Root gives up its capabilities by taking another uid. */
static int run_unprivileged(int (*body)(int folder_fd), int folder_fd)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
            _exit(99);
        _exit(body(folder_fd));
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Makes the tree too: only its owner may change modes. */
static int remove_locked(int folder_fd)
{
    int fd;

    if (mkdirat(folder_fd, "mine", 0755) || mkdirat(folder_fd, "mine/none", 0755) ||
        mkdirat(folder_fd, "mine/none/inner", 0755) || mkdirat(folder_fd, "mine/read-only", 0755))
        return 1;
    fd = openat(folder_fd, "mine/read-only/file", O_WRONLY | O_CREAT, 0);
    if (fd < 0 || fchmodat(folder_fd, "mine/none/inner", 0, 0) || fchmodat(folder_fd, "mine/none", 0, 0) ||
        fchmodat(folder_fd, "mine/read-only", 0500, 0) || fchmodat(folder_fd, "mine", 0500, 0))
        return 2;
    if (openat(folder_fd, "mine/none", O_RDONLY) >= 0)
        return 3;
    return fs_remove_tree_at(folder_fd, "mine") == 0 && !exists(folder_fd, "mine") ? 0 : 4;
}

static void test_folders_without_permission(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fchmod(f->fd, 0777), 0);
    assert_int_equal(run_unprivileged(remove_locked, f->fd), 0);
}

static int remove_deep_locked(int folder_fd)
{
    int at;
    int i;

    if (mkdirat(folder_fd, "mine", 0755))
        return 1;
    at = openat(folder_fd, "mine", O_RDONLY | O_DIRECTORY);
    for (i = 0; i < 100; i++) {
        int next;

        if (mkdirat(at, "a", 0700) || (next = openat(at, "a", O_RDONLY | O_DIRECTORY)) < 0 || fchmod(at, 0))
            return 2;
        close(at);
        at = next;
    }
    return fs_remove_tree_at(folder_fd, "mine") == 0 && !exists(folder_fd, "mine") ? 0 : 3;
}

static void test_deep_folders_without_permission(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fchmod(f->fd, 0777), 0);
    assert_int_equal(run_unprivileged(remove_deep_locked, f->fd), 0);
}

static int remove_of_another(int folder_fd)
{
    int result = fs_remove_tree_at(folder_fd, "tree");

    if (result != -EACCES)
        return 1;
    /* What could go has gone all the same. */
    return exists(folder_fd, "tree/foreign/file") && !exists(folder_fd, "tree/open/file") ? 0 : 2;
}

static void test_goes_on_after_a_failure(void **state)
{
    struct fixture *f = *state;

    if (geteuid() != 0) {
        skip_because("another's files need root");
    }
    assert_int_equal(mkdirat(f->fd, "tree/foreign", 0755) | mkdirat(f->fd, "tree/open", 0777), 0);
    assert_int_equal(fchmodat(f->fd, "tree/open", 0777, 0) | fchmodat(f->fd, "tree", 0777, 0) | fchmod(f->fd, 0777), 0);
    make_file(f->fd, "tree/foreign/file");
    make_file(f->fd, "tree/open/file");
    assert_int_equal(run_unprivileged(remove_of_another, f->fd), 0);
}

static void test_mounts_stay(void **state)
{
    struct fixture *f = *state;
    char *path = xasprintf("%s/tree/mounted", f->path);

    assert_int_equal(mkdirat(f->fd, "tree/mounted", 0755), 0);
    if (mount("tmpfs", path, "tmpfs", 0, "size=64k")) {
        free(path);
        skip_because("mounting is not allowed here");
    }
    make_file(f->fd, "tree/mounted/kept");
    make_file(f->fd, "tree/file");
    assert_int_equal(fs_remove_tree_at(f->fd, "tree"), -EXDEV);
    assert_true(exists(f->fd, "tree/mounted/kept"));
    assert_false(exists(f->fd, "tree/file"));
    assert_int_equal(umount(path), 0);
    free(path);
}

/* The same file system mounted a second time has the same device number. */
static void test_bound_folders_stay(void **state)
{
    struct fixture *f = *state;
    char *path = xasprintf("%s/tree/bound", f->path);
    char *elsewhere = xasprintf("%s/elsewhere", f->path);

    assert_int_equal(mkdirat(f->fd, "tree/bound", 0755) | mkdirat(f->fd, "elsewhere", 0755), 0);
    make_file(f->fd, "elsewhere/kept");
    make_file(f->fd, "tree/file");
    if (mount(elsewhere, path, NULL, MS_BIND, NULL)) {
        free(path);
        free(elsewhere);
        skip_because("mounting is not allowed here");
    }
    assert_int_equal(fs_remove_tree_at(f->fd, "tree"), -EXDEV);
    assert_true(exists(f->fd, "elsewhere/kept"));
    assert_false(exists(f->fd, "tree/file"));
    assert_int_equal(umount(path), 0);
    free(path);
    free(elsewhere);
}

static void test_time_ends_it(void **state)
{
    struct fixture *f = *state;

    make_file(f->fd, "tree/file");
    assert_int_equal(fs_remove_tree_within(f->fd, "tree", clock_monotonic_ms() - 1), -ETIMEDOUT);
    assert_true(exists(f->fd, "tree/file"));
    assert_int_equal(fs_remove_tree_within(f->fd, "tree", clock_monotonic_ms() + 60000), 0);
    assert_false(exists(f->fd, "tree"));
}

static uid_t owner_of(int folder_fd, const char *name)
{
    struct stat st;

    assert_int_equal(fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(st.st_uid, st.st_gid);
    return st.st_uid;
}

static void test_give(void **state)
{
    struct fixture *f = *state;
    CLEANUP_CLOSE int tree = openat(f->fd, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (geteuid() != 0)
        skip_because("needs root");
    assert_int_equal(mkdirat(tree, "a", 0700) | mkdirat(tree, "a/b", 0700), 0);
    make_file(tree, "a/b/file");
    assert_int_equal(symlinkat("../outside", tree, "link") | symlinkat("../outside", tree, "a/link"), 0);
    assert_int_equal(fs_give_tree(tree, 12345, 12345), 0);
    assert_int_equal(owner_of(f->fd, "tree"), 12345);
    assert_int_equal(owner_of(tree, "a"), 12345);
    assert_int_equal(owner_of(tree, "a/b"), 12345);
    assert_int_equal(owner_of(tree, "a/b/file"), 12345);
    assert_int_equal(owner_of(tree, "link"), 12345);
    assert_int_equal(owner_of(tree, "a/link"), 12345);
    assert_int_equal(owner_of(f->fd, "outside"), 0);
    assert_int_equal(owner_of(f->fd, "outside/kept"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_give, setup, teardown),
        cmocka_unit_test_setup_teardown(test_odd_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bound_folders_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(test_time_ends_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links_are_not_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deep_nesting_with_few_descriptors_and_little_stack, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wide_folders, setup, teardown),
        cmocka_unit_test_setup_teardown(test_folders_without_permission, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deep_folders_without_permission, setup, teardown),
        cmocka_unit_test_setup_teardown(test_goes_on_after_a_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mounts_stay, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
