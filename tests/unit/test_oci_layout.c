/* Image layouts as hostile input: what is taken, and what is refused before anything of it is sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/mem.h"
#include "oci/layout_internal.h"
#include "support/oci_bed.h"

static const char *const two_layers[] = {"the first layer", "the second one"};
static const struct oci_layout_limits no_limits = {0};

static int setup(void **state)
{
    struct oci_bed *bed = xcalloc(1, sizeof *bed);

    oci_bed_init(bed);
    *state = bed;
    return 0;
}

static int setup_image(void **state)
{
    setup(state);
    oci_bed_image(*state, two_layers, 2);
    return 0;
}

static int teardown(void **state)
{
    oci_bed_dispose(*state);
    free(*state);
    return 0;
}

static void refused_with(const struct oci_bed *bed, const struct oci_layout_limits *limits, const char *reason,
                         const char *says)
{
    struct oci_image image;
    struct error err = {0};
    int result = oci_layout_open(&image, bed->fd, limits, &err);

    if (!result) {
        result = oci_layout_verify(&image, NULL, NULL, &err);
        oci_image_dispose(&image);
    }
    assert_int_equal(result, -1);
    if (strcmp(err.reason, reason) != 0 || !strstr(err.message, says))
        fail_msg("%s: %s", err.reason, err.message);
    assert_int_equal(err.class, strcmp(reason, "layout-missing") == 0 ? CLASS_NO_OUTPUT : CLASS_OUTPUT_REFUSED);
}

static void refused(const struct oci_bed *bed, const char *reason, const char *says)
{
    refused_with(bed, &no_limits, reason, says);
}

/* ---- sound ones ---- */

static void test_image(void **state)
{
    const struct oci_bed *bed = *state;
    const struct oci_layout_limits limits = {.max_bytes = 1000, .platform = "linux/amd64"};
    struct oci_image image;
    struct error err = {0};

    assert_int_equal(oci_layout_open(&image, bed->fd, &limits, &err), 0);
    assert_string_equal(image.digest, bed->manifest);
    assert_string_equal(image.media_type, OCI_BED_MANIFEST);
    assert_string_equal(image.os, "linux");
    assert_string_equal(image.architecture, "amd64");
    assert_int_equal(image.layers, 2);
    assert_int_equal(image.blobs_len, 3);
    assert_string_equal(image.blobs[0].digest, bed->layers[0]);
    assert_string_equal(image.blobs[1].digest, bed->layers[1]);
    assert_string_equal(image.blobs[2].digest, bed->config);
    assert_int_equal(image.bytes, image.blobs[0].size + image.blobs[1].size + image.blobs[2].size);
    assert_int_equal(oci_layout_verify(&image, NULL, NULL, &err), 0);
    assert_true(oci_blob_unchanged(&image, 0));
    oci_image_dispose(&image);
}

static void test_one_digest_once(void **state)
{
    static const char *const same[] = {"a layer", "a layer", "another"};
    struct oci_bed *bed = *state;
    struct oci_image image;
    struct error err = {0};

    oci_bed_image(bed, same, 3);
    assert_int_equal(oci_layout_open(&image, bed->fd, &no_limits, &err), 0);
    assert_int_equal(image.layers, 3);
    assert_int_equal(image.blobs_len, 3);
    oci_image_dispose(&image);
}

static void test_no_layers(void **state)
{
    struct oci_bed *bed = *state;
    struct oci_image image;
    struct error err = {0};

    oci_bed_image(bed, NULL, 0);
    assert_int_equal(oci_layout_open(&image, bed->fd, &no_limits, &err), 0);
    assert_int_equal(image.blobs_len, 1);
    assert_int_equal(oci_layout_verify(&image, NULL, NULL, &err), 0);
    oci_image_dispose(&image);
}

static bool second_time(void *context)
{
    return ++*(int *)context > 1;
}

static void test_verify_stops(void **state)
{
    const struct oci_bed *bed = *state;
    struct oci_image image;
    struct error err = {0};
    int asked = 0;

    assert_int_equal(oci_layout_open(&image, bed->fd, &no_limits, &err), 0);
    assert_int_equal(oci_layout_verify(&image, second_time, &asked, &err), -1);
    assert_int_equal(asked, 2);
    assert_int_equal(err.class, CLASS_INTERRUPTED);
    oci_image_dispose(&image);
}

