/* Publishing to a folder: the rules of mirror and add, without a server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/mem.h"
#include "publish/publish.h"
#include "support/publish_bed.h"
#include <unit/support/folder_bed.h>

static void test_first_mirror(void **state)
{
    struct publish_bed *bed = *state;

    expect(bed, "a", 0, PUBLISH_MIRROR, "");
    expect_tree(bed, "\nassets/app-1.js=one()\nindex.html=<h1>one</h1>\nrobots.txt=allow\n");
    assert_int_equal(bed->result.files, 3);
    assert_int_equal(bed->result.bytes, 22);
    assert_int_equal(bed->result.written, 3);
    assert_int_equal(bed->result.unchanged, 0);
    assert_int_equal(bed->result.removed, 0);
    assert_true(bed->result.ordered);
    assert_int_equal(bed->committing, 1);
    /* printf 'sha  path\n' for the three, sorted by path, through sha256sum */
    assert_int_equal(strlen(bed->result.digest), 71);
    assert_true(bed_exists(bed, "www/.caisson/site.json"));
    assert_false(bed_exists(bed, "www/site/.caisson-new"));
}

static void test_mirror_again_changes_nothing(void **state)
{
    struct publish_bed *bed = *state;
    struct stat before, after;
    CLEANUP_FREE char *path = xasprintf("%s/www/site/index.html", bed->folder);

    expect(bed, "a", 0, PUBLISH_MIRROR, "");
    assert_int_equal(stat(path, &before), 0);
    expect(bed, "b", 1, PUBLISH_MIRROR, "");
    assert_int_equal(bed->result.unchanged, 3);
    assert_int_equal(bed->result.written, 0);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    /* the order holds although nothing was written */
    expect(bed, "a", 0, PUBLISH_MIRROR, "superseded");
}

static void test_mirror_removes_ours_alone(void **state)
{
    struct publish_bed *bed = *state;

    bed_write(bed, "www/site/theirs.txt", "keep");
    bed_write(bed, "www/site/assets/theirs.js", "keep");
    bed_write(bed, "site/old/deep/page.html", "old");
    expect(bed, "a", 0, PUBLISH_MIRROR, "");
    bed_remove(bed, "site/assets");
    bed_remove(bed, "site/old");
    bed_write(bed, "site/assets/app-2.js", "two()");
    bed_write(bed, "site/index.html", "<h1>two</h1>");
    expect(bed, "b", 1, PUBLISH_MIRROR, "");
    expect_tree(bed, "\nassets/app-2.js=two()\nassets/theirs.js=keep\nindex.html=<h1>two</h1>\nrobots.txt=allow\n"
                     "theirs.txt=keep\n");
    assert_int_equal(bed->result.removed, 2);
    assert_int_equal(bed->result.written, 2);
    assert_int_equal(bed->result.unchanged, 1);
    assert_false(bed_exists(bed, "www/site/old")); /* the folder was ours, too */
}

static void test_add_never_removes(void **state)
{
    struct publish_bed *bed = *state;

    expect(bed, "a", 0, PUBLISH_ADD, "");
    bed_remove(bed, "site/assets/app-1.js");
    bed_write(bed, "site/assets/app-2.js", "two()");
    expect(bed, "b", 1, PUBLISH_ADD, "");
    expect_tree(bed, "\nassets/app-1.js=one()\nassets/app-2.js=two()\nindex.html=<h1>one</h1>\nrobots.txt=allow\n");
    /* what add left is still known as ours: a mirror removes it */
    expect(bed, "c", 2, PUBLISH_MIRROR, "");
    expect_tree(bed, "\nassets/app-2.js=two()\nindex.html=<h1>one</h1>\nrobots.txt=allow\n");
}

static void test_mirror_refuses_foreign_file(void **state)
{
    struct publish_bed *bed = *state;

    bed_write(bed, "www/site/robots.txt", "theirs");
    expect(bed, "a", 0, PUBLISH_MIRROR, "foreign-object");
    assert_non_null(strstr(bed->error.message, "robots.txt"));
    assert_int_equal(bed->error.class, CLASS_UPLOAD_FAILED);
    assert_int_equal(bed->committing, 0);
    expect_tree(bed, "\nrobots.txt=theirs\n"); /* what phase 1 wrote is gone again */
    /* an older job may publish: the failed one gave its claim back */
    bed_remove(bed, "www/site/robots.txt");
    expect(bed, "b", -1000, PUBLISH_MIRROR, "");
}

