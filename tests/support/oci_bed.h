/* OCI image layouts for tests, sound ones and others: a folder of its own, whose files the test may spoil. */
#ifndef CAISSON_TESTS_OCI_BED_H
#define CAISSON_TESTS_OCI_BED_H

#include <stddef.h>
#include <stdint.h>

#include "oci/layout.h"

#define OCI_BED_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define OCI_BED_CONFIG "application/vnd.oci.image.config.v1+json"
#define OCI_BED_LAYER "application/vnd.oci.image.layer.v1.tar+gzip"

struct oci_bed {
    char *folder;
    int fd;
    char layers[8][OCI_DIGEST_SIZE];
    size_t layers_len;
    char config[OCI_DIGEST_SIZE], manifest[OCI_DIGEST_SIZE];
};
/* An empty folder, and its end. */
void oci_bed_init(struct oci_bed *bed);
void oci_bed_dispose(struct oci_bed *bed);

/* A file of the layout; folders on the way are made. */
void oci_bed_write(const struct oci_bed *bed, const char *path, const void *data, size_t len);
/* A blob under its digest; returns its size. */
size_t oci_bed_blob(const struct oci_bed *bed, const char *text, char digest[OCI_DIGEST_SIZE]);
/* "<folder>/blobs/sha256/…". Caller frees. */
char *oci_bed_path(const struct oci_bed *bed, const char *digest);

/* A whole image of linux/amd64 whose layers have these contents. */
void oci_bed_image(struct oci_bed *bed, const char *const *layers, size_t layers_len);
/* Its parts anew, with other text; digests are kept in the bed. */
void oci_bed_manifest(struct oci_bed *bed, const char *text);
void oci_bed_index(const struct oci_bed *bed, const char *text);

#endif
