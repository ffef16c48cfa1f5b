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
    const char *message;      /* where a queue message says it: "frontendConfig.outDir"; NULL: the environment does */
    bool required;
    bool secret; /* the spec gets { env: NAME }, not the value */
    bool unused; /* of another builder of the system: consumed, and named in one warning */
};

struct profile_draft;

struct profile {
    const char *name;
    const char *summary;
    const struct profile_role *roles;          /* key NULL ends them */
    const struct event_format *const *formats; /* what its system reads, NULL-terminated; NULL: none */
    const char *const *prefixes;               /* of further names that are the system's; NULL: none */
    const char *const *message_env; /* where a message has the user's variables, NULL-terminated; NULL: nowhere */
    enum { MESSAGE_NEVER, MESSAGE_MAY, MESSAGE_ONLY } takes; /* jobs by messages of a queue */
    /* What the table cannot say; problems go to profile_problem. NULL: nothing. */
    void (*finish)(struct profile_draft *draft);
};

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
void profile_user_list(struct profile_draft *draft, json_t *json, const char *name);
/* Says where a value of the document comes from; variable as in profile_put. */
void profile_note(struct profile_draft *draft, const char *path, const char *variable);
/* Whether the job comes as a message. */
bool profile_has_message(const struct profile_draft *draft);

/* Someone who is told: an entry of the spec's notify, of that type, with the format and the words of `events`. Borrowed
 * until the next; more keys by json_put_text. `variable`: where the target comes from. */
json_t *profile_notify(struct profile_draft *draft, const char *type, const char *target, const char *variable,
                       const char *format, const char *event);
/* A value that the environment has by the role's name: { env: NAME }; left out where it is not there. */
void profile_notify_value(struct profile_draft *draft, json_t *entry, const char *name, const char *key);
/* "redis://user:password@host/…": without them, which go to the entry when it is made. Caller frees with wipe_free. */
struct profile_server {
    char *url, *username, *password; /* username, password: NULL: none */
};
void profile_server_init(struct profile_server *server, const char *url);
void profile_server_dispose(struct profile_server *server);
void profile_server_login(const struct profile_server *server, json_t *entry);

/* "AWS_ACCESS_KEY_ID" and its value, for our own credential chain. */
void profile_system(struct profile_draft *draft, const char *name, const char *value);
void profile_problem(struct profile_draft *draft, const char *reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
const struct operator_file *profile_operator(const struct profile_draft *draft); /* NULL: none */
/* The operator may say where images go, in place of the system. */
bool profile_operator_names_repository(const struct profile_draft *draft);

#endif
