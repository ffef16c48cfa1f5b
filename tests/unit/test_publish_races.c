/*
 * Two publishes to one place. An older job is held at each of its requests in turn, before the server sees it and
 * after the server has answered it, while a newer one publishes from start to end; then it is let go. Whatever it was
 * about to do: tree and state are the newer's, and the file of someone else is untouched. The same with an older job
 * that is killed where it is held, whose request comes through all the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/json.h"
#include "core/mem.h"
#include "publish/publish.h"
#include "support/holding_proxy.h"
#include "support/publish_bed.h"
#include "support/skip.h"

#define REQUESTS_MAX 200

struct race {
    struct publish_bed bed;
    struct holding_proxy proxy;
    int places;
};

/* What each of the three jobs publishes. */
struct trees {
    void (*before)(const struct publish_bed *bed);
    void (*older)(const struct publish_bed *bed);
    void (*newer)(const struct publish_bed *bed);
    const char *expected; /* of the newer's tree, with theirs.txt */
};

static int setup(void **state)
{
    struct race *race = xcalloc(1, sizeof *race);

    publish_bed_init(&race->bed);
    if (publish_bed_s3(&race->bed))
        holding_proxy_start(&race->proxy, race->bed.server.port);
    *state = race;
    return 0;
}

static int teardown(void **state)
{
    struct race *race = *state;

    if (race->bed.has_server)
        holding_proxy_stop(&race->proxy);
    publish_bed_dispose(&race->bed);
    free(race);
    return 0;
}

/* Publishes <folder>/site through the proxy in a process of its own; its exit code is the error's class. */
static pid_t start_older(struct race *race, const char *prefix, enum publish_mode mode)
{
    struct publish_request request;
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    /* A loop of its own: connections of the parent are the parent's. */
    race->bed.loop = loop_new();
    bed_request_s3(&race->bed, &request, prefix, "older", BED_TIME + 1000, mode);
    free(request.endpoint);
    request.endpoint = xstrdup(race->proxy.endpoint);
    bed_publish(&race->bed, &request);
    if (race->bed.error.class && race->bed.error.class != CLASS_SUPERSEDED)
        fprintf(stderr, "older: %s: %s\n", race->bed.error.reason, race->bed.error.message);
    _exit((int)race->bed.error.class);
}

static void publish_now(struct race *race, const char *prefix, const char *job, int64_t at, enum publish_mode mode)
{
    struct publish_request request;

    bed_request_s3(&race->bed, &request, prefix, job, BED_TIME + at, mode);
    if (bed_publish(&race->bed, &request)[0])
        fail_msg("%s (older held at \"%s\"): %s: %s", job, race->proxy.shared->line, race->bed.error.reason,
                 race->bed.error.message);
}

static void put_theirs(struct race *race, const char *prefix)
{
    CLEANUP_FREE char *path = bed_object_path(&race->bed, prefix);
    CLEANUP_FREE char *relative = xasprintf("../..%s/theirs.txt", path);

    bed_write(&race->bed, relative, "theirs");
}

/* The state says that the newer has it, and lists exactly its files. */
static void expect_state(struct race *race, const char *prefix, size_t files)
{
    CLEANUP_FREE char *key = xasprintf(".caisson/%.*s/manifest.json", (int)strlen(prefix) - 1, prefix);
    CLEANUP_FREE char *path = bed_object_path(&race->bed, key);
    CLEANUP_JSON json_t *state = json_load_file(path, 0, NULL);

    assert_non_null(state);
    assert_string_equal(json_text(json_object_get(state, "claim"), "job_id", ""), "newer");
    assert_string_equal(json_text(json_object_get(state, "claim"), "state", ""), "done");
    if (files) /* add lists what others may have left, too */
        assert_int_equal(json_object_size(json_object_get(state, "files")), files);
}

static void expect_tree(struct race *race, const char *prefix, const char *expected, int number)
{
    CLEANUP_FREE char *found = bed_objects(&race->bed, prefix);

    if (strcmp(found, expected) != 0)
        fail_msg("older held at request %d, \"%s\": the tree is%s, not%s", number, race->proxy.shared->line, found,
                 expected);
}

static void clear_site(struct race *race)
{
    bed_remove(&race->bed, "site");
}

enum fate { LET_GO, KILLED };

/* One place; false when the older had ended before. */
static bool race_at(struct race *race, const struct trees *trees, enum publish_mode mode, int number,
                    enum holding_what what, enum fate fate)
{
    CLEANUP_FREE char *prefix = xasprintf("p%d/", race->places++);
    int status;
    bool held;
    pid_t older;

