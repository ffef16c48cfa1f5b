#include "cache/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

void cache_manifest_init(struct cache_manifest *manifest, const char *project, const char *ref)
{
    *manifest = (struct cache_manifest){.project = xstrdup(project), .ref = xstrdup(ref)};
}

void cache_entry_dispose(struct cache_entry *entry)
{
    size_t i;

    for (i = 0; i < entry->files_len; i++)
        free(entry->files[i].path);
    free(entry->files);
    free(entry->name);
    *entry = (struct cache_entry){.name = NULL};
}

void cache_manifest_dispose(struct cache_manifest *manifest)
{
    size_t i;

    for (i = 0; i < manifest->entries_len; i++)
        cache_entry_dispose(&manifest->entries[i]);
    free(manifest->entries);
    cache_blobs_dispose(&manifest->pending);
    cache_blobs_dispose(&manifest->dead);
    free(manifest->project);
    free(manifest->ref);
    *manifest = (struct cache_manifest){.project = NULL};
}

/* ---- sorted arrays ---- */

/* Makes room for one more at `at`; grows at each power of two. */
static void *insert(void *items, size_t *len, size_t at, size_t size)
{
    char *grown = items;

    if ((*len & (*len - 1)) == 0)
        grown = xrealloc(items, *len ? 2 * *len : 1, size);
    memmove(grown + (at + 1) * size, grown + at * size, (*len - at) * size);
    memset(grown + at * size, 0, size);
    (*len)++;
    return grown;
}

/* The first place whose key is not less. Items begin with a pointer to their key, or, `within`, with the key itself. */
static size_t place(const void *items, size_t len, size_t size, bool within, const char *key)
{
    size_t low = 0, high = len;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *item = (const char *)items + middle * size;
        const char *found = within ? item : *(const char *const *)(const void *)item;

        if (strcmp(found, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- entries ---- */

static size_t place_of_entry(const struct cache_manifest *manifest, const char *name, bool *found)
{
    size_t at = place(manifest->entries, manifest->entries_len, sizeof *manifest->entries, false, name);

    *found = at < manifest->entries_len && strcmp(manifest->entries[at].name, name) == 0;
    return at;
}

struct cache_entry *cache_manifest_find(const struct cache_manifest *manifest, const char *name)
{
    bool found;
    size_t at = place_of_entry(manifest, name, &found);

    return found ? &manifest->entries[at] : NULL;
}

struct cache_entry *cache_manifest_put(struct cache_manifest *manifest, const struct cache_entry *entry)
{
    struct cache_entry *to;
    bool found;
    size_t at = place_of_entry(manifest, entry->name, &found), i;

    if (found)
        cache_entry_dispose(&manifest->entries[at]);
    else
        manifest->entries = insert(manifest->entries, &manifest->entries_len, at, sizeof *manifest->entries);
    to = &manifest->entries[at];
    to->name = xstrdup(entry->name);
    to->written_ms = entry->written_ms;
    to->used_ms = entry->used_ms;
    for (i = 0; i < entry->files_len; i++)
        cache_entry_add(to, xstrdup(entry->files[i].path), entry->files[i].size, entry->files[i].sha256);
    return to;
}

void cache_manifest_remove(struct cache_manifest *manifest, const char *name)
{
    bool found;
    size_t at = place_of_entry(manifest, name, &found);

    if (!found)
        return;
    cache_entry_dispose(&manifest->entries[at]);
    manifest->entries_len--;
    memmove(&manifest->entries[at], &manifest->entries[at + 1],
            (manifest->entries_len - at) * sizeof *manifest->entries);
}

void cache_entry_add(struct cache_entry *entry, char *path, int64_t size, const char *sha256)
{
    struct cache_file *file;

    entry->files = insert(entry->files, &entry->files_len, entry->files_len, sizeof *entry->files);
    file = &entry->files[entry->files_len - 1];
    file->path = path;
    file->size = size;
    memcpy(file->sha256, sha256, SHA256_HEX_SIZE);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct cache_file *)a)->path, ((const struct cache_file *)b)->path);
}

