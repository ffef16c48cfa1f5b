#include "aws/sts.h"

#include <stdio.h>
#include <string.h>

#include "aws/credentials_parse.h"
#include "aws/json_call.h"
#include "aws/xml.h"
#include "core/clock.h"
#include "core/mem.h"
#include "core/strings.h"

#define VERSION "2011-06-15"
#define KEY_MAX 256
#define TOKEN_MAX 16384
#define BODY_MAX ((size_t)16 << 10) /* STS itself takes a policy of 2,048 characters */
#define NAME_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+=,.@-_"

void sts_session_name(const char *id, char name[STS_SESSION_NAME_SIZE])
{
    size_t i;

    snprintf(name, STS_SESSION_NAME_SIZE, "caisson-%s", id);
    for (i = 0; name[i]; i++)
        if (!strchr(NAME_LETTERS, name[i]))
            name[i] = '-';
}

/* ---- the answer ---- */

static int unreadable(struct error *err, const char *what)
{
    return error_set(err, CLASS_PLATFORM, "answer-unreadable", "the answer of STS %s", what);
}

/* NULL: there is none that could be such a value. */
static char *take_value(struct view body, const char *element, size_t max)
{
    char *value = NULL;
    struct buf text;

    buf_init(&text, max);
    if (xml_find(body, element, &text) && !text.overflow && strlen(buf_text(&text)) == text.len &&
        credentials_is_value(buf_text(&text), max))
        value = secret_new(text.data, text.len);
    buf_wipe(&text);
    return value;
}

int sts_answer_parse(struct view body, struct credentials *credentials, struct error *err)
{
    struct credentials found = {0};
    char expiration[40];

    if (!xml_root_is(body, "AssumeRoleResponse"))
        return unreadable(err, "is none to AssumeRole");
    found.access_key = take_value(body, "AccessKeyId", KEY_MAX);
    found.secret_key = take_value(body, "SecretAccessKey", KEY_MAX);
    found.session_token = take_value(body, "SessionToken", TOKEN_MAX);
    if (!found.access_key || !found.secret_key || !found.session_token) {
        credentials_dispose(&found);
        return unreadable(err, "holds no credentials");
    }
    if (!xml_text(body, "Expiration", expiration, sizeof expiration) || clock_parse(expiration, &found.expires_ms)) {
        credentials_dispose(&found);
        return unreadable(err, "does not say when the credentials end");
    }
    *credentials = found;
    return 0;
}

int sts_identity_parse(struct view body, char arn[STS_ARN_SIZE], struct error *err)
{
    if (!xml_root_is(body, "GetCallerIdentityResponse"))
        return unreadable(err, "is none to GetCallerIdentity");
    xml_words(body, "Arn", arn, STS_ARN_SIZE);
    return strncmp(arn, "arn:", 4) == 0 ? 0 : unreadable(err, "names nobody");
}

/* ---- the call ---- */

/* `parse` takes what it is to find from the body of 2xx. */
struct exchange {
    int (*parse)(struct exchange *exchange, struct view body, struct error *err);
    bool done, failed;
    struct credentials found;
    char *arn; /* STS_ARN_SIZE; the caller's */
    struct error error;
};

static void on_answer(void *context, struct view answer, const struct json_failure *failure, const struct error *error)
{
    struct exchange *exchange = context;

    (void)failure;
    exchange->done = true;
    if (error) {
        exchange->failed = true;
        exchange->error = *error;
        return;
    }
    exchange->failed = exchange->parse(exchange, answer, &exchange->error) != 0;
}

static int parse_session(struct exchange *exchange, struct view body, struct error *err)
{
    return sts_answer_parse(body, &exchange->found, err);
}

static int parse_identity(struct exchange *exchange, struct view body, struct error *err)
{
    return sts_identity_parse(body, exchange->arn, err);
}

static void add_field(struct buf *body, const char *name, const char *value)
{
    if (!value)
        return;
    buf_addf(body, "%s%s=", body->len ? "&" : "", name);
    url_encode(value, false, body);
}

/* A refusal may be the role's word (its trust policy), or that of whoever asks. */
static void describe(const struct sts_assume_role *request, struct error *err)
{
    static const char action[] = "sts:AssumeRole: ";
    size_t len = sizeof action - 1;

    if (strncmp(err->message, action, len) == 0)
        memmove(err->message, err->message + len, strlen(err->message + len) + 1);
    if (strcmp(err->reason, "access-denied") != 0) {
        error_context(err, "sts:AssumeRole on %s", request->role);
        return;
    }
    error_context(err, "sts:AssumeRole on %s is not allowed", request->role);
    error_hint(
        err,
        "allow sts:AssumeRole on %s for the task's role, and let that role's trust policy name the task's role as a "
        "principal",
        request->role);
}

/* Pumps the loop. */
static int exchange_words(const struct sts_options *options, const char *action, const struct buf *body,
                          struct exchange *exchange, struct error *err)
{
    const struct json_service service = {
        .client = options->client,
        .provider = options->provider,
        .name = "sts",
        .region = options->region,
        .endpoint = options->endpoint,
        .query = true,
    };
    struct json_call *call;

    if (body->overflow)
        return error_set(err, CLASS_INTERNAL, "bad-request", "the request to STS is too long");
    call = json_call_start(&service, action, (struct view){body->data, body->len}, on_answer, exchange);
    while (!exchange->done && !(options->stop && *options->stop))
        loop_run_once(http_client_loop(options->client), -1);
    if (!exchange->done) {
        json_call_cancel(call);
        error_set(err, CLASS_INTERRUPTED, "interrupted", "%s: stopped before an answer came", action);
        return error_retryable(err, 0);
    }
    if (exchange->failed)
        *err = exchange->error;
    return exchange->failed ? -1 : 0;
}

int sts_assume_role(const struct sts_options *options, const struct sts_assume_role *request,
                    struct credentials *credentials, struct error *err)
{
    struct exchange exchange = {.parse = parse_session};
    struct buf body;
    int status;

    buf_init(&body, BODY_MAX);
    add_field(&body, "Action", "AssumeRole");
    add_field(&body, "Version", VERSION);
    add_field(&body, "RoleArn", request->role);
    add_field(&body, "RoleSessionName", request->session);
    add_field(&body, "Policy", request->policy);
    status = exchange_words(options, "sts:AssumeRole", &body, &exchange, err);
    buf_dispose(&body);
    if (status == 0)
        *credentials = exchange.found;
    else if (exchange.failed)
        describe(request, err);
    return status;
}

int sts_caller_identity(const struct sts_options *options, char arn[STS_ARN_SIZE], struct error *err)
{
    struct exchange exchange = {.parse = parse_identity, .arn = arn};
    struct buf body;
    int status;

    arn[0] = '\0';
    buf_init(&body, BODY_MAX);
    add_field(&body, "Action", "GetCallerIdentity");
    add_field(&body, "Version", VERSION);
    status = exchange_words(options, "sts:GetCallerIdentity", &body, &exchange, err);
    buf_dispose(&body);
    return status;
}