    clear_site(race);
    if (trees->before) {
        trees->before(&race->bed);
        publish_now(race, prefix, "before", 0, mode);
    }
    put_theirs(race, prefix);
    clear_site(race);
    trees->older(&race->bed);
    holding_proxy_hold(&race->proxy, number, what);
    older = start_older(race, prefix, mode);
    held = holding_proxy_wait(&race->proxy, older);
    if (fate == KILLED) {
        kill(older, SIGKILL);
        waitpid(older, &status, 0);
    }
    /* the older has read its own files by now, all but those that it will send: they are in this folder */
    {
        CLEANUP_FREE char *aside = xasprintf("%s/site", race->bed.folder);
        CLEANUP_FREE char *to = xasprintf("%s/older-%d", race->bed.folder, race->places);

        assert_int_equal(rename(aside, to), 0);
    }
    trees->newer(&race->bed);
    publish_now(race, prefix, "newer", 2000, mode);
    if (fate == LET_GO) {
        holding_proxy_release(&race->proxy);
        assert_int_equal(waitpid(older, &status, 0), older);
        assert_true(WIFEXITED(status));
        if (held && what == HOLD_REQUEST)
            assert_int_equal(WEXITSTATUS(status), CLASS_SUPERSEDED);
        else
            assert_true(WEXITSTATUS(status) == CLASS_SUPERSEDED || WEXITSTATUS(status) == 0);
    }
    if (fate == KILLED) {
        /* What it had sent comes through when nobody is there to clean up after it: the next publish does. */
        holding_proxy_release(&race->proxy);
        publish_now(race, prefix, "newer", 2000, mode);
    }
    if (!held && mode == PUBLISH_ADD)
        return false; /* it ended before the newer began: what it added stays */
    expect_tree(race, prefix, trees->expected, number);
    {
        size_t files = 0;
        const char *p;

        for (p = trees->expected + 1; *p; p++)
            files += *p == '\n';
        expect_state(race, prefix, mode == PUBLISH_MIRROR ? files - 1 : 0);
    }
    return held;
}

static void race_everywhere(void **state, const struct trees *trees, enum publish_mode mode, enum holding_what what,
                            enum fate fate)
{
    struct race *race = *state;
    int number;

    if (!race->bed.has_server)
        skip_because("no versitygw");
    for (number = 1; race_at(race, trees, mode, number, what, fate); number++)
        assert_true(number < REQUESTS_MAX);
    /* at the least: state, claim, a file, a page, the commit, the end */
    assert_true(number > 6);
}

/* ---- the trees ---- */

static void common(const struct publish_bed *bed)
{
    bed_write(bed, "site/index.html", "index 0");
    bed_write(bed, "site/same.html", "same in all");
    bed_write(bed, "site/same.css", "same in all");
    bed_write(bed, "site/gone.js", "only before and in the newer");
    bed_write(bed, "site/old.js", "only before");
}

/* The older overwrites and removes what the newer leaves as it was before: an ETag alone would not tell. */
static void changing(const struct publish_bed *bed)
{
    bed_write(bed, "site/index.html", "index 1");
    bed_write(bed, "site/same.html", "changed by the older");
    bed_write(bed, "site/same.css", "changed by the older");
    bed_write(bed, "site/stray.js", "only in the older");
    bed_write(bed, "site/stray.html", "only in the older");
    bed_write(bed, "site/both.js", "in both");
    bed_write(bed, "site/both.html", "in both");
    bed_write(bed, "site/differs.js", "older");
}

static void staying(const struct publish_bed *bed)
{
    bed_write(bed, "site/index.html", "index 2");
    bed_write(bed, "site/same.html", "same in all");
    bed_write(bed, "site/same.css", "same in all");
    bed_write(bed, "site/gone.js", "only before and in the newer");
    bed_write(bed, "site/both.js", "in both");
    bed_write(bed, "site/both.html", "in both");
    bed_write(bed, "site/differs.js", "newer");
}

#define STAYING                                                                                                        \
    "\nboth.html=in both\nboth.js=in both\ndiffers.js=newer\ngone.js=only before and in the newer\n"                   \
    "index.html=index 2\nsame.css=same in all\nsame.html=same in all\ntheirs.txt=theirs\n"

/* From an empty prefix, and the newer is all of before (a roll-back). */
static const struct trees replace = {common, changing, staying, STAYING};
static const struct trees first = {NULL, changing, staying, STAYING};

static void test_held_requests(void **state)
{
    race_everywhere(state, &replace, PUBLISH_MIRROR, HOLD_REQUEST, LET_GO);
}

static void test_held_answers(void **state)
{
    race_everywhere(state, &replace, PUBLISH_MIRROR, HOLD_ANSWER, LET_GO);
}

static void test_held_requests_of_first(void **state)
{
    race_everywhere(state, &first, PUBLISH_MIRROR, HOLD_REQUEST, LET_GO);
}

/* add removes nothing, so the rest of before stays; of the older one nothing does. */
static const struct trees added = {common, changing, staying,
                                   "\nboth.html=in both\nboth.js=in both\ndiffers.js=newer\n"
                                   "gone.js=only before and in the newer\nindex.html=index 2\nold.js=only before\n"
                                   "same.css=same in all\nsame.html=same in all\ntheirs.txt=theirs\n"};

static void test_held_requests_of_add(void **state)
{
    race_everywhere(state, &added, PUBLISH_ADD, HOLD_REQUEST, LET_GO);
}

static void test_killed_while_answered(void **state)
{
    race_everywhere(state, &replace, PUBLISH_MIRROR, HOLD_ANSWER, KILLED);
}

static void test_killed_and_request_lands_late(void **state)
{
    race_everywhere(state, &replace, PUBLISH_MIRROR, HOLD_REQUEST, KILLED);
    race_everywhere(state, &first, PUBLISH_MIRROR, HOLD_REQUEST, KILLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held_requests),          cmocka_unit_test(test_held_answers),
        cmocka_unit_test(test_held_requests_of_first), cmocka_unit_test(test_held_requests_of_add),
        cmocka_unit_test(test_killed_while_answered),  cmocka_unit_test(test_killed_and_request_lands_late),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
