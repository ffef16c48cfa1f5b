/* What a profile is made of. Private to profiles/. */
#ifndef CAISSON_PROFILES_PROFILE_INTERNAL_H
#define CAISSON_PROFILES_PROFILE_INTERNAL_H

#include <stdbool.h>

#include "profiles/profile.h"

/*
 * One thing that the system says, in all its spellings. They mean the same: where two are given they must agree, so that
 * a tenant who adds another spelling changes nothing.
 */
struct profile_role {
    const char *key;          /* for profile_text and messages */
    const char *const *names; /* of variables, NULL-terminated; the first is the usual one */
    const char *path;         /* where the value goes in the spec; NULL: `finish` uses it, or nobody does */
    const char *fallback;     /* for the path when nothing is said */
    bool required;
    bool secret; /* the spec gets { env: NAME }, not the value */
    bool unused; /* of a function that this version has not: consumed, and named in one warning */
};

struct profile_draft;

struct profile {
    const char *name;
    const char *summary;
    const struct profile_role *roles;          /* key NULL ends them */
    const struct event_format *const *formats; /* what its system reads, NULL-terminated; NULL: none */
    const char *const *prefixes;               /* of further names that are the system's; NULL: none */
    /* What the table cannot say; problems go to profile_problem. NULL: nothing. */
    void (*finish)(struct profile_draft *draft);
};

extern const struct profile profile_vercel_clone;
extern const struct profile profile_veren_backend;
extern const struct profile profile_veren_frontend;

/* ---- for finish ---- */

/* The value of a role, NULL when not given or empty; *name the spelling that was used (may be NULL). Borrowed. */
const char *profile_text(const struct profile_draft *draft, const char *key, const char **name);
/* The same for a variable that is not in the table (it begins with one of the prefixes). */
const char *profile_variable(const struct profile_draft *draft, const char *name);
/* Sets "source.ref" in the document. Takes the value. `variable` NULL: the profile itself says so. */
void profile_put(struct profile_draft *draft, const char *path, json_t *value, const char *variable);
/* The one artifact of these systems: files are added beneath s3://BUCKET/__outputs/PROJECT/. Roles of existing
 * deployments allow PutObject only, hence the mode. */
void profile_put_artifact(struct profile_draft *draft, const char *bucket, const char *bucket_variable,
                          const char *endpoint, const char *region);
/* A variable that holds the user's variables as JSON: {"A": "b"} or [{"key": "A", "value": "b"}]. */
void profile_user_json(struct profile_draft *draft, const char *text, const char *name);
/* "AWS_ACCESS_KEY_ID" and its value, for our own credential chain. */
void profile_system(struct profile_draft *draft, const char *name, const char *value);
void profile_problem(struct profile_draft *draft, const char *reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
const struct operator_file *profile_operator(const struct profile_draft *draft); /* NULL: none */

#endif
