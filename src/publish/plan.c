#include "publish/plan.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

/* What other publishes may still do to one path. */
struct threat {
    bool any;       /* some list names it */
    bool unsettled; /* … and nobody has looked since */
    bool forms[2];  /* an object of these bytes with an ETag of that form could be hit */
    int oldest;     /* the form that was threatened first */
};

static void add_form(struct threat *threat, const struct content *expected, const struct content *wanted)
{
    struct content written = wanted ? *wanted : (struct content){0};

    written.form = expected->form;
    if (!wanted || !content_same_etag(expected, &written))
        return;
    if (!threat->forms[0] && !threat->forms[1])
        threat->oldest = expected->form;
    threat->forms[expected->form] = true;
}

static struct threat threat_to(const struct manifest *manifest, const char *path, const struct content *wanted)
{
    struct threat threat = {0};
    size_t i;

    for (i = 0; i < manifest->pending_len; i++) {
        const struct pending *pending = &manifest->pending[i];
        const struct intent *intent = pending_find(pending, path);

        if (!intent)
            continue;
        threat.any = true;
        threat.unsettled = threat.unsettled || !pending_settled_at(pending, intent);
        /* It acts with If-Match of what it expects; what it created it may also remove again, with If-Match of that. */
        add_form(&threat, intent->expects ? &intent->expected : &intent->content, wanted);
    }
    return threat;
}

/*
 * An ETag tells bytes apart, not writes: the same bytes written again would satisfy the If-Match of a request that is
 * still under way from a publish that has lost its claim. So what such a request expects is written in the other form
 * (one PUT, or a multipart upload), whose ETag differs. When both forms are expected by somebody, the one that has been
 * expected for longer is the safer.
 */
static int safe_form(const struct threat *threat)
{
    if (!threat->forms[0])
        return 0;
    return threat->forms[1] ? threat->oldest : 1;
}

static struct plan_item *add_item(struct plan *plan, enum plan_kind kind, const char *path)
{
    struct plan_item *item;

    if ((plan->len & (plan->len - 1)) == 0)
        plan->items = xrealloc(plan->items, plan->len ? 2 * plan->len : 1, sizeof *plan->items);
    item = &plan->items[plan->len++];
    memset(item, 0, sizeof *item);
    item->kind = kind;
    item->path = path;
    return item;
}

static void expect_base(struct plan_item *item, const struct manifest_file *base)
{
    item->base = base;
    if (!base)
        return;
    item->exists = item->ours = true;
    item->expected = base->content;
    item->etag = xstrdup(base->etag);
    if (!base->etag)
        item->probe = true;
}

static void plan_file(struct plan *plan, const struct tree_file *file, const struct manifest *manifest)
{
    const struct manifest_file *base = manifest_find(manifest, file->path);
    struct threat threat = threat_to(manifest, file->path, &file->content);
    struct plan_item *item = add_item(plan, PLAN_OVERWRITE, file->path);
    bool same = base && base->etag && content_same(&base->content, &file->content);

    item->file = file;
    item->content = file->content;
    expect_base(item, base);
    if (same && !threat.unsettled && !threat.forms[base->content.form]) {
        item->kind = PLAN_KEEP;
        item->content = base->content;
        item->status = PLAN_DONE;
        return;
    }
    item->content.form = safe_form(&threat);
    item->probe = item->probe || threat.unsettled;
    if (!base && !threat.any)
        item->kind = PLAN_CREATE;
}

/* Removals: what we have listed, and what publishes that did not end may have left. */
static void plan_removals(struct plan *plan, const struct tree *tree, const struct manifest *manifest)
{
    struct plan_item *item;
    size_t i, j, k;

    for (i = 0; i < manifest->files_len; i++) {
        const struct manifest_file *base = &manifest->files[i];

        if (tree_find(tree, base->path))
            continue;
        item = add_item(plan, PLAN_REMOVE, base->path);
        expect_base(item, base);
        item->probe = item->probe || threat_to(manifest, base->path, NULL).unsettled;
    }
    for (i = 0; i < manifest->pending_len; i++) {
        const struct pending *pending = &manifest->pending[i];

        for (j = 0; j < pending->len; j++) {
            const char *path = pending->intents[j].path;
            bool listed = false;

            for (k = 0; k < i; k++)
                listed = listed || pending_find(&manifest->pending[k], path);
            if (listed || pending->intents[j].remove || tree_find(tree, path) || manifest_find(manifest, path))
                continue;
            item = add_item(plan, PLAN_REMOVE, path);
            item->probe = true;
        }
    }
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct plan_item *)a)->path, ((const struct plan_item *)b)->path);
}

static int path_to(const void *key, const void *item)
{
    return strcmp(key, ((const struct plan_item *)item)->path);
}

/* Files and folders of the same name. */
static void find_blocks(struct plan *plan)
{
    struct plan_item *above;
    size_t i;
    char *slash;

    for (i = 0; i < plan->len; i++) {
        struct plan_item *item = &plan->items[i];
        CLEANUP_FREE char *path = item->kind == PLAN_KEEP ? NULL : xstrdup(item->path);

        while (path && (slash = strrchr(path, '/'))) {
            *slash = '\0';
            above = bsearch(path, plan->items, plan->len, sizeof *plan->items, path_to);
            if (!above || (above->kind == PLAN_REMOVE) == (item->kind == PLAN_REMOVE))
                continue;
            (item->kind == PLAN_REMOVE ? item : above)->blocks = true;
            (item->kind == PLAN_REMOVE ? above : item)->blocked = true;
        }
    }
}

void plan_make(struct plan *plan, const struct tree *tree, const struct manifest *manifest, enum publish_mode mode)
{
    size_t i;

    memset(plan, 0, sizeof *plan);
    for (i = 0; i < tree->len; i++)
        plan_file(plan, &tree->files[i], manifest);
    if (mode == PUBLISH_MIRROR)
        plan_removals(plan, tree, manifest);
    if (plan->len > 1)
        qsort(plan->items, plan->len, sizeof *plan->items, by_path);
    find_blocks(plan);
    for (i = 0; i < plan->len; i++) {
        plan->kept += plan->items[i].kind == PLAN_KEEP;
        plan->creates += plan->items[i].kind == PLAN_CREATE;
        plan->overwrites += plan->items[i].kind == PLAN_OVERWRITE;
        plan->removals += plan->items[i].kind == PLAN_REMOVE;
    }
}

void plan_dispose(struct plan *plan)
{
    size_t i;

    for (i = 0; i < plan->len; i++)
        free(plan->items[i].etag);
    free(plan->items);
    memset(plan, 0, sizeof *plan);
}

bool plan_is_empty(const struct plan *plan)
{
    return plan->kept == plan->len;
}

void plan_intents(const struct plan *plan, struct pending *pending)
{
    size_t i;

    pending->intents = xcalloc(plan->len + 1, sizeof *pending->intents);
    for (i = 0; i < plan->len; i++) {
        const struct plan_item *item = &plan->items[i];
        struct intent *intent = &pending->intents[pending->len];

        /* What phase 1 created is still named: it may be removed again. */
        if (item->kind == PLAN_KEEP || item->status == PLAN_SKIPPED)
            continue;
        intent->path = xstrdup(item->path);
        intent->remove = item->kind == PLAN_REMOVE;
        intent->content = item->content;
        intent->expects = item->exists && !item->created;
        intent->expected = item->expected;
        pending->len++;
    }
}
