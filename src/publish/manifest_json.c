/* The document's text: schema "caisson.manifest/1". */
#include <stdlib.h>
#include <string.h>

#include "core/fs.h"
#include "core/json.h"
#include "core/mem.h"
#include "publish/manifest.h"

#define MANIFEST_SCHEMA "caisson.manifest/1"
#define PENDING_MAX 64

static const char *const state_names[] = {"none", "claimed", "committing", "done"};

static void put_content(json_t *object, const struct content *content)
{
    json_put_text(object, "sha256", content->sha256);
    json_object_set_new(object, "size", json_integer(content->size));
    if (content->meta[0])
        json_put_text(object, "meta", content->meta);
    if (content->form)
        json_object_set_new(object, "form", json_integer(content->form));
}

static bool is_hex(const char *text, size_t digits)
{
    return strlen(text) == digits && strspn(text, "0123456789abcdef") == digits;
}

static bool get_content(const json_t *object, struct content *content)
{
    const char *sha256 = json_text(object, "sha256", ""), *meta = json_text(object, "meta", "");

    memset(content, 0, sizeof *content);
    content->size = json_int(object, "size", -1);
    content->form = (int)json_int(object, "form", 0);
    if ((sha256[0] && !is_hex(sha256, SHA256_HEX_SIZE - 1)) || (meta[0] && !is_hex(meta, META_SIZE - 1)) ||
        content->size < 0 || (content->form != 0 && content->form != 1))
        return false;
    memcpy(content->sha256, sha256, strlen(sha256) + 1);
    memcpy(content->meta, meta, strlen(meta) + 1);
    return true;
}

/* Paths go into requests and, for folders, into opens: whoever wrote the document gains nothing by an odd one. */
bool manifest_is_path(const char *path)
{
    const unsigned char *p;

    for (p = (const unsigned char *)path; *p; p++)
        if (*p < 0x20 || *p == 0x7F)
            return false;
    return fs_is_confined(path, false) && strlen(path) <= 1024;
}

bool manifest_is_etag(const char *etag)
{
    const unsigned char *p;

    for (p = (const unsigned char *)etag; *p; p++)
        if (*p < 0x20 || *p >= 0x7F)
            return false;
    return strlen(etag) <= 256;
}

static const char *read_files(struct manifest *manifest, json_t *files)
{
    struct content content;
    const char *path, *etag;
    json_t *item;

    if (!json_is_object(files))
        return "files is no object";
    json_object_foreach(files, path, item)
    {
        etag = json_text(item, "etag", NULL);
        if (!manifest_is_path(path) || !get_content(item, &content) || (etag && !manifest_is_etag(etag)))
            return "a file's entry is malformed";
        manifest_add_file(manifest, path, &content, etag);
    }
    manifest_sort_files(manifest);
    return NULL;
}

static const char *read_intents(struct pending *pending, json_t *intents)
{
    struct intent *intent;
    const char *path;
    json_t *item, *expected;

    if (!json_is_object(intents))
        return "intents is no object";
    pending->intents = xcalloc(json_object_size(intents) + 1, sizeof *pending->intents);
    json_object_foreach(intents, path, item)
    {
        intent = &pending->intents[pending->len];
        intent->remove = json_flag(item, "remove", false);
        intent->settled_at_ms = json_int(item, "settled_at_ms", 0);
        intent->write_settled_at_ms = json_int(item, "write_settled_at_ms", 0);
        expected = json_object_get(item, "expected");
        intent->expects = expected != NULL;
        if (!manifest_is_path(path) || (!intent->remove && !get_content(item, &intent->content)) ||
            (expected && !get_content(expected, &intent->expected)))
            return "an intent is malformed";
        intent->path = xstrdup(path);
        pending->len++;
    }
    return NULL;
}

static const char *read_pending(struct manifest *manifest, json_t *list)
{
    struct pending pending;
    const char *problem = NULL;
    json_t *item;
    size_t i;

    if (list && !json_is_array(list))
        return "pending is no array";
    if (json_array_size(list) > PENDING_MAX)
        return "it lists too many pending publishes";
    json_array_foreach(list, i, item)
    {
        memset(&pending, 0, sizeof pending);
        pending.job_id = xstrdup(json_text(item, "job_id", ""));
        pending.created_at_ms = json_int(item, "created_at_ms", 0);
        pending.settled_at_ms = json_int(item, "settled_at_ms", 0);
        problem = read_intents(&pending, json_object_get(item, "intents"));
        if (!problem)
            manifest_add_pending(manifest, &pending);
        pending_dispose(&pending);
        if (problem)
            return problem;
    }
    return NULL;
}

