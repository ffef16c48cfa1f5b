/* What the files of oci/layout share. For oci/ only. */
#ifndef CAISSON_OCI_LAYOUT_INTERNAL_H
#define CAISSON_OCI_LAYOUT_INTERNAL_H

#include <jansson.h>

#include "oci/layout.h"

#define OCI_VERSION_FILE "oci-layout"
#define OCI_INDEX_FILE "index.json"
#define OCI_REF_NAME "org.opencontainers.image.ref.name"
#define OCI_INDEX_TYPE "application/vnd.oci.image.index.v1+json"

#define OCI_VERSION_MAX ((size_t)4 << 10)
#define OCI_INDEX_MAX ((size_t)1 << 20)
#define OCI_MANIFEST_MAX ((size_t)4 << 20)
#define OCI_CONFIG_MAX ((size_t)8 << 20)
#define OCI_VALUES_MAX 100000 /* of a document */
#define OCI_IMAGES_MAX 1024
#define OCI_LAYERS_MAX 500 /* each is an open file; container engines stop at 127 */
#define OCI_BLOB_MAX ((int64_t)1 << 40)
#define OCI_BLOB_PATH_SIZE 80

/* Parsers of hostile text, apart from any file. All errors are CLASS_OUTPUT_REFUSED. */

struct oci_descriptor {
    char media_type[128];
    char digest[OCI_DIGEST_SIZE];
    int64_t size;
};

/* The one image of index.json (or the one called `name`, when that is not NULL). */
int oci_index_parse(struct view text, const char *name, struct oci_descriptor *manifest, struct error *err);
/* The manifest's descriptors: the layers in order and the configuration at the end, each digest once, in image->blobs
 * (closed: fd -1); image->layers and image->bytes too. `media_type` is what the index says of it. */
int oci_manifest_parse(struct view text, const char *media_type, struct oci_image *image, struct error *err);
/* Architecture and operating system, and whether they are what is wanted ("os/arch[/variant]"; NULL: any). */
int oci_config_parse(struct view text, const char *platform, struct oci_image *image, struct error *err);

/* "blobs/sha256/…" of a valid digest. */
void oci_blob_path(const char *digest, char path[OCI_BLOB_PATH_SIZE]);

/* "sha256:…" of bytes in memory, and of `size` bytes of a file: 0, 1 when it has another size, or -errno;
 * -ECANCELED when `stopped` (may be NULL) said so. */
void oci_digest_text(const unsigned char hash[32], char digest[OCI_DIGEST_SIZE]);
void oci_digest(const void *data, size_t len, char digest[OCI_DIGEST_SIZE]);
int oci_digest_file(int fd, int64_t size, bool (*stopped)(void *context), void *context, char digest[OCI_DIGEST_SIZE]);

#endif
