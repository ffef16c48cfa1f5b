/*
 * What the tests of the layer cache share: a store that is a folder, or S3 where versitygw is there (its objects are
 * files too, so a test can spoil them), and folders of entries as jobs have them.
 */
#ifndef CAISSON_TESTS_CACHE_BED_H
#define CAISSON_TESTS_CACHE_BED_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/cache.h"
#include "cache/manifest.h"
#include "core/fs.h"
#include "core/mem.h"
#include "net/loop.h"
#include "support/skip.h"
#include "support/versitygw.h"

#define BED_NOW ((int64_t)1790000000000)
#define BED_DAY ((int64_t)86400000)
#define BED_MAIN "shop/refs~2fheads~2fmain"

struct cache_bed {
    char *root, *data; /* data: the folder in which the store's files lie */
    char *to;
    struct versitygw server;
    struct loop *loop;
    struct http_client *client;
    struct credentials_source source;
    struct credentials_provider *provider;
    struct s3 *s3;
    bool skipped;
    struct cache_options options;
    struct cache_result result;
    struct error err;
    char warnings[4096];
    int64_t warned;
};

static inline void bed_on_warning(void *context, const char *text)
{
    struct cache_bed *bed = context;
    size_t used = strlen(bed->warnings);

    bed->warned++;
    snprintf(bed->warnings + used, sizeof bed->warnings - used, "%s\n", text);
}

static inline struct cache_bed *cache_bed_new(void)
{
    struct cache_bed *bed = xcalloc(1, sizeof *bed);

    assert_int_equal(fs_make_temp("/tmp", "cache-", &bed->root), 0);
    bed->options = (struct cache_options){
        .project = "shop",
        .ref = "refs/heads/main",
        .now_ms = BED_NOW,
        .on_warning = bed_on_warning,
        .context = bed,
    };
    return bed;
}

static inline int cache_bed_folder(void **state)
{
    struct cache_bed *bed = cache_bed_new();

    bed->data = xasprintf("%s/store", bed->root);
    bed->to = xasprintf("file:%s/", bed->data);
    bed->options.to = bed->to;
    *state = bed;
    return 0;
}

static inline int cache_bed_s3(void **state)
{
    struct cache_bed *bed = cache_bed_new();
    struct s3_options options = {.bucket = VERSITYGW_BUCKET, .region = VERSITYGW_REGION};

    *state = bed;
    bed->skipped = !versitygw_start(&bed->server);
    if (bed->skipped)
        return 0;
    bed->data = xasprintf("%s/data/" VERSITYGW_BUCKET "/layers", bed->server.folder);
    bed->to = xstrdup("s3://" VERSITYGW_BUCKET "/layers");
    bed->loop = loop_new();
    bed->client = http_client_new(bed->loop, &(struct http_options){.max_connections = 64});
    bed->source = (struct credentials_source){
        .kind = CREDENTIALS_STATIC,
        .fixed = {.access_key = secret_dup(VERSITYGW_ACCESS), .secret_key = secret_dup(VERSITYGW_SECRET)},
    };
    bed->provider = credentials_provider_new(&bed->source, bed->client);
    options.endpoint = bed->server.endpoint;
    assert_int_equal(s3_new(&bed->s3, bed->client, bed->provider, &options, NULL), 0);
    bed->options.to = bed->to;
    bed->options.s3 = bed->s3;
    bed->options.loop = bed->loop;
    return 0;
}

static inline int cache_bed_teardown(void **state)
{
    struct cache_bed *bed = *state;

    if (bed->s3) {
        s3_free(bed->s3);
        credentials_provider_free(bed->provider);
        credentials_source_dispose(&bed->source);
        http_client_free(bed->client);
        loop_free(bed->loop);
    }
    versitygw_stop(&bed->server);
    fs_remove_tree(bed->root);
    cache_result_dispose(&bed->result);
    free(bed->root);
    free(bed->data);
    free(bed->to);
    free(bed);
    return 0;
}

static inline struct cache_bed *bed_of(void **state)
{
    struct cache_bed *bed = *state;

    if (bed->skipped)
        skip_because("no versitygw");
    return bed;
}

/* ---- files ---- */

static inline void bed_write(const struct cache_bed *bed, const char *path, const char *text)
{
    CLEANUP_FREE char *whole = xasprintf("%s/%s", bed->root, path);
    CLEANUP_FREE char *folder = xstrdup(whole);

    *strrchr(folder, '/') = '\0';
    assert_int_equal(fs_make_folders(folder, 0755), 0);
    assert_int_equal(fs_write_file(whole, text, strlen(text), 0644), 0);
}

static inline char *read_text(const char *path)
{
    struct buf text;

    buf_init(&text, 1 << 20);
    if (fs_read_file(path, 1 << 20, &text)) {
        buf_dispose(&text);
        return NULL;
    }
    return text.data ? buf_take(&text) : xstrdup("");
}