/* ---- files that are no plain files ---- */

static void test_missing(void **state)
{
    const struct oci_bed *bed = *state;

    refused(bed, "layout-missing", "no file oci-layout");
    oci_bed_write(bed, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", 30);
    refused(bed, "layout-invalid", "index.json is missing");
    oci_bed_write(bed, "oci-layout", "{\"imageLayoutVersion\":\"2.0.0\"}", 30);
    refused(bed, "layout-invalid", "version 1.0.0");
    oci_bed_write(bed, "oci-layout", "[]", 2);
    refused(bed, "layout-invalid", "version 1.0.0");
}

static void replace(const char *path, const char *target)
{
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink(target, path), 0);
}

static void test_links(void **state)
{
    const struct oci_bed *bed = *state;
    CLEANUP_FREE char *layer = oci_bed_path(bed, bed->layers[0]);
    CLEANUP_FREE char *folder = xasprintf("%s/blobs/sha256", bed->folder);
    CLEANUP_FREE char *moved = xasprintf("%s/moved", bed->folder);
    CLEANUP_FREE char *kept = xasprintf("%s/kept", bed->folder);

    assert_int_equal(rename(layer, kept), 0);
    assert_int_equal(symlink("/proc/self/environ", layer), 0);
    refused(bed, "layout-link", "a link");
    replace(layer, kept); /* even one that leads to the right bytes */
    refused(bed, "layout-link", "a link");
    assert_int_equal(unlink(layer), 0);
    assert_int_equal(rename(kept, layer), 0);
    assert_int_equal(rename(folder, moved), 0);
    assert_int_equal(symlink("../moved", folder), 0);
    refused(bed, "layout-link", "behind one");
}

static void test_linked_documents(void **state)
{
    static const char *const names[] = {"index.json", "oci-layout"};
    const struct oci_bed *bed = *state;
    size_t i;

    for (i = 0; i < ARRAY_LEN(names); i++) {
        CLEANUP_FREE char *path = xasprintf("%s/%s", bed->folder, names[i]);
        CLEANUP_FREE char *kept = xasprintf("%s/kept", bed->folder);

        assert_int_equal(rename(path, kept), 0);
        assert_int_equal(symlink("kept", path), 0);
        refused(bed, "layout-link", names[i]);
        assert_int_equal(rename(kept, path), 0);
    }
}

static void test_other_kinds(void **state)
{
    const struct oci_bed *bed = *state;
    CLEANUP_FREE char *layer = oci_bed_path(bed, bed->layers[1]);
    CLEANUP_FREE char *other = xasprintf("%s/other", bed->folder);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    assert_int_equal(link(layer, other), 0);
    refused(bed, "layout-link", "hard links");
    assert_int_equal(unlink(other), 0);
    assert_int_equal(unlink(layer), 0);
    assert_int_equal(mkfifo(layer, 0644), 0);
    refused(bed, "layout-link", "not a regular file");
    assert_int_equal(unlink(layer), 0);
    assert_int_equal(mkdir(layer, 0755), 0);
    refused(bed, "layout-link", "a folder");
    assert_int_equal(rmdir(layer), 0);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", bed->folder);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(rename(address.sun_path, layer), 0);
    refused(bed, "layout-link", "a socket");
    close(fd);
}

/* ---- sizes and content ---- */

static void test_huge_index(void **state)
{
    const struct oci_bed *bed = *state;
    CLEANUP_FREE char *path = xasprintf("%s/index.json", bed->folder);

    assert_int_equal(truncate(path, (off_t)2 << 30), 0); /* sparse */
    refused(bed, "layout-too-large", "index.json");
}

