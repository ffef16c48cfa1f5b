#include "support/oci_bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/fs.h"
#include "core/mem.h"
#include "oci/layout_internal.h"

void oci_bed_init(struct oci_bed *bed)
{
    memset(bed, 0, sizeof *bed);
    assert_int_equal(fs_make_temp("/tmp", "caisson-oci-", &bed->folder), 0);
    bed->fd = open(bed->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(bed->fd >= 0);
    assert_int_equal(mkdirat(bed->fd, "blobs", 0755), 0);
    assert_int_equal(mkdirat(bed->fd, "blobs/sha256", 0755), 0);
}

void oci_bed_dispose(struct oci_bed *bed)
{
    close(bed->fd);
    assert_int_equal(fs_remove_tree(bed->folder), 0);
    free(bed->folder);
}

void oci_bed_write(const struct oci_bed *bed, const char *path, const void *data, size_t len)
{
    int fd = openat(bed->fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(fs_write_all(fd, data, len), 0);
    close(fd);
}

size_t oci_bed_blob(const struct oci_bed *bed, const char *text, char digest[OCI_DIGEST_SIZE])
{
    char path[OCI_BLOB_PATH_SIZE];

    oci_digest(text, strlen(text), digest);
    oci_blob_path(digest, path);
    oci_bed_write(bed, path, text, strlen(text));
    return strlen(text);
}

char *oci_bed_path(const struct oci_bed *bed, const char *digest)
{
    char path[OCI_BLOB_PATH_SIZE];

    oci_blob_path(digest, path);
    return xasprintf("%s/%s", bed->folder, path);
}

void oci_bed_index(const struct oci_bed *bed, const char *text)
{
    oci_bed_write(bed, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", 30);
    oci_bed_write(bed, "index.json", text, strlen(text));
}

void oci_bed_manifest(struct oci_bed *bed, const char *text)
{
    size_t size = oci_bed_blob(bed, text, bed->manifest);
    CLEANUP_FREE char *index =
        xasprintf("{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" OCI_BED_MANIFEST "\",\"digest\":\"%s\","
                  "\"size\":%zu,\"annotations\":{\"org.opencontainers.image.ref.name\":\"v1\"}}]}",
                  bed->manifest, size);

    oci_bed_index(bed, index);
}

void oci_bed_image(struct oci_bed *bed, const char *const *layers, size_t layers_len)
{
    struct buf config, manifest, list;
    size_t i, size;

    buf_init(&config, 65536);
    buf_init(&manifest, 65536);
    buf_init(&list, 65536);
    buf_adds(&config, "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[");
    for (i = 0; i < layers_len; i++) {
        size = oci_bed_blob(bed, layers[i], bed->layers[i]);
        buf_addf(&config, "%s\"%s\"", i ? "," : "", bed->layers[i]);
        buf_addf(&list, "%s{\"mediaType\":\"" OCI_BED_LAYER "\",\"digest\":\"%s\",\"size\":%zu}", i ? "," : "",
                 bed->layers[i], size);
    }
    bed->layers_len = layers_len;
    buf_adds(&config, "]}}");
    size = oci_bed_blob(bed, buf_text(&config), bed->config);
    buf_addf(&manifest,
             "{\"schemaVersion\":2,\"mediaType\":\"" OCI_BED_MANIFEST "\",\"config\":{\"mediaType\":\"" OCI_BED_CONFIG
             "\",\"digest\":\"%s\",\"size\":%zu},\"layers\":[%s]}",
             bed->config, size, buf_text(&list));
    oci_bed_manifest(bed, buf_text(&manifest));
    buf_dispose(&config);
    buf_dispose(&manifest);
    buf_dispose(&list);
}
