/*
 * Parameters of the Systems Manager Parameter Store.
 * https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html
 */
#ifndef CAISSON_AWS_SSM_H
#define CAISSON_AWS_SSM_H

#include "aws/json_call.h"

struct ssm_get;
/*
 * GetParameter, decrypted. `name`: "/path", "name", either with ":version" or ":label", or an ARN, which also names the
 * region. Strings of the service (whose name is not looked at) must stay until the end. `done` is called from the loop
 * with the value (borrowed until done returns), or NULL and the error: CLASS_SECRET_UNAVAILABLE ("secret-not-found",
 * "secret-denied", "secret-key-refused" (KMS), "secret-refused", "secret-unreadable" (what came is no answer of this
 * call)), or those of json_call_start. The request is gone when done returns.
 */
struct ssm_get *ssm_get_start(const struct json_service *service, const char *name,
                              void (*done)(void *context, const char *value, const struct error *error), void *context);
/* Ends it without calling done. NULL is fine. */
void ssm_get_cancel(struct ssm_get *get);

/* The value in an answer of 2xx (hostile JSON). Caller frees with wipe_free. 0; -1 and *err, "secret-unreadable". */
int ssm_answer_parse(struct view answer, char **value, struct error *err);

#endif