static void test_mirror_refuses_foreign_page(void **state)
{
    struct publish_bed *bed = *state;

    bed_write(bed, "www/site/index.html", "theirs");
    expect(bed, "a", 0, PUBLISH_MIRROR, "foreign-object");
    expect_tree(bed, "\nindex.html=theirs\n");
}

static void test_mirror_refuses_file_changed_by_others(void **state)
{
    struct publish_bed *bed = *state;

    expect(bed, "a", 0, PUBLISH_MIRROR, "");
    bed_write(bed, "www/site/index.html", "edited by hand");
    bed_write(bed, "site/index.html", "<h1>two</h1>");
    bed_write(bed, "site/assets/new.js", "new()");
    expect(bed, "b", 1, PUBLISH_MIRROR, "foreign-object");
    expect_tree(bed, "\nassets/app-1.js=one()\nindex.html=edited by hand\nrobots.txt=allow\n");
}

static void test_mirror_leaves_removal_changed_by_others(void **state)
{
    struct publish_bed *bed = *state;

    expect(bed, "a", 0, PUBLISH_MIRROR, "");
    bed_write(bed, "www/site/assets/app-1.js", "edited by hand");
    bed_remove(bed, "site/assets");
    expect(bed, "b", 1, PUBLISH_MIRROR, "");
    expect_tree(bed, "\nassets/app-1.js=edited by hand\nindex.html=<h1>one</h1>\nrobots.txt=allow\n");
    assert_int_equal(bed->result.removed, 0);
    assert_int_equal(bed->said.len, 1);
    /* and from then on it is theirs */
    expect(bed, "c", 2, PUBLISH_MIRROR, "");
    assert_int_equal(bed->said.len, 0);
}

static void test_add_overwrites(void **state)
{
    struct publish_bed *bed = *state;

    bed_write(bed, "www/site/robots.txt", "theirs");
    bed_write(bed, "www/site/index.html", "theirs");
    expect(bed, "a", 0, PUBLISH_ADD, "");
    expect_tree(bed, "\nassets/app-1.js=one()\nindex.html=<h1>one</h1>\nrobots.txt=allow\n");
}

/* Whoever touches a file without changing it (a copy, a restored backup) has not made it theirs; large ones too. */
static void test_touched_file_stays_ours(void **state)
{
    struct publish_bed *bed = *state;
    CLEANUP_FREE char *big = xasprintf("%s/www/site/big.bin", bed->folder);
    CLEANUP_FREE char *aside = xasprintf("%s/www/big.copy", bed->folder);

    bed_write_size(bed, "site/big.bin", (size_t)17 << 20, 1);
    expect(bed, "a", 0, PUBLISH_MIRROR, "");
    bed_write_size(bed, "www/big.copy", (size_t)17 << 20, 1);
    assert_int_equal(rename(aside, big), 0);
    bed_write(bed, "www/site/index.html", "<h1>one</h1>");
    bed_write(bed, "site/index.html", "<h1>two</h1>");
    bed_write_size(bed, "site/big.bin", (size_t)17 << 20, 2);
    expect(bed, "b", 1, PUBLISH_MIRROR, "");
    assert_int_equal(bed->result.written, 2);
}

static void test_order(void **state)
{
    struct publish_bed *bed = *state;

    expect(bed, "m", 10, PUBLISH_MIRROR, "");
    bed_write(bed, "site/index.html", "older");
    expect(bed, "z", 9, PUBLISH_MIRROR, "superseded");
    assert_int_equal(bed->error.class, CLASS_SUPERSEDED);
    expect(bed, "z", 9, PUBLISH_ADD, "superseded");
    expect(bed, "a", 10, PUBLISH_MIRROR, "superseded"); /* of the same time: the greater id is the newer */
    expect_tree(bed, "\nassets/app-1.js=one()\nindex.html=<h1>one</h1>\nrobots.txt=allow\n");
    expect(bed, "z", 10, PUBLISH_MIRROR, "");
    expect(bed, "z", 10, PUBLISH_MIRROR, ""); /* the same job again */
    expect_tree(bed, "\nassets/app-1.js=one()\nindex.html=older\nrobots.txt=allow\n");
}

