/* What an output folder may hold, and what is refused: the folder is the build's, and hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "aws/s3_multipart.h"
#include "core/fs.h"
#include "core/mem.h"
#include "publish/tree.h"
#include "support/publish_bed.h"
#include "support/skip.h"
#include <unit/support/tree_bed.h>

static void test_plain(void **state)
{
    struct tree_bed *bed = *state;

    bed_write(&bed->base, "site/index.html", "abc");
    bed_write(&bed->base, "site/a/.well-known/x", "");
    bed_write(&bed->base, "site/.git/HEAD", "ref");
    bed_write(&bed->base, "site/a/.git", "gitdir: x");
    bed_write(&bed->base, "site/.caisson/x", "x");
    expect_paths(bed, "a/.well-known/x index.html");
    assert_string_equal(bed->tree.files[1].content.sha256,
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"); /* FIPS 180-4 */
    assert_int_equal(bed->tree.bytes, 3);
    assert_true(bed->tree.files[1].page);
    assert_false(bed->tree.files[0].page);
}

static void test_digest_is_what_sha256sum_says(void **state)
{
    struct tree_bed *bed = *state;
    char digest[72];

    bed_write(&bed->base, "site/a.txt", "abc");
    bed_write(&bed->base, "site/b.txt", "");
    expect_paths(bed, "a.txt b.txt");
    tree_digest(&bed->tree, digest);
    /* (cd site && sha256sum a.txt b.txt) | sha256sum */
    assert_string_equal(digest, "sha256:b49791236586476825b333079257905f8aa8f3f74345d698a8a081c6b77b6977");
}

static void test_include_and_exclude(void **state)
{
    struct tree_bed *bed = *state;

    bed_write(&bed->base, "site/index.html", "x");
    bed_write(&bed->base, "site/a/app.js", "x");
    bed_write(&bed->base, "site/a/app.js.map", "x");
    strings_add(&bed->request.exclude, "**/*.map");
    expect_paths(bed, "a/app.js index.html");
    strings_add(&bed->request.include, "a/");
    expect_paths(bed, "a/app.js");
    strings_add(&bed->request.exclude, "**");
    assert_string_equal(read_tree(bed), "output-empty");
    assert_int_equal(bed->err.class, CLASS_NO_OUTPUT);
    strings_add(&bed->request.exclude, "a{b");
    assert_string_equal(read_tree(bed), "bad-glob");
}

static void test_missing_and_empty(void **state)
{
    struct tree_bed *bed = *state;
    CLEANUP_FREE char *site = in(bed, "site");

    bed_write(&bed->base, "build/x", "x");
    bed_write(&bed->base, "out/x", "x");
    bed_write(&bed->base, "node_modules/x", "x");
    assert_string_equal(read_tree(bed), "output-missing");
    assert_int_equal(bed->err.class, CLASS_NO_OUTPUT);
    assert_non_null(strstr(bed->err.hint, "build/"));
    assert_non_null(strstr(bed->err.hint, "out/"));
    assert_null(strstr(bed->err.hint, "node_modules"));
    assert_int_equal(mkdir(site, 0755), 0);
    assert_string_equal(read_tree(bed), "output-empty");
    assert_int_equal(rmdir(site), 0);
    bed_write(&bed->base, "site", "a file");
    assert_string_equal(read_tree(bed), "output-not-a-folder");
    assert_int_equal(bed->err.class, CLASS_NO_OUTPUT);
}

static void test_output_outside(void **state)
{
    struct tree_bed *bed = *state;

    bed_write(&bed->base, "site/x", "x");
    free(bed->request.from);
    bed->request.from = xasprintf("%s/../..%s/site", bed->base.folder, bed->base.folder);
    assert_string_equal(read_tree(bed), "output-outside");
    free(bed->request.from);
    bed->request.from = xstrdup("/etc");
    assert_string_equal(read_tree(bed), "output-outside");
    free(bed->request.from);
    bed->request.from = xasprintf("%s/link", bed->base.folder);
    {
        CLEANUP_FREE char *link = in(bed, "link");

        assert_int_equal(symlink("/etc", link), 0);
    }
    refused(bed, "link-in-output", "link");
    free(bed->request.from);
    bed->request.from = xasprintf("%s/link/ssl", bed->base.folder);
    refused(bed, "link-in-output", "link");
}

