/*
 * Profiles: what an existing system sends becomes a job: an environment, or a message of its queue. The task definition's command names the profile; it is
 * never sniffed. The environment is the tenant's as much as the system's, so a profile takes what its table names,
 * hands on what is the user's own, and withholds the rest. A profile makes a spec document and nothing else: the same
 * table validates it, and the operator's pins win over it.
 *
 * A new profile is one file: profiles/profiles.c has the recipe.
 */
#ifndef CAISSON_PROFILES_PROFILE_H
#define CAISSON_PROFILES_PROFILE_H

#include <jansson.h>

#include "core/error.h"
#include "core/strings.h"
#include "report/format.h"
#include "spec/spec.h"

struct profile; /* name, summary, table of variables, finishing function */

/* What a profile makes of an environment. Zeroed before; profile_job_dispose after. */
struct profile_job {
    json_t *document;      /* a spec document for spec_load_json */
    json_t *origins;       /* path → "variable BRANCH" */
    struct strings system; /* "AWS_ACCESS_KEY_ID=…": what the system says to our own credential chain by other names */
    struct strings withheld; /* names that the build does not see, sorted */
    struct strings warnings;
};
void profile_job_dispose(struct profile_job *job); /* wipes: the document holds tokens */

extern const char profile_names[]; /* of all, for tables of options: " vercel-clone veren-frontend …" */
/* NULL when there is none of that name. */
const struct profile *profile_find(const char *name);
const char *profile_name(const struct profile *profile);
const char *profile_summary(const struct profile *profile);
/* The profiles in order; NULL past the last. */
const struct profile *profile_at(size_t index);

/* How an existing system reads events: formats of profiles, by name ("veren-frontend"), or one after the other. NULL: there
 * is none. */
const struct event_format *profile_format(const char *name);
const struct event_format *profile_format_at(size_t index);

/* Borrowed. */
struct profile_input {
    const struct strings *env;                 /* the raw environment, in its order; a name may stand twice */
    const char *message;                       /* of the system's queue; NULL: the environment is all there is */
    const char *message_name;                  /* for messages: "standard input", "variable JOB" */
    const struct operator_file *operator_file; /* NULL: none */
};
/* CLASS_SPEC_INVALID (reason "profile-variable-missing", "reserved-name-repeated", "profile-message-invalid", …) names
 * all that is wrong at once; the document then says what is sure of whose job it is and of who is told of its end. With a message the environment says only what the message does not: its other variables
 * are whoever took the message from the queue's, and no user's. */
int profile_apply(const struct profile *profile, const struct profile_input *input, struct profile_job *job,
                  struct error *err);

/* Whom the system cannot be told at, or where it cannot be listened to, for the problems say so: these entries of
 * `notify` and `cancel` leave the document, and one warning names them. The build does not depend on it. False: the problems are not of that kind. */
bool profile_leave_out(struct profile_job *job, const struct problems *problems);
/* One warning where the operator's word is made use of: brokers or callbacks in plain text. */
void profile_warn_plain(struct profile_job *job, const struct spec *spec);

#endif
