/* The layer cache from job to job, in a folder and in S3: the same tests for both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <utime.h>

#include "cache/cache.h"
#include "core/clock.h"
#include "core/mem.h"
#include "support/versitygw.h"
#include <unit/support/cache_bed.h>

static void test_nothing_there(void **state)
{
    struct cache_bed *bed = bed_of(state);

    bed_ref(bed, "refs/heads/topic", "refs/heads/main");
    bed_restore(bed, "one");
    assert_int_equal(bed->result.entries, 0);
    assert_int_equal(bed->warned, 0);
    bed_save(bed, "one");
    assert_int_equal(bed->result.entries, 0);
}

static void test_there_and_back(void **state)
{
    struct cache_bed *bed = bed_of(state);

    bed_entry(bed, "one", "l:aa", "alpha");
    bed_entry(bed, "one", "l:bb", "beta");
    bed_save(bed, "one");
    assert_int_equal(bed->result.entries, 2);
    assert_int_equal(bed->result.added, 2);
    assert_int_equal(bed->result.transferred_files, 5); /* the mark is the same in both */
    bed_restore(bed, "two");
    assert_int_equal(bed->result.entries, 2);
    assert_int_equal(bed->result.dropped, 0);
    assert_int_equal(bed->result.transferred_files, 5);
    expect_entry(bed, "two", "l:aa", "alpha");
    expect_entry(bed, "two", "l:bb", "beta");
    expect_text(bed, "two/.new", NULL);
}

static void read_index(const struct cache_bed *bed, const char *entry)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s/index.json", bed->root, entry);

    free(read_text(path));
}

static void test_only_new_ones_are_uploaded(void **state)
{
    struct cache_bed *bed = bed_of(state);

    bed_entry(bed, "one", "l:aa", "alpha");
    bed_save(bed, "one");
    bed_restore(bed, "two");
    bed_save(bed, "two");
    assert_int_equal(bed->result.transferred_files, 0);
    assert_int_equal(bed->result.added, 0);
    bed_entry(bed, "two", "l:cc", "gamma");
    bed_save(bed, "two");
    assert_int_equal(bed->result.transferred_files, 2);
    assert_int_equal(bed->result.added, 1);
    assert_int_equal(bed->result.entries, 2);
    bed_restore(bed, "three");
    assert_int_equal(bed->result.entries, 2);
}

static void test_a_changed_entry_replaces_the_old_one(void **state)
{
    struct cache_bed *bed = bed_of(state);

    bed_entry(bed, "one", "l:aa", "alpha");
    bed_save(bed, "one");
    bed_entry(bed, "one", "l:aa", "other");
    bed_save(bed, "one");
    assert_int_equal(bed->result.entries, 1);
    assert_false(has_blob(bed, BED_MAIN, "alpha"));
    assert_true(has_blob(bed, BED_MAIN, "mark"));
    bed_restore(bed, "two");
    expect_entry(bed, "two", "l:aa", "other");
}

static void test_large_content(void **state)
{
    struct cache_bed *bed = bed_of(state);
    CLEANUP_FREE char *path = xasprintf("%s/one/l:aa/layer", bed->root);
    CLEANUP_FREE char *back = xasprintf("%s/two/l:aa/layer", bed->root);
    size_t size = ((size_t)17 << 20) + 12345, i;
    char *data = xmalloc(size), hash[SHA256_HEX_SIZE], found[SHA256_HEX_SIZE];
    struct stat status;
    int fd;

    for (i = 0; i < size; i++)
        data[i] = (char)(i * 2654435761U >> 13);
    bed_entry(bed, "one", "l:aa", "alpha");
    assert_int_equal(fs_write_file(path, data, size, 0644), 0);
    sha256_hex(data, size, hash);
    free(data);
    bed_save(bed, "one");
    assert_int_equal(bed->warned, 0);
    bed_restore(bed, "two");
    fd = open(back, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_size, size);
    assert_int_equal(sha256_hex_file(fd, 0, status.st_size, found), 0);
    assert_string_equal(found, hash);
    close(fd);
}

static void test_empty_file(void **state)
{
    struct cache_bed *bed = bed_of(state);

    bed_write(bed, "one/l:aa/nothing", "");
    bed_write(bed, "one/l:bb/nothing", "");
    bed_save(bed, "one");
    bed_restore(bed, "two");
    assert_int_equal(bed->result.entries, 2);
    expect_text(bed, "two/l:aa/nothing", "");
    expect_text(bed, "two/l:bb/nothing", "");
}

/* ---- whose ---- */

