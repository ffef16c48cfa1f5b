#include "publish/batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/s3_multipart.h"
#include "core/clock.h"
#include "core/mem.h"

#define IN_FLIGHT_BYTES ((int64_t)8 << 20) /* what all that is under way holds in memory */
#define READ_AHEAD ((int64_t)64 << 10)     /* what a transfer from a descriptor holds */
#define REPORT_EVERY_MS 250
#define LAST_ANSWERS_MS 3000 /* of the stop budget */
/* An answer is quick when it took at most so many times the quickest one (and a little): then more at once cost the
 * server nothing yet. */
#define QUICK_FACTOR 4
#define QUICK_MS 5
#define STARTS_AT_ONCE 16
#define REST_MS 50
#define SMOOTHING 16
#define GROWTH 7    /* more calls for each quick answer: eight times as many with each round trip */
#define USUAL_MS 50 /* a round trip, when none has been measured yet */

struct run {
    struct batch *batch;
    struct plan_item **items;
    size_t len, next;
    enum target_act act;
    enum batch_condition condition;
    struct slot *slots; /* as many as may ever be under way */
    struct slot *free_slots;
    size_t slots_len;
    size_t under_way;
    int64_t bytes_under_way;
    bool failed;
    struct error error;
};

struct slot {
    struct run *run;
    struct plan_item *item; /* NULL: free */
    struct slot *next_free;
    struct target_call call;
};

void batch_init(struct batch *batch, struct target *target, const struct tree *tree,
                const struct publish_reporter *reporter)
{
    memset(batch, 0, sizeof *batch);
    batch->target = target;
    batch->tree = tree;
    batch->reporter = reporter;
    batch->concurrency = BATCH_FIRST_CONCURRENCY;
    batch->quickest_ms = INT64_MAX;
    batch->usual_ms = -1;
}

/* ---- how many at once ---- */

static void choose(struct batch *batch, double concurrency)
{
    double before = batch->concurrency;

    if (concurrency < BATCH_MIN_CONCURRENCY)
        concurrency = BATCH_MIN_CONCURRENCY;
    if (concurrency > batch->target->max_concurrency)
        concurrency = batch->target->max_concurrency;
    batch->concurrency = concurrency;
    if ((int)concurrency != (int)before)
        batch->target->type->set_concurrency(batch->target, (int)concurrency);
}

void batch_answered(struct batch *batch, int round_trips)
{
    struct target_stats stats = batch->target->type->stats(batch->target);

    while (round_trips-- > 0 && stats.retries == 0 && stats.slow_downs == 0)
        choose(batch, batch->concurrency * (1 + GROWTH));
}

/* Twice as many as keep the pace, and some for those that rest after a refusal: more would only wait in its queue. */
static double enough_for(const struct batch *batch, double pace)
{
    double usual_ms = batch->usual_ms < 0 ? USUAL_MS : batch->usual_ms;

    return BATCH_MIN_CONCURRENCY + pace * (2 * usual_ms + REST_MS) / 1000;
}

/* In each turn: what the server has said since the last one. */
static void obey(struct batch *batch)
{
    struct target_stats stats = batch->target->type->stats(batch->target);

    batch->slowed = stats.slow_downs > 0;
    batch->pace = stats.pace;
    if (batch->pace > 0 && batch->concurrency > enough_for(batch, batch->pace))
        choose(batch, enough_for(batch, batch->pace));
    else if (batch->pace <= 0 && batch->concurrency < BATCH_FIRST_CONCURRENCY)
        choose(batch, BATCH_FIRST_CONCURRENCY);
}

static void adapt(struct batch *batch, int64_t duration_ms)
{
    bool quick;

    if (duration_ms < batch->quickest_ms)
        batch->quickest_ms = duration_ms;
    batch->usual_ms = batch->usual_ms < 0 ? (double)duration_ms
                                          : batch->usual_ms + ((double)duration_ms - batch->usual_ms) / SMOOTHING;
    quick = duration_ms <= QUICK_FACTOR * batch->quickest_ms + QUICK_MS;
    if (batch->pace > 0 || (quick && batch->slowed))
        choose(batch, batch->concurrency + 1 / batch->concurrency);
    else if (quick)
        choose(batch, batch->concurrency + GROWTH);
}

static int64_t memory_of(const struct run *run, const struct plan_item *item)
{
    int64_t size = item->content.size, parts;

    if (run->act != TARGET_PUT)
        return 0;
    if (size <= TARGET_IN_MEMORY)
        return size;
    if (size < TREE_LARGE)
        return READ_AHEAD;
    parts = s3_part_count(size, s3_part_size(size));
    return (parts < TARGET_PARTS_AT_ONCE ? parts : TARGET_PARTS_AT_ONCE) * READ_AHEAD;
}

static bool has_room(const struct run *run)
{
    int64_t bytes = memory_of(run, run->items[run->next]);

    return run->free_slots && run->under_way < (size_t)run->batch->concurrency &&
           (run->under_way == 0 || run->bytes_under_way + bytes <= IN_FLIGHT_BYTES);
}

/* ---- one call ---- */

/* At most so often, and only when there is something new. */
static void report(struct run *run)
{
    struct batch *batch = run->batch;
    char text[160], done[CLOCK_TEXT_SIZE], total[CLOCK_TEXT_SIZE];
    int64_t now = clock_monotonic_ms(), bytes = batch->done_bytes;
    size_t i;

    if (run->act != TARGET_PUT || !batch->reporter || !batch->reporter->progress ||
        now - batch->reported_ms < REPORT_EVERY_MS)
        return;
    for (i = 0; i < run->slots_len; i++)
        if (run->slots[i].item)
            bytes += batch->target->type->bytes_sent(batch->target, &run->slots[i].call);
    if (bytes + batch->done_files == batch->reported)
        return;
    batch->reported_ms = now;
    batch->reported = bytes + batch->done_files;
    size_format(bytes, done);
    size_format(batch->total_bytes, total);
    snprintf(text, sizeof text, "uploading %lld of %lld files, %s of %s", (long long)batch->done_files,
             (long long)batch->total_files, done, total);
    batch->reporter->progress(batch->reporter->context, text);
}