static void test_future_is_refused(void **state)
{
    struct publish_bed *bed = *state;
    struct publish_request request;

    bed_request(bed, &request, "a", clock_wall_ms() + 3600 * 1000, PUBLISH_MIRROR);
    assert_string_equal(bed_publish(bed, &request), "created-at-in-future");
    assert_false(bed_exists(bed, "www/index.html"));
}

/* By the target's clock and a monotonic one: the job's own may have been set meanwhile. */
static void test_who_has_no_time_was_made_when_it_began(void **state)
{
    struct publish_bed *bed = *state;
    struct publish_request request;
    int64_t now_ms = clock_wall_ms();

    bed_request(bed, &request, "a", 0, PUBLISH_MIRROR);
    request.began_ms = clock_monotonic_ms() - 60 * 1000;
    assert_string_equal(bed_publish(bed, &request), "");
    bed_request(bed, &request, "b", now_ms - 61 * 1000, PUBLISH_MIRROR);
    assert_string_equal(bed_publish(bed, &request), "superseded");
    bed_request(bed, &request, "c", now_ms - 30 * 1000, PUBLISH_MIRROR);
    assert_string_equal(bed_publish(bed, &request), "");
}

static void expect_bad_target(struct publish_bed *bed, char *to)
{
    struct publish_request request;

    bed_request(bed, &request, "a", BED_TIME, PUBLISH_MIRROR);
    free(request.to);
    request.to = to;
    assert_string_equal(bed_publish(bed, &request), "bad-target");
    assert_int_equal(bed->error.class, CLASS_SPEC_INVALID);
}

static void test_bad_targets(void **state)
{
    struct publish_bed *bed = *state;

    expect_bad_target(bed, xasprintf("file:%s/site", bed->folder));
    expect_bad_target(bed, xasprintf("file:%s/site/www", bed->folder));
    expect_bad_target(bed, xasprintf("file:%s", bed->folder));
    expect_bad_target(bed, xasprintf("file:%s/www/../x", bed->folder));
    expect_bad_target(bed, xstrdup("file:relative"));
    expect_bad_target(bed, xstrdup("file:/"));
    expect_bad_target(bed, xstrdup("ftp://x/y"));
}

static void test_stop_before_publishes_nothing(void **state)
{
    struct publish_bed *bed = *state;

    expect(bed, "a", 0, PUBLISH_MIRROR, "");
    bed_write(bed, "site/index.html", "two");
    bed_write(bed, "site/new.js", "new");
    bed->stop = true;
    expect(bed, "b", 1, PUBLISH_MIRROR, "stopped-before-publish");
    assert_int_equal(bed->error.class, CLASS_INTERRUPTED);
    expect_tree(bed, "\nassets/app-1.js=one()\nindex.html=<h1>one</h1>\nrobots.txt=allow\n");
    bed->stop = false;
    expect(bed, "b", 1, PUBLISH_MIRROR, "");
    expect_tree(bed, "\nassets/app-1.js=one()\nindex.html=two\nnew.js=new\nrobots.txt=allow\n");
}

static void test_stop_after_commit_goes_on(void **state)
{
    struct publish_bed *bed = *state;

    bed->stop_at_committing = &bed->stop;
    expect(bed, "a", 0, PUBLISH_MIRROR, "");
    assert_true(bed->stop);
    expect_tree(bed, "\nassets/app-1.js=one()\nindex.html=<h1>one</h1>\nrobots.txt=allow\n");
}

