/* Saves of the layer cache at once, and saves that are ended half-way: what stays is whole, and nothing is lost sight of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/wait.h>

#include "cache/cache.h"
#include "core/mem.h"
#include "support/versitygw.h"
#include <unit/support/cache_bed.h>

/* A dead hash is nobody's until its mark is gone. */
static void test_what_is_being_removed_is_not_relied_on(void **state)
{
    struct cache_bed *bed = bed_of(state);
    struct cache_manifest manifest;

    bed->options.max_age_ms = BED_DAY;
    bed_entry(bed, "one", "l:aa", "alpha");
    bed_save(bed, "one");
    bed->options.now_ms += 2 * BED_DAY;
    bed_save(bed, "empty");
    read_manifest(bed, BED_MAIN, &manifest);
    assert_int_equal(manifest.entries_len, 0);
    assert_int_equal(manifest.dead.len, 3);
    cache_manifest_dispose(&manifest);
    assert_false(has_blob(bed, BED_MAIN, "alpha"));
    /* the same again, at once: left out */
    bed->options.now_ms += 1000;
    bed_save(bed, "one");
    assert_int_equal(bed->result.entries, 0);
    assert_false(has_blob(bed, BED_MAIN, "alpha"));
    /* later it is as any other */
    bed->options.now_ms += CACHE_DEAD_MS + 1000;
    bed_save(bed, "empty");
    read_manifest(bed, BED_MAIN, &manifest);
    assert_int_equal(manifest.dead.len, 0);
    cache_manifest_dispose(&manifest);
    bed_save(bed, "one");
    assert_int_equal(bed->result.entries, 1);
    assert_true(has_blob(bed, BED_MAIN, "alpha"));
}

/* A save in a process of its own; how that ended. No connection may have been made before. */
static int save_in_child(struct cache_bed *bed, const char *folder)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        bed_save(bed, folder);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void test_many_saves_at_once(void **state)
{
    struct cache_bed *bed = bed_of(state);
    char name[32], layer[32], folder[32];
    pid_t children[6];
    int i, status;

    for (i = 0; i < 6; i++) {
        snprintf(folder, sizeof folder, "job%d", i);
        snprintf(name, sizeof name, "l:%02d", i);
        snprintf(layer, sizeof layer, "layer %d", i);
        bed_entry(bed, folder, name, layer);
    }
    for (i = 0; i < 6; i++) {
        snprintf(folder, sizeof folder, "job%d", i);
        children[i] = fork();
        if (children[i] == 0) {
            bed_save(bed, folder);
            _exit(0);
        }
    }
    for (i = 0; i < 6; i++) {
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    bed_restore(bed, "all");
    assert_int_equal(bed->result.entries, 6);
    assert_int_equal(bed->result.dropped, 0);
}

static void on_progress_die(void *context, int64_t done, int64_t all)
{
    (void)context;
    (void)done;
    (void)all;
    kill(getpid(), SIGKILL);
}

static void test_killed_while_it_uploads(void **state)
{
    struct cache_bed *bed = bed_of(state);
    struct cache_manifest manifest;

    bed_entry(bed, "one", "l:aa", "alpha");
    assert_int_equal(save_in_child(bed, "one"), 0);
    bed_entry(bed, "two", "l:bb", "beta");
    bed->options.on_progress = on_progress_die;
    assert_int_equal(save_in_child(bed, "two"), SIGKILL);
    bed->options.on_progress = NULL;
    bed_restore(bed, "three");
    assert_int_equal(bed->result.entries, 1);
    assert_int_equal(bed->result.dropped, 0);
    expect_entry(bed, "three", "l:aa", "alpha");
    read_manifest(bed, BED_MAIN, &manifest);
    assert_int_equal(manifest.pending.len, 2);
    cache_manifest_dispose(&manifest);
    /* the next one goes on with what is there */
    bed_save(bed, "two");
    bed_restore(bed, "four");
    assert_int_equal(bed->result.entries, 2);
}

/* Someone else saves while we upload. */
struct rival {
    struct cache_bed *bed;
    bool done;
};

static void on_progress(void *context, int64_t done, int64_t all)
{
    struct rival *rival = context;
    struct cache_bed *bed = rival->bed;
    struct cache_options options = bed->options;
    struct cache_result result;
    struct error err;
    CLEANUP_FREE char *path = xasprintf("%s/rival", bed->root);
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY);

    (void)done;
    (void)all;
    if (rival->done)
        return;
    rival->done = true;
    options.on_progress = NULL;
    options.on_warning = NULL;
    options.now_ms++;
    if (cache_save(&options, fd, &result, &err))
        fail_msg("the rival: %s", err.message);
    cache_result_dispose(&result);
}