static const char *read_claim(struct manifest *manifest, const json_t *claim)
{
    const char *state = json_text(claim, "state", ""), *nonce = json_text(claim, "nonce", "");
    size_t i;
    bool known = false;

    for (i = 0; i < ARRAY_LEN(state_names); i++)
        if (strcmp(state, state_names[i]) == 0) {
            manifest->state = (enum claim_state)i;
            known = true;
        }
    manifest->job_id = xstrdup(json_text(claim, "job_id", ""));
    manifest->created_at_ms = json_int(claim, "created_at_ms", -1);
    manifest->claimed_at_ms = json_int(claim, "claimed_at_ms", 0);
    if (!known || !manifest->job_id[0] || strlen(manifest->job_id) > 128 || manifest->created_at_ms < 0 ||
        !is_hex(nonce, MANIFEST_NONCE_SIZE - 1))
        return "the claim is malformed";
    memcpy(manifest->nonce, nonce, MANIFEST_NONCE_SIZE);
    return NULL;
}

int manifest_parse(struct manifest *manifest, struct view text, const char *what, struct error *err)
{
    CLEANUP_JSON json_t *root = json_parse(text.data, text.len, CLASS_UPLOAD_FAILED, what, err);
    const char *problem;

    manifest_init(manifest);
    if (root && strcmp(json_text(root, "schema", ""), MANIFEST_SCHEMA) != 0)
        problem = "its schema is not " MANIFEST_SCHEMA;
    else if (root) {
        manifest->target = xstrdup(json_text(root, "target", ""));
        manifest->whole = json_flag(root, "whole", false);
        problem = read_claim(manifest, json_object_get(root, "claim"));
        if (!problem)
            problem = read_files(manifest, json_object_get(root, "files"));
        if (!problem)
            problem = read_pending(manifest, json_object_get(root, "pending"));
        if (!problem)
            return 0;
    } else {
        problem = "it is no JSON document";
    }
    manifest_dispose(manifest);
    error_set(err, CLASS_UPLOAD_FAILED, "bad-manifest", "%s is no manifest that this version reads: %s", what, problem);
    return error_hint(err, "look who wrote it; when it is lost, remove it and publish with adopt: true");
}

static json_t *pending_json(const struct pending *pending)
{
    json_t *object = json_object(), *intents = json_object(), *item, *expected;
    size_t i;

    for (i = 0; i < pending->len; i++) {
        const struct intent *intent = &pending->intents[i];

        item = json_object();
        if (intent->remove)
            json_object_set_new(item, "remove", json_true());
        else
            put_content(item, &intent->content);
        if (intent->expects) {
            expected = json_object();
            put_content(expected, &intent->expected);
            json_object_set_new(item, "expected", expected);
        }
        if (intent->settled_at_ms)
            json_object_set_new(item, "settled_at_ms", json_integer(intent->settled_at_ms));
        if (intent->write_settled_at_ms)
            json_object_set_new(item, "write_settled_at_ms", json_integer(intent->write_settled_at_ms));
        json_object_set_new(intents, intent->path, item);
    }
    json_put_text(object, "job_id", pending->job_id);
    json_object_set_new(object, "created_at_ms", json_integer(pending->created_at_ms));
    if (pending->settled_at_ms)
        json_object_set_new(object, "settled_at_ms", json_integer(pending->settled_at_ms));
    json_object_set_new(object, "intents", intents);
    return object;
}

static json_t *files_json(const struct manifest *manifest)
{
    json_t *files = json_object(), *item;
    size_t i;

    for (i = 0; i < manifest->files_len; i++) {
        item = json_object();
        put_content(item, &manifest->files[i].content);
        json_put_text(item, "etag", manifest->files[i].etag);
        json_object_set_new(files, manifest->files[i].path, item);
    }
    return files;
}

static int append(const char *data, size_t len, void *out)
{
    return buf_add(out, data, len);
}

int manifest_format(const struct manifest *manifest, struct buf *out, struct error *err)
{
    CLEANUP_JSON json_t *root = json_object();
    json_t *claim = json_object(), *pending = json_array();
    size_t i;

    json_put_text(claim, "job_id", manifest->job_id);
    json_object_set_new(claim, "created_at_ms", json_integer(manifest->created_at_ms));
    json_object_set_new(claim, "claimed_at_ms", json_integer(manifest->claimed_at_ms));
    json_put_text(claim, "state", state_names[manifest->state]);
    json_put_text(claim, "nonce", manifest->nonce);
    for (i = 0; i < manifest->pending_len; i++)
        json_array_append_new(pending, pending_json(&manifest->pending[i]));
    json_put_text(root, "schema", MANIFEST_SCHEMA);
    json_put_text(root, "target", manifest->target);
    if (manifest->whole)
        json_object_set_new(root, "whole", json_true());
    json_object_set_new(root, "claim", claim);
    json_object_set_new(root, "files", files_json(manifest));
    json_object_set_new(root, "pending", pending);
    if (json_dump_callback(root, append, out, JSON_COMPACT))
        return error_set(err, CLASS_UPLOAD_FAILED, "manifest-too-large",
                         "the manifest of %s would be larger than %zu MiB", manifest->target, out->max >> 20);
    return 0;
}
