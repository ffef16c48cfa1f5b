#include "oci/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/json.h"
#include "core/mem.h"
#include "core/protection.h"
#include "oci/layout_internal.h"

void oci_blob_path(const char *digest, char path[OCI_BLOB_PATH_SIZE])
{
    snprintf(path, OCI_BLOB_PATH_SIZE, "blobs/sha256/%.64s", digest + strlen("sha256:"));
}

/* ---- files ---- */

static int refuse_kind(const char *path, const char *kind, struct error *err)
{
    return error_set(err, CLASS_OUTPUT_REFUSED, "layout-link", "%s of the image's layout is %s", path, kind);
}

static int refuse_open(const char *path, int error_number, struct error *err)
{
    if (error_number == ELOOP || error_number == EXDEV)
        return refuse_kind(path, "a link, or lies behind one", err);
    if (error_number == ENOENT || error_number == ENOTDIR)
        return error_set(err, CLASS_OUTPUT_REFUSED, "layout-invalid", "%s is missing in the image's layout", path);
    if (error_number == ENXIO)
        return refuse_kind(path, "a socket", err);
    return error_set_errno(err, CLASS_OUTPUT_REFUSED, "layout-invalid", error_number,
                           "cannot open %s of the image's layout", path);
}

/*
 * A hard link would have us send a file that lies elsewhere too and changes under us. A digest that is known of a file
 * that the build cannot read would be enough to get at its bytes.
 */
static int check_file(const char *path, const struct stat *st, struct error *err)
{
    if (!PROTECTED(LAYOUT_FILES))
        return 0;
    if (!S_ISREG(st->st_mode))
        return refuse_kind(path, S_ISDIR(st->st_mode) ? "a folder" : "not a regular file", err);
    if (st->st_nlink != 1)
        return refuse_kind(path, "a file with more than one name (hard links)", err);
    return 0;
}