static void note_outcome(struct batch *batch, struct plan_item *item, struct target_call *call)
{
    if (call->denied)
        return; /* what the state says is all that we know */
    if (call->act == TARGET_PROBE) {
        item->exists = call->exists;
        item->ours = call->ours;
        item->expected = call->found;
    } else if (call->conflict) {
        item->status = PLAN_CONFLICT;
        return;
    } else {
        item->status = PLAN_DONE;
        item->created = item->created || call->if_absent;
    }
    free(item->etag);
    item->etag = call->etag;
    call->etag = NULL;
    if (call->act == TARGET_PUT) {
        item->written = true;
        batch->done_files++;
        batch->done_bytes += item->content.size;
    }
}

static void release(struct slot *slot)
{
    struct run *run = slot->run;

    run->under_way--;
    run->bytes_under_way -= memory_of(run, slot->item);
    free(slot->call.etag);
    slot->call.etag = NULL;
    slot->item = NULL;
    slot->next_free = run->free_slots;
    run->free_slots = slot;
}

static void on_done(void *context, const struct error *error)
{
    struct slot *slot = context;
    struct run *run = slot->run;

    if (error && !run->failed) {
        run->failed = true;
        run->error = *error;
    }
    if (!error) {
        note_outcome(run->batch, slot->item, &slot->call);
        adapt(run->batch, slot->call.duration_ms);
    }
    release(slot);
}

static void start_next(struct run *run)
{
    struct plan_item *item = run->items[run->next++];
    struct slot *slot = run->free_slots;
    bool conditional = run->condition == BATCH_CONDITIONAL;

    run->free_slots = slot->next_free;
    slot->item = item;
    memset(&slot->call, 0, sizeof slot->call);
    slot->call.act = run->act;
    slot->call.path = item->path;
    slot->call.done = on_done;
    slot->call.context = slot;
    if (run->act != TARGET_PROBE && conditional)
        slot->call.if_match = item->exists ? item->etag : NULL;
    slot->call.if_absent = run->act == TARGET_PUT && conditional && !item->exists;
    slot->call.tree = run->batch->tree;
    slot->call.file = item->file;
    slot->call.content = item->content;
    run->under_way++;
    run->bytes_under_way += memory_of(run, item);
    run->batch->target->type->start(run->batch->target, &slot->call);
}

static bool can_start(const struct run *run)
{
    return !run->failed && run->next < run->len && has_room(run) && !(run->batch->stop && *run->batch->stop);
}

/* A few: the first are to be on their way while the next are being read and signed. One that is done at once, as folders
 * do, is enough: the rest of the process wants to live too. */
static void start_some(struct run *run)
{
    int i;

    for (i = 0; i < STARTS_AT_ONCE && can_start(run); i++) {
        start_next(run);
        if (!run->under_way)
            return;
    }
}

static void cancel_all(struct run *run, bool (*wanted)(struct target *target, const struct target_call *call))
{
    struct target *target = run->batch->target;
    size_t i;

    for (i = 0; i < run->slots_len; i++) {
        struct slot *slot = &run->slots[i];

        if (!slot->item || (wanted && !wanted(target, &slot->call)))
            continue;
        if (target->type->cancel(target, &slot->call) && run->act == TARGET_PUT)
            run->batch->cut_short = true;
        release(slot);
    }
}

/* A write whose answer has come can be taken back; one that was cut off may still happen afterwards. Nothing is sent any
 * more that waits for its turn. */
static void wait_for_those_under_way(struct run *run)
{
    int64_t until = clock_monotonic_ms() + LAST_ANSWERS_MS;

    cancel_all(run, run->batch->target->type->is_idle);
    while (run->under_way && clock_monotonic_ms() < until) {
        loop_run_once(run->batch->target->loop, 50);
        cancel_all(run, run->batch->target->type->is_idle);
    }
}

int batch_run(struct batch *batch, enum target_act act, struct plan_item **items, size_t len,
              enum batch_condition condition, struct error *err)
{
    struct run run = {.batch = batch, .items = items, .len = len, .act = act, .condition = condition};
    size_t i;
    int result = 0;

    batch->quickest_ms = INT64_MAX; /* a HEAD is quicker than a PUT: each run has its own measure */
    batch->usual_ms = -1;
    run.slots_len = len < (size_t)batch->target->max_concurrency ? len : (size_t)batch->target->max_concurrency;
    run.slots = xcalloc(run.slots_len + 1, sizeof *run.slots);
    for (i = 0; i < run.slots_len; i++) {
        run.slots[i].run = &run;
        run.slots[i].next_free = run.free_slots;
        run.free_slots = &run.slots[i];
    }
    while (!run.failed && (run.next < run.len || run.under_way)) {
        if (batch->stop && *batch->stop) {
            result = target_stopped(err);
            break;
        }
        obey(batch);
        start_some(&run);
        loop_run_once(batch->target->loop, run.under_way && !can_start(&run) ? 200 : 0);
        report(&run);
    }
    if (run.failed || result)
        wait_for_those_under_way(&run);
    cancel_all(&run, NULL);
    free(run.slots);
    if (run.failed) {
        *err = run.error;
        return -1;
    }
    return result;
}
