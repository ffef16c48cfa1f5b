/* What the publishing child gives up before it opens a file of the build. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <grp.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/json.h"
#include "job/publish_worker.h"
#include "support/skip.h"

#define REFUSED 100 /* with how many groups: added to it */

static void test_it_keeps_no_group_of_root(void **state)
{
    const gid_t groups[] = {0, 4};
    int status;
    pid_t pid;

    (void)state;
    if (geteuid() != 0)
        skip_because("only root has groups to give up");
    pid = fork();
    if (pid == 0) {
        json_t *request = json_object(), *value;
        struct error err;

        if (setgroups(2, groups))
            _exit(1);
        value = publish_worker.run(NULL, request, &err); /* it asks for nothing, which is refused */
        _exit(value ? 2 : REFUSED + getgroups(0, NULL));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_it_keeps_no_group_of_root)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
