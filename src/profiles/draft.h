/* A job in the making. Private to profiles/apply.c and its parts message.c and notify.c. */
#ifndef CAISSON_PROFILES_DRAFT_H
#define CAISSON_PROFILES_DRAFT_H

#include "core/buf.h"
#include "profiles/profile_internal.h"

struct profile_draft {
    const struct profile *profile;
    const struct strings *env;
    const struct operator_file *operator_file;
    struct profile_job *job;
    json_t *message; /* of the queue; NULL: none */
    json_t *fields;  /* what it says of the table, as texts: "frontendConfig.outDir" → "dist" */
    json_t *dropped; /* names of the user's that may not reach the build, as keys: there may be many */
    struct buf problems;
    const char *reason; /* of the first problem */
    bool ambiguous;     /* a name of the system's was given twice */
};

/* The message as a document; −1 and *err where it is none, or where the profile takes none. */
int message_parse(struct profile_draft *draft, const struct profile_input *input, struct error *err);
/* Fills `fields`, and the user's variables. Nothing without a message. */
void message_read(struct profile_draft *draft);

/* A number or a boolean as a text, as a shell would have it; a list, an object or null is none: NULL. Caller frees. */
char *json_as_text(const json_t *value);

#endif
