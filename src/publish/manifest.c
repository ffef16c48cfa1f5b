#include "publish/manifest.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

bool content_same(const struct content *a, const struct content *b)
{
    return a->sha256[0] && strcmp(a->sha256, b->sha256) == 0 && strcmp(a->meta, b->meta) == 0;
}

bool content_same_etag(const struct content *a, const struct content *b)
{
    bool bytes = !a->sha256[0] || !b->sha256[0] || strcmp(a->sha256, b->sha256) == 0;

    return bytes && a->form == b->form;
}

void manifest_init(struct manifest *manifest)
{
    memset(manifest, 0, sizeof *manifest);
}

void pending_dispose(struct pending *pending)
{
    size_t i;

    for (i = 0; i < pending->len; i++)
        free(pending->intents[i].path);
    free(pending->intents);
    free(pending->job_id);
    memset(pending, 0, sizeof *pending);
}

void manifest_dispose(struct manifest *manifest)
{
    size_t i;

    for (i = 0; i < manifest->files_len; i++) {
        free(manifest->files[i].path);
        free(manifest->files[i].etag);
    }
    for (i = 0; i < manifest->pending_len; i++)
        pending_dispose(&manifest->pending[i]);
    free(manifest->files);
    free(manifest->pending);
    free(manifest->target);
    free(manifest->job_id);
    manifest_init(manifest);
}

void manifest_add_file(struct manifest *manifest, const char *path, const struct content *content, const char *etag)
{
    size_t len = manifest->files_len;

    if ((len & (len - 1)) == 0) /* full at each power of two */
        manifest->files = xrealloc(manifest->files, len ? 2 * len : 1, sizeof *manifest->files);
    manifest->files[len].path = xstrdup(path);
    manifest->files[len].content = *content;
    manifest->files[len].etag = xstrdup(etag);
    manifest->files_len++;
}

/* All three kinds of entries begin with their path. */
static int by_path(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int path_to(const void *key, const void *item)
{
    return strcmp(key, *(char *const *)item);
}

void manifest_sort_files(struct manifest *manifest)
{
    if (manifest->files_len > 1)
        qsort(manifest->files, manifest->files_len, sizeof *manifest->files, by_path);
}

const struct manifest_file *manifest_find(const struct manifest *manifest, const char *path)
{
    if (!manifest->files_len)
        return NULL;
    return bsearch(path, manifest->files, manifest->files_len, sizeof *manifest->files, path_to);
}

const struct intent *pending_find(const struct pending *pending, const char *path)
{
    if (!pending->len)
        return NULL;
    return bsearch(path, pending->intents, pending->len, sizeof *pending->intents, path_to);
}

struct pending *manifest_add_pending(struct manifest *manifest, const struct pending *from)
{
    struct pending *to;
    size_t i;

    manifest->pending = xrealloc(manifest->pending, manifest->pending_len + 1, sizeof *manifest->pending);
    to = &manifest->pending[manifest->pending_len++];
    *to = *from;
    to->job_id = xstrdup(from->job_id);
    to->intents = xcalloc(from->len + 1, sizeof *to->intents);
    for (i = 0; i < from->len; i++) {
        to->intents[i] = from->intents[i];
        to->intents[i].path = xstrdup(from->intents[i].path);
    }
    if (to->len > 1)
        qsort(to->intents, to->len, sizeof *to->intents, by_path);
    return to;
}

/* The object's ETag proves bytes, not headers or who wrote them; the stamp says both. The target is in it, so that
 * prefixes within one another do not take each other's files for theirs. */
static void target_tag(const char *target, char tag[9])
{
    char hex[SHA256_HEX_SIZE];

    sha256_hex(target, strlen(target), hex);
    memcpy(tag, hex, 8);
    tag[8] = '\0';
}

void stamp_format(const struct content *content, const char *target, char stamp[STAMP_SIZE])
{
    char tag[9];

    target_tag(target, tag);
    snprintf(stamp, STAMP_SIZE, "1/%s/%s/%s/%d", tag, content->sha256, content->meta, content->form);
}

static bool take_hex(const char **at, char *out, size_t digits)
{
    size_t i;

    for (i = 0; i < digits; i++) {
        if (!isdigit((unsigned char)(*at)[i]) && ((*at)[i] < 'a' || (*at)[i] > 'f'))
            return false;
        out[i] = (*at)[i];
    }
    out[digits] = '\0';
    *at += digits;
    return true;
}

bool stamp_parse(const char *stamp, const char *target, struct content *content)
{
    char tag[9], found[9];
    struct content read = {0};

    if (!stamp || strncmp(stamp, "1/", 2) != 0)
        return false;
    target_tag(target, tag);
    stamp += 2;
    if (!take_hex(&stamp, found, 8) || *stamp++ != '/' || !take_hex(&stamp, read.sha256, SHA256_HEX_SIZE - 1) ||
        *stamp++ != '/' || !take_hex(&stamp, read.meta, META_SIZE - 1) || *stamp++ != '/')
        return false;
    if ((stamp[0] != '0' && stamp[0] != '1') || stamp[1] != '\0' || strcmp(tag, found) != 0)
        return false;
    read.form = stamp[0] - '0';
    *content = read;
    return true;
}
