/* Reads what others wrote about credentials: hostile, bounded. For aws/ (and its tests) only. */
#ifndef CAISSON_AWS_CREDENTIALS_PARSE_H
#define CAISSON_AWS_CREDENTIALS_PARSE_H

#include "aws/credentials.h"
#include "core/buf.h"

#define CREDENTIALS_DOCUMENT_MAX ((size_t)64 << 10)
#define CREDENTIALS_FILE_MAX ((size_t)1 << 20)

/* The container endpoint's answer: AccessKeyId, SecretAccessKey, Token, Expiration. 0 and *credentials filled (dispose
 * it), or CLASS_CREDENTIALS. No message quotes a value. */
int credentials_parse_document(struct view text, struct credentials *credentials, struct error *err);

/* A section of a shared credentials file. As above; `file` for messages. */
int credentials_parse_profile(struct view text, const char *file, const char *profile, struct credentials *credentials,
                              struct error *err);

/* Whether a text can stand in a header: printable ASCII without blanks, 1 to max bytes. */
bool credentials_is_value(const char *text, size_t max);

#endif