static void test_sizes(void **state)
{
    const struct oci_bed *bed = *state;
    const struct oci_layout_limits limits = {.max_bytes = 20};
    CLEANUP_FREE char *layer = oci_bed_path(bed, bed->layers[0]);
    CLEANUP_FREE char *manifest = oci_bed_path(bed, bed->manifest);

    refused_with(bed, &limits, "layout-too-large", "more than 20");
    assert_int_equal(truncate(layer, 3), 0);
    refused(bed, "blob-mismatch", "3 bytes, not 15");
    assert_int_equal(truncate(layer, (off_t)5 << 40), 0);
    refused(bed, "blob-mismatch", "not 15");
    assert_int_equal(truncate(manifest, 3), 0);
    refused(bed, "blob-mismatch", "3 bytes");
    assert_int_equal(unlink(manifest), 0);
    refused(bed, "layout-invalid", "is missing");
}

static void spoil(const struct oci_bed *bed, const char *digest)
{
    CLEANUP_FREE char *path = oci_bed_path(bed, digest);
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    assert_int_equal(pwrite(fd, "#", 1, 0), 1);
    close(fd);
}

static void test_content_of_a_layer(void **state)
{
    const struct oci_bed *bed = *state;

    spoil(bed, bed->layers[0]);
    refused(bed, "blob-mismatch", "another digest");
}

static void test_content_of_the_configuration(void **state)
{
    const struct oci_bed *bed = *state;

    spoil(bed, bed->config);
    refused(bed, "blob-mismatch", "another digest");
}

static void test_content_of_the_manifest(void **state)
{
    const struct oci_bed *bed = *state;

    spoil(bed, bed->manifest);
    refused(bed, "blob-mismatch", "another digest");
}

