#include "aws/ecr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "aws/ecr_internal.h"
#include "aws/secret_answer.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/mem.h"

#define MAX_ATTEMPTS 5
#define TOKEN_MAX ((size_t)16 << 10)
#define TOKEN_LIFE_MS ((int64_t)12 * 60 * 60 * 1000)

/* ---- life cycle ---- */

int ecr_new(struct ecr **out, const struct ecr_options *options, struct error *err)
{
    struct ecr_host host = {0};
    bool known = ecr_host_parse(options->host, &host);
    const char *region = options->region ? options->region : host.region;
    char endpoint[128];
    struct ecr *ecr;

    if (!known && !options->region) {
        error_set(err, CLASS_PUSH_FAILED, "not-ecr", "%.255s is no host of ECR", options->host);
        return error_hint(err, "ACCOUNT.dkr.ecr.REGION.amazonaws.com is one");
    }
    if (!json_service_region(region) || strlen(region) >= sizeof host.region)
        return error_set(err, CLASS_PUSH_FAILED, "not-ecr", "\"%.100s\" is no region", region);
    if (!known || strcmp(region, host.region) != 0) {
        snprintf(host.region, sizeof host.region, "%s", region);
        host.china = strcmp(json_service_partition(region), "aws-cn") == 0;
    }
    ecr_host_endpoint(&host, endpoint);
    ecr = xcalloc(1, sizeof *ecr);
    snprintf(ecr->account, sizeof ecr->account, "%s", options->account ? options->account : host.account);
    snprintf(ecr->region, sizeof ecr->region, "%s", region);
    ecr->endpoint = xstrdup(options->endpoint ? options->endpoint : endpoint);
    ecr->role = options->role;
    ecr->stop = options->stop;
    ecr->service = (struct json_service){
        .client = options->client,
        .provider = options->provider,
        .name = "ecr",
        .region = ecr->region,
        .endpoint = ecr->endpoint,
        .max_attempts = options->max_attempts ? options->max_attempts : MAX_ATTEMPTS,
    };
    *out = ecr;
    return 0;
}

void ecr_free(struct ecr *ecr)
{
    if (!ecr)
        return;
    free(ecr->endpoint);
    free(ecr);
}

/* ---- one call ---- */

struct exchange {
    bool done, failed;
    json_t *answer;
    struct json_failure failure;
    struct error error;
};

int ecr_unreadable(struct error *err, const char *what)
{
    return error_set(err, CLASS_PUSH_FAILED, "answer-unreadable", "ECR's answer %s", what);
}

static void on_answer(void *context, struct view answer, const struct json_failure *failure, const struct error *error)
{
    struct exchange *exchange = context;
    struct error ignored;

    exchange->done = true;
    if (error) {
        exchange->failed = true;
        exchange->error = *error;
        if (failure)
            exchange->failure = *failure;
        return;
    }
    /* The parser's own message could quote a token. */
    exchange->answer = json_parse(answer.data, answer.len, CLASS_PUSH_FAILED, "", &ignored);
    if (!json_is_object(exchange->answer)) {
        exchange->failed = true;
        ecr_unreadable(&exchange->error, "is no JSON object");
    }
}

int ecr_call(struct ecr *ecr, const struct ecr_subject *subject, json_t *request, json_t **answer,
             struct json_failure *failure, struct error *err)
{
    CLEANUP_FREE char *target = xasprintf(ECR_TARGET "%s", subject->action);
    CLEANUP_FREE char *body = json_dumps(request, JSON_COMPACT);
    struct loop *loop = http_client_loop(ecr->service.client);
    struct exchange exchange = {0};
    struct json_call *call = json_call_start(&ecr->service, target, view_of(body), on_answer, &exchange);

    json_decref(request);
    while (!exchange.done && !(ecr->stop && *ecr->stop))
        loop_run_once(loop, -1);
    if (!exchange.done) {
        json_call_cancel(call);
        error_set(err, CLASS_INTERRUPTED, "interrupted", "ecr:%s: stopped before an answer came", subject->action);
        return error_retryable(err, 0);
    }
    if (failure)
        *failure = exchange.failure;
    if (!exchange.failed) {
        *answer = exchange.answer;
        return 0;
    }
    secret_document_free(exchange.answer);
    *err = exchange.error;
    ecr_failure(ecr, subject, &exchange.failure, err);
    return -1;
}

json_t *ecr_request(const struct ecr *ecr, const char *repository)
{
    json_t *request = json_object();

    if (*ecr->account)
        json_put_text(request, "registryId", ecr->account);
    json_put_text(request, "repositoryName", repository);
    return request;
}

/* ---- who we are for the registry ---- */

/* Decodes into memory that the caller wipes; NULL for what is no Base64 of printable characters. */
static char *decode(const char *text, size_t len)
{
    char *decoded;
    int size;
    size_t i;

    if (!len || len > TOKEN_MAX || len % 4 != 0)
        return NULL;
    decoded = xmalloc(len / 4 * 3 + 1);
    size = EVP_DecodeBlock((unsigned char *)decoded, (const unsigned char *)text, (int)len);
    for (i = 0; size > 0 && i < 2 && text[len - 1 - i] == '='; i++)
        size--;
    for (i = 0; size > 0 && i < (size_t)size; i++)
        if ((unsigned char)decoded[i] <= 0x20 || (unsigned char)decoded[i] >= 0x7f)
            size = 0;
    decoded[size > 0 ? size : 0] = '\0';
    if (size > 0)
        return decoded;
    free(decoded);
    return NULL;
}

int ecr_token_parse(const json_t *answer, char **username, char **password, int64_t *expires_ms, struct error *err)
{
    const json_t *data = json_array_get(json_object_get(answer, "authorizationData"), 0);
    const json_t *token = json_object_get(data, "authorizationToken");
    double expires_s = json_number_value(json_object_get(data, "expiresAt"));
    char *decoded, *colon;

    if (!json_is_string(token))
        return ecr_unreadable(err, "holds no authorization token");
    decoded = decode(json_string_value(token), json_string_length(token));
    colon = decoded ? strchr(decoded, ':') : NULL;
    if (!colon || colon == decoded || !colon[1]) {
        wipe_free(decoded);
        return ecr_unreadable(err, "holds an authorization token that is no user and password");
    }
    *username = xstrndup(decoded, (size_t)(colon - decoded));
    *password = xstrdup(colon + 1);
    *expires_ms = expires_s > 0 && expires_s < 1e11 ? (int64_t)(expires_s * 1000) : clock_wall_ms() + TOKEN_LIFE_MS;
    wipe_free(decoded);
    return 0;
}

int ecr_login(struct ecr *ecr, char **username, char **password, int64_t *expires_ms, struct error *err)
{
    static const struct ecr_subject subject = {.action = "GetAuthorizationToken"};
    json_t *answer;
    int status;

    if (ecr_call(ecr, &subject, json_object(), &answer, NULL, err))
        return -1;
    status = ecr_token_parse(answer, username, password, expires_ms, err);
    secret_document_free(answer);
    return status ? error_context(err, "ecr:GetAuthorizationToken") : 0;
}
