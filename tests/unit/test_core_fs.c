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
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/mem.h"
#include "support/skip.h"

#ifndef SYS_openat2
#define SYS_openat2 437
#endif

struct fixture {
    char *path;
    int fd;
};

/* A folder with a file, a folder, a fifo, and links that lead out in each way there is. */
static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    int fd;

    if (fs_make_temp("/tmp", "caisson-fs-", &f->path))
        return -1;
    f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = f;
    if (mkdirat(f->fd, "dir", 0755) || mkdirat(f->fd, "dir/sub", 0755))
        return -1;
    fd = openat(f->fd, "dir/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || fs_write_all(fd, "hello", 5) || close(fd))
        return -1;
    if (symlinkat("/etc", f->fd, "out") || symlinkat("..", f->fd, "up") || symlinkat("dir", f->fd, "inside") ||
        symlinkat("/etc/passwd", f->fd, "dir/passwd") || symlinkat("nowhere", f->fd, "dangling") ||
        symlinkat("file", f->fd, "dir/same") || symlinkat("/proc/self/cwd", f->fd, "magic"))
        return -1;
    return mkfifoat(f->fd, "fifo", 0600);
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

static void test_is_confined(void **state)
{
    static const char *const good[] = {"a", "a/b", "...", ".a", "..a", "a..", "a/..b/c", "-", " ", "\xff"};
    static const char *const bad[] = {"",     "/",    "/a",     "a/",  "a//b", "..",
                                      "../a", "a/..", "a/../b", "./a", "a/.",  "a/./b"};
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(good); i++)
        assert_true(fs_is_confined(good[i], false));
    for (i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(fs_is_confined(bad[i], true));
    assert_false(fs_is_confined(".", false));
    assert_true(fs_is_confined(".", true));
}

static const struct {
    const char *path;
    int flags;
    int expected; /* 0: opens */
} opens[] = {
    {"dir/file", O_RDONLY, 0},
    {"dir", O_RDONLY | O_DIRECTORY, 0},
    {".", O_RDONLY | O_DIRECTORY, 0},
    {"dir/sub", O_PATH | O_DIRECTORY, 0},
    {"dir/file", O_PATH, 0},
    {"dir/file", O_RDONLY | O_NOFOLLOW, 0},
    {"dir/new", O_WRONLY | O_CREAT, 0},
    {"dir", O_RDWR | O_TMPFILE, 0},
    {"dir/file", O_WRONLY | O_CREAT | O_EXCL, -EEXIST},
    {"dir/missing", O_RDONLY, -ENOENT},
    {"missing/file", O_RDONLY, -ENOENT},
    {"dir/file/x", O_RDONLY, -ENOTDIR},
    {"dir/file", O_RDONLY | O_DIRECTORY, -ENOTDIR},
    {"dir", O_WRONLY, -EISDIR},
    {"out", O_RDONLY, -ELOOP},
    {"out", O_RDONLY | O_DIRECTORY, -ELOOP},
    {"out/passwd", O_RDONLY, -ELOOP},
    {"inside/file", O_RDONLY, -ELOOP},
    {"up/x", O_RDONLY, -ELOOP},
    {"dir/passwd", O_RDONLY, -ELOOP},
    {"dir/passwd", O_PATH, -ELOOP},
    {"dir/passwd", O_PATH | O_NOFOLLOW, 0},
    {"dir/passwd", O_WRONLY | O_CREAT, -ELOOP},
    {"dir/passwd", O_WRONLY | O_CREAT | O_EXCL, -EEXIST},
    {"dir/same", O_RDONLY, -ELOOP},
    {"dangling", O_WRONLY | O_CREAT, -ELOOP},
    {"magic", O_RDONLY, -ELOOP},
    {"magic/x", O_RDONLY, -ELOOP},
    {"..", O_RDONLY, -EXDEV},
    {"dir/../../x", O_RDONLY, -EXDEV},
    {"dir/../dir/file", O_RDONLY, -EXDEV},
    {"/etc/passwd", O_RDONLY, -EXDEV},
    {"dir//file", O_RDONLY, -EINVAL},
    {"dir/./file", O_RDONLY, -EINVAL},
    {"dir/", O_RDONLY, -EINVAL},
    {"", O_RDONLY, -ENOENT},
};

static void check_opens(int folder_fd, int (*open_beneath)(int, const char *, int, mode_t))
{
    size_t i;
    int fd;

    for (i = 0; i < ARRAY_LEN(opens); i++) {
        fd = open_beneath(folder_fd, opens[i].path, opens[i].flags, 0644);
        if (opens[i].expected == 0 ? fd < 0 : fd != opens[i].expected)
            fail_msg("\"%s\" with flags %o: got %d, expected %d", opens[i].path, (unsigned)opens[i].flags, fd,
                     opens[i].expected);
        if (fd >= 0) {
            assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
            close(fd);
        }
    }
    unlinkat(folder_fd, "dir/new", 0);
}

static void check_lengths(int folder_fd, int (*open_beneath)(int, const char *, int, mode_t))
{
    char name[5000];

    memset(name, 'a', sizeof name);
    name[256] = '\0';
    assert_int_equal(open_beneath(folder_fd, name, O_RDONLY, 0), -ENAMETOOLONG);
    memcpy(name + 200, "/b", 2);
    assert_int_equal(open_beneath(folder_fd, name, O_RDONLY, 0), -ENOENT);
    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_int_equal(open_beneath(folder_fd, name, O_RDONLY, 0), -ENAMETOOLONG);
}

static int count_descriptors(void)
{
    int count = 0;
    int fd;

    for (fd = 0; fd < 256; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            count++;
    return count;
}

static void test_open_beneath(void **state)
{
    struct fixture *f = *state;
    int before = count_descriptors();

    check_opens(f->fd, fs_open_beneath);
    check_lengths(f->fd, fs_open_beneath);
    assert_int_equal(count_descriptors(), before);
}

static void test_open_beneath_by_steps(void **state)
{
    struct fixture *f = *state;
    int before = count_descriptors();

    check_opens(f->fd, fs_open_beneath_by_steps);
    check_lengths(f->fd, fs_open_beneath_by_steps);
    assert_int_equal(count_descriptors(), before);
}

/* The call answers so from now on, as on an old kernel or under another's seccomp profile. */
static bool forbid_openat2(unsigned answer)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | answer),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = ARRAY_LEN(filter), .filter = filter};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

