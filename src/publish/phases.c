/* The two phases. Everything that changes what people see is in the second. */
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "publish/publication.h"

#define ROUNDS_MAX 8

struct plan_item **plan_select(struct plan *plan, bool (*wanted)(const struct plan_item *item), size_t *len)
{
    struct plan_item **items = xcalloc(plan->len + 1, sizeof(struct plan_item *));
    size_t i;

    *len = 0;
    for (i = 0; i < plan->len; i++)
        if (wanted(&plan->items[i]))
            items[(*len)++] = &plan->items[i];
    return items;
}

static int run(struct publication *pub, enum target_act act, bool (*wanted)(const struct plan_item *item),
               enum batch_condition condition, struct error *err)
{
    size_t len;
    CLEANUP_FREE struct plan_item **items = plan_select(&pub->plan, wanted, &len);

    return len ? batch_run(&pub->batch, act, items, len, condition, err) : 0;
}

static bool is_open(const struct plan_item *item)
{
    return item->status == PLAN_OPEN && item->kind != PLAN_KEEP;
}

static bool is_conflict(const struct plan_item *item)
{
    return item->status == PLAN_CONFLICT;
}

static bool is_open_file(const struct plan_item *item)
{
    return is_open(item) && item->file && !item->file->page;
}

static bool is_open_page(const struct plan_item *item)
{
    return is_open(item) && item->file && item->file->page;
}

static bool is_open_removal(const struct plan_item *item)
{
    return is_open(item) && item->kind == PLAN_REMOVE;
}

/* A file where a folder is to be, or the other way round: it has to go first. (Folders alone care, and S3 servers that
 * keep objects in one.) */
static bool is_early_removal(const struct plan_item *item)
{
    return is_open_removal(item) && item->blocks;
}

static bool is_phase_one(const struct plan_item *item)
{
    return is_open_file(item) && item->kind == PLAN_CREATE && !item->blocked;
}

/* ---- phase 1 ---- */

static bool is_to_probe(const struct plan_item *item)
{
    return item->status == PLAN_CONFLICT || (is_open(item) && item->probe);
}

static bool is_overwrite(const struct plan_item *item)
{
    return is_open(item) && item->kind == PLAN_OVERWRITE;
}

static bool is_new_in_phase_two(const struct plan_item *item)
{
    return is_open(item) && item->kind == PLAN_CREATE && item->file->page && !item->blocked;
}

/* mirror refuses others' files before the point of no return: so it looks at each path that phase 2 will write. */
static void ask_for_probes(struct publication *pub)
{
    size_t i;
    bool any_new = false, look;

    if (pub->request->mode != PUBLISH_MIRROR || pub->request->adopt)
        return;
    for (i = 0; i < pub->plan.len; i++)
        any_new = any_new || is_new_in_phase_two(&pub->plan.items[i]);
    look = any_new && !(pub->base.files_len == 0 && pub->target->type->is_empty(pub->target, pub->stop));
    for (i = 0; i < pub->plan.len; i++) {
        struct plan_item *item = &pub->plan.items[i];

        if (is_overwrite(item) || (look && is_new_in_phase_two(item)))
            item->probe = true;
    }
}

int phase_one(struct publication *pub, struct error *err)
{
    size_t len;
    CLEANUP_FREE struct plan_item **items = NULL;

    ask_for_probes(pub);
    if (run(pub, TARGET_PUT, is_phase_one, BATCH_CONDITIONAL, err))
        return -1;
    items = plan_select(&pub->plan, is_to_probe, &len);
    if (len == 0)
        return 0;
    if (batch_run(&pub->batch, TARGET_PROBE, items, len, BATCH_CONDITIONAL, err))
        return -1;
    return resolve_items(pub, items, len, false, err);
}

/* ---- phase 2 ---- */

/* What a stage could not do is looked at again, as long as the claim is ours. */
static int settle_conflicts(struct publication *pub, bool *lost, bool *again, struct error *err)
{
    size_t len;
    CLEANUP_FREE struct plan_item **items = plan_select(&pub->plan, is_conflict, &len);
    struct manifest winner;
    bool ours;

    *again = len > 0;
    if (len == 0)
        return 0;
    if (claim_is_ours(pub, NULL, &ours, &winner, err))
        return -1;
    manifest_dispose(&winner);
    if (!ours) {
        *lost = true;
        return 0;
    }
    if (batch_run(&pub->batch, TARGET_PROBE, items, len, BATCH_CONDITIONAL, err))
        return -1;
    return resolve_items(pub, items, len, true, err);
}

static int run_stage(struct publication *pub, enum target_act act, bool (*wanted)(const struct plan_item *item),
                     bool *lost, struct error *err)
{
    bool again = true;
    int round;

    for (round = 0; again && !*lost; round++) {
        if (round == ROUNDS_MAX) {
            error_set(err, CLASS_UPLOAD_FAILED, "conflict", "someone else keeps changing files of %s",
                      pub->target->uri);
            return error_retryable(err, 0);
        }
        if (run(pub, act, wanted, BATCH_CONDITIONAL, err) || settle_conflicts(pub, lost, &again, err))
            return -1;
    }
    return 0;
}

int phase_two(struct publication *pub, bool *lost, struct error *err)
{
    static const struct {
        enum target_act act;
        bool (*wanted)(const struct plan_item *item);
    } stages[] = {
        {TARGET_REMOVE, is_early_removal},
        {TARGET_PUT, is_open_file},
        {TARGET_PUT, is_open_page},
        {TARGET_REMOVE, is_open_removal},
    };
    size_t i;

    pub->batch.stop = NULL;
    for (i = 0; i < ARRAY_LEN(stages) && !*lost; i++)
        if (run_stage(pub, stages[i].act, stages[i].wanted, lost, err))
            return -1;
    return 0;
}

int phase_unordered(struct publication *pub, struct error *err)
{
    pub->batch.stop = NULL;
    if (run(pub, TARGET_PUT, is_open_file, BATCH_UNCONDITIONAL, err))
        return -1;
    return run(pub, TARGET_PUT, is_open_page, BATCH_UNCONDITIONAL, err);
}
