/* The documents of image layouts as hostile text: index.json, manifest, configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
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

static void test_indexes(void **state)
{
    static const char digest[] = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    static const struct {
        const char *text, *reason, *says;
    } cases[] = {
        {"", "layout-invalid", "not valid JSON"},
        {"[]", "layout-invalid", "not a JSON object"},
        {"{\"schemaVersion\":1,\"manifests\":[]}", "layout-invalid", "schemaVersion"},
        {"{\"schemaVersion\":2}", "layout-invalid", "no list of manifests"},
        {"{\"schemaVersion\":2,\"manifests\":{}}", "layout-invalid", "no list of manifests"},
        {"{\"schemaVersion\":2,\"mediaType\":\"text/plain\",\"manifests\":[]}", "layout-invalid", "media type"},
        {"{\"schemaVersion\":2,\"manifests\":[]}", "layout-many", "0 images"},
        {"{\"schemaVersion\":2,\"manifests\":[1]}", "layout-invalid", "not a descriptor"},
        {"{\"schemaVersion\":2,\"manifests\":[{},{}]}", "layout-many", "2 images"},
        {"{\"schemaVersion\":2,\"schemaVersion\":2,\"manifests\":[]}", "layout-invalid", "duplicate"},
        {"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"digest\":"
         "\"@\",\"size\":5}]}",
         "layout-many", "within its index"},
        {"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/vnd.docker.distribution.manifest.list.v2+"
         "json\",\"digest\":\"@\",\"size\":5}]}",
         "layout-many", "within its index"},
        {"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/x\",\"digest\":\"@\",\"size\":5}]}",
         "layout-invalid", "media type"},
        {"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"a\",\"digest\":\"sha256:../../../etc/passwd\",\"size\":"
         "5}]}",
         "layout-invalid", "digest"},
        {"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"a\",\"digest\":\"@\",\"size\":-1}]}", "layout-invalid",
         "size"},
        {"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"a\",\"digest\":\"@\",\"size\":1.5}]}", "layout-invalid",
         "size"},
        {"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"a\",\"digest\":\"@\",\"size\":9223372036854775807}]}",
         "layout-invalid", "size"},
        {"{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"@\",\"size\":5}]}", "layout-invalid", "media type"},
        {"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"a\",\"digest\":\"@\",\"size\":5,\"urls\":[]}]}",
         "layout-foreign", "urls"},
        {"{\"schemaVersion\":2,\"Manifests\":[],\"manifests\":[]}", "layout-invalid", "\"manifests\" in another"},
        {"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"a\",\"digest\":\"@\",\"size\":5,\"URLs\":[]}]}",
         "layout-invalid", "\"urls\" in another spelling"},
    };
    const struct oci_bed *bed = *state;
    size_t i;

    for (i = 0; i < ARRAY_LEN(cases); i++) {
        const char *at = strchr(cases[i].text, '@');
        CLEANUP_FREE char *text = at ? xasprintf("%.*s%s%s", (int)(at - cases[i].text), cases[i].text, digest, at + 1)
                                     : xstrdup(cases[i].text);

        oci_bed_index(bed, text);
        refused(bed, cases[i].reason, cases[i].says);
    }
}

/* The manifest of a bed with other texts for some of its parts. */
static void test_manifests(void **state)
{
    static const struct {
        const char *from, *to, *reason, *says;
    } cases[] = {
        {"{\"schemaVersion\":2", "{\"schemaVersion\":\"2\"", "layout-invalid", "schemaVersion"},
        {"image.manifest.v1", "image.index.v1", "layout-invalid", "not the one that index.json says"},
        {"{\"schemaVersion\":2", "{\"schemaVersion\":2,\"manifests\":[]", "layout-invalid", "\"manifests\""},
        {"{\"schemaVersion\":2", "{\"schemaVersion\":2,\"subject\":{}", "layout-invalid", "\"subject\""},
        {"{\"schemaVersion\":2", "{\"schemaVersion\":2,\"fsLayers\":[]", "layout-invalid", "\"fsLayers\""},
        {"{\"schemaVersion\":2", "{\"schemaVersion\":2,\"layers\":[]", "layout-invalid", "duplicate"},
        {"\"layers\":[", "\"layers\":[{},", "layout-invalid", "media type"},
        {"\"layers\":[", "\"layer\":[", "layout-invalid", "no list of layers"},
        {"\"config\":{", "\"config\":[],\"x\":{", "layout-invalid", "not a descriptor"},
        {"image.config.v1+json", "empty.v1+json", "layout-invalid", "an image's configuration"},
        {"layer.v1.tar+gzip", "layer.v1.tar+rar", "layout-invalid", "that of a layer"},
        {"layer.v1.tar+gzip", "layer.nondistributable.v1.tar+gzip", "layout-foreign", "may not be distributed"},
        {OCI_BED_LAYER, "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "layout-foreign", "distributed"},
        {"tar+gzip\",", "tar+gzip\",\"urls\":[\"https://evil.test/x\"],", "layout-foreign", "urls"},
        /* As a decoder reads them that does not regard case. */
        {"tar+gzip\",", "tar+gzip\",\"URLS\":[\"https://evil.test/x\"],", "layout-invalid", "\"urls\" in another"},
        {"tar+gzip\",", "tar+gzip\",\"url\xc5\xbf\":[\"https://evil.test/x\"],", "layout-invalid", "\"urls\" in an"},
        {"config.v1+json\",", "config.v1+json\",\"URLs\":[\"https://evil.test/x\"],", "layout-invalid", "\"urls\""},
        {"{\"schemaVersion\":2", "{\"schemaVersion\":2,\"Layers\":[]", "layout-invalid", "\"layers\" in another"},
        {"{\"schemaVersion\":2", "{\"schemaVersion\":2,\"FSLayers\":[]", "layout-invalid", "\"fsLayers\" in an"},
        {"\"size\":15", "\"size\":16", "blob-mismatch", "not 16"},
        {"\"size\":15", "\"size\":1099511627777", "layout-invalid", "size"},
    };
    const struct oci_bed *bed = *state;
    CLEANUP_FREE char *path = oci_bed_path(bed, bed->manifest);
    struct oci_bed other = *bed;
    struct buf text;
    size_t i;

    buf_init(&text, 65536);
    assert_int_equal(fs_read_file(path, 65536, &text), 0);
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        const char *at = strstr(buf_text(&text), cases[i].from);
        CLEANUP_FREE char *changed = NULL;

        assert_non_null(at);
        changed = xasprintf("%.*s%s%s", (int)(at - buf_text(&text)), buf_text(&text), cases[i].to,
                            at + strlen(cases[i].from));
        oci_bed_manifest(&other, changed);
        refused(bed, cases[i].reason, cases[i].says);
    }
    buf_dispose(&text);
}