static void test_file_becomes_folder_and_back(void **state)
{
    struct publish_bed *bed = *state;

    expect(bed, "a", 0, PUBLISH_MIRROR, "");
    bed_remove(bed, "site/robots.txt");
    bed_write(bed, "site/robots.txt/page.html", "page");
    bed_write(bed, "site/robots.txt/deep/app.js", "app");
    expect(bed, "b", 1, PUBLISH_MIRROR, "");
    expect_tree(bed, "\nassets/app-1.js=one()\nindex.html=<h1>one</h1>\nrobots.txt/deep/app.js=app\n"
                     "robots.txt/page.html=page\n");
    bed_remove(bed, "site/robots.txt");
    bed_write(bed, "site/robots.txt", "allow");
    expect(bed, "c", 2, PUBLISH_MIRROR, "");
    expect_tree(bed, "\nassets/app-1.js=one()\nindex.html=<h1>one</h1>\nrobots.txt=allow\n");
}

static void test_no_link_is_followed_in_target(void **state)
{
    struct publish_bed *bed = *state;
    CLEANUP_FREE char *link = xasprintf("%s/www/site/assets", bed->folder);
    CLEANUP_FREE char *outside = xasprintf("%s/outside", bed->folder);

    bed_write(bed, "www/site/x", "x");
    bed_write(bed, "outside/y", "y");
    assert_int_equal(symlink(outside, link), 0);
    expect(bed, "a", 0, PUBLISH_MIRROR, "foreign-object");
    expect(bed, "b", 1, PUBLISH_ADD, "foreign-object");
    assert_false(bed_exists(bed, "outside/app-1.js"));
}

/* A state that claims others' paths gains nothing beyond the folder. */
static void test_hostile_state(void **state)
{
    struct publish_bed *bed = *state;

    bed_write(bed, "outside.txt", "keep");
    bed_write(bed, "www/.caisson/site.json",
              "{\"schema\":\"caisson.manifest/1\",\"target\":\"x\",\"claim\":{\"state\":\"done\",\"job_id\":\"j\","
              "\"created_at_ms\":1,\"nonce\":\"00000000000000000000000000000000\"},"
              "\"files\":{\"../../outside.txt\":{\"sha256\":\"\",\"size\":1}}}");
    expect(bed, "a", 0, PUBLISH_MIRROR, "bad-manifest");
    assert_true(bed_exists(bed, "outside.txt"));
}

static void die(void *context)
{
    (void)context;
    kill(getpid(), SIGKILL);
}