#define CHILD_NO_SECCOMP 77

/* The exit code says at which entry of the table it went wrong. */
static void child_without_openat2(int folder_fd, unsigned answer)
{
    size_t i;
    int fd;

    if (!forbid_openat2(answer))
        _exit(CHILD_NO_SECCOMP);
    if (syscall(SYS_openat2, folder_fd, ".", NULL, 0) != -1 || errno != (int)answer)
        _exit(100);
    for (i = 0; i < ARRAY_LEN(opens); i++) {
        fd = fs_open_beneath(folder_fd, opens[i].path, opens[i].flags, 0644);
        if (opens[i].expected == 0 ? fd < 0 : fd != opens[i].expected)
            _exit((int)i + 1);
        if (fd >= 0)
            close(fd);
    }
    _exit(0);
}

static void test_open_beneath_without_the_call(void **state)
{
    static const unsigned answers[] = {ENOSYS, EPERM};
    struct fixture *f = *state;
    size_t i;

    for (i = 0; i < ARRAY_LEN(answers); i++) {
        int status;
        pid_t pid = fork();

        if (pid == 0)
            child_without_openat2(f->fd, answers[i]);
        assert_true(pid > 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        unlinkat(f->fd, "dir/new", 0);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == CHILD_NO_SECCOMP) {
            skip_emulated("seccomp");
        }
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

static void test_read(void **state)
{
    struct fixture *f = *state;
    char *path = xasprintf("%s/dir/same", f->path);
    struct buf out;

    buf_init(&out, 100);
    buf_adds(&out, "> ");
    assert_int_equal(fs_read_at(f->fd, "dir/file", 5, &out), 0);
    assert_string_equal(buf_text(&out), "> hello");
    assert_int_equal(fs_read_at(f->fd, "dir/file", 4, &out), -EFBIG);
    assert_int_equal(fs_read_at(f->fd, "dir", 100, &out), -EINVAL);
    assert_int_equal(fs_read_at(f->fd, "fifo", 100, &out), -EINVAL);
    assert_int_equal(fs_read_at(f->fd, "dir/same", 100, &out), -ELOOP);
    assert_int_equal(fs_read_at(f->fd, "nothing", 100, &out), -ENOENT);
    assert_int_equal(fs_read_file(path, 100, &out), 0);
    assert_string_equal(buf_text(&out), "> hellohello");
    assert_int_equal(fs_read_file("/dev/zero", 100, &out), -EINVAL);
    /* A file whose size says 0: it is read, and the limit holds. */
    assert_int_equal(fs_read_file("/proc/self/status", 10, &out), -EFBIG);
    assert_string_equal(buf_text(&out), "> hellohello");
    assert_int_equal(out.len, 12);
    free(path);
    buf_dispose(&out);
}

static void test_read_sparse_giant(void **state)
{
    struct fixture *f = *state;
    int fd = openat(f->fd, "giant", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    struct buf out;

    buf_init(&out, SIZE_MAX);
    assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0);
    close(fd);
    assert_int_equal(fs_read_at(f->fd, "giant", 1 << 20, &out), -EFBIG);
    assert_null(out.data);
    buf_dispose(&out);
}

static void test_write_file(void **state)
{
    struct fixture *f = *state;
    char *path = xasprintf("%s/dir/passwd", f->path);
    char *bad = xasprintf("%s/missing/x", f->path);
    struct buf out;
    struct stat st;
    mode_t old = umask(022);

    buf_init(&out, 100);
    assert_int_equal(fs_write_file(path, "new", 3, 0666), 0);
    umask(old);
    /* The link was replaced, not followed. */
    assert_int_equal(fs_read_at(f->fd, "dir/passwd", 100, &out), 0);
    assert_string_equal(buf_text(&out), "new");
    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    assert_int_equal(fs_write_file(bad, "x", 1, 0644), -ENOENT);
    buf_dispose(&out);
    free(path);
    free(bad);
}

static void test_failed_write_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    char *path = xasprintf("%s/limited", f->path);
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        const struct rlimit limit = {1000, 1000};
        char data[2000] = {0};

        setrlimit(RLIMIT_FSIZE, &limit);
        signal(SIGXFSZ, SIG_IGN);
        _exit(fs_write_file(path, data, sizeof data, 0644) == -EFBIG ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(fs_open_beneath(f->fd, "limited", O_RDONLY, 0), -ENOENT);
    free(path);
    /* Nor did the temporary file stay: with it, the folder could not be removed by rmdir. */
    assert_int_equal(fs_remove_tree_at(f->fd, "dir"), 0);
    assert_int_equal(unlinkat(f->fd, "fifo", 0), 0);
    assert_int_equal(unlinkat(f->fd, "out", 0) | unlinkat(f->fd, "up", 0) | unlinkat(f->fd, "inside", 0) |
                         unlinkat(f->fd, "dangling", 0) | unlinkat(f->fd, "magic", 0),
                     0);
    assert_int_equal(rmdir(f->path), 0);
}

static void test_write_all_to_a_full_device(void **state)
{
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(fs_write_all(fd, "x", 1), -ENOSPC);
    assert_int_equal(fs_write_all(fd, NULL, 0), 0);
    close(fd);
}

static void test_make_folders(void **state)
{
    struct fixture *f = *state;
    char *path = xasprintf("%s/a//b/c/", f->path);
    char *in_file = xasprintf("%s/dir/file/x", f->path);
    char *file = xasprintf("%s/dir/file", f->path);
    struct stat st;

    assert_int_equal(fs_make_folders(path, 0700), 0);
    assert_int_equal(fs_make_folders(path, 0700), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(fs_make_folders(in_file, 0755), -ENOTDIR);
    assert_int_equal(fs_make_folders(file, 0755), -ENOTDIR);
    assert_int_equal(fs_make_folders("/", 0755), 0);
    assert_int_equal(fs_make_folders("", 0755), -ENOENT);
    free(path);
    free(in_file);
    free(file);
}

/* Links of the name are replaced, never followed; what stood there is not written to. */
static void test_write_at(void **state)
{
    struct fixture *f = *state;
    struct buf text;
    struct stat st;

    assert_int_equal(fs_write_at(f->fd, "new", "abc", 3, 0640, (uid_t)-1, (gid_t)-1), 0);
    assert_int_equal(fstatat(f->fd, "new", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0640);
    assert_int_equal(symlinkat("dir/file", f->fd, "link"), 0);
    assert_int_equal(linkat(f->fd, "dir/file", f->fd, "hard", 0), 0);
    assert_int_equal(fs_write_at(f->fd, "link", "xyz", 3, 0644, (uid_t)-1, (gid_t)-1), 0);
    assert_int_equal(fs_write_at(f->fd, "hard", "xyz", 3, 0644, (uid_t)-1, (gid_t)-1), 0);
    assert_int_equal(fstatat(f->fd, "link", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_true(S_ISREG(st.st_mode));
    buf_init(&text, 100);
    assert_int_equal(fs_read_at(f->fd, "dir/file", 100, &text), 0);
    assert_string_equal(buf_text(&text), "hello");
    buf_dispose(&text);
    assert_int_equal(fs_write_at(f->fd, "dir", "x", 1, 0644, (uid_t)-1, (gid_t)-1), -EISDIR);
    assert_int_equal(fs_write_at(f->fd, "../x", "x", 1, 0644, (uid_t)-1, (gid_t)-1), -EINVAL);
    assert_int_equal(fs_write_at(f->fd, "dir/x", "x", 1, 0644, (uid_t)-1, (gid_t)-1), -EINVAL);
    assert_int_equal(fs_write_at(f->fd, "..", "x", 1, 0644, (uid_t)-1, (gid_t)-1), -EINVAL);
}

/* Links are followed as long as they stay beneath; openat2 or not, a path free of links comes out. */
static void test_resolve(void **state)
{
    const struct {
        const char *path, *resolved;
        int status;
    } cases[] = {
        {".", ".", 0},
        {"./dir//sub/", "dir/sub", 0},
        {"dir/..", ".", 0},
        {"dir/sub/../file", "dir/file", 0},
        {"inside/file", "dir/file", 0},
        {"inside/same", "dir/file", 0},
        {"inside/sub/../same", "dir/file", 0},
        {"fifo", "fifo", 0},
        {"/etc", NULL, -EXDEV},
        {"..", NULL, -EXDEV},
        {"dir/../..", NULL, -EXDEV},
        {"up", NULL, -EXDEV},
        {"out/passwd", NULL, -EXDEV},
        {"dir/passwd", NULL, -EXDEV},
        {"magic", NULL, -EXDEV},
        {"dangling", NULL, -ENOENT},
        {"dir/file/x", NULL, -ENOTDIR},
        {"ring", NULL, -ELOOP},
    };
    struct fixture *f = *state;
    char *resolved = NULL;
    size_t i;

    assert_int_equal(symlinkat("dir/../ring", f->fd, "ring"), 0);
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(fs_resolve_beneath(f->fd, cases[i].path, &resolved), cases[i].status);
        if (cases[i].status)
            continue;
        assert_string_equal(resolved, cases[i].resolved);
        free(resolved);
    }
}

static void test_make_temp(void **state)
{
    struct fixture *f = *state;
    char *path = NULL;
    char *again = NULL;
    struct stat st;

    assert_int_equal(fs_make_temp(f->path, "work-", &path), 0);
    assert_int_equal(fs_make_temp(f->path, "work-", &again), 0);
    assert_string_not_equal(path, again);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    free(path);
    free(again);
    path = NULL;
    assert_int_equal(fs_make_temp("/nonexistent", "x", &path), -ENOENT);
    assert_null(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_confined),
        cmocka_unit_test_setup_teardown(test_open_beneath, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open_beneath_by_steps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open_beneath_without_the_call, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_sparse_giant, setup, teardown),
        cmocka_unit_test_setup_teardown(test_write_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failed_write_leaves_nothing, setup, teardown),
        cmocka_unit_test(test_write_all_to_a_full_device),
        cmocka_unit_test_setup_teardown(test_make_folders, setup, teardown),
        cmocka_unit_test_setup_teardown(test_write_at, setup, teardown),
        cmocka_unit_test_setup_teardown(test_resolve, setup, teardown),
        cmocka_unit_test_setup_teardown(test_make_temp, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
