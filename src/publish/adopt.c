/* Taking over what another builder has left: its files become known, so that the plan overwrites or removes them. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/utf8.h"
#include "publish/publication.h"

#define ADOPT_MAX_FILES 500000

struct listing {
    struct publication *pub;
    size_t left; /* names that no publish would use */
    bool too_many;
};

static void on_found(void *context, const char *path, const char *etag, int64_t size)
{
    struct listing *listing = context;
    struct manifest *adopted = &listing->pub->adopted;
    struct content unknown = {.size = size};
    size_t len = strlen(path);

    if (len == 0 || path[len - 1] == '/')
        return; /* a folder's placeholder hurts nobody */
    if (!manifest_is_path(path) || !utf8_is_valid(view_of(path))) {
        listing->left++;
        return;
    }
    if (adopted->files_len == ADOPT_MAX_FILES)
        listing->too_many = true;
    else if (!manifest_find(&listing->pub->base, path))
        manifest_add_file(adopted, path, &unknown, etag && manifest_is_etag(etag) ? etag : NULL);
}

static void tell(const struct listing *listing)
{
    const struct publication *pub = listing->pub;
    CLEANUP_FREE char *taken =
        xasprintf("taking over %zu files that others have put under %s", pub->adopted.files_len, pub->target->uri);
    CLEANUP_FREE char *left = xasprintf("%zu files under %s have names that cannot be published and are left there",
                                        listing->left, pub->target->uri);

    if (pub->adopted.files_len && pub->reporter->info)
        pub->reporter->info(pub->reporter->context, taken);
    if (listing->left && pub->reporter->warning)
        pub->reporter->warning(pub->reporter->context, left);
}

int adopt_list(struct publication *pub, struct error *err)
{
    struct listing listing = {.pub = pub};

    manifest_dispose(&pub->adopted);
    /* Once: what others put there after a mirror of ours has ended is not what was taken over. */
    if (!pub->request->adopt || pub->request->mode != PUBLISH_MIRROR || pub->base.whole)
        return 0;
    if (pub->target->type->list(pub->target, pub->stop, on_found, &listing, err)) {
        error_context(err, "adopt: true needs a list of what is there");
        return err->hint[0] ? -1 : error_hint(err, "allow ListBucket for the prefix, or publish without adopt");
    }
    if (listing.too_many)
        return error_set(err, CLASS_UPLOAD_FAILED, "too-many-files", "there are more than %d files of others under %s",
                         ADOPT_MAX_FILES, pub->target->uri);
    manifest_sort_files(&pub->adopted);
    tell(&listing);
    return 0;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct manifest_file *)a)->path, ((const struct manifest_file *)b)->path);
}

struct manifest adopt_merge(struct publication *pub)
{
    struct manifest merged = pub->base;

    free(pub->known);
    pub->known = NULL;
    if (!pub->adopted.files_len)
        return merged;
    pub->known = xcalloc(pub->base.files_len + pub->adopted.files_len, sizeof *pub->known);
    memcpy(pub->known, pub->adopted.files, pub->adopted.files_len * sizeof *pub->known);
    if (pub->base.files_len)
        memcpy(pub->known + pub->adopted.files_len, pub->base.files, pub->base.files_len * sizeof *pub->known);
    merged.files = pub->known;
    merged.files_len = pub->base.files_len + pub->adopted.files_len;
    qsort(merged.files, merged.files_len, sizeof *merged.files, by_path);
    return merged;
}
