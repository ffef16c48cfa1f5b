/* A layer cache that was spoiled: by whoever can write to where it lies, and by a build that fills the folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cache/cache.h"
#include "core/mem.h"
#include "support/versitygw.h"
#include <unit/support/cache_bed.h>

#define HEAD "{\"schema\":\"caisson.cache/1\",\"project\":\"shop\",\"ref\":\"refs/heads/main\",\"entries\":"
#define FILE_OF(hash) "{\"size\":5,\"sha256\":\"" hash "\"}"
#define SHA "8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8" /* of "alpha" */

static void two_entries(struct cache_bed *bed)
{
    bed_entry(bed, "one", "l:aa", "alpha");
    bed_entry(bed, "one", "l:bb", "beta");
    bed_save(bed, "one");
}

/* ---- manifests ---- */

static void test_manifests_that_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        HEAD "[]}",
        HEAD "{\"l:aa\":{\"written_ms\":1,\"used_ms\":1,\"files\":{\"../../evil\":" FILE_OF(SHA) "}}}}",
        HEAD "{\"l:aa\":{\"written_ms\":1,\"used_ms\":1,\"files\":{\"/tmp/evil\":" FILE_OF(SHA) "}}}}",
        HEAD "{\"l:aa\":{\"written_ms\":1,\"used_ms\":1,\"files\":{\"a/../b\":" FILE_OF(SHA) "}}}}",
        HEAD "{\"l:aa\":{\"written_ms\":1,\"used_ms\":1,\"files\":{\"a//b\":" FILE_OF(SHA) "}}}}",
        HEAD "{\"l:aa\":{\"written_ms\":1,\"used_ms\":1,\"files\":{}}}}",
        HEAD "{\"..\":{\"written_ms\":1,\"used_ms\":1,\"files\":{\"evil\":" FILE_OF(SHA) "}}}}",
        HEAD "{\"a/b\":{\"written_ms\":1,\"used_ms\":1,\"files\":{\"evil\":" FILE_OF(SHA) "}}}}",
        HEAD "{\".new\":{\"written_ms\":1,\"used_ms\":1,\"files\":{\"evil\":" FILE_OF(SHA) "}}}}",
        HEAD "{\"a\\nb\":{\"written_ms\":1,\"used_ms\":1,\"files\":{\"evil\":" FILE_OF(SHA) "}}}}",
        HEAD "{\"l:aa\":{\"written_ms\":-1,\"used_ms\":1,\"files\":{\"evil\":" FILE_OF(SHA) "}}}}",
        HEAD "{\"l:aa\":{\"written_ms\":1,\"used_ms\":1,\"files\":{\"evil\":" FILE_OF("../../../etc/passwd") "}}}}",
        HEAD "{\"l:aa\":{\"written_ms\":1,\"used_ms\":1,\"files\":{\"evil\":{\"size\":-5,\"sha256\":\"" SHA "\"}}}}}",
        HEAD
        "{\"l:aa\":{\"written_ms\":1,\"used_ms\":1,\"files\":{\"evil\":{\"size\":5000000000000000,\"sha256\":\"" SHA
        "\"}}}}}",
        HEAD "{\"l:aa\":{\"written_ms\":1,\"used_ms\":1,\"files\":{\"x\":" FILE_OF(SHA) ",\"x\":" FILE_OF(SHA) "}}}}",
        HEAD "{},\"dead\":{\"../x\":1}}",
        HEAD "{},\"pending\":[]}",
    };
    struct cache_bed *bed = bed_of(state);
    CLEANUP_FREE char *path = stored(bed, BED_MAIN, "manifest.json");
    size_t i;

    two_entries(bed);
    for (i = 0; i < ARRAY_LEN(texts); i++) {
        overwrite(path, texts[i]);
        bed_restore(bed, "two");
        if (bed->result.entries != 0 || !strstr(bed->warnings, "is no manifest of a cache that this version reads"))
            fail_msg("taken: %s (%s)", texts[i], bed->warnings);
        assert_false(access("/tmp/evil", F_OK) == 0);
    }
    bed_save(bed, "one");
    assert_non_null(strstr(bed->warnings, "begins anew"));
    bed_restore(bed, "three");
    assert_int_equal(bed->result.entries, 2);
}

