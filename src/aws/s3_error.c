#include <stdlib.h>
#include <string.h>

#include "aws/s3_internal.h"
#include "aws/xml.h"
#include "core/clock.h"
#include "core/mem.h"

/* S3 refuses what is more than 15 minutes off; a clock this wrong explains a 403 without a document. */
#define SKEW_MS ((int64_t)5 * 60 * 1000)

enum kind { FINAL, AGAIN, SLOW, CLOCK, EXPIRED, REGION, CREDENTIALS };

/* https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
static const struct {
    const char *code;
    const char *reason;
    enum kind kind;
} codes[] = {
    {"AccessDenied", "access-denied", FINAL},
    {"AllAccessDisabled", "access-denied", FINAL},
    {"AccountProblem", "access-denied", FINAL},
    {"NoSuchBucket", "no-such-bucket", FINAL},
    {"NoSuchKey", "no-such-key", FINAL},
    {"NoSuchUpload", "no-such-upload", FINAL},
    {"PreconditionFailed", "precondition-failed", FINAL},
    {"ConditionalRequestConflict", "conflict", AGAIN},
    {"OperationAborted", "conflict", AGAIN},
    {"SlowDown", "slow-down", SLOW},
    {"ServiceUnavailable", "slow-down", SLOW},
    {"Throttling", "slow-down", SLOW},
    {"ThrottlingException", "slow-down", SLOW},
    {"RequestLimitExceeded", "slow-down", SLOW},
    {"TooManyRequests", "slow-down", SLOW},
    {"TooManyRequestsException", "slow-down", SLOW},
    {"BandwidthLimitExceeded", "slow-down", SLOW},
    {"InternalError", "server-error", AGAIN},
    {"RequestTimeout", "timed-out", AGAIN},
    {"RequestTimeTooSkewed", "clock-skew", CLOCK},
    {"ExpiredToken", "expired-token", EXPIRED},
    {"ExpiredTokenException", "expired-token", EXPIRED},
    {"TokenRefreshRequired", "expired-token", EXPIRED},
    {"InvalidToken", "credentials-refused", CREDENTIALS},
    {"InvalidAccessKeyId", "credentials-refused", CREDENTIALS},
    {"SignatureDoesNotMatch", "credentials-refused", CREDENTIALS},
    {"PermanentRedirect", "wrong-region", REGION},
    {"TemporaryRedirect", "wrong-region", REGION},
    {"AuthorizationHeaderMalformed", "wrong-region", REGION},
    {"XAmzContentSHA256Mismatch", "content-mismatch", FINAL},
    {"BadDigest", "content-mismatch", FINAL},
};

struct meaning {
    const char *reason;
    enum kind kind;
};

/* For answers without a document: HEAD, proxies, load balancers. */
static struct meaning meaning_of_status(const struct s3_call *call)
{
    switch (call->response.status) {
    case 301:
    case 307: return (struct meaning){"wrong-region", REGION};
    case 304: return (struct meaning){"not-modified", FINAL};
    case 401:
    case 403: return (struct meaning){"access-denied", FINAL};
    case 404: return (struct meaning){call->key ? "no-such-key" : "no-such-bucket", FINAL};
    case 408: return (struct meaning){"timed-out", AGAIN};
    case 409: return (struct meaning){"conflict", FINAL};
    case 412: return (struct meaning){"precondition-failed", FINAL};
    case 429:
    case 503: return (struct meaning){"slow-down", SLOW};
    case 501: return (struct meaning){"request-refused", FINAL};
    default:
        if (call->response.status >= 500)
            return (struct meaning){"server-error", AGAIN};
        return (struct meaning){"request-refused", FINAL};
    }
}

static struct meaning meaning_of(const struct s3_call *call, const struct s3_error_document *document)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(codes); i++)
        if (strcmp(codes[i].code, document->code) == 0)
            return (struct meaning){codes[i].reason, codes[i].kind};
    return meaning_of_status(call);
}

static bool clock_is_off(const struct s3_call *call, int64_t now_ms)
{
    return call->response.date_ms && llabs((long long)(call->response.date_ms - now_ms)) > SKEW_MS;
}

static enum s3_remedy remedy_of(const struct s3 *s3, const struct s3_call *call,
                                const struct s3_error_document *document, enum kind kind, int64_t now_ms,
                                struct s3_failure *failure)
{
    const char *region = http_response_header(&call->response, "x-amz-bucket-region");

