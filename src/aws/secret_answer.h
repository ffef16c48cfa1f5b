/* What the two services that keep secrets have in common. For aws/ only. */
#ifndef CAISSON_AWS_SECRET_ANSWER_H
#define CAISSON_AWS_SECRET_ANSWER_H

#include <jansson.h>

#include "aws/json_call.h"

#define SECRET_VALUE_MAX ((size_t)64 << 10) /* what Secrets Manager keeps; parameters are smaller */

/* From a failed call to what it means for the job: a final answer is a secret that cannot be had. `action` and `arn`
 * are what the role needs. */
void secret_failure(const struct json_failure *failure, const char *action, const char *arn, struct error *err);
/* Parses an answer. NULL and *err when it is no JSON object; messages quote nothing of it. */
json_t *secret_document(struct view answer, struct error *err);
/* Overwrites the texts of a document, and lets go of it. NULL is fine. */
void secret_document_free(json_t *document);
/* "secret-unreadable" */
int secret_unreadable(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