static void test_too_large_a_manifest(void **state)
{
    struct cache_bed *bed = bed_of(state);
    CLEANUP_FREE char *path = stored(bed, BED_MAIN, "manifest.json");
    char *text = xmalloc(CACHE_MANIFEST_BYTES + 100);

    two_entries(bed);
    memset(text, ' ', CACHE_MANIFEST_BYTES + 99);
    text[CACHE_MANIFEST_BYTES + 99] = '\0';
    overwrite(path, text);
    free(text);
    bed_restore(bed, "two");
    assert_int_equal(bed->result.entries, 0);
    assert_true(bed->warned > 0);
    bed_save(bed, "one");
    bed_restore(bed, "three");
    assert_int_equal(bed->result.entries, 2);
}

/* What one branch has may be copied to where another's lies, with its manifest: it still says whose it is. */
static void test_a_manifest_of_another_place(void **state)
{
    struct cache_bed *bed = bed_of(state);
    CLEANUP_FREE char *from = stored(bed, "shop/refs~2fheads~2ftopic", "manifest.json");
    CLEANUP_FREE char *to = stored(bed, BED_MAIN, "manifest.json");
    CLEANUP_FREE char *text = NULL;

    two_entries(bed);
    bed_ref(bed, "refs/heads/topic", NULL);
    bed_save(bed, "one");
    text = read_text(from);
    overwrite(to, text);
    bed_ref(bed, "refs/heads/main", NULL);
    bed_restore(bed, "two");
    assert_int_equal(bed->result.entries, 0);
    assert_non_null(strstr(bed->warnings, "refs/heads/topic"));
}

static void test_a_path_that_is_file_and_folder(void **state)
{
    struct cache_bed *bed = bed_of(state);
    CLEANUP_FREE char *path = stored(bed, BED_MAIN, "manifest.json");

    two_entries(bed);
    overwrite(path, HEAD "{\"l:aa\":{\"written_ms\":1,\"used_ms\":1,\"files\":{\"a\":" FILE_OF(SHA) ",\"a/b\":" FILE_OF(
                        SHA) "}},\"l:cc\":{\"written_ms\":1,\"used_ms\":1,\"files\":{\"a\":" FILE_OF(SHA) "}}}}");
    bed_restore(bed, "two");
    assert_int_equal(bed->result.entries, 1);
    assert_int_equal(bed->result.dropped, 1);
    expect_text(bed, "two/l:cc/a", "alpha");
    expect_text(bed, "two/l:aa/a", NULL);
    expect_text(bed, "two/l:aa/a/b", NULL);
}

static void test_sizes_that_lie(void **state)
{
    struct cache_bed *bed = bed_of(state);
    CLEANUP_FREE char *path = stored(bed, BED_MAIN, "manifest.json");

    two_entries(bed);
    overwrite(path,
              HEAD "{\"l:aa\":{\"written_ms\":1,\"used_ms\":9,\"files\":{\"a\":" FILE_OF(
                  SHA) "}},\"l:cc\":{\"written_ms\":1,\"used_ms\":1,\"files\":{\"a\":{\"size\":4,\"sha256\":\"" SHA
                       "\"}}}}}");
    bed_restore(bed, "two");
    assert_int_equal(bed->result.entries, 1);
    expect_text(bed, "two/l:aa/a", "alpha");
    expect_text(bed, "two/l:cc/a", NULL);
}

/* ---- contents ---- */

