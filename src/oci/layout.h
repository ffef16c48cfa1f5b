/*
 * An OCI image layout as hostile input: it was written by root of the build. Files are opened beneath the layout's
 * folder, never through a link; index.json, manifest and configuration are bounded and strict; exactly one image, of
 * one platform; each blob a regular file of the size that its descriptor says, hashed again before anything of it
 * leaves. What cannot be an image that a builder makes is refused: CLASS_OUTPUT_REFUSED.
 * https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
 */
#ifndef CAISSON_OCI_LAYOUT_H
#define CAISSON_OCI_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "core/buf.h"
#include "core/error.h"
#include "core/strings.h"

#define OCI_DIGEST_SIZE 72 /* "sha256:" + 64 + NUL */

struct oci_blob {
    char media_type[128];
    char digest[OCI_DIGEST_SIZE];
    int64_t size;
    int fd;           /* open for reading; the layout's */
    struct stat seen; /* what it was when it was opened, and then when it was hashed */
};

struct oci_image {
    char media_type[128]; /* of the manifest */
    char digest[OCI_DIGEST_SIZE];
    struct buf manifest;    /* the bytes as they stand there */
    struct oci_blob *blobs; /* the layers in order, then the configuration; one digest once */
    size_t blobs_len;
    size_t layers;         /* of the manifest, those of one digest counted each */
    int64_t bytes;         /* of the blobs: the compressed size */
    char architecture[32]; /* of the configuration */
    char os[32];
};

struct oci_layout_limits {
    int64_t max_bytes;    /* of all blobs; 0: none */
    const char *platform; /* "linux/amd64"; another one is refused. NULL: any */
    const char *name; /* of several images the one of this name (org.opencontainers.image.ref.name), for layouts that
                           * a person chose. NULL: there must be one image */
};

/* Opens and validates all but the blobs' content. *image is filled; oci_image_dispose closes and frees. Reasons
 * "layout-missing" (CLASS_NO_OUTPUT), "layout-invalid", "layout-link" (a link, a fifo, a folder where a file should
 * be), "layout-too-large", "layout-foreign" (a layer with urls), "layout-many" (not exactly one image),
 * "platform-mismatch". */
int oci_layout_open(struct oci_image *image, int folder_fd, const struct oci_layout_limits *limits, struct error *err);
/* Hashes every blob. `stopped` is asked often on the way (NULL: never); true ends it with CLASS_INTERRUPTED. Reason
 * "blob-mismatch". */
int oci_layout_verify(struct oci_image *image, bool (*stopped)(void *context), void *context, struct error *err);
/* Whether a blob's file is still what it was when it was hashed (inode, size, times). */
bool oci_blob_unchanged(const struct oci_image *image, size_t blob);
void oci_image_dispose(struct oci_image *image);

/* Copies a verified image into a layout folder of ours, made when it is missing, beside the images that are there; its
 * tags are annotations (org.opencontainers.image.ref.name) of index.json, which is replaced at once. Hashes what it
 * copies. CLASS_UPLOAD_FAILED for the folder's own troubles. */
int oci_layout_save(const struct oci_image *image, const char *folder, const struct strings *tags, struct error *err);

#endif