/* The descriptor, or -1. O_NONBLOCK: a fifo would keep us waiting for its writer. */
static int open_file(int folder_fd, const char *path, struct stat *st, struct error *err)
{
    int fd;

    if (PROTECTED(LAYOUT_CONFINED)) {
        fd = fs_open_beneath(folder_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    } else {
        fd = openat(folder_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0)
            fd = -errno;
    }
    if (fd < 0)
        return refuse_open(path, -fd, err);
    if (fstat(fd, st))
        refuse_open(path, errno, err);
    else if (!check_file(path, st, err))
        return fd;
    close(fd);
    return -1;
}

/* All of a small file. The size that it says is believed for the limit only: it may grow. */
static int read_all(int fd, const char *path, int64_t size, size_t max, struct buf *out, struct error *err)
{
    char chunk[16384];
    ssize_t got;

    if (size > (int64_t)max)
        return error_set(err, CLASS_OUTPUT_REFUSED, "layout-too-large",
                         "%s of the image's layout has %lld bytes, more than %zu", path, (long long)size, max);
    for (;;) {
        got = pread(fd, chunk, sizeof chunk, (off_t)out->len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return refuse_open(path, errno, err);
        if (got == 0)
            return 0;
        if (out->len + (size_t)got > max || buf_add(out, chunk, (size_t)got))
            return error_set(err, CLASS_OUTPUT_REFUSED, "layout-too-large",
                             "%s of the image's layout has more than %zu bytes", path, max);
    }
}

static int read_file(int folder_fd, const char *path, size_t max, struct buf *out, struct error *err)
{
    struct stat st = {0};
    CLEANUP_CLOSE int fd = open_file(folder_fd, path, &st, err);

    return fd < 0 ? -1 : read_all(fd, path, st.st_size, max, out, err);
}

/* Opens a blob, whose size must be that of its descriptor. */
static int open_blob(int folder_fd, const char *digest, int64_t size, struct stat *seen, struct error *err)
{
    char path[OCI_BLOB_PATH_SIZE];
    int fd;

    oci_blob_path(digest, path);
    fd = open_file(folder_fd, path, seen, err);
    if (fd >= 0 && seen->st_size != size && PROTECTED(LAYOUT_FILES)) {
        error_set(err, CLASS_OUTPUT_REFUSED, "blob-mismatch", "%s of the image's layout has %lld bytes, not %lld", path,
                  (long long)seen->st_size, (long long)size);
        close(fd);
        return -1;
    }
    return fd;
}

static int refuse_content(const char *digest, struct error *err)
{
    return error_set(err, CLASS_OUTPUT_REFUSED, "blob-mismatch",
                     "the content of %s of the image's layout has another digest", digest);
}

static int read_hashed(int fd, const struct oci_descriptor *descriptor, size_t max, struct buf *out, struct error *err)
{
    char path[OCI_BLOB_PATH_SIZE];
    char digest[OCI_DIGEST_SIZE];

    oci_blob_path(descriptor->digest, path);
    if (read_all(fd, path, descriptor->size, max, out, err))
        return -1;
    oci_digest(out->data, out->len, digest);
    return strcmp(digest, descriptor->digest) != 0 && PROTECTED(LAYOUT_HASHED) ? refuse_content(descriptor->digest, err)
                                                                               : 0;
}

/* ---- the parts of an image ---- */

static int check_version(int folder_fd, struct error *err)
{
    struct stat st = {0};
    struct buf text;
    json_t *document = NULL;
    int result;

    if (fstatat(folder_fd, OCI_VERSION_FILE, &st, AT_SYMLINK_NOFOLLOW) && errno == ENOENT) {
        error_set(err, CLASS_NO_OUTPUT, "layout-missing", "there is no OCI image layout: no file oci-layout");
        return error_hint(err, "name the folder that holds oci-layout, index.json and blobs");
    }
    buf_init(&text, OCI_VERSION_MAX);
    result = read_file(folder_fd, OCI_VERSION_FILE, OCI_VERSION_MAX, &text, err);
    if (!result)
        document = json_parse(text.data, text.len, CLASS_OUTPUT_REFUSED, OCI_VERSION_FILE, NULL);
    if (!result && strcmp(json_text(document, "imageLayoutVersion", ""), "1.0.0") != 0)
        result = error_set(err, CLASS_OUTPUT_REFUSED, "layout-invalid",
                           "oci-layout does not say that it is an image layout of version 1.0.0");
    json_decref(document);
    buf_dispose(&text);
    return result;
}

static int read_index(int folder_fd, const char *name, struct oci_descriptor *manifest, struct error *err)
{
    struct buf text;
    int result;

    buf_init(&text, OCI_INDEX_MAX);
    result = read_file(folder_fd, OCI_INDEX_FILE, OCI_INDEX_MAX, &text, err);
    if (!result)
        result = oci_index_parse((struct view){text.data, text.len}, name, manifest, err);
    buf_dispose(&text);
    return result;
}

static int read_manifest(struct oci_image *image, int folder_fd, const struct oci_descriptor *descriptor,
                         struct error *err)
{
    struct stat st = {0};
    CLEANUP_CLOSE int fd = -1;

    if (descriptor->size > (int64_t)OCI_MANIFEST_MAX)
        return error_set(err, CLASS_OUTPUT_REFUSED, "layout-too-large",
                         "the manifest of the image has %lld bytes, more than %zu", (long long)descriptor->size,
                         OCI_MANIFEST_MAX);
    fd = open_blob(folder_fd, descriptor->digest, descriptor->size, &st, err);
    if (fd < 0 || read_hashed(fd, descriptor, OCI_MANIFEST_MAX, &image->manifest, err))
        return -1;
    memcpy(image->media_type, descriptor->media_type, sizeof image->media_type);
    memcpy(image->digest, descriptor->digest, sizeof image->digest);
    return oci_manifest_parse((struct view){image->manifest.data, image->manifest.len}, image->media_type, image, err);
}

static int read_config(const struct oci_blob *blob, const struct oci_layout_limits *limits, struct oci_image *image,
                       struct error *err)
{
    struct oci_descriptor descriptor = {.size = blob->size};
    struct buf text;
    int result;

    memcpy(descriptor.digest, blob->digest, sizeof descriptor.digest);
    buf_init(&text, OCI_CONFIG_MAX);
    result = read_hashed(blob->fd, &descriptor, OCI_CONFIG_MAX, &text, err);
    if (!result)
        result = oci_config_parse((struct view){text.data, text.len}, limits->platform, image, err);
    buf_dispose(&text);
    return result;
}

static int open_blobs(struct oci_image *image, int folder_fd, struct error *err)
{
    size_t i;

    for (i = 0; i < image->blobs_len; i++) {
        struct oci_blob *blob = &image->blobs[i];

        blob->fd = open_blob(folder_fd, blob->digest, blob->size, &blob->seen, err);
        if (blob->fd < 0)
            return -1;
    }
    return 0;
}

static int open_image(struct oci_image *image, int folder_fd, const struct oci_layout_limits *limits, struct error *err)
{
    struct oci_descriptor manifest = {0};

    if (check_version(folder_fd, err) || read_index(folder_fd, limits->name, &manifest, err) ||
        read_manifest(image, folder_fd, &manifest, err))
        return -1;
    if (limits->max_bytes > 0 && image->bytes > limits->max_bytes) {
        error_set(err, CLASS_OUTPUT_REFUSED, "layout-too-large", "the image has %lld bytes, more than %lld",
                  (long long)image->bytes, (long long)limits->max_bytes);
        return error_hint(err, "make it smaller, or raise limits.output");
    }
    if (open_blobs(image, folder_fd, err))
        return -1;
    return read_config(&image->blobs[image->blobs_len - 1], limits, image, err);
}

int oci_layout_open(struct oci_image *image, int folder_fd, const struct oci_layout_limits *limits, struct error *err)
{
    memset(image, 0, sizeof *image);
    buf_init(&image->manifest, OCI_MANIFEST_MAX);
    if (!open_image(image, folder_fd, limits, err))
        return 0;
    oci_image_dispose(image);
    return -1;
}

void oci_image_dispose(struct oci_image *image)
{
    size_t i;

    for (i = 0; i < image->blobs_len; i++)
        if (image->blobs[i].fd >= 0)
            close(image->blobs[i].fd);
    free(image->blobs);
    buf_dispose(&image->manifest);
    memset(image, 0, sizeof *image);
}

/* ---- content ---- */

bool oci_blob_unchanged(const struct oci_image *image, size_t index)
{
    const struct oci_blob *blob = &image->blobs[index];
    const struct stat *seen = &blob->seen;
    struct stat now;

    if (!PROTECTED(LAYOUT_HASHED))
        return true;
    return fstat(blob->fd, &now) == 0 && now.st_dev == seen->st_dev && now.st_ino == seen->st_ino &&
           now.st_size == seen->st_size && now.st_mtim.tv_sec == seen->st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == seen->st_mtim.tv_nsec && now.st_ctim.tv_sec == seen->st_ctim.tv_sec &&
           now.st_ctim.tv_nsec == seen->st_ctim.tv_nsec;
}

static int verify_blob(struct oci_image *image, size_t index, bool (*stopped)(void *context), void *context,
                       struct error *err)
{
    struct oci_blob *blob = &image->blobs[index];
    char digest[OCI_DIGEST_SIZE];
    int result;

    if (!PROTECTED(LAYOUT_HASHED))
        return 0;
    /* What it is before is what it must still be afterwards: whoever writes meanwhile shows in its times. */
    if (fstat(blob->fd, &blob->seen))
        return refuse_open(blob->digest, errno, err);
    result = oci_digest_file(blob->fd, blob->size, stopped, context, digest);
    if (result == -ECANCELED)
        return error_set(err, CLASS_INTERRUPTED, "interrupted", "stopped while the image was being hashed");
    if (result < 0)
        return error_set_errno(err, CLASS_OUTPUT_REFUSED, "layout-invalid", -result,
                               "cannot read %s of the image's layout", blob->digest);
    if (result > 0 || strcmp(digest, blob->digest) != 0 || !oci_blob_unchanged(image, index))
        return refuse_content(blob->digest, err);
    return 0;
}

int oci_layout_verify(struct oci_image *image, bool (*stopped)(void *context), void *context, struct error *err)
{
    size_t i;

    for (i = 0; i < image->blobs_len; i++)
        if (verify_blob(image, i, stopped, context, err))
            return -1;
    return 0;
}
