/* The way back: what a publish that ends early takes with it. */
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "publish/publication.h"

#define CALL_BACK_MS 8000 /* of the stop budget */

static bool is_created(const struct plan_item *item)
{
    return item->created && item->status == PLAN_DONE && item->etag;
}

static void set_true(void *context)
{
    *(bool *)context = true;
}

/* Removes them, each with If-Match of what we wrote. Whether all went. */
static bool remove_items(struct publication *pub, struct plan_item **items, size_t len, const bool *stop)
{
    struct error ignored;
    size_t i;

    for (i = 0; i < len; i++)
        items[i]->exists = true; /* act on what is there now: our own */
    pub->batch.stop = stop;
    return len == 0 || batch_run(&pub->batch, TARGET_REMOVE, items, len, BATCH_CONDITIONAL, &ignored) == 0;
}

void call_back(struct publication *pub)
{
    size_t len;
    CLEANUP_FREE struct plan_item **items = plan_select(&pub->plan, is_created, &len);
    bool late = false;
    struct loop_timer *timer = loop_timer_start(pub->loop, CALL_BACK_MS, set_true, &late);
    struct manifest winner;
    struct error ignored;
    bool ours;

    /* Uncertain creations (their answer never came) stay named in the claim, which then stays too: whoever comes next
     * looks at them. The same holds when something here fails. */
    if (pub->ordered && !pub->batch.cut_short && claim_is_ours(pub, &late, &ours, &winner, &ignored) == 0) {
        manifest_dispose(&winner);
        if (ours && remove_items(pub, items, len, &late))
            claim_release(pub, &late, &ignored);
    } else if (pub->ordered) {
        remove_items(pub, items, len, &late);
    }
    if (!late)
        loop_timer_stop(timer);
}

/* What the winner has or is about to write is the winner's, whoever wrote it first. */
static bool winner_knows(const struct manifest *winner, const char *path)
{
    const struct manifest_file *file = manifest_find(winner, path);
    const struct intent *intent;
    size_t i;

    if (file && file->etag) /* without: it has only taken note that we may be at it */
        return true;
    for (i = 0; i < winner->pending_len; i++) {
        intent = pending_find(&winner->pending[i], path);
        if (intent && !intent->remove && !pending_settled_at(&winner->pending[i], intent) &&
            strcmp(winner->pending[i].job_id, winner->job_id) == 0)
            return true;
    }
    return false;
}

int call_back_superseded(struct publication *pub, struct error *err)
{
    size_t len, kept = 0, i;
    CLEANUP_FREE struct plan_item **items = plan_select(&pub->plan, is_created, &len);
    struct manifest winner;
    bool ours;

    if (claim_is_ours(pub, NULL, &ours, &winner, err))
        return -1;
    for (i = 0; i < len; i++)
        if (!winner_knows(&winner, items[i]->path))
            items[kept++] = items[i];
    remove_items(pub, items, kept, NULL);
    claim_superseded(pub, &winner, err);
    manifest_dispose(&winner);
    return -1;
}
