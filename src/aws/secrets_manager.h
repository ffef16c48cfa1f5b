/*
 * Secrets of the Secrets Manager.
 * https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
 */
#ifndef CAISSON_AWS_SECRETS_MANAGER_H
#define CAISSON_AWS_SECRETS_MANAGER_H

#include "aws/json_call.h"

/*
 * What a spec names: "name", "ARN", either with "#json-key", or ECS's own form "ARN:json-key:stage:version-id", of
 * which each may be empty. ("Pass Secrets Manager secrets through Amazon ECS environment variables", ECS Developer
 * Guide.)
 */
struct secret_reference {
    char *id;              /* name or ARN */
    char *key;             /* NULL: the whole text */
    char *stage, *version; /* NULL: AWSCURRENT */
};
/* 0; -1 and *err (CLASS_SPEC_INVALID, "bad-secret-name"). */
int secret_reference_parse(const char *text, struct secret_reference *reference, struct error *err);
void secret_reference_dispose(struct secret_reference *reference);

struct secret_get;
/*
 * GetSecretValue. Strings of the service (whose name is not looked at) must stay until the end; its region is used
 * where the id is no ARN. `done` is called from the loop with the secret's text (borrowed until done returns), or NULL
 * and the error: as of ssm_get_start, and "secret-binary". The request is gone when done returns.
 */
struct secret_get *secret_get_start(const struct json_service *service, const struct secret_reference *reference,
                                    void (*done)(void *context, const char *text, const struct error *error),
                                    void *context);
/* Ends it without calling done. NULL is fine. */
void secret_get_cancel(struct secret_get *get);

/* The text in an answer of 2xx (hostile JSON). Caller frees with wipe_free. 0; -1 and *err, "secret-unreadable" or
 * "secret-binary". */
int secret_answer_parse(struct view answer, char **text, struct error *err);
/* The value of a key of the secret's text, which must be a JSON object; numbers, true and false as they are written.
 * key NULL: a copy of the text. Caller frees with wipe_free. 0; -1 and *err: "secret-not-json", "secret-key-missing",
 * "secret-key-unusable". Messages name no other key. */
int secret_pick(const char *text, const char *key, char **value, struct error *err);

#endif
