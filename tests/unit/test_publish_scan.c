/* What an output must not hold: secrets of the job, in files and names, compressed ones too. */
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
#include "core/mem.h"
#include "publish/tree.h"
#include "support/publish_bed.h"
#include <unit/support/tree_bed.h>

/* The secret lies across two reads of 256 KiB, and as base64. */
static void test_secrets(void **state)
{
    struct tree_bed *bed = *state;
    CLEANUP_FREE char *text = xmalloc(300001);

    strings_add(&bed->request.secrets, "S3cr3t-Value-Of-The-Job");
    strings_add(&bed->request.secret_names, "NPM_TOKEN");
    memset(text, 'x', 300000);
    text[300000] = '\0';
    bed_write(&bed->base, "site/fine.js", text);
    assert_string_equal(read_tree(bed), "");
    memcpy(text + 262144 - 7, "S3cr3t-Value-Of-The-Job", 23);
    bed_write(&bed->base, "site/app.js", text);
    refused(bed, "secret-in-output", "app.js");
    assert_non_null(strstr(bed->err.message, "NPM_TOKEN"));
    assert_null(strstr(bed->err.message, "S3cr3t"));
    bed_remove(&bed->base, "site/app.js");
    bed_write(&bed->base, "site/coded.js", "token='UzNjcjN0LVZhbHVlLU9mLVRoZS1Kb2I='");
    refused(bed, "secret-in-output", "coded.js");
    bed_remove(&bed->base, "site/coded.js");
    bed_write(&bed->base, "site/a/S3cr3t-Value-Of-The-Job.txt", "x");
    refused(bed, "secret-in-output", "name");
    assert_non_null(strstr(bed->err.message, "NPM_TOKEN"));
    assert_null(strstr(bed->err.message, "S3cr3t"));
    bed_remove(&bed->base, "site/a/S3cr3t-Value-Of-The-Job.txt");
    /* What the caller adds: the task's own credentials. */
    bed_write(&bed->base, "site/config.json", "{\"key\": \"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\"}");
    assert_string_equal(read_tree(bed), "");
    tree_dispose(&bed->tree);
    strings_add(&bed->tree.credentials, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    assert_int_equal(tree_open(&bed->tree, &bed->request, &bed->err), 0);
    assert_int_equal(tree_walk(&bed->tree, 10, &bed->err), 0);
    assert_int_equal(tree_hash(&bed->tree, NULL, NULL, &bed->err), -1);
    assert_non_null(
        strstr(bed->err.message, "config.json holds the value of one of the job's secrets: AWS credentials"));
}

static void copy_data(struct tree_bed *bed, const char *name, const char *to, size_t from, size_t len)
{
    CLEANUP_FREE char *path = xasprintf(TEST_DATA_DIR "/vectors/packed/%s", name);
    CLEANUP_FREE char *target = xasprintf("%s/site/%s", bed->base.folder, to);
    CLEANUP_FCLOSE FILE *in = fopen(path, "rb");
    CLEANUP_FCLOSE FILE *out = fopen(target, "wb");
    char bytes[4096];
    size_t got;

    assert_non_null(in);
    assert_non_null(out);
    assert_int_equal(fseek(in, (long)from, SEEK_SET), 0);
    while (len && (got = fread(bytes, 1, len < sizeof bytes ? len : sizeof bytes, in)) > 0) {
        assert_int_equal(fwrite(bytes, 1, got, out), got);
        len -= got;
    }
}

/* 100 KB of text with the secret over a border of 64 KiB, as each program packs it; two members or frames of which the
 * second holds it. tests/vectors/packed/make.sh. */
static void test_secrets_in_compressed_files(void **state)
{
    static const char *const names[] = {"text.js.gz", "text.js.br", "text.js.zst", "two.js.gz", "two.js.zst"};
    struct tree_bed *bed = *state;
    char word[64];
    size_t i;

    strings_add(&bed->request.secrets, "S3cr3t-Value-Of-The-Job");
    strings_add(&bed->request.secret_names, "NPM_TOKEN");
    bed_write(&bed->base, "site/index.html", "x");
    for (i = 0; i < ARRAY_LEN(names); i++) {
        copy_data(bed, names[i], names[i], 0, SIZE_MAX);
        snprintf(word, sizeof word, "%s, unpacked, holds", names[i]);
        refused(bed, "secret-in-output", word);
        assert_non_null(strstr(bed->err.message, "NPM_TOKEN"));
        snprintf(word, sizeof word, "site/%s", names[i]);
        bed_remove(&bed->base, word);
    }
    /* By its bytes, whatever its name; brotli has no such bytes. */
    copy_data(bed, "text.js.gz", "plain.js", 0, SIZE_MAX);
    refused(bed, "secret-in-output", "plain.js, unpacked");
    copy_data(bed, "text.js.zst", "plain.js", 0, SIZE_MAX);
    refused(bed, "secret-in-output", "plain.js, unpacked");
    bed_remove(&bed->base, "site/plain.js");
    copy_data(bed, "clean.js.br", "clean.js.br", 0, SIZE_MAX);
    assert_string_equal(read_tree(bed), "");
    assert_int_equal(bed->tree.warnings.len, 0);
}

static void test_damaged_compressed_files(void **state)
{
    static const char *const names[] = {"clean.js.gz", "clean.js.br", "clean.js.zst"};
    struct tree_bed *bed = *state;
    size_t i;

    strings_add(&bed->request.secrets, "S3cr3t-Value-Of-The-Job");
    bed_write(&bed->base, "site/index.html", "x");
    for (i = 0; i < ARRAY_LEN(names); i++)
        copy_data(bed, names[i], names[i], 0, 500);
    bed_write(&bed->base, "site/other.br", "this is no brotli at all, but text");
    assert_string_equal(read_tree(bed), "");
    assert_int_equal(bed->tree.warnings.len, 4);
    assert_non_null(strstr(bed->tree.warnings.items[0], "clean.js.br is not the compressed file"));
    /* As it is, it is searched all the same. */
    bed_write(&bed->base, "site/other.br", "this is no brotli, but has S3cr3t-Value-Of-The-Job");
    refused(bed, "secret-in-output", "other.br holds");
    /* Without a secret to look for nothing is unpacked. */
    strings_dispose(&bed->request.secrets);
    assert_string_equal(read_tree(bed), "");
    assert_int_equal(bed->tree.warnings.len, 0);
}

static void test_compressed_bombs(void **state)
{
    static const char *const names[] = {"bomb.br", "bomb.zst"};
    struct tree_bed *bed = *state;
    size_t i;

    strings_add(&bed->request.secrets, "S3cr3t-Value-Of-The-Job");
    bed_write(&bed->base, "site/index.html", "x");
    for (i = 0; i < ARRAY_LEN(names); i++) {
        char path[64];

        copy_data(bed, names[i], names[i], 0, SIZE_MAX);
        refused(bed, "unpacks-too-far", names[i]);
        snprintf(path, sizeof path, "site/%s", names[i]);
        bed_remove(&bed->base, path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, tree_bed_setup, tree_bed_teardown)
        TEST(test_secrets),
        TEST(test_secrets_in_compressed_files),
        TEST(test_damaged_compressed_files),
        TEST(test_compressed_bombs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
