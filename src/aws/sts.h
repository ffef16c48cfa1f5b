/*
 * The Security Token Service: whose credentials these are, and another role's for a while, limited by a policy of ours.
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
 */
#ifndef CAISSON_AWS_STS_H
#define CAISSON_AWS_STS_H

#include <stdbool.h>

#include "aws/credentials.h"
#include "core/error.h"
#include "net/http.h"

#define STS_SESSION_NAME_SIZE 65

struct sts_options {
    struct http_client *client;            /* borrowed */
    struct credentials_provider *provider; /* borrowed: who assumes */
    const char *region;                    /* of the endpoint */
    const char *endpoint;                  /* NULL: AWS's own of the region */
    const bool *stop;                      /* borrowed; NULL: never */
};

struct sts_assume_role {
    const char *role;    /* its ARN */
    const char *session; /* a name for the session (sts_session_name) */
    const char *policy;  /* JSON: the session may do what both the role and this allow; NULL: all that the role may */
};
/* Pumps the loop. The credentials live an hour, which is also the most that a role may have that was assumed by a role;
 * caller disposes of them. CLASS_PLATFORM or CLASS_CREDENTIALS with the reasons of aws/json_call.h; "access-denied" names
 * action, ARN and the trust policy. */
int sts_assume_role(const struct sts_options *options, const struct sts_assume_role *request,
                    struct credentials *credentials, struct error *err);

#define STS_ARN_SIZE 300

/* Whose the credentials are: the ARN of the role's session, "arn:aws:sts::…:assumed-role/NAME/SESSION", or of the user.
 * Needs no permission, and no policy can deny it but an endpoint's. Pumps the loop. Errors as above.
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html */
int sts_caller_identity(const struct sts_options *options, char arn[STS_ARN_SIZE], struct error *err);

/* "caisson-" and a job's id, with a dash for each character that such a name may not have, cut where it is too long. */
void sts_session_name(const char *id, char name[STS_SESSION_NAME_SIZE]);

/* The body of 2xx: hostile XML. 0 and *credentials filled, or CLASS_PLATFORM "answer-unreadable". No message quotes a
 * value. */
int sts_answer_parse(struct view body, struct credentials *credentials, struct error *err);
/* The same of GetCallerIdentity. */
int sts_identity_parse(struct view body, char arn[STS_ARN_SIZE], struct error *err);

#endif