static void test_too_many_layers(void **state)
{
    struct oci_bed *bed = *state;
    struct buf text;
    int i;

    buf_init(&text, (size_t)1 << 20);
    buf_adds(&text, "{\"schemaVersion\":2,\"config\":{},\"layers\":[{}");
    for (i = 0; i < OCI_LAYERS_MAX; i++)
        buf_adds(&text, ",{}");
    buf_adds(&text, "]}");
    oci_bed_manifest(bed, buf_text(&text));
    refused(bed, "layout-too-large", "501 layers");
    buf_dispose(&text);
}

static void test_depth(void **state)
{
    struct oci_bed *bed = *state;
    char *text = xcalloc(1, 100001);

    memset(text, '[', 100000);
    oci_bed_index(bed, text);
    refused(bed, "layout-invalid", "not valid JSON");
    free(text);
}

/* Of three bytes each, which take two hundred in memory. */
static void test_many_values(void **state)
{
    struct oci_bed *bed = *state;
    struct buf text;
    int i;

    buf_init(&text, (size_t)1 << 20);
    buf_adds(&text, "{\"schemaVersion\":2,\"manifests\":[],\"x\":[0");
    for (i = 0; i < 100000; i++)
        buf_adds(&text, ",{}");
    buf_adds(&text, "]}");
    oci_bed_index(bed, buf_text(&text));
    refused(bed, "layout-too-large", "more than 100000 values");
    buf_dispose(&text);
}

