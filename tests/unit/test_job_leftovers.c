/* What is cleaned at start, and what is left alone; and which folders are said to be large. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/fs.h"
#include "core/mem.h"
#include "job/disk_usage.h"
#include "job/leftovers.h"

struct fixture {
    char *path;
    int fd;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);

    if (fs_make_temp("/tmp", "test-leftovers-", &f->path))
        return -1;
    f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = f;
    return f->fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    int code = fs_remove_tree(f->path);

    close(f->fd);
    free(f->path);
    free(f);
    return code;
}

static void make_folder(const struct fixture *f, const char *name)
{
    assert_int_equal(mkdirat(f->fd, name, 0755), 0);
}

static void make_file(const struct fixture *f, const char *name, size_t size)
{
    CLEANUP_FREE char *content = xcalloc(1, size + 1);
    int fd = openat(f->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

    memset(content, 'x', size);
    assert_int_equal(fs_write_all(fd, content, size), 0);
    close(fd);
}

static bool exists(const struct fixture *f, const char *name)
{
    struct stat st;

    return fstatat(f->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static struct leftovers clean(const struct fixture *f, int64_t min_age_ms)
{
    struct leftovers leftovers;

    assert_int_equal(leftovers_remove(f->path, min_age_ms, clock_monotonic_ms() + 60000, &leftovers), 0);
    return leftovers;
}

static void test_the_dead_go_and_the_living_stay(void **state)
{
    struct fixture *f = *state;
    struct leftovers leftovers;
    int lock;

    make_folder(f, "caisson-aaaaaa");
    make_folder(f, "caisson-aaaaaa/source");
    make_file(f, "caisson-aaaaaa/source/file", 10);
    make_folder(f, "caisson-bbbbbb");
    lock = workspace_lock(f->fd, "caisson-bbbbbb");
    assert_true(lock >= 0);
    leftovers = clean(f, 0);
    assert_int_equal(leftovers.removed, 1);
    assert_int_equal(leftovers.kept, 0);
    assert_false(exists(f, "caisson-aaaaaa"));
    assert_true(exists(f, "caisson-bbbbbb"));
    close(lock);
    assert_int_equal(clean(f, 0).removed, 1);
    assert_false(exists(f, "caisson-bbbbbb"));
}

static void test_what_is_not_ours_stays(void **state)
{
    static const char *const names[] = {"caisson-aaaaa", "caisson-aaaaaaa", "caisson-aaaa.a", "caisson-e2e-ab", "x",
                                        "caissonaaaaaaa"};
    struct fixture *f = *state;
    size_t i;

    for (i = 0; i < ARRAY_LEN(names); i++)
        make_folder(f, names[i]);
    make_file(f, "caisson-filexx", 1);
    make_folder(f, "target");
    make_file(f, "target/kept", 1);
    assert_int_equal(symlinkat("target", f->fd, "caisson-linkxx"), 0);
    make_folder(f, "caisson-linkin");
    assert_int_equal(symlinkat("../target", f->fd, "caisson-linkin/away"), 0);
    make_folder(f, "caisson-others");
    if (geteuid() == 0)
        assert_int_equal(fchownat(f->fd, "caisson-others", 12345, 12345, 0), 0);
    assert_int_equal(clean(f, 0).removed, geteuid() == 0 ? 1 : 2);
    for (i = 0; i < ARRAY_LEN(names); i++)
        assert_true(exists(f, names[i]));
    assert_true(exists(f, "caisson-filexx") && exists(f, "caisson-linkxx") && exists(f, "target/kept"));
    assert_false(exists(f, "caisson-linkin"));
    if (geteuid() == 0)
        assert_true(exists(f, "caisson-others"));
}

static void test_the_young_stay_and_time_ends_it(void **state)
{
    struct fixture *f = *state;
    struct leftovers leftovers;

    make_folder(f, "caisson-aaaaaa");
    make_file(f, "caisson-aaaaaa/file", 1);
    assert_int_equal(clean(f, 60000).removed, 0);
    assert_true(exists(f, "caisson-aaaaaa/file"));
    assert_int_equal(leftovers_remove(f->path, 0, clock_monotonic_ms() - 1, &leftovers), 0);
    assert_int_equal(leftovers.removed, 0);
    assert_true(exists(f, "caisson-aaaaaa/file"));
    assert_int_equal(leftovers_remove("/no/such/folder", 0, 0, &leftovers), -ENOENT);
}

static void test_large_folders_are_named(void **state)
{
    struct fixture *f = *state;
    struct disk_usage usage;

    make_folder(f, "source");
    make_folder(f, "source/node_modules");
    make_folder(f, "source/node_modules/deep");
    make_folder(f, "source/b\nad\033[2J");
    make_folder(f, "tmp");
    make_file(f, "source/node_modules/deep/f", 3 << 20);
    make_file(f, "source/b\nad\033[2J/f", 2 << 20);
    make_file(f, "tmp/f", 1 << 20);
    /* A hole, and a way out. */
    make_file(f, "tmp/hole", 0);
    {
        int fd = openat(f->fd, "tmp/hole", O_WRONLY | O_CLOEXEC);

        assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0);
        close(fd);
    }
    assert_int_equal(symlinkat("/usr", f->fd, "source/usr"), 0);
    assert_int_equal(disk_usage_of(&usage, f->fd), 0);
    assert_false(usage.cut);
    assert_true(usage.len >= 3);
    assert_string_equal(usage.folders[0].name, "source/node_modules");
    assert_true(usage.folders[0].bytes >= 3 << 20 && usage.folders[0].bytes < 4 << 20);
    assert_string_equal(usage.folders[1].name, "source/b?ad?[2J");
    assert_string_equal(usage.folders[2].name, "tmp");
    assert_true(usage.folders[2].bytes >= 1 << 20 && usage.folders[2].bytes < 2 << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_dead_go_and_the_living_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_not_ours_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_young_stay_and_time_ends_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_folders_are_named, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
