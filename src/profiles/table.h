/* What a profile is made of. Private to profiles/. */
#ifndef CAISSON_PROFILES_TABLE_H
#define CAISSON_PROFILES_TABLE_H

#include "profiles/profile.h"

#define SPELLINGS_MAX 6

enum profile_use {
    USE_TEXT,     /* its value goes to `path` */
    USE_FOLDER,   /* the same, in the spec's form: "./a/" is "a", "" and "/" are "." */
    USE_SECRET,   /* {env: NAME} goes to `path`: the value itself stays out of the document */
    USE_ENV_JSON, /* {"K": "V"} or [{"key": "K", "value": "V"}] goes to env */
    USE_SYSTEM,   /* its value is given to our credential chain under the name `path`, unless that is set itself */
    USE_WITHHELD, /* taken away from the build */
    USE_LATER,    /* the same, and named in one warning: the option that it is for does not exist yet */
};

struct profile_variable {
    const char *names[SPELLINGS_MAX]; /* spellings; the first that has a value wins; "KAFKA_*" stands for a prefix */
    enum profile_use use;
    const char *path;
    const char *missing; /* default; NULL: none */
    bool required;
};

struct profile {
    const char *name, *summary;
    const struct profile_variable *variables; /* ended by an empty entry */
    /* What no single variable says, e.g. the target; may add to err's message. */
    int (*finish)(const struct strings *env, const struct operator_file *operator_file, struct profile_job *job,
                  struct error *err);
};

extern const struct profile profile_vercel_clone, profile_veren_frontend;

/* Puts a text at a dotted path of the document, with its origin. */
void profile_put(struct profile_job *job, const char *path, const char *value, const char *origin);

#endif
