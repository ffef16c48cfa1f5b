#include "publish/publish.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "publish/publication.h"

#define CLAIM_TRIES 10
#define STATE_ROUND_TRIPS 2 /* before the first file: the state was read, the claim written */

static int check_request(const struct publish_request *request, struct error *err)
{
    if (!request->from || request->from[0] != '/' || !request->root || request->root[0] != '/' || !request->to ||
        !request->job_id || !request->job_id[0])
        return error_set(err, CLASS_INTERNAL, "bad-request",
                         "the publish request lacks from, root, to or the job's id");
    return 0;
}

/* Keeps the loop alive between files, so that a stop is seen. */
static int pause_hashing(void *context, struct error *err)
{
    struct publication *pub = context;

    loop_run_once(pub->loop, 0);
    return pub->stop && *pub->stop ? target_stopped(err) : 0;
}

static void keep_credential(void *context, const char *value)
{
    struct publication *pub = context;

    strings_add(&pub->tree.credentials, value);
}

static void on_credentials(void *context, const struct credentials *credentials, const struct error *error)
{
    bool *answered = context;

    (void)credentials;
    (void)error; /* whoever needs them will say so */
    *answered = true;
}

/* They are looked for in the output, so they come first; the request for the state waits for the same renewal. */
static void gather_credentials(struct publication *pub)
{
    struct credentials_provider *provider = pub->target->credentials;
    bool answered = false;
    struct credentials_wait *wait;

    if (!provider)
        return;
    credentials_on_secret(provider, keep_credential, pub);
    if (credentials_now(provider))
        return;
    wait = credentials_renew(provider, on_credentials, &answered);
    while (!answered && !(pub->stop && *pub->stop))
        loop_run_once(pub->loop, 1000);
    if (!answered)
        credentials_cancel(wait);
}

static void tell_warnings(const struct publication *pub)
{
    size_t i;

    for (i = 0; pub->reporter->warning && i < pub->tree.warnings.len; i++)
        pub->reporter->warning(pub->reporter->context, pub->tree.warnings.items[i]);
}

static int read_tree(struct publication *pub, struct error *err)
{
    size_t i;

    if (tree_open(&pub->tree, pub->request, err) || tree_walk(&pub->tree, pub->target->prefix_len, err))
        return -1;
    if (pub->target->type->prepare)
        pub->target->type->prepare(pub->target);
    gather_credentials(pub);
    if (tree_hash(&pub->tree, pause_hashing, pub, err))
        return -1;
    tell_warnings(pub);
    for (i = 0; i < pub->tree.len && !pub->target->has_headers; i++)
        pub->tree.files[i].content.meta[0] = '\0';
    return 0;
}

static void make_plan(struct publication *pub)
{
    struct manifest known;
    size_t i;

    plan_dispose(&pub->plan);
    known = adopt_merge(pub);
    plan_make(&pub->plan, &pub->tree, &known, pub->request->mode);
    batch_init(&pub->batch, pub->target, &pub->tree, pub->reporter);
    pub->batch.stop = pub->stop;
    for (i = 0; i < pub->plan.len; i++)
        if (pub->plan.items[i].kind == PLAN_CREATE || pub->plan.items[i].kind == PLAN_OVERWRITE) {
            pub->batch.total_files++;
            pub->batch.total_bytes += pub->plan.items[i].content.size;
        }
}

/* Without the state nothing is known of what is there: everything is written. */
static void plan_without_state(struct publication *pub)
{
    if (pub->reporter->warning)
        pub->reporter->warning(pub->reporter->context,
                               "the state of this target is denied to us: publishing without claim and order (allow "
                               "GetObject and PutObject on the bucket's .caisson/* to change that)");
    manifest_dispose(&pub->base);
    make_plan(pub);
}

static void say_committing(struct publication *pub)
{
    if (pub->reporter->committing)
        pub->reporter->committing(pub->reporter->context);
}

/* Nothing differs: the state alone is written, so that the order holds. */
static int finish_unchanged(struct publication *pub, bool *lost, struct error *err)
{
    struct error problem = {0};

    if (pub->stop && *pub->stop)
        return target_stopped(err);
    say_committing(pub);
    if (claim_finish(pub, lost, &problem) == 0)
        return 0;
    if (pub->request->mode == PUBLISH_ADD && strcmp(problem.reason, "access-denied") == 0)
        return 0; /* it is all there; add may do without its own state */
    *err = problem;
    return -1;
}