static void test_branches_and_projects_are_apart(void **state)
{
    struct cache_bed *bed = bed_of(state);

    bed_entry(bed, "one", "l:aa", "alpha");
    bed_ref(bed, "refs/heads/topic", "refs/heads/main");
    bed_save(bed, "one");
    bed_ref(bed, "refs/heads/main", NULL);
    bed_restore(bed, "main");
    assert_int_equal(bed->result.entries, 0);
    bed_ref(bed, "refs/heads/other", "refs/heads/main");
    bed_restore(bed, "other");
    assert_int_equal(bed->result.entries, 0);
    bed_ref(bed, "refs/tags/topic", NULL);
    bed_restore(bed, "tag");
    assert_int_equal(bed->result.entries, 0);
    bed_ref(bed, "refs/heads/topic", NULL);
    bed->options.project = "shop2";
    bed_restore(bed, "project");
    assert_int_equal(bed->result.entries, 0);
    bed->options.project = "shop";
    bed_restore(bed, "topic");
    assert_int_equal(bed->result.entries, 1);
}

static void test_the_default_branch_is_read_and_never_written(void **state)
{
    struct cache_bed *bed = bed_of(state);
    CLEANUP_FREE char *path = stored(bed, BED_MAIN, "manifest.json");
    char *before, *after;

    bed_entry(bed, "one", "l:aa", "alpha");
    bed_entry(bed, "one", "l:bb", "beta");
    bed_save(bed, "one");
    before = read_text(path);
    bed_ref(bed, "refs/heads/topic", "refs/heads/main");
    bed_restore(bed, "two");
    assert_int_equal(bed->result.entries, 2);
    assert_int_equal(bed->result.from_fallback, 2);
    /* its build changes one of them and adds another */
    bed_entry(bed, "two", "l:bb", "poison");
    bed_entry(bed, "two", "l:cc", "gamma");
    bed_save(bed, "two");
    assert_int_equal(bed->result.from_fallback, 1);
    assert_int_equal(bed->result.entries, 2);
    assert_int_equal(bed->result.transferred_files, 5); /* the mark is stored for itself */
    after = read_text(path);
    assert_string_equal(before, after);
    assert_false(has_blob(bed, BED_MAIN, "poison"));
    bed_restore(bed, "three");
    assert_int_equal(bed->result.from_fallback, 1);
    expect_entry(bed, "three", "l:aa", "alpha");
    expect_entry(bed, "three", "l:bb", "poison");
    expect_entry(bed, "three", "l:cc", "gamma");
    bed_ref(bed, "refs/heads/main", NULL);
    bed_restore(bed, "four");
    expect_entry(bed, "four", "l:bb", "beta");
    expect_entry(bed, "four", "l:cc", NULL);
    free(before);
    free(after);
}

static void test_without_a_ref_it_is_only_read(void **state)
{
    struct cache_bed *bed = bed_of(state);

    bed_entry(bed, "one", "l:aa", "alpha");
    bed_save(bed, "one");
    bed_ref(bed, NULL, "refs/heads/main");
    bed_restore(bed, "two");
    assert_int_equal(bed->result.entries, 1);
    assert_int_equal(bed_call(bed, "two", cache_save), -1);
    assert_string_equal(bed->err.reason, "no-ref");
}

/* ---- what is dropped ---- */

static void test_pruned_by_age_unless_used(void **state)
{
    struct cache_bed *bed = bed_of(state);
    struct utimbuf old = {1, 1}, used = {1000, 1};
    static const char *const files[] = {"oci-layout", "index.json", "blobs/sha256/layer"};
    char *path;
    size_t i;

    bed->options.max_age_ms = 10 * BED_DAY;
    bed_entry(bed, "one", "l:aa", "alpha");
    bed_entry(bed, "one", "l:bb", "beta");
    bed_save(bed, "one");
    bed->options.now_ms += 8 * BED_DAY;
    bed_restore(bed, "two");
    /* as a restore leaves them, whatever the file system does with the time of access: then one of them is read */
    for (i = 0; i < 6; i++) {
        path = xasprintf("%s/two/l:%s/%s", bed->root, i < 3 ? "aa" : "bb", files[i % 3]);
        utime(path, i == 1 ? &used : &old);
        free(path);
    }
    bed_save(bed, "two");
    assert_int_equal(bed->result.used, 1);
    assert_int_equal(bed->result.added, 0);
    assert_int_equal(bed->result.dropped, 0);
    bed->options.now_ms += 4 * BED_DAY;
    bed_save(bed, "empty");
    assert_int_equal(bed->result.dropped, 1);
    assert_false(has_blob(bed, BED_MAIN, "beta"));
    bed_restore(bed, "three");
    expect_entry(bed, "three", "l:aa", "alpha");
    expect_entry(bed, "three", "l:bb", NULL);
}

