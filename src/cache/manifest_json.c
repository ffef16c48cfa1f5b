/* The document's text: schema "caisson.cache/1". */
#include <string.h>

#include "cache/manifest.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/mem.h"
#include "core/utf8.h"

#define SCHEMA "caisson.cache/1"

static bool is_hash(const char *text)
{
    return strlen(text) == SHA256_HEX_SIZE - 1 && strspn(text, "0123456789abcdef") == SHA256_HEX_SIZE - 1;
}

static bool is_clean(const char *text)
{
    const unsigned char *p;

    for (p = (const unsigned char *)text; *p; p++)
        if (*p < 0x20 || *p == 0x7F)
            return false;
    return utf8_is_valid(view_of(text));
}

/* Names with a leading dot are our own, while we restore. */
bool cache_is_name(const char *name)
{
    return name[0] != '.' && !strchr(name, '/') && fs_is_confined(name, false) && strlen(name) <= CACHE_NAME_MAX &&
           is_clean(name);
}

bool cache_is_path(const char *path)
{
    return fs_is_confined(path, false) && strlen(path) <= CACHE_PATH_MAX && is_clean(path);
}

/* Times of others' clocks: a later one than ours is met where it is used. */
static bool is_time(int64_t ms)
{
    return ms >= 0 && ms < (int64_t)1 << 52;
}

static const char *read_files(struct cache_entry *entry, json_t *files)
{
    const char *path, *sha256;
    json_t *item;

    if (!json_is_object(files) || json_object_size(files) == 0 || json_object_size(files) > CACHE_ENTRY_FILES_MAX)
        return "an entry has no files, or too many";
    json_object_foreach(files, path, item)
    {
        int64_t size = json_int(item, "size", -1);

        sha256 = json_text(item, "sha256", "");
        if (!cache_is_path(path) || !is_hash(sha256) || size < 0 || size > CACHE_FILE_BYTES)
            return "a file's path, size or hash is malformed";
        cache_entry_add(entry, xstrdup(path), size, sha256);
    }
    cache_entry_sort(entry);
    return NULL;
}

static const char *read_entries(struct cache_manifest *manifest, json_t *entries)
{
    const char *name, *problem;
    json_t *item;

    if (!json_is_object(entries) || json_object_size(entries) > CACHE_ENTRIES_MAX)
        return "it has no entries, or too many";
    json_object_foreach(entries, name, item)
    {
        struct cache_entry entry = {
            .written_ms = json_int(item, "written_ms", -1),
            .used_ms = json_int(item, "used_ms", -1),
        };

        if (!cache_is_name(name) || !is_time(entry.written_ms) || !is_time(entry.used_ms))
            return "an entry's name or time is malformed";
        problem = read_files(&entry, json_object_get(item, "files"));
        entry.name = xstrdup(name);
        if (!problem)
            cache_manifest_put(manifest, &entry);
        cache_entry_dispose(&entry);
        if (problem)
            return problem;
    }
    return NULL;
}

static const char *read_blobs(struct cache_blobs *blobs, json_t *list)
{
    const char *sha256;
    json_t *item;

    if (list && (!json_is_object(list) || json_object_size(list) > CACHE_BLOBS_MAX))
        return "a list of hashes is malformed";
    json_object_foreach(list, sha256, item)
    {
        if (!is_hash(sha256) || !json_is_integer(item) || !is_time(json_integer_value(item)))
            return "a hash or its time is malformed";
        cache_blobs_put(blobs, sha256, 0, json_integer_value(item));
    }
    return NULL;
}

static const char *read_document(struct cache_manifest *manifest, const json_t *root)
{
    const char *project = json_text(root, "project", NULL), *ref = json_text(root, "ref", NULL), *problem;

    if (strcmp(json_text(root, "schema", ""), SCHEMA) != 0)
        return "its schema is not " SCHEMA;
    if (!project || !ref)
        return "it does not say whose it is";
    cache_manifest_init(manifest, project, ref);
    problem = read_entries(manifest, json_object_get(root, "entries"));
    if (!problem)
        problem = read_blobs(&manifest->pending, json_object_get(root, "pending"));
    return problem ? problem : read_blobs(&manifest->dead, json_object_get(root, "dead"));
}

int cache_manifest_parse(struct cache_manifest *manifest, struct view text, const char *what, struct error *err)
{
    CLEANUP_JSON json_t *root = NULL;
    struct error syntax = {.message = ""};
    const char *problem;

    *manifest = (struct cache_manifest){.project = NULL};
    root = text.len <= CACHE_MANIFEST_BYTES ? json_parse(text.data, text.len, CLASS_PLATFORM, what, &syntax) : NULL;
    problem = root ? read_document(manifest, root) : "it is no JSON document, or too large a one";
    if (!problem)
        return 0;
    cache_manifest_dispose(manifest);
    return error_set(err, CLASS_PLATFORM, "bad-manifest", "%s is no manifest of a cache that this version reads: %s",
                     what, problem);
}

static json_t *entry_json(const struct cache_entry *entry)
{
    json_t *object = json_object(), *files = json_object(), *item;
    size_t i;

    for (i = 0; i < entry->files_len; i++) {
        item = json_object();
        json_object_set_new(item, "size", json_integer(entry->files[i].size));
        json_put_text(item, "sha256", entry->files[i].sha256);
        json_object_set_new(files, entry->files[i].path, item);
    }
    json_object_set_new(object, "written_ms", json_integer(entry->written_ms));
    json_object_set_new(object, "used_ms", json_integer(entry->used_ms));
    json_object_set_new(object, "files", files);
    return object;
}

static json_t *blobs_json(const struct cache_blobs *blobs)
{
    json_t *object = json_object();
    size_t i;

    for (i = 0; i < blobs->len; i++)
        json_object_set_new(object, blobs->items[i].sha256, json_integer(blobs->items[i].at_ms));
    return object;
}

static int append(const char *data, size_t len, void *out)
{
    return buf_add(out, data, len);
}

int cache_manifest_format(const struct cache_manifest *manifest, struct buf *out)
{
    CLEANUP_JSON json_t *root = json_object();
    json_t *entries = json_object();
    size_t i;

    for (i = 0; i < manifest->entries_len; i++)
        json_object_set_new(entries, manifest->entries[i].name, entry_json(&manifest->entries[i]));
    json_put_text(root, "schema", SCHEMA);
    json_put_text(root, "project", manifest->project);
    json_put_text(root, "ref", manifest->ref);
    json_object_set_new(root, "entries", entries);
    json_object_set_new(root, "pending", blobs_json(&manifest->pending));
    json_object_set_new(root, "dead", blobs_json(&manifest->dead));
    return json_dump_callback(root, append, out, JSON_COMPACT);
}