/* Reads, decides, plans and claims, again when someone else was quicker. *ended: there was nothing else to do. */
static int take_claim(struct publication *pub, bool *ended, struct error *err)
{
    bool lost;
    int i, result;

    *ended = false;
    for (i = 0; i < CLAIM_TRIES; i++) {
        if (claim_read(pub, err) || adopt_list(pub, err))
            return -1;
        make_plan(pub);
        lost = false;
        *ended = pub->version && plan_is_empty(&pub->plan);
        result = *ended ? finish_unchanged(pub, &lost, err) : claim_take(pub, &lost, err);
        if (result || !lost)
            return result;
        loop_sleep(pub->loop, 20 + (int64_t)(pub->nonce[0] & 15) * 10, pub->stop);
        if (pub->stop && *pub->stop)
            return target_stopped(err);
    }
    error_set(err, CLASS_UPLOAD_FAILED, "claim-contended", "too many publishes to %s at once", pub->target->uri);
    return error_retryable(err, 0);
}

static int incomplete(struct error *err)
{
    error_context(err, "the publish is incomplete");
    return err->hint[0] ? -1 : error_hint(err, "run the job again: the next publish completes it");
}

/* From the claim on. */
static int publish_claimed(struct publication *pub, struct error *err)
{
    bool lost = false;

    batch_answered(&pub->batch, STATE_ROUND_TRIPS);
    if (phase_one(pub, err) || (pub->stop && *pub->stop && target_stopped(err)) || claim_commit(pub, &lost, err)) {
        call_back(pub);
        return -1;
    }
    if (lost)
        return call_back_superseded(pub, err);
    say_committing(pub);
    if (phase_two(pub, &lost, err))
        return incomplete(err);
    if (lost)
        return call_back_superseded(pub, err);
    if (claim_finish(pub, &lost, err))
        return incomplete(err);
    if (lost)
        return call_back_superseded(pub, err);
    if (pub->foreign.reason[0]) {
        *err = pub->foreign;
        return -1;
    }
    return 0;
}

static int publish_unordered(struct publication *pub, struct error *err)
{
    plan_without_state(pub);
    if (pub->stop && *pub->stop)
        return target_stopped(err);
    say_committing(pub);
    return phase_unordered(pub, err) ? incomplete(err) : 0;
}

static int run(struct publication *pub, struct error *err)
{
    bool ended;

    if (read_tree(pub, err))
        return -1;
    if (take_claim(pub, &ended, err)) {
        if (pub->nonce[0] && err->class == CLASS_INTERRUPTED)
            call_back(pub); /* our claim may be there, unanswered */
        return -1;
    }
    if (ended)
        return 0;
    return pub->ordered ? publish_claimed(pub, err) : publish_unordered(pub, err);
}

static void fill_result(struct publication *pub, struct publish_result *result)
{
    struct target_stats stats = pub->target->type->stats(pub->target);
    size_t i;

    result->files = (int64_t)pub->tree.len;
    result->bytes = pub->tree.bytes;
    for (i = 0; i < pub->plan.len; i++) {
        const struct plan_item *item = &pub->plan.items[i];

        if (item->kind == PLAN_REMOVE)
            result->removed += item->status == PLAN_DONE && item->exists;
        else
            result->written += item->written;
    }
    result->unchanged = result->files - result->written;
    result->requests = (int64_t)stats.requests;
    result->retries = (int64_t)stats.retries;
    result->ordered = pub->ordered;
    tree_digest(&pub->tree, result->digest);
    result->url = xstrdup(pub->target->uri);
}

int publish(struct loop *loop, const struct publish_request *request, const struct publish_reporter *reporter,
            const bool *stop, struct publish_result *result, struct error *err)
{
    static const struct publish_reporter silent = {0};
    struct publication pub = {
        .loop = loop, .request = request, .reporter = reporter ? reporter : &silent, .stop = stop, .ordered = true};
    int64_t started_ms = clock_monotonic_ms();
    int outcome;

    memset(result, 0, sizeof *result);
    tree_init(&pub.tree);
    outcome = check_request(request, err);
    if (!outcome)
        outcome = target_open(&pub.target, loop, request, stop, pub.reporter, err);
    if (!outcome)
        outcome = run(&pub, err);
    if (!outcome) {
        fill_result(&pub, result);
        result->duration_ms = clock_monotonic_ms() - started_ms;
    }
    plan_dispose(&pub.plan);
    manifest_dispose(&pub.base);
    manifest_dispose(&pub.adopted);
    free(pub.known);
    free(pub.version);
    tree_dispose(&pub.tree);
    target_free(pub.target);
    return outcome;
}
