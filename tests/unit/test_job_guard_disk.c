/* The watch on the disk: that its limit was passed is the end of what runs then, and of nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/mem.h"
#include "job/guard.h"
#include "job/job.h"
#include "support/executor_fixture.h"

#define LIMIT ((int64_t)1 << 20)
#define MUCH ((off_t)256 << 20) /* others write to this disk, too, and remove */

static void take_space(const char *folder)
{
    CLEANUP_FREE char *path = xasprintf("%s/bulk", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(posix_fallocate(fd, 0, MUCH), 0);
    close(fd);
}

static void test_only_what_runs_is_ended(void **state)
{
    struct executor_fixture *f = *state;
    struct job_options options = {.loop = f->loop, .executor = f->executor, .workers = f->executor};
    struct result result;
    struct job job = {.options = &options, .result = &result};

    result_init(&result);
    result_step_begin(&result, "install");
    assert_int_equal(fs_make_temp(".", "guard-disk-", &job.workspace), 0);
    job.workspace_fd = open(job.workspace, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    job.spec.limits.disk.bytes = LIMIT;
    guard_disk_start(&job);
    take_space(job.workspace);
    loop_sleep(f->loop, 500, NULL);
    assert_true(result.peak_disk_bytes > LIMIT);
    assert_false(job.disk_passed);
    executor_run_shell(f, "sleep 20");
    assert_int_equal(f->outcome.kind, OUTCOME_DISK);
    assert_true(job.disk_passed);
    guard_disk_stop(&job);
    close(job.workspace_fd);
    fs_remove_tree(job.workspace);
    free(job.workspace);
    result_dispose(&result);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_only_what_runs_is_ended, executor_setup, executor_teardown),
    };

    (void)argv;
    if (argc > 1)
        return 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