/* Spoils one, expects its entry to be dropped, rebuilds, and expects all to be well again. */
static void spoil_and_heal(struct cache_bed *bed, const char *content)
{
    CLEANUP_FREE char *path = stored_blob(bed, BED_MAIN, "alpha");

    two_entries(bed);
    if (content)
        overwrite(path, content);
    else
        assert_int_equal(unlink(path), 0);
    bed_restore(bed, "two");
    assert_int_equal(bed->result.entries, 1);
    assert_int_equal(bed->result.dropped, 1);
    assert_int_equal(bed->result.broken.len, 1);
    assert_string_equal(bed->result.broken.items[0], "l:aa");
    assert_true(bed->warned > 0);
    expect_entry(bed, "two", "l:aa", NULL);
    expect_entry(bed, "two", "l:bb", "beta");
    assert_false(has_blob(bed, BED_MAIN, "alpha"));
    bed_entry(bed, "two", "l:aa", "alpha");
    {
        struct strings broken = {.items = NULL};

        strings_copy(&broken, &bed->result.broken);
        bed->options.distrust = &broken;
        bed_save(bed, "two");
        bed->options.distrust = NULL;
        strings_dispose(&broken);
    }
    assert_true(has_blob(bed, BED_MAIN, "alpha"));
    bed_restore(bed, "three");
    assert_int_equal(bed->result.entries, 2);
    expect_entry(bed, "three", "l:aa", "alpha");
}

static void test_wrong_content(void **state)
{
    spoil_and_heal(bed_of(state), "alphA");
}

static void test_truncated_content(void **state)
{
    spoil_and_heal(bed_of(state), "alp");
}

static void test_longer_content(void **state)
{
    spoil_and_heal(bed_of(state), "alpha and more");
}

static void test_missing_content(void **state)
{
    spoil_and_heal(bed_of(state), NULL);
}

static void test_a_large_content_that_was_cut(void **state)
{
    struct cache_bed *bed = bed_of(state);
    CLEANUP_FREE char *file = xasprintf("%s/one/l:aa/layer", bed->root);
    CLEANUP_FREE char *path = NULL;
    size_t size = (size_t)5 << 20;
    char *data = xcalloc(1, size), hash[SHA256_HEX_SIZE];

    two_entries(bed);
    assert_int_equal(fs_write_file(file, data, size, 0644), 0);
    sha256_hex(data, size, hash);
    free(data);
    bed_save(bed, "one");
    path = xasprintf("%s/" BED_MAIN "/blobs/sha256/%s", bed->data, hash);
    assert_int_equal(truncate(path, 3 << 20), 0);
    bed_restore(bed, "two");
    assert_int_equal(bed->result.entries, 1);
    assert_int_equal(bed->result.dropped, 1);
    expect_entry(bed, "two", "l:aa", NULL);
    assert_int_equal(access(path, F_OK), -1);
}

static void test_a_content_that_all_need(void **state)
{
    struct cache_bed *bed = bed_of(state);
    CLEANUP_FREE char *path = stored_blob(bed, BED_MAIN, "mark");

    two_entries(bed);
    overwrite(path, "MARK");
    bed_restore(bed, "two");
    assert_int_equal(bed->result.entries, 0);
    assert_int_equal(bed->result.dropped, 2);
    expect_text(bed, "two/.new", NULL);
}

static void test_the_default_branch_is_not_mended_by_others(void **state)
{
    struct cache_bed *bed = bed_of(state);
    CLEANUP_FREE char *path = stored_blob(bed, BED_MAIN, "alpha");

    two_entries(bed);
    overwrite(path, "alphA");
    bed_ref(bed, "refs/heads/topic", "refs/heads/main");
    bed_restore(bed, "two");
    assert_int_equal(bed->result.entries, 1);
    assert_int_equal(bed->result.broken.len, 0);
    assert_int_equal(access(path, F_OK), 0);
}

