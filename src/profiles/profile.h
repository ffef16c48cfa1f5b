/*
 * Profiles: an existing system's environment becomes a job. The task definition's command names the profile; it is
 * never sniffed. The environment is the tenant's as much as the system's, so a profile takes what its table names,
 * hands on what is the user's own, and withholds the rest. A profile makes a spec document and nothing else: the same
 * table validates it, and the operator's pins win over it.
 *
 * A new profile: one file with a `const struct profile`, its declaration and one word in profiles/profiles.c.
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

/* env: the raw environment, in its order, a name may stand twice. CLASS_SPEC_INVALID (reason "profile-variable-missing",
 * "reserved-name-repeated", …) names all that is wrong at once. */
int profile_apply(const struct profile *profile, const struct strings *env, const struct operator_file *operator_file,
                  struct profile_job *job, struct error *err);

#endif
