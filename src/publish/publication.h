/*
 * One publish under way: what the steps of docs/publishing.md hand to each other. claim.c has the state document,
 * adopt.c what others have left there, phases.c the two phases, resolve.c what to make of a path that is not as we thought, callback.c the way back.
 */
#ifndef CAISSON_PUBLISH_PUBLICATION_H
#define CAISSON_PUBLISH_PUBLICATION_H

#include "publish/batch.h"
#include "publish/plan.h"

struct publication {
    struct loop *loop; /* borrowed, as the next three */
    const struct publish_request *request;
    const struct publish_reporter *reporter;
    const bool *stop;
    struct target *target;
    struct tree tree;
    struct batch batch;

    struct manifest base;            /* the state as we found it */
    struct manifest adopted;         /* files of others that are taken over; nothing but `files` */
    struct manifest_file *known;     /* base's and adopted's in one, their strings borrowed: the plan is made of it */
    char *version;                   /* ETag of the state as it is now, as far as we know; NULL: there is none */
    char nonce[MANIFEST_NONCE_SIZE]; /* of the version that we wrote last */
    struct plan plan;
    bool ordered;          /* false: the state's key is denied to us */
    int64_t now_ms;        /* wall time of the plan, as the target has it */
    int64_t created_at_ms; /* our place in the order */
    struct error foreign;  /* phase 2 met a file that someone else put there meanwhile */
};

/* ---- claim.c ---- */

/* Reads the state and decides whether we may publish. CLASS_SUPERSEDED; CLASS_SPEC_INVALID
 * for a job of the future. `ordered` becomes false where add is denied the key. */
int claim_read(struct publication *pub, struct error *err);
/* Writes our claim with what we are going to do. *lost: someone else was quicker; read again. */
int claim_take(struct publication *pub, bool *lost, struct error *err);
/* The point of no return. */
int claim_commit(struct publication *pub, bool *lost, struct error *err);
int claim_finish(struct publication *pub, bool *lost, struct error *err);
/* Whether the claim is still ours. Fills *winner (caller disposes) when it is not. */
int claim_is_ours(struct publication *pub, const bool *stop, bool *ours, struct manifest *winner, struct error *err);
/* The state as it was before our claim. Best effort, until *stop. */
int claim_release(struct publication *pub, const bool *stop, struct error *err);
/* Fills *err for a publish that lost against what `winner` says. */
int claim_superseded(const struct publication *pub, const struct manifest *winner, struct error *err);

/* ---- adopt.c ---- */

/* Lists what others have put there, when the request says so and no mirror of ours has ended here yet. */
int adopt_list(struct publication *pub, struct error *err);
/* The base with what is adopted. Its files stay as long as pub->known; the rest is borrowed from the base. */
struct manifest adopt_merge(struct publication *pub);

/* ---- phases.c ---- */

/* New files that no page of before names, and a look at all that phase 2 is going to touch. */
int phase_one(struct publication *pub, struct error *err);
int phase_two(struct publication *pub, bool *lost, struct error *err);
/* Without claim and conditions. */
int phase_unordered(struct publication *pub, struct error *err);
/* The items for which `wanted` is true; caller frees with free. */
struct plan_item **plan_select(struct plan *plan, bool (*wanted)(const struct plan_item *item), size_t *len);

/* ---- resolve.c ---- */

/* After a probe: sets status, kind, form and what to expect. In phase 1 someone else's file is an error. */
int resolve_items(struct publication *pub, struct plan_item **items, size_t len, bool committed, struct error *err);

/* ---- callback.c ---- */

/* Before the point of no return: removes what we created and gives the claim back. */
void call_back(struct publication *pub);
/* After the claim was lost: removes what we created and the winner does not know. Fills *err. */
int call_back_superseded(struct publication *pub, struct error *err);

#endif
