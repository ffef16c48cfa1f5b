/* What publishes that did not end may still do: for how long it counts, and in how many lists. */
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "publish/manifest.h"

#define LISTS_MAX 8 /* of publishes that were all killed: from here on the oldest two become one */

int64_t pending_settled_at(const struct pending *pending, const struct intent *intent)
{
    return intent->settled_at_ms ? intent->settled_at_ms : pending->settled_at_ms;
}

static int64_t write_settled_at(const struct pending *pending, const struct intent *intent)
{
    return intent->write_settled_at_ms ? intent->write_settled_at_ms : pending_settled_at(pending, intent);
}

bool pending_may_write(const struct pending *pending, const struct intent *intent)
{
    return !intent->remove && !write_settled_at(pending, intent);
}

static bool is_over(int64_t settled_at_ms, int64_t now_ms)
{
    return settled_at_ms && now_ms - settled_at_ms > PENDING_KEPT_MS;
}

static void drop_over(struct pending *pending, int64_t now_ms)
{
    static const struct content nothing = {0};
    struct intent *intent;
    size_t i, kept = 0;

    for (i = 0; i < pending->len; i++) {
        intent = &pending->intents[i];
        if (is_over(pending_settled_at(pending, intent), now_ms)) {
            free(intent->path);
            continue;
        }
        if (!intent->remove && is_over(write_settled_at(pending, intent), now_ms)) {
            intent->remove = true;
            intent->content = nothing;
            intent->write_settled_at_ms = 0;
        }
        pending->intents[kept++] = *intent;
    }
    pending->len = kept;
}

/* The later of two, where 0 is yet to come. */
static int64_t later(int64_t a, int64_t b)
{
    if (!a || !b)
        return 0;
    return a > b ? a : b;
}

/* What becomes of an intent in a list that settles at list_ms. It keeps its own times: the list's alone would begin anew
 * with each merge, and never end. */
static struct intent keep_times(struct intent intent, int64_t settled_at_ms, int64_t write_settled_at_ms,
                                int64_t list_ms)
{
    intent.settled_at_ms = settled_at_ms == list_ms ? 0 : settled_at_ms;
    intent.write_settled_at_ms = intent.remove || write_settled_at_ms == settled_at_ms ? 0 : write_settled_at_ms;
    return intent;
}

static struct intent merge_alone(const struct pending *from, const struct intent *intent, int64_t list_ms)
{
    return keep_times(*intent, pending_settled_at(from, intent), write_settled_at(from, intent), list_ms);
}

/* Two intents for one path: what the younger expects is the nearer to what is there; what either would write may lie
 * there still, but for no longer than its own time: each publish that finds the write wants to remove it again, and so
 * would keep it up for ever. */
static struct intent merge_both(const struct pending *old_list, const struct intent *old,
                                const struct pending *young_list, const struct intent *young, int64_t list_ms)
{
    int64_t old_write_ms = write_settled_at(old_list, old), write_ms = write_settled_at(young_list, young);
    struct intent merged = *young;

    if (young->remove && !old->remove) {
        merged.remove = false;
        merged.content = old->content;
        write_ms = old_write_ms;
    } else if (!young->remove && !old->remove) {
        write_ms = later(old_write_ms, write_ms);
    }
    return keep_times(merged, later(pending_settled_at(old_list, old), pending_settled_at(young_list, young)), write_ms,
                      list_ms);
}

static void merge_oldest(struct manifest *manifest)
{
    struct pending *old = &manifest->pending[0], *young = &manifest->pending[1], merged = *young;
    const struct intent *other;
    size_t i;

    merged.settled_at_ms = later(old->settled_at_ms, young->settled_at_ms);
    merged.intents = xcalloc(old->len + young->len + 1, sizeof *merged.intents);
    for (i = 0; i < young->len; i++) {
        other = pending_find(old, young->intents[i].path);
        merged.intents[i] = other ? merge_both(old, other, young, &young->intents[i], merged.settled_at_ms)
                                  : merge_alone(young, &young->intents[i], merged.settled_at_ms);
    }
    for (i = 0; i < old->len; i++)
        if (!pending_find(young, old->intents[i].path))
            merged.intents[merged.len++] = merge_alone(old, &old->intents[i], merged.settled_at_ms);
    manifest_add_pending(manifest, &merged);
    free(merged.intents);
    pending_dispose(&manifest->pending[0]);
    pending_dispose(&manifest->pending[1]);
    /* The merged one stands for the oldest. */
    manifest->pending[1] = manifest->pending[manifest->pending_len - 1];
    manifest->pending_len -= 2;
    memmove(&manifest->pending[0], &manifest->pending[1], manifest->pending_len * sizeof *manifest->pending);
}

void manifest_thin_pending(struct manifest *manifest, int64_t now_ms)
{
    size_t i, kept = 0;

    for (i = 0; i < manifest->pending_len; i++) {
        drop_over(&manifest->pending[i], now_ms);
        if (manifest->pending[i].len)
            manifest->pending[kept++] = manifest->pending[i];
        else
            pending_dispose(&manifest->pending[i]);
    }
    manifest->pending_len = kept;
    while (manifest->pending_len > LISTS_MAX)
        merge_oldest(manifest);
}