static void test_changed_afterwards(void **state)
{
    const struct oci_bed *bed = *state;
    CLEANUP_FREE char *path = oci_bed_path(bed, bed->layers[0]);
    struct timespec past[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    struct oci_image image;
    struct error err = {0};

    assert_int_equal(oci_layout_open(&image, bed->fd, &no_limits, &err), 0);
    assert_int_equal(oci_layout_verify(&image, NULL, NULL, &err), 0);
    /* The clock of a file system moves in steps of a few milliseconds. */
    usleep(20000);
    spoil(bed, bed->layers[0]);
    /* Whoever sets the time of the change back still changes the time of that. */
    assert_int_equal(utimensat(AT_FDCWD, path, past, 0), 0);
    assert_false(oci_blob_unchanged(&image, 0));
    assert_true(oci_blob_unchanged(&image, 1));
    oci_image_dispose(&image);
}

/* ---- layouts of ours ---- */

static void save(const struct oci_bed *bed, const char *folder, const char *tag, const char *other)
{
    struct strings tags = {0};
    struct oci_image image;
    struct error err = {0};

    strings_add(&tags, tag);
    if (other)
        strings_add(&tags, other);
    assert_int_equal(oci_layout_open(&image, bed->fd, &no_limits, &err), 0);
    assert_int_equal(oci_layout_verify(&image, NULL, NULL, &err), 0);
    if (oci_layout_save(&image, folder, &tags, &err))
        fail_msg("%s", err.message);
    oci_image_dispose(&image);
    strings_dispose(&tags);
}

static void digest_of(const char *folder, const char *name, char digest[OCI_DIGEST_SIZE])
{
    const struct oci_layout_limits limits = {.name = name};
    CLEANUP_CLOSE int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct oci_image image;
    struct error err = {0};

    if (oci_layout_open(&image, fd, &limits, &err) || oci_layout_verify(&image, NULL, NULL, &err))
        fail_msg("%s", err.message);
    memcpy(digest, image.digest, OCI_DIGEST_SIZE);
    oci_image_dispose(&image);
}

static void test_save(void **state)
{
    static const char *const others[] = {"another layer"};
    struct oci_bed *bed = *state;
    CLEANUP_FREE char *folder = xasprintf("%s/saved/deep", bed->folder);
    CLEANUP_FREE char *layer = xasprintf("%s/blobs/sha256/%s", folder, bed->layers[0] + 7);
    char first[OCI_DIGEST_SIZE], found[OCI_DIGEST_SIZE];

    memcpy(first, bed->manifest, sizeof first);
    save(bed, folder, "v1", "latest");
    digest_of(folder, "v1", found);
    assert_string_equal(found, first);
    oci_bed_image(bed, others, 1);
    assert_int_equal(truncate(layer, 1), 0); /* of the first image, which is none of this save's business */
    save(bed, folder, "v2", "latest");
    digest_of(folder, "v2", found);
    assert_string_equal(found, bed->manifest);
    digest_of(folder, "latest", found);
    assert_string_equal(found, bed->manifest);
    /* A blob that is damaged is written anew. */
    oci_bed_image(bed, two_layers, 2);
    save(bed, folder, "v1", NULL);
    digest_of(folder, "v1", found);
    assert_string_equal(found, first);
}

static void test_save_refuses(void **state)
{
    const struct oci_bed *bed = *state;
    CLEANUP_FREE char *folder = xasprintf("%s/site", bed->folder);
    CLEANUP_FREE char *path = xasprintf("%s/index.json", folder);
    CLEANUP_FREE char *blocked = xasprintf("%s/index.json/below", bed->folder);
    struct strings tags = {0};
    struct oci_image image;
    struct error err = {0};

    strings_add(&tags, "v1");
    assert_int_equal(mkdir(folder, 0755), 0);
    assert_int_equal(fs_write_file(path, "[]", 2, 0644), 0);
    assert_int_equal(oci_layout_open(&image, bed->fd, &no_limits, &err), 0);
    assert_int_equal(oci_layout_save(&image, folder, &tags, &err), -1);
    assert_string_equal(err.reason, "not-a-layout");
    assert_int_equal(err.class, CLASS_UPLOAD_FAILED);
    assert_int_equal(oci_layout_save(&image, blocked, &tags, &err), -1);
    assert_string_equal(err.reason, "layout-unwritable");
    oci_image_dispose(&image);
    strings_dispose(&tags);
}

static void test_save_of_what_changed(void **state)
{
    const struct oci_bed *bed = *state;
    CLEANUP_FREE char *folder = xasprintf("%s/saved", bed->folder);
    CLEANUP_FREE char *index = xasprintf("%s/index.json", folder);
    struct strings tags = {0};
    struct oci_image image;
    struct error err = {0};

    strings_add(&tags, "v1");
    assert_int_equal(oci_layout_open(&image, bed->fd, &no_limits, &err), 0);
    assert_int_equal(oci_layout_verify(&image, NULL, NULL, &err), 0);
    spoil(bed, bed->layers[1]);
    assert_int_equal(oci_layout_save(&image, folder, &tags, &err), -1);
    assert_string_equal(err.reason, "blob-changed");
    assert_int_equal(err.class, CLASS_OUTPUT_REFUSED);
    assert_int_equal(access(index, F_OK), -1);
    oci_image_dispose(&image);
    strings_dispose(&tags);
}

static void test_several_by_name(void **state)
{
    const struct oci_bed *bed = *state;
    const struct oci_layout_limits limits = {.name = "v1"}, other = {.name = "v9"};
    struct oci_image image;
    struct error err = {0};

    assert_int_equal(oci_layout_open(&image, bed->fd, &limits, &err), 0);
    oci_image_dispose(&image);
    refused_with(bed, &other, "layout-many", "0 images that are called v9");
}

int main(void)
{
#define ON_IMAGE(test) cmocka_unit_test_setup_teardown(test, setup_image, teardown)
#define ON_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        ON_IMAGE(test_image),
        ON_FOLDER(test_one_digest_once),
        ON_FOLDER(test_no_layers),
        ON_IMAGE(test_verify_stops),
        ON_FOLDER(test_missing),
        ON_IMAGE(test_links),
        ON_IMAGE(test_linked_documents),
        ON_IMAGE(test_other_kinds),
        ON_IMAGE(test_huge_index),
        ON_IMAGE(test_sizes),
        ON_IMAGE(test_content_of_a_layer),
        ON_IMAGE(test_content_of_the_configuration),
        ON_IMAGE(test_content_of_the_manifest),
        ON_IMAGE(test_changed_afterwards),
        ON_IMAGE(test_save),
        ON_IMAGE(test_save_refuses),
        ON_IMAGE(test_save_of_what_changed),
        ON_IMAGE(test_several_by_name),
    };

    return cmocka_run_group_tests_name("oci/layout", tests, NULL, NULL);
}
