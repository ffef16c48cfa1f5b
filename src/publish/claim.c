/* The state document: reading it, deciding by it, and writing it with optimistic locking. */
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "publish/publication.h"

#define FUTURE_MS ((int64_t)5 * 60 * 1000) /* how far the clocks of a fleet may lie apart */

static bool is_denied(const struct error *error)
{
    return strcmp(error->reason, "access-denied") == 0;
}

static void new_nonce(char nonce[MANIFEST_NONCE_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[(MANIFEST_NONCE_SIZE - 1) / 2];
    size_t i;

    if (RAND_bytes(bytes, sizeof bytes) != 1)
        abort();
    for (i = 0; i < sizeof bytes; i++) {
        nonce[2 * i] = digits[bytes[i] >> 4];
        nonce[2 * i + 1] = digits[bytes[i] & 15];
    }
    nonce[2 * sizeof bytes] = '\0';
}

/* ---- reading and deciding ---- */

int claim_superseded(const struct publication *pub, const struct manifest *winner, struct error *err)
{
    char theirs[CLOCK_TEXT_SIZE], ours[CLOCK_TEXT_SIZE];

    clock_format(winner->created_at_ms, theirs);
    clock_format(pub->created_at_ms, ours);
    if (strcmp(winner->job_id, pub->request->job_id) == 0)
        return error_set(err, CLASS_SUPERSEDED, "superseded",
                         "another attempt of job %s has taken over the publish to %s", winner->job_id,
                         pub->target->uri);
    error_set(err, CLASS_SUPERSEDED, "superseded", "job %s, created %s, %s %s; job %s, created %s, is older",
              winner->job_id, theirs, winner->state == CLAIM_DONE ? "has published to" : "is publishing to",
              pub->target->uri, pub->request->job_id, ours);
    return error_hint(err, "nothing of this job is published; that is as it should be when a newer build exists");
}

/* Newer wins; of two of the same time the greater id, so that both sides agree. The same job may always try again. */
static bool is_newer(const struct manifest *theirs, const struct publication *ours)
{
    if (theirs->state == CLAIM_NONE || strcmp(theirs->job_id, ours->request->job_id) == 0)
        return false;
    if (theirs->created_at_ms != ours->created_at_ms)
        return theirs->created_at_ms > ours->created_at_ms;
    return strcmp(theirs->job_id, ours->request->job_id) > 0;
}

static int refuse_denied(const struct publication *pub, const struct error *cause, struct error *err)
{
    *err = *cause;
    error_context(err, "mirror needs the state of %s", pub->target->uri);
    return error_hint(err, "allow GetObject and PutObject on the bucket's .caisson/*, or publish with mode add");
}

/* Denied: add does without, mirror cannot. */
static int denied(struct publication *pub, const struct error *cause, struct error *err)
{
    if (pub->request->mode == PUBLISH_MIRROR)
        return refuse_denied(pub, cause, err);
    pub->ordered = false;
    return 0;
}

static int parse_base(struct publication *pub, struct view text, struct error *err)
{
    struct error problem = {0};

    if (manifest_parse(&pub->base, text, pub->target->uri, &problem) == 0) {
        if (strcmp(pub->base.target, pub->target->uri) == 0)
            return 0;
        error_set(&problem, CLASS_UPLOAD_FAILED, "bad-manifest", "the state of %s was written for %s", pub->target->uri,
                  pub->base.target);
        error_hint(&problem, "it was copied here: publish with adopt: true to start anew");
        manifest_dispose(&pub->base);
    }
    /* adopt starts anew, over whatever is there. */
    if (pub->request->adopt)
        return 0;
    *err = problem;
    return -1;
}

/* A job of the future would keep all others from publishing until then. By the target's clock: ours may have been set
 * since the job was made, or be wrong. */
static int take_place(struct publication *pub, struct error *err)
{
    char created[CLOCK_TEXT_SIZE];

    pub->now_ms = pub->target->type->now_ms ? pub->target->type->now_ms(pub->target) : clock_wall_ms();
    pub->created_at_ms = pub->request->created_at_ms;
    if (!pub->created_at_ms)
        pub->created_at_ms = pub->now_ms - (clock_monotonic_ms() - pub->request->began_ms);
    if (pub->created_at_ms <= pub->now_ms + FUTURE_MS)
        return 0;
    clock_format(pub->created_at_ms, created);
    error_set(err, CLASS_SPEC_INVALID, "created-at-in-future", "created_at is %s, which is in the future", created);
    return error_hint(err,
                      "it orders publishes: a job from the future would keep all others from publishing until then");
}

int claim_read(struct publication *pub, struct error *err)
{
    struct error problem = {0};
    struct buf text;
    int result;

    manifest_dispose(&pub->base);
    free(pub->version);
    pub->version = NULL;
    pub->ordered = true;
    buf_init(&text, MANIFEST_MAX_BYTES);
    result = pub->target->type->read_state(pub->target, pub->stop, &text, &pub->version, &problem);
    if (result && is_denied(&problem))
        /* Without ListBucket S3 says 403 for "there is none" as well: the claim's write will tell. */
        result = 0;
    else if (result)
        *err = problem;
    else if (pub->version)
        result = parse_base(pub, (struct view){buf_text(&text), text.len}, err);
    buf_dispose(&text);
    if (!result)
        result = take_place(pub, err);
    if (!result)
        manifest_thin_pending(&pub->base, pub->now_ms);
    if (!result && is_newer(&pub->base, pub))
        return claim_superseded(pub, &pub->base, err);
    return result;
}

int claim_is_ours(struct publication *pub, const bool *stop, bool *ours, struct manifest *winner, struct error *err)
{
    CLEANUP_FREE char *version = NULL;
    struct buf text;
    int result;

    manifest_init(winner);
    *ours = false;
    buf_init(&text, MANIFEST_MAX_BYTES);
    result = pub->target->type->read_state(pub->target, stop, &text, &version, err);
    if (!result && !version)
        result =
            error_set(err, CLASS_UPLOAD_FAILED, "state-lost", "the state of %s has been removed", pub->target->uri);
    if (!result)
        result = manifest_parse(winner, (struct view){buf_text(&text), text.len}, pub->target->uri, err);
    buf_dispose(&text);
    if (result)
        return -1;
    *ours = strcmp(winner->nonce, pub->nonce) == 0;
    if (*ours) {
        free(pub->version);
        pub->version = version;
        version = NULL;
        manifest_dispose(winner);
    }
    return 0;
}

/* ---- writing ---- */

/* Writes the document under a new nonce. An answer can get lost: whose version is there decides then. */
static int write_document(struct publication *pub, struct manifest *document, const bool *stop, bool *lost,
                          struct error *err)
{
    struct manifest winner;
    struct error problem = {0};
    struct buf text;
    char *version = NULL;
    bool ours;
    int result;

    *lost = false;
    new_nonce(pub->nonce);
    memcpy(document->nonce, pub->nonce, sizeof pub->nonce);
    document->target = pub->target->uri;
    buf_init(&text, MANIFEST_MAX_BYTES);
    result = manifest_format(document, &text, &problem);
    if (!result)
        result = pub->target->type->write_state(pub->target, stop, (struct view){buf_text(&text), text.len},
                                                pub->version, &version, &problem);
    buf_dispose(&text);
    if (!result) {
        free(pub->version);
        pub->version = version;
        return 0;
    }
    if (strcmp(problem.reason, "precondition-failed") == 0) {
        if (claim_is_ours(pub, stop, &ours, &winner, &problem) == 0) {
            manifest_dispose(&winner);
            *lost = !ours;
            return 0;
        }
    }
    *err = problem;
    return -1;
}

/* The base with our claim and our intents. */
static int write_claim(struct publication *pub, enum claim_state state, bool *lost, struct error *err)
{
    struct manifest document;
    struct pending own = {.job_id = pub->request->job_id, .created_at_ms = pub->created_at_ms};
    size_t i;
    int result;

    plan_intents(&pub->plan, &own);
    document = pub->base;
    document.state = state;
    document.job_id = pub->request->job_id;
    document.created_at_ms = pub->created_at_ms;
    document.claimed_at_ms = pub->now_ms;
    document.pending = xcalloc(pub->base.pending_len + 1, sizeof *document.pending);
    document.pending_len = 0;
    for (i = 0; i < pub->base.pending_len; i++)
        document.pending[document.pending_len++] = pub->base.pending[i];
    document.pending[document.pending_len++] = own;
    result = write_document(pub, &document, state == CLAIM_CLAIMED ? pub->stop : NULL, lost, err);
    free(document.pending);
    own.job_id = NULL;
    pending_dispose(&own);
    return result;
}

int claim_take(struct publication *pub, bool *lost, struct error *err)
{
    struct error problem = {0};
    int result = write_claim(pub, CLAIM_CLAIMED, lost, &problem);

    if (result && is_denied(&problem)) {
        *lost = false;
        return denied(pub, &problem, err);
    }
    if (result)
        *err = problem;
    return result;
}

int claim_commit(struct publication *pub, bool *lost, struct error *err)
{
    return write_claim(pub, CLAIM_COMMITTING, lost, err);
}

/* ---- the end ---- */

static bool is_named(const struct publication *pub, const char *path)
{
    const struct intent *intent;
    size_t i;

    for (i = 0; i < pub->base.pending_len; i++) {
        intent = pending_find(&pub->base.pending[i], path);
        if (intent && !pending_settled_at(&pub->base.pending[i], intent))
            return true;
    }
    return false;
}

/* add leaves what it does not write: ours of before stays listed. What an unfinished publish may have changed is listed
 * without ETag: the next one that wants to touch it looks first. */
static void list_others(const struct publication *pub, struct manifest *document)
{
    static const struct content unknown = {0};
    size_t i, j;

    for (i = 0; i < pub->base.files_len; i++) {
        const struct manifest_file *file = &pub->base.files[i];

        if (tree_find(&pub->tree, file->path))
            continue;
        if (is_named(pub, file->path))
            manifest_add_file(document, file->path, &unknown, NULL);
        else
            manifest_add_file(document, file->path, &file->content, file->etag);
    }
    for (i = 0; i < pub->base.pending_len; i++) {
        const struct pending *pending = &pub->base.pending[i];

        for (j = 0; j < pending->len; j++)
            if (pending_may_write(pending, &pending->intents[j]) && !tree_find(&pub->tree, pending->intents[j].path) &&
                !manifest_find(&pub->base, pending->intents[j].path))
                manifest_add_file(document, pending->intents[j].path, &unknown, NULL);
    }
}

static void drop_doubles(struct manifest *document)
{
    size_t i, kept = 0;

    for (i = 0; i < document->files_len; i++) {
        if (kept > 0 && strcmp(document->files[kept - 1].path, document->files[i].path) == 0) {
            free(document->files[i].path);
            free(document->files[i].etag);
            continue;
        }
        document->files[kept++] = document->files[i];
    }
    document->files_len = kept;
}

int claim_finish(struct publication *pub, bool *lost, struct error *err)
{
    struct manifest document;
    size_t i;
    int result;

    manifest_init(&document);
    document.state = CLAIM_DONE;
    document.job_id = pub->request->job_id;
    document.created_at_ms = pub->created_at_ms;
    document.claimed_at_ms = pub->now_ms;
    document.whole = pub->base.whole || pub->request->mode == PUBLISH_MIRROR;
    for (i = 0; i < pub->plan.len; i++) {
        const struct plan_item *item = &pub->plan.items[i];

        if (item->kind != PLAN_REMOVE && item->status == PLAN_DONE)
            manifest_add_file(&document, item->path, &item->content, item->etag);
    }
    if (pub->request->mode == PUBLISH_ADD)
        list_others(pub, &document);
    manifest_sort_files(&document);
    drop_doubles(&document);
    for (i = 0; i < pub->base.pending_len; i++) {
        struct pending *pending = &pub->base.pending[i];

        manifest_add_pending(&document, pending);
        if (!pending->settled_at_ms)
            document.pending[document.pending_len - 1].settled_at_ms = pub->now_ms;
    }
    result = write_document(pub, &document, NULL, lost, err);
    document.job_id = document.target = NULL; /* borrowed */
    manifest_dispose(&document);
    return result;
}

int claim_release(struct publication *pub, const bool *stop, struct error *err)
{
    struct manifest document = pub->base;
    static char nobody[] = "-";
    bool lost;

    if (document.state == CLAIM_NONE) {
        document.job_id = nobody;
        document.created_at_ms = 0;
    }
    return write_document(pub, &document, stop, &lost, err);
}