static void config_refused(struct oci_bed *bed, const char *config, const char *platform, const char *reason,
                           const char *says)
{
    const struct oci_layout_limits limits = {.platform = platform};
    size_t size = oci_bed_blob(bed, config, bed->config);
    CLEANUP_FREE char *manifest =
        xasprintf("{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" OCI_BED_CONFIG
                  "\",\"digest\":\"%s\",\"size\":%zu},\"layers\":[{\"mediaType\":\"" OCI_BED_LAYER
                  "\",\"digest\":\"%s\",\"size\":15}]}",
                  bed->config, size, bed->layers[0]);

    oci_bed_manifest(bed, manifest);
    refused_with(bed, &limits, reason, says);
}

static void test_configurations(void **state)
{
    static const char arm[] =
        "{\"architecture\":\"arm64\",\"os\":\"linux\",\"variant\":\"v8\",\"rootfs\":{\"diff_ids\":"
        "[\"a\"]}}";
    struct oci_bed *bed = *state;

    config_refused(bed, "[]", NULL, "layout-invalid", "not a JSON object");
    config_refused(bed, "{\"os\":\"linux\"}", NULL, "layout-invalid", "\"architecture\"");
    config_refused(bed, "{\"architecture\":\"a\\nb\",\"os\":\"linux\"}", NULL, "layout-invalid", "\"architecture\"");
    config_refused(bed, "{\"architecture\":\"amd64\"}", NULL, "layout-invalid", "\"os\"");
    config_refused(bed, "{\"architecture\":\"amd64\",\"os\":\"linux\"}", NULL, "layout-invalid", "diff_ids");
    config_refused(bed, "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"diff_ids\":[]}}", NULL,
                   "layout-invalid", "another number of layers");
    config_refused(bed, "{\"architecture\":\"amd64\",\"os\":\"linux\",\"OS\":\"windows\"}", NULL, "layout-invalid",
                   "\"os\" in another spelling");
    config_refused(bed, "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"DIFF_IDS\":[\"a\"]}}", NULL,
                   "layout-invalid", "\"diff_ids\" in another spelling");
    config_refused(bed, arm, "linux/amd64", "platform-mismatch", "made for linux/arm64, not for linux/amd64");
    config_refused(bed, arm, "linux/arm64/v7", "platform-mismatch", "linux/arm64/v7");
    config_refused(bed, arm, "linux/arm", "platform-mismatch", "linux/arm");
}

static void test_platforms_that_fit(void **state)
{
    static const char arm[] = "{\"architecture\":\"arm64\",\"os\":\"linux\",\"variant\":\"v8\"}";
    struct oci_image image = {0};
    struct error err = {0};

    (void)state;
    assert_int_equal(oci_config_parse(view_of(arm), "linux/arm64", &image, &err), 0);
    assert_int_equal(oci_config_parse(view_of(arm), "linux/arm64/v8", &image, &err), 0);
    assert_int_equal(oci_config_parse(view_of(arm), NULL, &image, &err), 0);
}

int main(void)
{
#define ON_IMAGE(test) cmocka_unit_test_setup_teardown(test, setup_image, teardown)
#define ON_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        ON_FOLDER(test_indexes),
        ON_IMAGE(test_manifests),
        ON_FOLDER(test_too_many_layers),
        ON_FOLDER(test_depth),
        ON_FOLDER(test_many_values),
        ON_IMAGE(test_configurations),
        cmocka_unit_test(test_platforms_that_fit),
    };

    return cmocka_run_group_tests_name("oci/documents", tests, NULL, NULL);
}
