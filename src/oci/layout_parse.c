/* index.json, manifest and configuration as hostile text. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/mem.h"
#include "oci/layout_internal.h"
#include "oci/reference.h"

static const char *const manifest_types[] = {
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    NULL,
};
static const char *const index_types[] = {
    OCI_INDEX_TYPE,
    "application/vnd.docker.distribution.manifest.list.v2+json",
    NULL,
};
static const char *const config_types[] = {
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
    NULL,
};
static const char *const layer_types[] = {
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
    NULL,
};
/* Their bytes are somewhere else: whoever runs the image would fetch them from there. */
static const char *const foreign_types[] = {
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    NULL,
};

static bool is_one_of(const char *text, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(text, *list) == 0)
            return true;
    return false;
}

static int invalid(struct error *err, const char *what, const char *problem)
{
    return error_set(err, CLASS_OUTPUT_REFUSED, "layout-invalid", "%s of the image: %s", what, problem);
}

/* The next character of a key, as those who read JSON without regard to case take it: the long s and the Kelvin sign
 * are letters for them too. */
static int folded(const char **at)
{
    static const struct {
        const char *bytes;
        char letter;
    } signs[] = {{"\xc5\xbf", 's'}, {"\xe2\x84\xaa", 'k'}};
    size_t i;

    for (i = 0; i < ARRAY_LEN(signs); i++)
        if (strncmp(*at, signs[i].bytes, strlen(signs[i].bytes)) == 0) {
            *at += strlen(signs[i].bytes);
            return signs[i].letter;
        }
    return tolower((unsigned char)*(*at)++);
}

static bool is_variant(const char *key, const char *name)
{
    const char *at = key;

    for (; *name && *at; name++)
        if (folded(&at) != tolower((unsigned char)*name))
            return false;
    return !*name && !*at;
}

/*
 * Container engines and registries are written in Go, whose decoder takes "URLs" for "urls", the last one winning: they
 * would read another document than the one that is checked here.
 */
static int check_keys(const json_t *object, const char *what, struct error *err)
{
    static const char *const names[] = {
        "schemaVersion", "mediaType", "artifactType", "config",     "layers",      "manifests",    "subject",
        "annotations",   "size",      "digest",       "urls",       "data",        "platform",     "fsLayers",
        "history",       "blobs",     "rootfs",       "diff_ids",   "type",        "architecture", "os",
        "variant",       "created",   "author",       "os.version", "os.features",
    };
    const char *key;
    json_t *value;
    size_t i;

    json_object_foreach((json_t *)object, key, value)
    {
        for (i = 0; i < ARRAY_LEN(names); i++)
            if (is_variant(key, names[i]) && strcmp(key, names[i]) != 0)
                return error_set(err, CLASS_OUTPUT_REFUSED, "layout-invalid",
                                 "%s of the image: it has \"%s\" in another spelling", what, names[i]);
    }
    return 0;
}

/* At least as many as there are values. Each takes much more memory than it takes bytes. */
static bool has_too_many_values(struct view text)
{
    size_t i, count = 0;

    for (i = 0; i < text.len; i++)
        count += text.data[i] == ',' || text.data[i] == '{' || text.data[i] == '[';
    return count > OCI_VALUES_MAX;
}

/* A whole document that is an object of schema version 2 when `versioned`. */
static json_t *parse_object(struct view text, const char *what, bool versioned, struct error *err)
{
    struct error parse_error;
    json_t *document;

    if (has_too_many_values(text)) {
        error_set(err, CLASS_OUTPUT_REFUSED, "layout-too-large", "%s of the image has more than %d values", what,
                  OCI_VALUES_MAX);
        return NULL;
    }
    document = json_parse(text.data, text.len, CLASS_OUTPUT_REFUSED, what, &parse_error);
    if (!document) {
        error_set(err, CLASS_OUTPUT_REFUSED, "layout-invalid", "of the image, %s", parse_error.message);
        return NULL;
    }
    if (!json_is_object(document))
        invalid(err, what, "not a JSON object");
    else if (versioned && json_int(document, "schemaVersion", 0) != 2)
        invalid(err, what, "its schemaVersion is not 2");
    else if (check_keys(document, what, err) == 0)
        return document;
    json_decref(document);
    return NULL;
}

static int parse_descriptor(const json_t *object, const char *what, struct oci_descriptor *descriptor,
                            struct error *err)
{
    const char *type = json_text(object, "mediaType", "");
    const char *digest = json_text(object, "digest", "");

