/* What to make of a path after a look at it. */
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "publish/publication.h"

static bool has_bytes(const struct content *found, const struct content *known)
{
    return found->sha256[0] && strcmp(found->sha256, known->sha256) == 0;
}

/* Whether what is there is of our making: it says so itself (S3), is what we remember by its ETag, or has bytes that we
 * or an unfinished publish of ours wrote or meant to write there (folders). */
static bool is_ours(const struct publication *pub, const struct plan_item *item)
{
    const struct intent *intent;
    size_t i;

    if (item->ours)
        return true;
    if (item->base && item->base->etag && item->etag && strcmp(item->base->etag, item->etag) == 0)
        return true;
    if (pub->target->has_headers)
        return false;
    if (item->base && has_bytes(&item->expected, &item->base->content))
        return true;
    for (i = 0; i < pub->base.pending_len; i++) {
        intent = pending_find(&pub->base.pending[i], item->path);
        if (intent && !intent->remove && has_bytes(&item->expected, &intent->content))
            return true;
    }
    return item->kind != PLAN_REMOVE && has_bytes(&item->expected, &item->content);
}

static void warn_left(const struct publication *pub, const char *path)
{
    CLEANUP_FREE char *text =
        xasprintf("%s%s was changed by someone else and is left as it is", pub->target->uri, path);

    if (pub->reporter->warning)
        pub->reporter->warning(pub->reporter->context, text);
}

static void resolve_removal(struct publication *pub, struct plan_item *item, bool ours)
{
    item->status = PLAN_OPEN;
    if (!item->exists) {
        item->status = PLAN_DONE;
    } else if (!ours) {
        item->status = PLAN_SKIPPED;
        if (item->base) /* else it was never there by our hand */
            warn_left(pub, item->path);
    }
}

static int refuse_foreign(const struct publication *pub, const char *path, struct error *err)
{
    error_set(err, CLASS_UPLOAD_FAILED, "foreign-object",
              "%s%s is not what a publish to here has put there: mirror does not overwrite others' files",
              pub->target->uri, path);
    return error_hint(err, "publish with adopt: true to take it over, or remove it, or publish elsewhere");
}

/* Someone else's file in the place of one of ours. add overwrites, and so does mirror that adopts. */
static int resolve_foreign(struct publication *pub, struct plan_item *item, bool committed, struct error *err)
{
    bool regular = item->etag != NULL;

    if (regular && (pub->request->mode == PUBLISH_ADD || pub->request->adopt))
        return 0;
    if (!committed)
        return refuse_foreign(pub, item->path, err);
    /* Past the point of no return the rest is completed; the error comes at the end. */
    item->status = PLAN_SKIPPED;
    if (!pub->foreign.reason[0])
        refuse_foreign(pub, item->path, &pub->foreign);
    return 0;
}

static int resolve_file(struct publication *pub, struct plan_item *item, bool ours, bool committed, struct error *err)
{
    bool conflicted = item->status == PLAN_CONFLICT;
    bool first_look = item->kind == PLAN_CREATE || (conflicted && !committed);

    item->status = PLAN_OPEN;
    if (!item->exists) {
        /* A new page stays one; what has gone since our look is made anew. */
        return 0;
    }
    item->kind = PLAN_OVERWRITE;
    if (!ours)
        return resolve_foreign(pub, item, committed, err);
    if (!item->expected.sha256[0] && item->base) /* ours by its ETag; its headers are what we remember */
        item->expected = item->base->content;
    if (!item->etag || !has_bytes(&item->expected, &item->content))
        return 0;
    if (!first_look && item->expected.form == item->content.form &&
        (content_same(&item->expected, &item->content) || !pub->target->has_headers)) {
        item->status = PLAN_DONE; /* an earlier attempt of ours, whose answer got lost or that was killed */
        return 0;
    }
    /* The bytes are there already, and we did not know: whoever wrote them may be about to remove them again. */
    if (first_look)
        item->content.form = 1 - item->expected.form;
    return 0;
}

int resolve_items(struct publication *pub, struct plan_item **items, size_t len, bool committed, struct error *err)
{
    size_t i;

    for (i = 0; i < len; i++) {
        bool ours = is_ours(pub, items[i]);

        if (items[i]->kind == PLAN_REMOVE)
            resolve_removal(pub, items[i], ours);
        else if (resolve_file(pub, items[i], ours, committed, err))
            return -1;
    }
    return 0;
}
