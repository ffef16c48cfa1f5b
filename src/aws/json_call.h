/*
 * One call of a service that speaks AWS JSON 1.1 (Systems Manager, Secrets Manager, …): a signed POST to "/" whose
 * X-Amz-Target names the operation, JSON in and out; or of one that speaks the older AWS query (STS), where a form names
 * it and XML comes. Signing, retries (backoff with full jitter; throttling, 5xx, broken
 * connections, time limits), one correction of clock skew, one renewal of expired credentials and the reading of error
 * documents happen here. Redirects are not followed, and answers are bounded. What comes may be a secret: no part of
 * an answer of 2xx stands in a message, and its memory is wiped.
 * https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
 * https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
 */
#ifndef CAISSON_AWS_JSON_CALL_H
#define CAISSON_AWS_JSON_CALL_H

#include "aws/credentials.h"
#include "core/error.h"
#include "net/http.h"

#define JSON_CALL_ANSWER_MAX ((size_t)512 << 10) /* a secret of 64 KiB, every character of it escaped */

/* Where a service is; all borrowed. */
struct json_service {
    struct http_client *client;
    struct credentials_provider *provider;
    const char *name;     /* of the host and of the signature: "ssm" */
    const char *region;   /* a valid one (json_service_region) */
    const char *endpoint; /* "https://host[:port]"; NULL: AWS's own of the region */
    int max_attempts;     /* 0: 4 */
    bool json_1_0;        /* AWS JSON 1.0 (SQS) */
    bool query;           /* AWS query; the target is for messages alone then */
};
/* Letters, digits and dashes: what may stand in a host's name. */
bool json_service_region(const char *region);
/* "aws", "aws-cn", "aws-us-gov": the first field of ARNs there. */
const char *json_service_partition(const char *region);

/* What an error document says; each may be empty. Printable characters only. */
struct json_failure {
    char code[80];     /* "ParameterNotFound", without its namespace */
    char message[400]; /* the service's own words */
    char request_id[64];
    int attempts; /* that the call made */
};
/* Of an answer outside 2xx: hostile JSON, headers too. */
void json_failure_parse(const struct http_response *response, struct json_failure *failure);
/* The same for hostile XML. */
void query_failure_parse(struct view body, struct json_failure *failure);

struct json_call;
/* Strings of the service must stay until the end; target and body are copied. `done` is called from the loop, never
 * from here: `error` is NULL and `answer` the body of 2xx (borrowed until done returns), or the error: class
 * CLASS_PLATFORM with the reasons "access-denied", "not-found" (404), "slow-down", "server-error", "clock-skew",
 * "request-refused", "bad-endpoint" and those of net/http.h; CLASS_CREDENTIALS with those of aws/credentials.h,
 * "credentials-refused" and "expired-token". `failure` is what the service said, NULL when it said nothing. The call is
 * gone when done returns, and done must not cancel it. */
typedef void json_call_done(void *context, struct view answer, const struct json_failure *failure,
                            const struct error *error);
struct json_call *json_call_start(const struct json_service *service, const char *target, struct view body,
                                  json_call_done *done, void *context);
/* Ends it without calling done. NULL is fine. */
void json_call_cancel(struct json_call *call);

#endif