void cache_entry_sort(struct cache_entry *entry)
{
    if (entry->files_len > 1)
        qsort(entry->files, entry->files_len, sizeof *entry->files, by_path);
}

bool cache_entry_same(const struct cache_entry *a, const struct cache_entry *b)
{
    size_t i;

    if (a->files_len != b->files_len)
        return false;
    for (i = 0; i < a->files_len; i++)
        if (strcmp(a->files[i].path, b->files[i].path) != 0 || a->files[i].size != b->files[i].size ||
            strcmp(a->files[i].sha256, b->files[i].sha256) != 0)
            return false;
    return true;
}

int64_t cache_entry_bytes(const struct cache_entry *entry)
{
    int64_t bytes = 0;
    size_t i;

    for (i = 0; i < entry->files_len; i++)
        bytes += entry->files[i].size;
    return bytes;
}

/* ---- sets of contents ---- */

static size_t place_of_blob(const struct cache_blobs *blobs, const char *sha256, bool *found)
{
    size_t at = place(blobs->items, blobs->len, sizeof *blobs->items, true, sha256);

    *found = at < blobs->len && strcmp(blobs->items[at].sha256, sha256) == 0;
    return at;
}

struct cache_blob *cache_blobs_find(const struct cache_blobs *blobs, const char *sha256)
{
    bool found;
    size_t at = place_of_blob(blobs, sha256, &found);

    return found ? &blobs->items[at] : NULL;
}

void cache_blobs_put(struct cache_blobs *blobs, const char *sha256, int64_t size, int64_t at_ms)
{
    bool found;
    size_t at = place_of_blob(blobs, sha256, &found);

    if (!found)
        blobs->items = insert(blobs->items, &blobs->len, at, sizeof *blobs->items);
    memmove(blobs->items[at].sha256, sha256, SHA256_HEX_SIZE);
    blobs->items[at].size = size;
    blobs->items[at].at_ms = at_ms;
}

void cache_blobs_remove(struct cache_blobs *blobs, const char *sha256)
{
    bool found;
    size_t at = place_of_blob(blobs, sha256, &found);

    if (!found)
        return;
    blobs->len--;
    memmove(&blobs->items[at], &blobs->items[at + 1], (blobs->len - at) * sizeof *blobs->items);
}

void cache_blobs_dispose(struct cache_blobs *blobs)
{
    free(blobs->items);
    *blobs = (struct cache_blobs){.items = NULL};
}

void cache_manifest_blobs(const struct cache_manifest *manifest, struct cache_blobs *blobs)
{
    size_t i, k;

    *blobs = (struct cache_blobs){.items = NULL};
    for (i = 0; i < manifest->entries_len; i++)
        for (k = 0; k < manifest->entries[i].files_len; k++) {
            const struct cache_file *file = &manifest->entries[i].files[k];

            cache_blobs_put(blobs, file->sha256, file->size, 0);
        }
}

/* ---- what is dropped ---- */

static const struct cache_entry *longest_unused(const struct cache_manifest *manifest)
{
    const struct cache_entry *oldest = NULL, *entry;

    for (entry = manifest->entries; entry < manifest->entries + manifest->entries_len; entry++)
        if (!oldest || entry->used_ms < oldest->used_ms ||
            (entry->used_ms == oldest->used_ms && entry->written_ms < oldest->written_ms))
            oldest = entry;
    return oldest;
}

int64_t cache_manifest_prune(struct cache_manifest *manifest, int64_t now_ms, int64_t max_age_ms, int64_t max_bytes)
{
    const struct cache_entry *oldest;
    int64_t bytes = 0, dropped = 0;
    size_t i;

    for (i = 0; i < manifest->entries_len; i++)
        bytes += cache_entry_bytes(&manifest->entries[i]);
    while ((oldest = longest_unused(manifest))) {
        bool old = max_age_ms && oldest->used_ms < now_ms - max_age_ms;

        if (!old && !(max_bytes && bytes > max_bytes) && manifest->entries_len <= CACHE_ENTRIES_MAX)
            break;
        bytes -= cache_entry_bytes(oldest);
        cache_manifest_remove(manifest, oldest->name);
        dropped++;
    }
    return dropped;
}