    if (!json_is_object(object))
        return invalid(err, what, "not a descriptor");
    if (check_keys(object, what, err))
        return -1;
    if (json_object_get(object, "urls")) {
        error_set(err, CLASS_OUTPUT_REFUSED, "layout-foreign", "%s of the image names urls to fetch it from", what);
        return error_hint(err, "build the image from a base whose layers are all in its registry");
    }
    if (!*type || strlen(type) >= sizeof descriptor->media_type)
        return invalid(err, what, "no media type, or one that is too long");
    if (!oci_digest_valid(digest))
        return invalid(err, what, "its digest is not sha256 and 64 hexadecimal digits in lower case");
    descriptor->size = json_int(object, "size", -1);
    if (descriptor->size < 0 || descriptor->size > OCI_BLOB_MAX)
        return invalid(err, what, "no size, or one that no file has");
    memcpy(descriptor->media_type, type, strlen(type) + 1);
    memcpy(descriptor->digest, digest, OCI_DIGEST_SIZE);
    return 0;
}

/* ---- index.json ---- */

static int refuse_many(struct error *err, size_t count, const char *name)
{
    if (name) {
        error_set(err, CLASS_OUTPUT_REFUSED, "layout-many", "the layout holds %zu images that are called %.128s", count,
                  name);
        return error_hint(err, "look at the names (" OCI_REF_NAME ") in its index.json");
    }
    error_set(err, CLASS_OUTPUT_REFUSED, "layout-many", "the layout holds %zu images, and it must be one", count);
    return error_hint(err, "push one platform's image; of several say its name");
}

static const char *entry_name(const json_t *entry)
{
    return json_text(json_object_get(entry, "annotations"), OCI_REF_NAME, "");
}

static int choose(const json_t *manifests, const char *name, const json_t **chosen, struct error *err)
{
    size_t i, count = 0;
    const json_t *entry;

    json_array_foreach(manifests, i, entry)
    {
        if (name && strcmp(entry_name(entry), name) != 0)
            continue;
        *chosen = entry;
        count++;
    }
    return count == 1 ? 0 : refuse_many(err, count, name);
}

int oci_index_parse(struct view text, const char *name, struct oci_descriptor *manifest, struct error *err)
{
    CLEANUP_JSON json_t *document = parse_object(text, OCI_INDEX_FILE, true, err);
    const json_t *manifests, *chosen = NULL;

    if (!document)
        return -1;
    if (strcmp(json_text(document, "mediaType", OCI_INDEX_TYPE), OCI_INDEX_TYPE) != 0)
        return invalid(err, OCI_INDEX_FILE, "its media type is not that of an index");
    manifests = json_object_get(document, "manifests");
    if (!json_is_array(manifests) || json_array_size(manifests) > OCI_IMAGES_MAX)
        return invalid(err, OCI_INDEX_FILE, "no list of manifests, or one that is too long");
    if (choose(manifests, name, &chosen, err) || parse_descriptor(chosen, "the manifest", manifest, err))
        return -1;
    if (is_one_of(manifest->media_type, index_types)) {
        error_set(err, CLASS_OUTPUT_REFUSED, "layout-many", "the layout holds an index of images within its index");
        return error_hint(err, "push one platform's image");
    }
    if (!is_one_of(manifest->media_type, manifest_types))
        return invalid(err, "the manifest", "its media type is not that of an image");
    return 0;
}

/* ---- manifest ---- */

static int add_blob(struct oci_image *image, const struct oci_descriptor *descriptor, struct error *err)
{
    struct oci_blob *blob;
    size_t i;

    for (i = 0; i < image->blobs_len; i++) {
        if (strcmp(image->blobs[i].digest, descriptor->digest) != 0)
            continue;
        if (image->blobs[i].size != descriptor->size)
            return invalid(err, "the manifest", "one digest with two sizes");
        return 0;
    }
    blob = &image->blobs[image->blobs_len++];
    *blob = (struct oci_blob){.size = descriptor->size, .fd = -1};
    memcpy(blob->media_type, descriptor->media_type, sizeof blob->media_type);
    memcpy(blob->digest, descriptor->digest, sizeof blob->digest);
    image->bytes += descriptor->size;
    return 0;
}

static int add_layer(struct oci_image *image, const json_t *object, struct error *err)
{
    struct oci_descriptor layer = {0};

    if (parse_descriptor(object, "a layer", &layer, err))
        return -1;
    if (is_one_of(layer.media_type, foreign_types)) {
        error_set(err, CLASS_OUTPUT_REFUSED, "layout-foreign",
                  "a layer of the image may not be distributed: its media type is %s", layer.media_type);
        return error_hint(err, "build the image from a base whose layers are all in its registry");
    }
    if (!is_one_of(layer.media_type, layer_types))
        return invalid(err, "a layer", "its media type is not that of a layer");
    return add_blob(image, &layer, err);
}