static void test_output_that_is_never_published(void **state)
{
    struct tree_bed *bed = *state;

    bed_write(&bed->base, "site/.git/refs/x", "x");
    free(bed->request.from);
    bed->request.from = xasprintf("%s/site/.git", bed->base.folder);
    refused(bed, "output-reserved", ".git");
    free(bed->request.from);
    bed->request.from = xasprintf("%s/site/.git/refs/", bed->base.folder);
    refused(bed, "output-reserved", ".git");
}

static void test_links(void **state)
{
    struct tree_bed *bed = *state;
    CLEANUP_FREE char *file = in(bed, "site/link.txt"), *folder = in(bed, "site/linked"), *hole = in(bed, "site/hole");

    bed_write(&bed->base, "site/x", "x");
    assert_int_equal(symlink("/etc/passwd", file), 0);
    refused(bed, "link-in-output", "link.txt");
    assert_int_equal(unlink(file), 0);
    assert_int_equal(symlink("/etc", folder), 0);
    refused(bed, "link-in-output", "linked");
    assert_int_equal(unlink(folder), 0);
    assert_int_equal(symlink("nowhere", hole), 0);
    refused(bed, "link-in-output", "hole");
    strings_add(&bed->request.exclude, "hole");
    expect_paths(bed, "x");
    /* one within the output is a link like any other */
    assert_int_equal(symlink("x", file), 0);
    refused(bed, "link-in-output", "link.txt");
}

static void test_hard_links(void **state)
{
    struct tree_bed *bed = *state;
    CLEANUP_FREE char *own = in(bed, "site/own"), *second = in(bed, "site/second");

    bed_write(&bed->base, "site/own", "x");
    assert_int_equal(link(own, second), 0);
    bed->request.build_uid = geteuid() == 0 ? (uid_t)-1 : geteuid();
    expect_paths(bed, "own second");
    if (geteuid() != 0)
        skip_because("needs root");
    assert_int_equal(chown(own, 1234, 1234), 0); /* someone else's */
    refused(bed, "link-in-output", "hard link");
}

static void test_special_files(void **state)
{
    struct tree_bed *bed = *state;
    CLEANUP_FREE char *fifo = in(bed, "site/fifo"), *device = in(bed, "site/device");

    bed_write(&bed->base, "site/x", "x");
    assert_int_equal(mkfifo(fifo, 0644), 0);
    refused(bed, "special-file-in-output", "fifo");
    assert_int_equal(unlink(fifo), 0);
    if (mknod(device, S_IFCHR | 0644, makedev(1, 5)))
        skip_because("devices cannot be made here");
    refused(bed, "special-file-in-output", "device");
}

static void test_sparse_giant(void **state)
{
    struct tree_bed *bed = *state;
    CLEANUP_FREE char *path = in(bed, "site/giant.bin");
    int fd;

    bed_write(&bed->base, "site/x", "x");
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (ftruncate(fd, (off_t)1 << 42) && ftruncate(fd, (off_t)1 << 36)) {
        close(fd);
        skip_because("the file system has no sparse giants");
    }
    close(fd);
    refused(bed, "sparse-file", "giant.bin");
}

static void test_limits(void **state)
{
    struct tree_bed *bed = *state;
    struct buf deep;
    int i;

    bed_write_size(&bed->base, "site/a", 600, 1);
    bed_write_size(&bed->base, "site/b", 600, 2);
    bed->request.max_bytes = 1200;
    assert_string_equal(read_tree(bed), "");
    bed->request.max_bytes = 1199;
    assert_string_equal(read_tree(bed), "output-too-large");
    bed->request.max_bytes = 0;
    buf_init(&deep, 4096);
    buf_adds(&deep, "site");
    for (i = 0; i < 70; i++)
        buf_adds(&deep, "/d");
    buf_adds(&deep, "/x");
    bed_write(&bed->base, buf_text(&deep), "x");
    assert_string_equal(read_tree(bed), "too-deep");
    bed_remove(&bed->base, "site/d");
    buf_reset(&deep);
    buf_adds(&deep, "site");
    for (i = 0; i < 70; i++)
        buf_adds(&deep, i ? "/d" : "/d\n\033[2Jpublish");
    bed_write(&bed->base, buf_text(&deep), "x");
    refused(bed, "too-deep", "d??[2Jpublish/d/d");
    bed_remove(&bed->base, "site/d\n\033[2Jpublish");
    buf_reset(&deep);
    buf_adds(&deep, "site");
    for (i = 0; i < 5; i++)
        buf_addf(&deep, "/%0205d", i);
    bed_write(&bed->base, buf_text(&deep), "x");
    assert_string_equal(read_tree(bed), "path-too-long");
    buf_dispose(&deep);
}