static inline void expect_text(const struct cache_bed *bed, const char *path, const char *text)
{
    CLEANUP_FREE char *whole = xasprintf("%s/%s", bed->root, path);
    CLEANUP_FREE char *found = read_text(whole);

    if (!text) {
        assert_null(found);
        return;
    }
    if (!found)
        fail_msg("%s is not there", path);
    assert_string_equal(found, text);
}

/* Where the store keeps something. Caller frees. */
static inline char *stored(const struct cache_bed *bed, const char *place, const char *what)
{
    return xasprintf("%s/%s/%s", bed->data, place, what);
}

static inline char *stored_blob(const struct cache_bed *bed, const char *place, const char *content)
{
    char sha256[SHA256_HEX_SIZE];

    sha256_hex(content, strlen(content), sha256);
    return xasprintf("%s/%s/blobs/sha256/%s", bed->data, place, sha256);
}

static inline bool has_blob(const struct cache_bed *bed, const char *place, const char *content)
{
    CLEANUP_FREE char *path = stored_blob(bed, place, content);

    return access(path, F_OK) == 0;
}

/* In place, as versitygw keeps what it knows of an object with its file. */
static inline void overwrite(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_TRUNC);

    assert_true(fd >= 0);
    assert_int_equal(fs_write_all(fd, text, strlen(text)), 0);
    close(fd);
}

/* ---- calls ---- */

static inline int bed_call(struct cache_bed *bed, const char *folder,
                           int (*call)(const struct cache_options *, int, struct cache_result *, struct error *))
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", bed->root, folder);
    CLEANUP_CLOSE int fd = -1;

    assert_int_equal(fs_make_folders(path, 0755), 0);
    fd = open(path, O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0);
    cache_result_dispose(&bed->result);
    bed->warnings[0] = '\0';
    bed->warned = 0;
    memset(&bed->err, 0, sizeof bed->err);
    return call(&bed->options, fd, &bed->result, &bed->err);
}

static inline void bed_save(struct cache_bed *bed, const char *folder)
{
    if (bed_call(bed, folder, cache_save))
        fail_msg("save: %s: %s", bed->err.reason, bed->err.message);
}

static inline void bed_restore(struct cache_bed *bed, const char *folder)
{
    if (bed_call(bed, folder, cache_restore))
        fail_msg("restore: %s: %s", bed->err.reason, bed->err.message);
}

static inline void bed_ref(struct cache_bed *bed, const char *ref, const char *fallback)
{
    bed->options.ref = ref;
    bed->options.fallback_ref = fallback;
}

/* An entry as an engine writes it: an index, and a layer. */
static inline void bed_entry(const struct cache_bed *bed, const char *folder, const char *name, const char *layer)
{
    CLEANUP_FREE char *mark = xasprintf("%s/%s/oci-layout", folder, name);
    CLEANUP_FREE char *index = xasprintf("%s/%s/index.json", folder, name);
    CLEANUP_FREE char *blob = xasprintf("%s/%s/blobs/sha256/layer", folder, name);
    CLEANUP_FREE char *text = xasprintf("index of %s", layer);

    bed_write(bed, mark, "mark");
    bed_write(bed, index, text);
    bed_write(bed, blob, layer);
}

static inline void expect_entry(const struct cache_bed *bed, const char *folder, const char *name, const char *layer)
{
    CLEANUP_FREE char *mark = xasprintf("%s/%s/oci-layout", folder, name);
    CLEANUP_FREE char *index = xasprintf("%s/%s/index.json", folder, name);
    CLEANUP_FREE char *blob = xasprintf("%s/%s/blobs/sha256/layer", folder, name);
    CLEANUP_FREE char *text = layer ? xasprintf("index of %s", layer) : NULL;

    expect_text(bed, mark, layer ? "mark" : NULL);
    expect_text(bed, index, text);
    expect_text(bed, blob, layer);
}

/* What is stored of a place. Caller disposes. */
static inline void read_manifest(const struct cache_bed *bed, const char *place, struct cache_manifest *manifest)
{
    CLEANUP_FREE char *path = stored(bed, place, "manifest.json");
    CLEANUP_FREE char *text = read_text(path);
    struct error err;

    assert_non_null(text);
    if (cache_manifest_parse(manifest, view_of(text), path, &err))
        fail_msg("%s", err.message);
}

/* A test in one of the two stores, or in both. */
/* clang-format off */
#define IN(bed, test) {#test "(" #bed ")", test, cache_bed_##bed, cache_bed_teardown, NULL}
#define IN_BOTH(test) IN(folder, test), IN(s3, test)
/* clang-format on */

#endif
