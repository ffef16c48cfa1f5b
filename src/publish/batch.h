/*
 * Runs many calls to a target at once, as many as it can take: from 16 on, more with each answer that comes quickly, up
 * to the target's limit. When a server says SlowDown, no more than keep the pace that it allows then (two at least), and
 * from there on one more with each round trip. Files are opened when their turn comes, and what is held in memory is
 * bounded.
 */
#ifndef CAISSON_PUBLISH_BATCH_H
#define CAISSON_PUBLISH_BATCH_H

#include "publish/plan.h"
#include "publish/target.h"

#define BATCH_FIRST_CONCURRENCY 16
#define BATCH_MIN_CONCURRENCY 2

struct batch {
    struct target *target; /* borrowed, as all here */
    const struct tree *tree;
    const bool *stop; /* ends a run; NULL: never */
    const struct publish_reporter *reporter;
    int64_t total_files, total_bytes; /* to be written in all: for the progress */
    int64_t done_files, done_bytes;
    bool cut_short; /* writes were given up whose answers had not come: they may have happened */

    /* the choice of concurrency, kept from one run to the next */
    double concurrency;
    int64_t quickest_ms;
    double usual_ms; /* smoothed; below 0: not measured yet */
    double pace;     /* requests a second that the server is being sent; 0: no limit */
    bool slowed;     /* it has said SlowDown: from then on more are tried slowly */
    int64_t reported_ms, reported;
};
void batch_init(struct batch *batch, struct target *target, const struct tree *tree,
                const struct publish_reporter *reporter);
/* So many round trips were made before the first file. They count as those of files do, unless something had to be tried
 * again. */
void batch_answered(struct batch *batch, int round_trips);

enum batch_condition { BATCH_CONDITIONAL, BATCH_UNCONDITIONAL };

/*
 * Does `act` for each item and notes the outcome in it: PUTs and removals become PLAN_DONE or PLAN_CONFLICT, probes fill
 * exists, ours, expected and etag. The first error ends it, and so does a stop (reason
 * "stopped-before-publish"): nothing more is started or sent again, what is under way gets a moment to end.
 */
int batch_run(struct batch *batch, enum target_act act, struct plan_item **items, size_t len,
              enum batch_condition condition, struct error *err);

#endif