    switch (kind) {
    case CLOCK:
        failure->server_ms = call->response.date_ms;
        if (!failure->server_ms && clock_parse(document->server_time, &failure->server_ms))
            failure->server_ms = 0;
        return failure->server_ms ? S3_REMEDY_CLOCK : S3_REMEDY_NONE;
    case EXPIRED: return S3_REMEDY_CREDENTIALS;
    case REGION:
        region = region && *region ? region : document->region;
        if (s3_is_region(region))
            snprintf(failure->region, sizeof failure->region, "%.*s", S3_REGION_MAX - 1, region);
        return *failure->region ? S3_REMEDY_REGION : S3_REMEDY_NONE;
    default: break;
    }
    if (call->response.status == 403 && clock_is_off(call, now_ms)) {
        failure->server_ms = call->response.date_ms;
        return S3_REMEDY_CLOCK;
    }
    /* HEAD has no document: a 400 is a signature for another region, which a header tells, or an expired token. */
    if (call->response.status == 400 && strcmp(call->method, "HEAD") == 0) {
        if (!region || !s3_is_region(region) || strcmp(region, s3->region) == 0)
            return S3_REMEDY_CREDENTIALS;
        snprintf(failure->region, sizeof failure->region, "%.*s", S3_REGION_MAX - 1, region);
        return S3_REMEDY_REGION;
    }
    return S3_REMEDY_NONE;
}

static void describe(const struct s3 *s3, const struct s3_call *call, const struct s3_error_document *document,
                     const struct meaning *meaning, struct error *err)
{
    bool credentials = meaning->kind == EXPIRED || meaning->kind == CREDENTIALS;
    const char *id =
        *document->request_id ? document->request_id : http_response_header(&call->response, "x-amz-request-id");
    CLEANUP_FREE char *uri = s3_uri(s3, call->key);
    size_t used;

    error_set(err, credentials ? CLASS_CREDENTIALS : CLASS_UPLOAD_FAILED, meaning->reason, "%s %s: %ld%s%s%s%s",
              call->method, uri, call->response.status, *document->code ? " " : "", document->code,
              *document->message ? ": " : "", document->message);
    used = strlen(err->message);
    if (id)
        snprintf(err->message + used, sizeof err->message - used, " (request %.64s)", id);
}

static const char *action_of(const struct s3_call *call)
{
    if (strcmp(call->method, "DELETE") == 0)
        return "s3:DeleteObject";
    if (strcmp(call->method, "PUT") == 0 || strcmp(call->method, "POST") == 0)
        return "s3:PutObject";
    return call->key ? "s3:GetObject" : "s3:ListBucket";
}

static void advise(const struct s3 *s3, const struct s3_call *call, struct error *err)
{
    if (strcmp(err->reason, "access-denied") == 0)
        error_hint(err, "allow %s on arn:aws:s3:::%s/%.200s for the role that runs this", action_of(call), s3->bucket,
                   call->key ? call->key : "");
    else if (strcmp(err->reason, "no-such-bucket") == 0)
        error_hint(err, "check the bucket's name and the endpoint");
    else if (strcmp(err->reason, "wrong-region") == 0)
        error_hint(err, "set the bucket's region; %s was used", s3->region);
    else if (strcmp(err->reason, "clock-skew") == 0)
        error_hint(err, "set the clock of this machine");
    else if (strcmp(err->reason, "credentials-refused") == 0)
        error_hint(err, "check that access key, secret key and session token belong together and to this endpoint");
    else if (strcmp(err->reason, "expired-token") == 0)
        error_hint(err, "get new credentials");
    else if (strcmp(err->reason, "content-mismatch") == 0)
        error_hint(err, "the file changed while it was sent: let nothing write to it meanwhile");
}

void s3_error_parse(struct view body, struct s3_error_document *document)
{
    *document = (struct s3_error_document){0};
    xml_words(body, "Code", document->code, sizeof document->code);
    xml_words(body, "Message", document->message, sizeof document->message);
    xml_words(body, "RequestId", document->request_id, sizeof document->request_id);
    xml_words(body, "Region", document->region, sizeof document->region);
    xml_words(body, "ServerTime", document->server_time, sizeof document->server_time);
}

void s3_failure_read(const struct s3 *s3, const struct s3_call *call, int64_t now_ms, struct s3_failure *failure,
                     struct error *err)
{
    struct view body = {buf_text(&call->response.body), call->response.body.len};
    struct s3_error_document document;
    struct meaning meaning;

    *failure = (struct s3_failure){0};
    s3_error_parse(body, &document);
    meaning = meaning_of(call, &document);
    failure->remedy = remedy_of(s3, call, &document, meaning.kind, now_ms, failure);
    failure->slow_down = meaning.kind == SLOW;
    describe(s3, call, &document, &meaning, err);
    advise(s3, call, err);
    if (meaning.kind == AGAIN || meaning.kind == SLOW)
        error_retryable(err, http_response_retry_after(&call->response));
}
