/* The manifest of a layer cache: whoever wrote it may have meant harm. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cache/cache.h"
#include "cache/manifest.h"
#include "core/fs.h"

static void check(const struct cache_manifest *manifest)
{
    const struct cache_entry *entry;
    size_t i, k;

    for (i = 0; i < manifest->entries_len; i++) {
        entry = &manifest->entries[i];
        if (!fs_is_confined(entry->name, false) || strchr(entry->name, '/') || entry->name[0] == '.' ||
            cache_manifest_find(manifest, entry->name) != entry || entry->files_len == 0)
            abort();
        for (k = 0; k < entry->files_len; k++)
            if (!fs_is_confined(entry->files[k].path, false) || strlen(entry->files[k].sha256) != 64 ||
                entry->files[k].size < 0)
                abort();
    }
}

/* What we write we read. */
static void write_and_read(const struct cache_manifest *manifest)
{
    struct cache_manifest again;
    struct buf text;
    size_t i;

    buf_init(&text, CACHE_MANIFEST_BYTES);
    if (cache_manifest_format(manifest, &text) == 0) {
        if (cache_manifest_parse(&again, (struct view){text.data, text.len}, "ours", NULL) ||
            again.entries_len != manifest->entries_len || again.pending.len != manifest->pending.len ||
            again.dead.len != manifest->dead.len)
            abort();
        for (i = 0; i < again.entries_len; i++)
            if (!cache_entry_same(&again.entries[i], &manifest->entries[i]))
                abort();
        cache_manifest_dispose(&again);
    }
    buf_dispose(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cache_manifest manifest;
    struct error err;
    struct buf text;
    char *component;
    int64_t dropped;
    size_t before;

    if (cache_manifest_parse(&manifest, (struct view){(const char *)data, size}, "the cache", &err) == 0) {
        check(&manifest);
        write_and_read(&manifest);
        before = manifest.entries_len;
        dropped = cache_manifest_prune(&manifest, 1000, 10, 100);
        if (before - manifest.entries_len != (size_t)dropped)
            abort();
        check(&manifest);
        cache_manifest_dispose(&manifest);
    }
    buf_init(&text, 4096);
    buf_add(&text, data, size < 4096 ? size : 4096);
    component = cache_component(buf_text(&text));
    if (!fs_is_confined(component, false) || strchr(component, '/') || strlen(component) > 200)
        abort();
    free(component);
    buf_dispose(&text);
    return 0;
}