static void test_names(void **state)
{
    struct tree_bed *bed = *state;

    bed_write(&bed->base, "site/a\nb", "x");
    refused(bed, "bad-file-name", "a?b");
    bed_remove(&bed->base, "site/a\nb");
    bed_write(&bed->base, "site/\xff\xfe", "x");
    refused(bed, "bad-file-name", "UTF-8");
    bed_remove(&bed->base, "site/\xff\xfe");
    bed_write(&bed->base, "site/\xc3\xa4 + %41&x;y.html", "x");
    expect_paths(bed, "\xc3\xa4 + %41&x;y.html");
}

static void test_changes(void **state)
{
    struct tree_bed *bed = *state;
    CLEANUP_FREE char *path = in(bed, "site/x");
    int fd;

    bed_write(&bed->base, "site/x", "one");
    expect_paths(bed, "x");
    fd = tree_open_file(&bed->tree, &bed->tree.files[0], &bed->err);
    assert_true(fd >= 0);
    assert_true(tree_file_is_same(&bed->tree.files[0], fd));
    bed_write(&bed->base, "site/x", "two"); /* same size, same inode */
    assert_false(tree_file_is_same(&bed->tree.files[0], fd));
    close(fd);
    assert_int_equal(tree_open_file(&bed->tree, &bed->tree.files[0], &bed->err), -1);
    assert_string_equal(bed->err.reason, "file-changed");
    /* another file of the same name, or a link */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(tree_open_file(&bed->tree, &bed->tree.files[0], &bed->err), -1);
    assert_string_equal(bed->err.reason, "file-changed");
}

struct changer {
    struct tree_bed *bed;
    int times;
};

/* Called before the file is read: it grows once, or goes away. */
static int change(void *context, struct error *err)
{
    struct changer *changer = context;

    (void)err;
    if (changer->times-- > 0)
        bed_write(&changer->bed->base, "site/y", "longer than it was");
    return 0;
}

static void test_change_between_walk_and_read(void **state)
{
    struct tree_bed *bed = *state;
    struct changer changer = {bed, 1};

    bed_write(&bed->base, "site/x", "one");
    bed_write(&bed->base, "site/y", "short");
    assert_int_equal(tree_open(&bed->tree, &bed->request, &bed->err), 0);
    assert_int_equal(tree_walk(&bed->tree, 0, &bed->err), 0);
    assert_int_equal(tree_hash(&bed->tree, change, &changer, &bed->err), -1);
    assert_string_equal(bed->err.reason, "file-changed");
}

static void test_part_hashes(void **state)
{
    struct tree_bed *bed = *state;
    const struct tree_file *file;
    CLEANUP_FREE char *data = NULL, *all = NULL;
    char hex[SHA256_HEX_SIZE];
    int fd;
    size_t size = ((size_t)17 << 20) + 3;

    bed_write_size(&bed->base, "site/big.bin", size, 7);
    expect_paths(bed, "big.bin");
    file = &bed->tree.files[0];
    assert_non_null(file->part_sha256);
    data = bed_read(&bed->base, "site/big.bin");
    assert_int_equal(s3_part_count((int64_t)size, s3_part_size((int64_t)size)), 3);
    sha256_hex(data, (size_t)8 << 20, hex);
    assert_string_equal(file->part_sha256[0], hex);
    sha256_hex(data + ((size_t)16 << 20), size - ((size_t)16 << 20), hex);
    assert_string_equal(file->part_sha256[2], hex);
    all = xasprintf("%s%s%s", file->part_sha256[0], file->part_sha256[1], file->part_sha256[2]);
    sha256_hex(all, strlen(all), hex);
    assert_string_equal(file->content.sha256, hex);
    fd = tree_open_file(&bed->tree, file, &bed->err);
    assert_int_equal(tree_hash_fd(fd, hex, &bed->err), 0);
    close(fd);
    assert_string_equal(file->content.sha256, hex);
}

