/* index.json, manifest and configuration of an image layout. The first byte says which. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "oci/layout_internal.h"
#include "oci/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_error(const struct error *err)
{
    if (err->class != CLASS_OUTPUT_REFUSED || !*err->reason || !*err->message)
        abort();
}

static void try_index(struct view text, const char *name)
{
    struct oci_descriptor manifest;
    struct error err = {0};

    if (oci_index_parse(text, name, &manifest, &err))
        check_error(&err);
    else if (!oci_digest_valid(manifest.digest) || manifest.size < 0 || manifest.size > OCI_BLOB_MAX)
        abort();
}

static void check_blobs(const struct oci_image *image)
{
    int64_t bytes = 0;
    size_t i;

    if (image->blobs_len == 0 || image->blobs_len > image->layers + 1)
        abort();
    for (i = 0; i < image->blobs_len; i++) {
        bytes += image->blobs[i].size;
        if (!oci_digest_valid(image->blobs[i].digest) || image->blobs[i].size < 0 || image->blobs[i].fd != -1)
            abort();
    }
    if (bytes != image->bytes || image->blobs[image->blobs_len - 1].size > (int64_t)OCI_CONFIG_MAX)
        abort();
}

static void try_manifest(struct view text)
{
    struct oci_image image = {0};
    struct error err = {0};

    if (oci_manifest_parse(text, "application/vnd.oci.image.manifest.v1+json", &image, &err))
        check_error(&err);
    else
        check_blobs(&image);
    free(image.blobs);
}

static void try_config(struct view text, const char *platform)
{
    struct oci_image image = {.layers = 1};
    struct error err = {0};

    if (oci_config_parse(text, platform, &image, &err))
        check_error(&err);
    else if (!*image.os || !*image.architecture)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view text = {(const char *)data + 1, size ? size - 1 : 0};

    if (size == 0)
        return 0;
    switch (data[0]) {
    case 'i': try_index(text, NULL); break;
    case 'n': try_index(text, "v1"); break;
    case 'm': try_manifest(text); break;
    case 'c': try_config(text, NULL); break;
    case 'p': try_config(text, "linux/amd64"); break;
    default: break;
    }
    return 0;
}