static void test_links_in_a_folder_store(void **state)
{
    struct cache_bed *bed = bed_of(state);
    CLEANUP_FREE char *path = stored_blob(bed, BED_MAIN, "alpha");
    CLEANUP_FREE char *secret = xasprintf("%s/secret", bed->root);

    two_entries(bed);
    bed_write(bed, "secret", "alpha"); /* the right content, but elsewhere */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink(secret, path), 0);
    bed_restore(bed, "two");
    assert_int_equal(bed->result.entries, 1);
    expect_entry(bed, "two", "l:aa", NULL);
    expect_text(bed, "secret", "alpha");
}

/* ---- what a build leaves in the folder ---- */

static void test_entries_that_are_none(void **state)
{
    struct cache_bed *bed = bed_of(state);
    CLEANUP_FREE char *work = xasprintf("%s/one", bed->root);
    CLEANUP_CLOSE int fd = -1;
    char name[64];
    int i;

    bed_write(bed, "secret", "secret");
    bed_entry(bed, "one", "l:good", "good");
    bed_entry(bed, "one", "l:link", "alpha");
    bed_entry(bed, "one", "l:fifo", "alpha");
    bed_entry(bed, "one", "l:hard", "alpha");
    bed_entry(bed, "one", "l:sparse", "alpha");
    bed_entry(bed, "one", "l:many", "alpha");
    bed_entry(bed, "one", "l:deep", "alpha");
    bed_entry(bed, "one", "l:up", "alpha");
    bed_entry(bed, "one", ".hidden", "alpha");
    bed_entry(bed, "one", "l:\xff", "alpha");
    bed_entry(bed, "one", "l:\n", "alpha");
    bed_write(bed, "one/l:file", "no folder");
    bed_write(bed, "one/l:deep/1/2/3/4/5/6/7/8/9/10/file", "deep");
    for (i = 0; i < CACHE_ENTRY_FILES_MAX; i++) {
        snprintf(name, sizeof name, "one/l:many/%d", i);
        bed_write(bed, name, "x");
    }
    fd = open(work, O_RDONLY | O_DIRECTORY);
    assert_int_equal(symlinkat("../../secret", fd, "l:link/blobs/sha256/extra"), 0);
    assert_int_equal(symlinkat("/etc", fd, "l:etc"), 0);
    assert_int_equal(symlinkat("l:good", fd, "l:again"), 0);
    assert_int_equal(symlinkat("/etc", fd, "l:up/folder"), 0);
    assert_int_equal(mkfifoat(fd, "l:fifo/fifo", 0644), 0);
    assert_int_equal(mkdirat(fd, "l:empty", 0755), 0);
    assert_int_equal(linkat(fd, "../secret", fd, "l:hard/hard", 0), 0);
    i = openat(fd, "l:sparse/sparse", O_WRONLY | O_CREAT, 0644);
    assert_int_equal(ftruncate(i, (off_t)5 << 40), 0);
    close(i);
    bed_save(bed, "one");
    assert_int_equal(bed->result.entries, 1);
    assert_int_equal(bed->warned, 13);
    assert_false(has_blob(bed, BED_MAIN, "secret"));
    bed_restore(bed, "two");
    assert_int_equal(bed->result.entries, 1);
    expect_entry(bed, "two", "l:good", "good");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_BOTH(test_manifests_that_are_refused),
        IN_BOTH(test_too_large_a_manifest),
        IN_BOTH(test_a_manifest_of_another_place),
        IN_BOTH(test_a_path_that_is_file_and_folder),
        IN_BOTH(test_sizes_that_lie),
        IN_BOTH(test_wrong_content),
        IN_BOTH(test_truncated_content),
        IN_BOTH(test_longer_content),
        IN_BOTH(test_missing_content),
        IN_BOTH(test_a_large_content_that_was_cut),
        IN_BOTH(test_a_content_that_all_need),
        IN_BOTH(test_the_default_branch_is_not_mended_by_others),
        IN(folder, test_links_in_a_folder_store),
        IN(folder, test_entries_that_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