/* What only root may read is not the build's to publish. */
static void test_files_of_root(void **state)
{
    struct tree_bed *bed = *state;
    CLEANUP_FREE char *path = in(bed, "site/root.txt");

    if (geteuid() != 0)
        skip_because("needs root");
    bed_write(&bed->base, "site/root.txt", "x");
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(chmod(bed->base.folder, 0755), 0);
    bed->request.build_uid = bed->request.reader_uid = bed->request.reader_gid = 12345;
    refused(bed, "output-unreadable", "root.txt");
    assert_int_equal(geteuid(), 0);
    assert_non_null(strstr(bed->err.hint, "the build's user"));
    /* As of a root build: it is root's own, and the reader is another. */
    bed->request.build_uid = 0;
    refused(bed, "output-unreadable", "root.txt");
    assert_non_null(strstr(bed->err.hint, "chmod"));
    assert_int_equal(chmod(path, 0644), 0);
    expect_paths(bed, "root.txt");
}

/* Files that were checked out for a root build belong to the reader; so do hard links to them. */
static void test_hard_links_of_a_root_build(void **state)
{
    struct tree_bed *bed = *state;
    CLEANUP_FREE char *own = in(bed, "site/own"), *second = in(bed, "site/second");

    if (geteuid() != 0)
        skip_because("needs root");
    bed_write(&bed->base, "site/own", "x");
    assert_int_equal(link(own, second), 0);
    assert_int_equal(chmod(bed->base.folder, 0755), 0);
    bed->request.build_uid = 0;
    bed->request.reader_uid = bed->request.reader_gid = 12345;
    expect_paths(bed, "own second");
    assert_int_equal(chown(own, 12345, 12345), 0);
    expect_paths(bed, "own second");
    assert_int_equal(chown(own, 1234, 1234), 0);
    refused(bed, "link-in-output", "hard link");
}

/* What lies at the path of the checkout is another folder by now, or a link to one. */
static void test_replaced_checkout(void **state)
{
    struct tree_bed *bed = *state;
    CLEANUP_FREE char *away = xasprintf("%s.away", bed->base.folder);
    struct stat st;

    bed_write(&bed->base, "site/x", "x");
    free(bed->request.root);
    bed->request.root = xstrdup(bed->base.folder);
    assert_int_equal(stat(bed->base.folder, &st), 0);
    bed->request.root_device = st.st_dev;
    bed->request.root_inode = st.st_ino;
    expect_paths(bed, "x");
    assert_int_equal(rename(bed->base.folder, away), 0);
    assert_int_equal(symlink(away, bed->base.folder), 0); /* to where it went: that is still the one */
    expect_paths(bed, "x");
    assert_int_equal(unlink(bed->base.folder), 0);
    assert_int_equal(mkdir(bed->base.folder, 0755), 0);
    bed_write(&bed->base, "site/x", "x");
    refused(bed, "checkout-replaced", "in the place of the checkout");
    assert_int_equal(fs_remove_tree(away), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, tree_bed_setup, tree_bed_teardown)
        TEST(test_plain),
        TEST(test_digest_is_what_sha256sum_says),
        TEST(test_include_and_exclude),
        TEST(test_missing_and_empty),
        TEST(test_output_outside),
        TEST(test_output_that_is_never_published),
        TEST(test_links),
        TEST(test_hard_links),
        TEST(test_special_files),
        TEST(test_sparse_giant),
        TEST(test_limits),
        TEST(test_names),
        TEST(test_changes),
        TEST(test_change_between_walk_and_read),
        TEST(test_part_hashes),
        TEST(test_files_of_root),
        TEST(test_hard_links_of_a_root_build),
        TEST(test_replaced_checkout),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