static void test_a_restored_entry_counts_as_unused_until_it_is_read(void **state)
{
    struct cache_bed *bed = bed_of(state);
    CLEANUP_FREE char *path = xasprintf("%s/two/l:aa/index.json", bed->root);
    struct stat status;

    bed_entry(bed, "one", "l:aa", "alpha");
    bed_save(bed, "one");
    bed_restore(bed, "two");
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_atim.tv_sec, 1);
    assert_int_equal(status.st_mtim.tv_sec, 1);
    read_index(bed, "two/l:aa");
    assert_int_equal(stat(path, &status), 0);
    if (status.st_atim.tv_sec == 1)
        skip_because("this file system keeps no access times");
    bed_save(bed, "two");
    assert_int_equal(bed->result.used, 1);
    bed_restore(bed, "three");
    bed_save(bed, "three");
    assert_int_equal(bed->result.used, 0);
}

static void test_pruned_by_size(void **state)
{
    struct cache_bed *bed = bed_of(state);

    bed_entry(bed, "one", "l:aa", "0123456789");
    bed_save(bed, "one");
    bed->options.now_ms += BED_DAY;
    bed_entry(bed, "two", "l:bb", "abcdefghij");
    bed->options.max_bytes = 60; /* each has 4 + 10 + 19 */
    bed_save(bed, "two");
    assert_int_equal(bed->result.dropped, 1);
    assert_int_equal(bed->result.entries, 1);
    assert_false(has_blob(bed, BED_MAIN, "0123456789"));
    bed_restore(bed, "three");
    expect_entry(bed, "three", "l:aa", NULL);
    expect_entry(bed, "three", "l:bb", "abcdefghij");
}

static void test_restore_stays_within_the_size(void **state)
{
    struct cache_bed *bed = bed_of(state);

    bed_entry(bed, "one", "l:aa", "0123456789");
    bed_save(bed, "one");
    bed->options.now_ms += BED_DAY;
    bed_entry(bed, "two", "l:bb", "abcdefghij");
    bed_save(bed, "two");
    bed->options.max_bytes = 60;
    bed_restore(bed, "three");
    assert_int_equal(bed->result.entries, 1);
    expect_entry(bed, "three", "l:bb", "abcdefghij");
}

static void test_out_of_time(void **state)
{
    struct cache_bed *bed = bed_of(state);

    bed->options.deadline_ms = clock_monotonic_ms();
    bed_entry(bed, "one", "l:aa", "alpha");
    assert_int_equal(bed_call(bed, "one", cache_save), -1);
    assert_int_equal(bed->err.class, CLASS_TIME_LIMIT);
    assert_int_equal(bed_call(bed, "two", cache_restore), -1);
}

/* ---- names ---- */

static void test_components(void **state)
{
    static const char *const all[] = {
        "main", "refs/heads/main", "refs~2fheads~2fmain", ".hidden", "..", ".", "hidden", "Main", "ümlaut", "a b",
        "",     "~2ehidden"};
    char *names[ARRAY_LEN(all)], *long_one, *other, text[600];
    size_t i, k;

    (void)state;
    for (i = 0; i < ARRAY_LEN(all); i++) {
        names[i] = cache_component(all[i]);
        assert_true(fs_is_confined(names[i], false));
        assert_null(strchr(names[i], '/'));
        for (k = 0; k < i; k++)
            assert_string_not_equal(names[i], names[k]);
    }
    assert_string_equal(names[0], "main");
    assert_string_equal(names[1], "refs~2fheads~2fmain");
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    long_one = cache_component(text);
    text[sizeof text - 2] = 'y';
    other = cache_component(text);
    assert_string_not_equal(long_one, other);
    assert_true(strlen(long_one) <= 200);
    free(long_one);
    free(other);
    for (i = 0; i < ARRAY_LEN(all); i++)
        free(names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_components),
        IN_BOTH(test_nothing_there),
        IN_BOTH(test_there_and_back),
        IN_BOTH(test_only_new_ones_are_uploaded),
        IN_BOTH(test_a_changed_entry_replaces_the_old_one),
        IN_BOTH(test_large_content),
        IN_BOTH(test_empty_file),
        IN_BOTH(test_branches_and_projects_are_apart),
        IN_BOTH(test_the_default_branch_is_read_and_never_written),
        IN_BOTH(test_without_a_ref_it_is_only_read),
        IN_BOTH(test_pruned_by_age_unless_used),
        IN_BOTH(test_a_restored_entry_counts_as_unused_until_it_is_read),
        IN_BOTH(test_pruned_by_size),
        IN_BOTH(test_restore_stays_within_the_size),
        IN_BOTH(test_out_of_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
