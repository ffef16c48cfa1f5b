#include "cli/image_remove.h"

#include <string.h>

#include "core/mem.h"

/* One call: what is named, and what it means there. */
struct plan {
    struct registry *registry;
    struct strings images;  /* each once */
    struct strings digests; /* beside them; "": not there */
    struct strings tags;    /* all of the repository, once they are wanted */
    struct strings gone;    /* digests */
    bool has_tags;
};

static int find_digests(struct plan *plan, struct error *err)
{
    char digest[OCI_DIGEST_SIZE];
    size_t i;

    for (i = 0; i < plan->images.len; i++) {
        if (registry_tag_digest(plan->registry, plan->images.items[i], digest, err))
            return -1;
        strings_add(&plan->digests, digest);
    }
    return 0;
}

/* The tags of the digest that nobody has named. */
static int find_others(struct plan *plan, const char *digest, struct strings *others, struct error *err)
{
    char found[OCI_DIGEST_SIZE];
    size_t i;

    if (!plan->has_tags && registry_tags(plan->registry, &plan->tags, err))
        return -1;
    plan->has_tags = true;
    for (i = 0; i < plan->tags.len; i++) {
        if (strings_has(&plan->images, plan->tags.items[i]))
            continue;
        if (registry_tag_digest(plan->registry, plan->tags.items[i], found, err))
            return -1;
        if (strcmp(found, digest) == 0)
            strings_add(others, plan->tags.items[i]);
    }
    return 0;
}

static void refuse(const char *tag, const struct strings *others, struct ecr_removal *removal)
{
    struct buf text;
    size_t i;

    buf_init(&text, 200);
    for (i = 0; i < others->len; i++)
        if (buf_addf(&text, "%s%s", i ? ", " : "", others->items[i]))
            break;
    strings_addf(&removal->failed,
                 "%s: shared: %s%s hold the same image, and this registry removes images, not tags: name them too", tag,
                 buf_text(&text), i < others->len ? " and more" : "");
    buf_dispose(&text);
}

/* A tag whose image is not named by its digest. */
static int remove_tag(struct plan *plan, const char *tag, const char *digest, struct ecr_removal *removal,
                      struct error *err)
{
    struct strings others = {0};
    bool removed = false;
    int status = find_others(plan, digest, &others, err);

    if (!status && !others.len) {
        status = registry_delete(plan->registry, digest, err);
        strings_add(&plan->gone, digest);
        removed = !status;
    } else if (!status) {
        status = registry_untag(plan->registry, tag, &removed, err);
    }
    if (removed)
        strings_add(&removal->removed, tag);
    else if (!status)
        refuse(tag, &others, removal);
    strings_dispose(&others);
    return status;
}

static int remove_image(struct plan *plan, size_t index, struct ecr_removal *removal, struct error *err)
{
    const char *image = plan->images.items[index], *digest = plan->digests.items[index];

    if (!*digest) {
        strings_add(&removal->missing, image);
        return 0;
    }
    if (!strings_has(&plan->gone, digest)) {
        if (!strings_has(&plan->images, digest))
            return remove_tag(plan, image, digest, removal, err);
        if (registry_delete(plan->registry, digest, err))
            return -1;
        strings_add(&plan->gone, digest);
    }
    strings_add(&removal->removed, image);
    return 0;
}

int image_remove(struct registry *registry, const char *name, const struct strings *images, struct ecr_removal *removal,
                 struct error *err)
{
    struct plan plan = {.registry = registry};
    int status;
    size_t i;

    for (i = 0; i < images->len; i++)
        if (!strings_has(&plan.images, images->items[i]))
            strings_add(&plan.images, images->items[i]);
    status = find_digests(&plan, err);
    for (i = 0; i < plan.images.len && !status; i++)
        status = remove_image(&plan, i, removal, err);
    strings_dispose(&plan.images);
    strings_dispose(&plan.digests);
    strings_dispose(&plan.tags);
    strings_dispose(&plan.gone);
    return status ? status : ecr_removal_check(removal, name, err);
}