/* What would make it something else than one image to whoever reads it in another way. */
static int check_kind(const json_t *document, const char *media_type, struct error *err)
{
    static const char *const other_kinds[] = {"manifests", "fsLayers", "history", "subject", "artifactType", "blobs"};
    size_t i;

    if (strcmp(json_text(document, "mediaType", media_type), media_type) != 0)
        return invalid(err, "the manifest", "its media type is not the one that index.json says");
    for (i = 0; i < ARRAY_LEN(other_kinds); i++)
        if (json_object_get(document, other_kinds[i]))
            return error_set(err, CLASS_OUTPUT_REFUSED, "layout-invalid",
                             "the manifest of the image: it is not an image's alone, for it has \"%s\"",
                             other_kinds[i]);
    return 0;
}

int oci_manifest_parse(struct view text, const char *media_type, struct oci_image *image, struct error *err)
{
    CLEANUP_JSON json_t *document = parse_object(text, "the manifest", true, err);
    struct oci_descriptor config = {0};
    const json_t *layers, *layer;
    size_t i;

    if (!document || check_kind(document, media_type, err))
        return -1;
    layers = json_object_get(document, "layers");
    if (!json_is_array(layers))
        return invalid(err, "the manifest", "no list of layers");
    if (json_array_size(layers) > OCI_LAYERS_MAX)
        return error_set(err, CLASS_OUTPUT_REFUSED, "layout-too-large", "the image has %zu layers, more than %d",
                         json_array_size(layers), OCI_LAYERS_MAX);
    if (parse_descriptor(json_object_get(document, "config"), "the configuration", &config, err))
        return -1;
    if (!is_one_of(config.media_type, config_types))
        return invalid(err, "the configuration", "its media type is not that of an image's configuration");
    if (config.size > (int64_t)OCI_CONFIG_MAX)
        return error_set(err, CLASS_OUTPUT_REFUSED, "layout-too-large",
                         "the configuration of the image has %lld bytes, more than %zu", (long long)config.size,
                         OCI_CONFIG_MAX);
    free(image->blobs);
    image->blobs = xcalloc(json_array_size(layers) + 1, sizeof *image->blobs);
    image->blobs_len = 0;
    image->bytes = 0;
    image->layers = json_array_size(layers);
    json_array_foreach(layers, i, layer)
    {
        if (add_layer(image, layer, err))
            return -1;
    }
    /* A layer that is the configuration too would make the last blob another. */
    for (i = 0; i < image->blobs_len; i++)
        if (strcmp(image->blobs[i].digest, config.digest) == 0)
            return invalid(err, "the manifest", "a layer that is the configuration too");
    return add_blob(image, &config, err);
}

/* ---- configuration ---- */

static int take_word(const json_t *document, const char *key, char word[32], struct error *err)
{
    const char *text = json_text(document, key, "");
    size_t len = strlen(text);

    if (len == 0 || len >= 32 || strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_.-") != len)
        return error_set(err, CLASS_OUTPUT_REFUSED, "layout-invalid",
                         "the configuration of the image: its \"%s\" is missing or no name of one", key);
    memcpy(word, text, len + 1);
    return 0;
}

static int check_platform(const json_t *document, const char *platform, const struct oci_image *image,
                          struct error *err)
{
    CLEANUP_FREE char *base = xasprintf("%s/%s", image->os, image->architecture);
    const char *variant = json_text(document, "variant", "");
    size_t len = strlen(base);

    if (!platform)
        return 0;
    if (strncmp(platform, base, len) == 0 &&
        (platform[len] == '\0' || (platform[len] == '/' && (!*variant || strcmp(platform + len + 1, variant) == 0))))
        return 0;
    error_set(err, CLASS_OUTPUT_REFUSED, "platform-mismatch", "the image is made for %s, not for %.64s", base,
              platform);
    return error_hint(err, "build it on such a machine, or set build.platform to what it is made for");
}

int oci_config_parse(struct view text, const char *platform, struct oci_image *image, struct error *err)
{
    CLEANUP_JSON json_t *document = parse_object(text, "the configuration", false, err);
    const json_t *rootfs = json_object_get(document, "rootfs");
    const json_t *diff_ids = json_object_get(rootfs, "diff_ids");

    if (!document || check_keys(rootfs, "the configuration", err) ||
        take_word(document, "architecture", image->architecture, err) || take_word(document, "os", image->os, err))
        return -1;
    if (!json_is_array(diff_ids) && image->layers > 0)
        return invalid(err, "the configuration", "no list of the layers' contents (rootfs.diff_ids)");
    if (json_array_size(diff_ids) != image->layers)
        return invalid(err, "the configuration", "another number of layers than in the manifest");
    return check_platform(document, platform, image, err);
}