static void test_a_lost_swap(void **state)
{
    struct cache_bed *bed = bed_of(state);
    struct rival rival = {bed, false};

    bed_entry(bed, "mine", "l:aa", "alpha");
    bed_entry(bed, "mine", "l:bb", "beta");
    bed_entry(bed, "rival", "l:bb", "other");
    bed_entry(bed, "rival", "l:cc", "gamma");
    bed->options.on_progress = on_progress;
    bed->options.on_warning = NULL;
    bed->options.context = &rival;
    bed_save(bed, "mine");
    assert_true(rival.done);
    bed->options.on_progress = NULL;
    bed_restore(bed, "all");
    expect_entry(bed, "all", "l:aa", "alpha");
    expect_entry(bed, "all", "l:bb", "beta"); /* the last one to save it */
    expect_entry(bed, "all", "l:cc", "gamma");
    assert_int_equal(bed->result.dropped, 0);
}

/* A stop while it uploads, as a kill would: what was there stays, what came is known, and later it is cleared away. */
static void on_progress_stop(void *context, int64_t done, int64_t all)
{
    (void)done;
    (void)all;
    *(bool *)context = true;
}

static void test_ended_while_it_uploads(void **state)
{
    struct cache_bed *bed = bed_of(state);
    struct cache_manifest manifest;
    bool stop = false;

    bed_entry(bed, "one", "l:aa", "alpha");
    bed_save(bed, "one");
    bed_entry(bed, "two", "l:bb", "beta");
    bed_entry(bed, "two", "l:cc", "gamma");
    bed->options.stop = &stop;
    bed->options.on_warning = NULL;
    bed->options.on_progress = on_progress_stop;
    bed->options.context = &stop;
    bed->options.at_once = 1;
    assert_int_equal(bed_call(bed, "two", cache_save), -1);
    assert_int_equal(bed->err.class, CLASS_INTERRUPTED);
    stop = false;
    bed->options.on_progress = NULL;
    bed_restore(bed, "three");
    assert_int_equal(bed->result.entries, 1);
    expect_entry(bed, "three", "l:aa", "alpha");
    read_manifest(bed, BED_MAIN, &manifest);
    assert_int_equal(manifest.pending.len, 4);
    cache_manifest_dispose(&manifest);
    assert_true(has_blob(bed, BED_MAIN, "index of beta") || has_blob(bed, BED_MAIN, "beta"));
    /* long after: nobody has listed them */
    bed->options.now_ms += CACHE_PENDING_MS + 1000;
    bed_save(bed, "empty");
    read_manifest(bed, BED_MAIN, &manifest);
    assert_int_equal(manifest.pending.len, 0);
    assert_int_equal(manifest.entries_len, 1);
    cache_manifest_dispose(&manifest);
    assert_false(has_blob(bed, BED_MAIN, "index of beta"));
    assert_false(has_blob(bed, BED_MAIN, "beta"));
    assert_true(has_blob(bed, BED_MAIN, "alpha"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_BOTH(test_what_is_being_removed_is_not_relied_on),
        IN_BOTH(test_many_saves_at_once),
        IN_BOTH(test_killed_while_it_uploads),
        IN_BOTH(test_a_lost_swap),
        IN_BOTH(test_ended_while_it_uploads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
