/* Taking over a folder that another builder has filled. (The same in S3: test_publish_s3.c.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "core/mem.h"
#include "publish/publish.h"
#include "support/publish_bed.h"
#include <unit/support/folder_bed.h>

static void adopt(struct publish_bed *bed, const char *job, int64_t at)
{
    struct publish_request request;

    bed_request(bed, &request, job, BED_TIME + at, PUBLISH_MIRROR);
    request.adopt = true;
    assert_string_equal(bed_publish(bed, &request), "");
}

/* What another builder left goes, once; links, what is not a file, and targets of their own stay. */
static void test_adopt_takes_over(void **state)
{
    struct publish_bed *bed = *state;
    CLEANUP_FREE char *link = xasprintf("%s/www/site/link", bed->folder);

    bed_write(bed, "www/site/robots.txt", "theirs");
    bed_write(bed, "www/site/index.html", "theirs");
    bed_write(bed, "www/site/other.html", "theirs");
    bed_write(bed, "www/site/a/b/c.html", "theirs");
    bed_write(bed, "www/site/.caisson/docs.json", "{}");
    bed_write(bed, "www/site/docs/index.html", "a target of its own");
    bed_write(bed, "outside.txt", "kept");
    assert_int_equal(symlink("../../outside.txt", link), 0);
    adopt(bed, "a", 0);
    assert_int_equal(bed->result.removed, 2);
    assert_false(bed_exists(bed, "www/site/a"));
    assert_true(bed_exists(bed, "outside.txt"));
    assert_int_equal(unlink(link), 0);
    bed_remove(bed, "www/site/.caisson");
    expect_tree(bed, "\nassets/app-1.js=one()\ndocs/index.html=a target of its own\nindex.html=<h1>one</h1>\n"
                     "robots.txt=allow\n");
    /* What someone puts there from then on is not what was taken over. */
    bed_write(bed, "www/site/proof.html", "by hand");
    adopt(bed, "b", 1);
    assert_int_equal(bed->result.removed, 0);
    assert_int_equal(bed->result.written, 0);
    assert_true(bed_exists(bed, "www/site/proof.html"));
}

/* add came first, a mirror was refused: the state is there, and the prefix is not taken over yet. */
static void test_adopt_after_add(void **state)
{
    struct publish_bed *bed = *state;

    bed_write(bed, "www/site/other.html", "theirs");
    bed_write(bed, "www/site/robots.txt", "theirs");
    expect(bed, "a", 0, PUBLISH_MIRROR, "foreign-object");
    expect(bed, "a", 0, PUBLISH_ADD, "");
    assert_true(bed_exists(bed, "www/site/other.html"));
    adopt(bed, "b", 1);
    expect_tree(bed, "\nassets/app-1.js=one()\nindex.html=<h1>one</h1>\nrobots.txt=allow\n");
}

/* A stop before the point of no return has taken nothing over. */
static void test_adopt_stopped(void **state)
{
    struct publish_bed *bed = *state;
    struct publish_request request;

    bed_write(bed, "www/site/other.html", "theirs");
    bed->stop = true;
    bed_request(bed, &request, "a", BED_TIME, PUBLISH_MIRROR);
    request.adopt = true;
    assert_string_equal(bed_publish(bed, &request), "stopped-before-publish");
    bed->stop = false;
    expect(bed, "b", 1, PUBLISH_MIRROR, "");
    assert_true(bed_exists(bed, "www/site/other.html"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_adopt_takes_over, folder_bed_setup, folder_bed_teardown),
        cmocka_unit_test_setup_teardown(test_adopt_after_add, folder_bed_setup, folder_bed_teardown),
        cmocka_unit_test_setup_teardown(test_adopt_stopped, folder_bed_setup, folder_bed_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
