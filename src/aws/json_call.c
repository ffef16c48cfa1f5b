#include "aws/json_call.h"

#include <stdlib.h>
#include <string.h>

#include "aws/sign.h"
#include "core/clock.h"
#include "core/mem.h"
#include "net/retry.h"

#define MAX_ATTEMPTS 4
#define CONNECT_MS 5000
#define ANSWER_MS 10000
#define RETRY_BASE_MS 200
#define RETRY_CAP_MS 5000
#define SLOW_DOWN_MS 300 /* after throttling at least this, doubled with each attempt */
/* AWS refuses what is more than 5 minutes off. */
#define SKEW_MS ((int64_t)4 * 60 * 1000)

struct json_call {
    struct json_service service;
    char *target, *body, *url, *host, *path;
    size_t body_len;
    json_call_done *done;
    void *context;
    struct http_response response;
    struct http_transfer *transfer; /* at most one of these three */
    struct loop_timer *timer;
    struct credentials_wait *wait;
    uint64_t generation; /* of the credentials that signed last */
    struct retry retry;
    int attempts;
    int64_t skew_ms;
    bool clock_tried, credentials_tried; /* each remedy once */
    struct json_failure failure;
    struct error error; /* to be told */
};

bool json_service_region(const char *region)
{
    size_t len = strlen(region);

    return len > 0 && len <= 40 && strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

const char *json_service_partition(const char *region)
{
    if (strncmp(region, "cn-", 3) == 0)
        return "aws-cn";
    return strncmp(region, "us-gov-", 7) == 0 ? "aws-us-gov" : "aws";
}

static void free_call(struct json_call *call)
{
    if (call->response.body.data)
        wipe(call->response.body.data, call->response.body.cap);
    http_response_dispose(&call->response);
    free(call->target);
    free(call->body);
    free(call->url);
    free(call->host);
    free(call->path);
    free(call);
}

void json_call_cancel(struct json_call *call)
{
    if (!call)
        return;
    http_cancel(call->transfer);
    loop_timer_stop(call->timer);
    credentials_cancel(call->wait);
    free_call(call);
}

static void succeed(struct json_call *call)
{
    call->done(call->context, (struct view){buf_text(&call->response.body), call->response.body.len}, NULL, NULL);
    free_call(call);
}

static void fail(struct json_call *call)
{
    if (call->attempts > 1)
        error_context(&call->error, "after %d attempts", call->attempts);
    error_context(&call->error, "%s", call->target);
    call->failure.attempts = call->attempts;
    call->done(call->context, (struct view){0}, *call->failure.code || *call->failure.message ? &call->failure : NULL,
               &call->error);
    free_call(call);
}

static void on_failure_due(void *context)
{
    struct json_call *call = context;

    call->timer = NULL;
    fail(call);
}

/* ---- one attempt ---- */

static void on_answer(void *context, const struct error *error);

static void send_request(struct json_call *call, const struct credentials *credentials)
{
    char hash[SHA256_HEX_SIZE];
    struct strings signature = {0};
    struct http_request request;
    struct sign_request sign = {
        .method = "POST",
        .host = call->host,
        .path = call->path,
        .payload_hash = hash,
        .region = call->service.region,
        .service = call->service.name,
        .wall_ms = clock_wall_ms() + call->skew_ms,
    };

    http_request_init(&request, "POST", call->url);
    if (call->service.query) {
        http_request_header(&request, "Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
    } else {
        http_request_header(&request, "Content-Type",
                            call->service.json_1_0 ? "application/x-amz-json-1.0" : "application/x-amz-json-1.1");
        http_request_header(&request, "X-Amz-Target", call->target);
    }
    sha256_hex(call->body, call->body_len, hash);
    sign.headers = &request.headers;
    sign_headers(&sign, credentials, &signature);
    strings_copy(&request.headers, &signature);
    strings_wipe(&signature);
    call->generation = credentials_generation(call->service.provider);
    request.body = (struct view){call->body, call->body_len};
    request.max_response = JSON_CALL_ANSWER_MAX;
    request.connect_timeout_ms = CONNECT_MS;
    request.timeout_ms = ANSWER_MS;
    call->attempts++;
    call->transfer = http_start(call->service.client, &request, &call->response, on_answer, call);
    http_request_dispose(&request);
}

static void on_credentials(void *context, const struct credentials *credentials, const struct error *error)
{
    struct json_call *call = context;

    call->wait = NULL;
    if (error) {
        call->error = *error;
        fail(call);
        return;
    }
    send_request(call, credentials);
}

static void attempt(void *context)
{
    struct json_call *call = context;
    const struct credentials *credentials = credentials_now(call->service.provider);

    call->timer = NULL;
    if (credentials)
        send_request(call, credentials);
    else
        call->wait = credentials_renew(call->service.provider, on_credentials, call);
}

/* ---- its answer ---- */

enum kind { FINAL, DENIED, AGAIN, SLOW, CLOCK, EXPIRED, CREDENTIALS };

/* "Common Error Types" of both services' API references, and what their SDKs retry. */
static const struct {
    const char *code;
    enum kind kind;
} codes[] = {
    {"AccessDeniedException", DENIED},
    {"AccessDenied", DENIED},
    {"UnauthorizedOperation", DENIED},
    {"OptInRequired", DENIED},
    {"AuthorizationError", DENIED}, /* SNS */
    /* The key of a topic (KMS…) or of a queue (Kms…). */
    {"KMSAccessDenied", DENIED},
    {"KMSDisabled", DENIED},
    {"KMSInvalidState", DENIED},
    {"KMSNotFound", DENIED},
    {"KMSOptInRequired", DENIED},
    {"KmsAccessDenied", DENIED},
    {"KmsDisabled", DENIED},
    {"KmsInvalidKeyUsage", DENIED},
    {"KmsInvalidState", DENIED},
    {"KmsNotFound", DENIED},
    {"KmsOptInRequired", DENIED},
    {"KMSThrottling", SLOW},
    {"KmsThrottled", SLOW},
    {"ThrottlingException", SLOW},
    {"Throttling", SLOW},
    {"ThrottledException", SLOW},
    {"RequestThrottled", SLOW},
    {"RequestThrottledException", SLOW},
    {"RequestLimitExceeded", SLOW},
    {"TooManyRequestsException", SLOW},
    {"ProvisionedThroughputExceededException", SLOW},
    {"SlowDown", SLOW},
    {"ServiceUnavailable", AGAIN},
    {"ServiceUnavailableException", AGAIN},
    {"InternalFailure", AGAIN},
    {"InternalServerError", AGAIN},
    {"InternalServiceError", AGAIN},
    {"RequestTimeout", AGAIN},
    {"RequestTimeoutException", AGAIN},
    {"RequestExpired", CLOCK},
    {"RequestTimeTooSkewed", CLOCK},
    {"ExpiredTokenException", EXPIRED},
    {"ExpiredToken", EXPIRED},
    {"UnrecognizedClientException", CREDENTIALS},
    {"InvalidClientTokenId", CREDENTIALS},
    {"InvalidSignatureException", CREDENTIALS},
    {"SignatureDoesNotMatch", CREDENTIALS},
    {"IncompleteSignature", CREDENTIALS},
    {"MissingAuthenticationToken", CREDENTIALS},
    {"MissingAuthenticationTokenException", CREDENTIALS},
    {"NotAuthorized", CREDENTIALS},
};

static enum kind kind_of(const struct json_call *call)
{
    long status = call->response.status;
    size_t i;

    for (i = 0; i < ARRAY_LEN(codes); i++)
        if (strcmp(codes[i].code, call->failure.code) == 0)
            return codes[i].kind;
    if (status == 429)
        return SLOW;
    if (status == 408 || (status >= 500 && status != 501))
        return AGAIN;
    return (status == 401 || status == 403) && !*call->failure.code ? DENIED : FINAL;
}

static void describe(struct json_call *call, enum kind kind)
{
    static const char *const reasons[] = {
        [FINAL] = "request-refused",
        [DENIED] = "access-denied",
        [AGAIN] = "server-error",
        [SLOW] = "slow-down",
        [CLOCK] = "clock-skew",
        [EXPIRED] = "expired-token",
        [CREDENTIALS] = "credentials-refused",
    };
    const struct json_failure *failure = &call->failure;
    bool credentials = kind == EXPIRED || kind == CREDENTIALS;
    const char *reason = kind == FINAL && call->response.status == 404 ? "not-found" : reasons[kind];

    error_set(&call->error, credentials ? CLASS_CREDENTIALS : CLASS_PLATFORM, reason, "%ld%s%s%s%s%s%s%s",
              call->response.status, *failure->code ? " " : "", failure->code, *failure->message ? ": " : "",
              failure->message, *failure->request_id ? " (request " : "", failure->request_id,
              *failure->request_id ? ")" : "");
    if (kind == AGAIN || kind == SLOW)
        error_retryable(&call->error, http_response_retry_after(&call->response));
    if (kind == CLOCK)
        error_hint(&call->error, "set the clock of this machine");
    else if (kind == EXPIRED)
        error_hint(&call->error, "get new credentials");
    else if (kind == CREDENTIALS)
        error_hint(&call->error, "check that access key, secret key and session token belong together");
    else if (call->response.status / 100 == 3)
        error_hint(&call->error, "is the endpoint right? redirects are not followed");
}

static void on_renewed(void *context, const struct credentials *credentials, const struct error *error)
{
    struct json_call *call = context;

    call->wait = NULL;
    /* Nothing newer came: what the service said is the better message. */
    if (error || credentials_generation(call->service.provider) == call->generation)
        fail(call);
    else
        send_request(call, credentials);
}

/* Whether it was tried again at once. */
static bool apply_remedy(struct json_call *call, enum kind kind)
{
    int64_t off_ms = call->response.date_ms ? call->response.date_ms - (clock_wall_ms() + call->skew_ms) : 0;
    bool is_off = off_ms > SKEW_MS || off_ms < -SKEW_MS;

    if ((kind == CLOCK || kind == CREDENTIALS) && is_off && !call->clock_tried) {
        call->clock_tried = true;
        call->skew_ms += off_ms;
        attempt(call);
        return true;
    }
    if (kind == EXPIRED && !call->credentials_tried) {
        call->credentials_tried = true;
        call->wait = credentials_renew(call->service.provider, on_renewed, call);
        return true;
    }
    return false;
}

static void on_answer(void *context, const struct error *error)
{
    struct json_call *call = context;
    enum kind kind = FINAL;
    int64_t wait_ms;

    call->transfer = NULL;
    call->failure = (struct json_failure){0};
    if (!error && call->response.status / 100 == 2) {
        succeed(call);
        return;
    }
    if (error) {
        call->error = *error;
    } else {
        if (call->service.query)
            query_failure_parse((struct view){buf_text(&call->response.body), call->response.body.len}, &call->failure);
        else
            json_failure_parse(&call->response, &call->failure);
        kind = kind_of(call);
        describe(call, kind);
        if (apply_remedy(call, kind))
            return;
    }
    if (kind == SLOW) {
        long least = (long)SLOW_DOWN_MS << call->retry.attempts;

        if (call->error.retry_after_ms < least)
            call->error.retry_after_ms = least;
    }
    wait_ms = retry_next(&call->retry, &call->error);
    if (wait_ms < 0)
        fail(call);
    else
        call->timer = loop_timer_start(http_client_loop(call->service.client), wait_ms, attempt, call);
}

/* ---- life cycle ---- */

static int place(struct json_call *call)
{
    const struct json_service *service = &call->service;
    CLEANUP_FREE char *own = xasprintf("https://%s.%s.amazonaws.com%s", service->name, service->region,
                                       strncmp(service->region, "cn-", 3) == 0 ? ".cn" : "");
    const char *endpoint = service->endpoint ? service->endpoint : own;
    struct url url = {0};
    bool good;

    if (url_parse(endpoint, &url, &call->error))
        return error_context(&call->error, "the endpoint of %s", service->name);
    good = url.scheme && url.host && (strcmp(url.scheme, "https") == 0 || strcmp(url.scheme, "http") == 0) &&
           !url.user && !url.password && !url.query && (!url.path || strcmp(url.path, "/") == 0 || !*url.path);
    if (good) {
        call->host = xasprintf("%s%s%s", url.host, url.port ? ":" : "", url.port ? url.port : "");
        call->path = xstrdup("/");
        call->url = xasprintf("%s://%s/", url.scheme, call->host);
    }
    url_dispose(&url);
    if (good)
        return 0;
    error_set(&call->error, CLASS_PLATFORM, "bad-endpoint",
              "the endpoint of %s must be http or https, a host and a port only", service->name);
    return error_hint(&call->error, "write it as https://%s.eu-west-1.amazonaws.com", service->name);
}

struct json_call *json_call_start(const struct json_service *service, const char *target, struct view body,
                                  json_call_done *done, void *context)
{
    struct json_call *call = xcalloc(1, sizeof *call);

    call->service = *service;
    call->target = xstrdup(target);
    call->body = xstrndup(body.data, body.len);
    call->body_len = body.len;
    call->done = done;
    call->context = context;
    call->retry = (struct retry){.max_attempts = service->max_attempts ? service->max_attempts : MAX_ATTEMPTS,
                                 .base_ms = RETRY_BASE_MS,
                                 .cap_ms = RETRY_CAP_MS};
    http_response_init(&call->response);
    /* From here `done` must not be called. */
    if (place(call))
        call->timer = loop_timer_start(http_client_loop(service->client), 0, on_failure_due, call);
    else
        attempt(call);
    return call;
}