/* Publishes in a child that is killed at the point of no return. */
static void publish_and_die(struct publish_bed *bed, const char *job, int64_t at)
{
    const struct publish_reporter reporter = {.committing = die};
    struct publish_request request;
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        bed_request(bed, &request, job, BED_TIME + at, PUBLISH_MIRROR);
        publish(bed->loop, &request, &reporter, NULL, &bed->result, &bed->error);
        _exit(1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}

static void test_killed_publish_is_completed(void **state)
{
    struct publish_bed *bed = *state;

    expect(bed, "a", 0, PUBLISH_MIRROR, "");
    bed_write(bed, "site/index.html", "two");
    bed_write(bed, "site/b.js", "b");
    bed_remove(bed, "site/robots.txt");
    publish_and_die(bed, "b", 1);
    expect_tree(bed, "\nassets/app-1.js=one()\nb.js=b\nindex.html=<h1>one</h1>\nrobots.txt=allow\n");
    expect(bed, "a", 0, PUBLISH_MIRROR, "superseded");
    expect(bed, "b", 1, PUBLISH_MIRROR, "");
    expect_tree(bed, "\nassets/app-1.js=one()\nb.js=b\nindex.html=two\n");
    expect(bed, "b", 1, PUBLISH_MIRROR, "");
    assert_int_equal(bed->result.written, 0);
}

/* What the killed one left and the next one does not want goes away; add leaves it, a later mirror knows it. */
static void test_killed_publish_leaves_no_stray(void **state)
{
    struct publish_bed *bed = *state;

    expect(bed, "a", 0, PUBLISH_MIRROR, "");
    bed_write(bed, "site/stray.js", "stray");
    publish_and_die(bed, "b", 1);
    assert_true(bed_exists(bed, "www/site/stray.js"));
    bed_remove(bed, "site/stray.js");
    expect(bed, "c", 2, PUBLISH_ADD, "");
    assert_true(bed_exists(bed, "www/site/stray.js"));
    expect(bed, "d", 3, PUBLISH_MIRROR, "");
    expect_tree(bed, "\nassets/app-1.js=one()\nindex.html=<h1>one</h1>\nrobots.txt=allow\n");
    assert_int_equal(bed->result.removed, 1);
}

/* Killed again and again, with another tree each time: the state stays bounded, and the end is right. */
static void test_killed_many_times(void **state)
{
    struct publish_bed *bed = *state;
    CLEANUP_FREE char *text = NULL;
    int i;

    for (i = 0; i < 24; i++) {
        CLEANUP_FREE char *path = xasprintf("site/try-%d.js", i);

        bed_write(bed, path, "x");
        publish_and_die(bed, "a", 0);
        bed_remove(bed, path);
    }
    text = bed_read(bed, "www/.caisson/site.json");
    assert_true(strlen(text) < 64 * 1024);
    expect(bed, "a", 0, PUBLISH_MIRROR, "");
    expect_tree(bed, "\nassets/app-1.js=one()\nindex.html=<h1>one</h1>\nrobots.txt=allow\n");
}

/* As if so much time had passed. */
static void age_state(struct publish_bed *bed, int64_t by_ms)
{
    static const char mark[] = "settled_at_ms\":";
    CLEANUP_FREE char *text = bed_read(bed, "www/.caisson/site.json");
    const char *at = text, *found;
    struct buf aged;
    char *end;

    buf_init(&aged, (size_t)1 << 20);
    while ((found = strstr(at, mark))) {
        found += sizeof mark - 1;
        buf_add(&aged, at, (size_t)(found - at));
        buf_addf(&aged, "%" PRId64, (int64_t)strtoll(found, &end, 10) - by_ms);
        at = end;
    }
    buf_adds(&aged, at);
    bed_write(bed, "www/.caisson/site.json", buf_text(&aged));
    buf_dispose(&aged);
}

/* Each build is killed and the next one ends, minute after minute: what the killed ones meant to do is forgotten in
 * time, although there are always more of them than lists are kept. */
static void test_killed_all_day(void **state)
{
    struct publish_bed *bed = *state;
    CLEANUP_FREE char *text = NULL;
    char job[16];
    int i;

    for (i = 0; i < 50; i++) {
        CLEANUP_FREE char *path = xasprintf("site/try-%d.js", i);

        snprintf(job, sizeof job, "killed-%02d", i);
        bed_write(bed, path, "x");
        publish_and_die(bed, job, 2 * i);
        bed_remove(bed, path);
        snprintf(job, sizeof job, "ended-%02d", i);
        expect(bed, job, 2 * i + 1, PUBLISH_MIRROR, "");
        age_state(bed, 60000);
    }
    text = bed_read(bed, "www/.caisson/site.json");
    assert_non_null(strstr(text, "try-49.js"));
    assert_non_null(strstr(text, "try-32.js"));
    assert_null(strstr(text, "try-7.js")); /* 20 minutes for its write, 20 for the last that was to remove it */
    assert_null(strstr(text, "try-0.js"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_bed_setup, folder_bed_teardown)
        TEST(test_first_mirror),
        TEST(test_mirror_again_changes_nothing),
        TEST(test_mirror_removes_ours_alone),
        TEST(test_add_never_removes),
        TEST(test_mirror_refuses_foreign_file),
        TEST(test_mirror_refuses_foreign_page),
        TEST(test_mirror_refuses_file_changed_by_others),
        TEST(test_mirror_leaves_removal_changed_by_others),
        TEST(test_add_overwrites),
        TEST(test_touched_file_stays_ours),
        TEST(test_order),
        TEST(test_future_is_refused),
        TEST(test_who_has_no_time_was_made_when_it_began),
        TEST(test_bad_targets),
        TEST(test_stop_before_publishes_nothing),
        TEST(test_stop_after_commit_goes_on),
        TEST(test_file_becomes_folder_and_back),
        TEST(test_no_link_is_followed_in_target),
        TEST(test_hostile_state),
        TEST(test_killed_publish_is_completed),
        TEST(test_killed_publish_leaves_no_stray),
        TEST(test_killed_many_times),
        TEST(test_killed_all_day),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
