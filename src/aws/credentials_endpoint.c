#include "aws/credentials_endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aws/credentials_parse.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/mem.h"
#include "net/retry.h"

#define CONNECT_TIMEOUT_MS 2000
#define ANSWER_TIMEOUT_MS 5000
#define CLOCK_NEAR_MS (60 * 1000)
#define TOKEN_FILE_MAX ((size_t)16 << 10)

static const struct retry retry_policy = {.max_attempts = 5, .base_ms = 200, .cap_ms = 2000};

struct credentials_endpoint {
    const struct credentials_source *source; /* borrowed */
    struct loop *loop;
    struct http_client *client;
    struct http_request request;
    struct http_response response;
    struct http_transfer *transfer; /* under way, or NULL */
    struct loop_timer *timer;       /* until the next attempt or until `failure` is told, or NULL */
    struct retry retry;
    struct error failure;
    char *token; /* as last sent; NULL: none */
    void (*done)(void *context, struct credentials *found, const struct error *error);
    void *context;
};

/* ---- which endpoints ---- */

static bool is_allowed_host(const char *host)
{
    CLEANUP_FREE char *bare = xstrdup(host);
    size_t len = strlen(bare);
    struct in_addr v4;

    if (len > 2 && bare[0] == '[' && bare[len - 1] == ']') {
        memmove(bare, bare + 1, len - 2);
        bare[len - 2] = '\0';
    }
    if (inet_pton(AF_INET, bare, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127 || strcmp(bare, "169.254.170.2") == 0 ||
               strcmp(bare, "169.254.170.23") == 0;
    return strcmp(bare, "localhost") == 0 || strcmp(bare, "::1") == 0 || strcasecmp(bare, "fd00:ec2::23") == 0;
}

int credentials_endpoint_check(const char *text, struct error *err)
{
    struct url url;
    bool good;

    if (url_parse(text, &url, err)) {
        err->class = CLASS_CREDENTIALS;
        return error_context(err, "the credential endpoint");
    }
    good = url.scheme && url.host &&
           (strcmp(url.scheme, "https") == 0 || (strcmp(url.scheme, "http") == 0 && is_allowed_host(url.host)));
    url_dispose(&url);
    if (good)
        return 0;
    error_set(err, CLASS_CREDENTIALS, "endpoint-refused",
              "the credential endpoint is neither https nor on this machine nor the container service's own address");
    return error_hint(err, "correct AWS_CONTAINER_CREDENTIALS_FULL_URI");
}

/* ---- one attempt ---- */

static int read_token_file(const char *path, char **token, struct error *err)
{
    struct buf text;
    int failed;

    buf_init(&text, TOKEN_FILE_MAX);
    failed = fs_read_file(path, TOKEN_FILE_MAX, &text);
    if (failed) {
        buf_wipe(&text);
        return error_set_errno(err, CLASS_CREDENTIALS, "token-file", -failed,
                               "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE %s", path);
    }
    while (text.len && strchr("\r\n", text.data[text.len - 1]))
        text.data[--text.len] = '\0';
    *token = strlen(buf_text(&text)) == text.len ? xstrdup(buf_text(&text)) : NULL;
    buf_wipe(&text);
    return 0;
}

static int take_token(struct credentials_endpoint *endpoint, struct error *err)
{
    const struct credentials_source *source = endpoint->source;
    const char *c;

    wipe_free(endpoint->token);
    endpoint->token = NULL;
    if (source->endpoint_token_file) {
        if (read_token_file(source->endpoint_token_file, &endpoint->token, err))
            return -1;
        if (!endpoint->token || !*endpoint->token)
            return error_set(err, CLASS_CREDENTIALS, "token-file",
                             "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE %s: it is "
                             "empty or binary",
                             source->endpoint_token_file);
    } else {
        endpoint->token = xstrdup(source->endpoint_token);
    }
    for (c = endpoint->token ? endpoint->token : ""; *c; c++)
        if (*c < ' ' || *c > '~')
            return error_set(err, CLASS_CREDENTIALS, "bad-token",
                             "the token for the credential endpoint holds a line break or another control character");
    return 0;
}

static void tell(struct credentials_endpoint *endpoint, struct credentials *found, const struct error *error)
{
    void (*done)(void *context, struct credentials *found, const struct error *error) = endpoint->done;

    endpoint->done = NULL;
    done(endpoint->context, found, error);
}

static void on_told_later(void *context)
{
    struct credentials_endpoint *endpoint = context;

    endpoint->timer = NULL;
    tell(endpoint, NULL, &endpoint->failure);
}

static void attempt(void *context);

static void fail(struct credentials_endpoint *endpoint, const struct error *error)
{
    int64_t wait_ms = retry_next(&endpoint->retry, error);

    endpoint->failure = *error;
    endpoint->failure.class = CLASS_CREDENTIALS;
    if (wait_ms >= 0)
        endpoint->timer = loop_timer_start(endpoint->loop, wait_ms, attempt, endpoint);
    else
        endpoint->timer = loop_timer_start(endpoint->loop, 0, on_told_later, endpoint);
}

/* The endpoint's own word for it; never its message, which may name the path, and that is a secret. */
static void describe_refusal(const struct http_response *response, struct error *err)
{
    CLEANUP_JSON json_t *json = json_parse(response->body.data, response->body.len, CLASS_CREDENTIALS, "answer", NULL);
    const char *code = json_text(json, "code", json_text(json, "Code", ""));
    bool named = credentials_is_value(code, 64);

    error_set(err, CLASS_CREDENTIALS, "endpoint-failed", "the credential endpoint answered %ld%s%s", response->status,
              named ? " " : "", named ? code : "");
    if (response->status >= 500 || response->status == 429)
        error_retryable(err, http_response_retry_after(response));
    else
        error_hint(err, "check that the task has a task role, and that its credential path is still the one it began "
                        "with");
}

/* What expires by the clock over there is to expire by ours, wrong as it may be. */
static void expire_by_our_clock(struct credentials *found, int64_t date_ms)
{
    int64_t off_ms = date_ms ? date_ms - clock_wall_ms() : 0;

    if (found->expires_ms && (off_ms < -CLOCK_NEAR_MS || off_ms > CLOCK_NEAR_MS))
        found->expires_ms -= off_ms;
}

static void on_answer(void *context, const struct error *error)
{
    struct credentials_endpoint *endpoint = context;
    struct http_response *response = &endpoint->response;
    struct credentials found = {0};
    struct error err;

    endpoint->transfer = NULL;
    if (error) {
        fail(endpoint, error);
        return;
    }
    if (response->status != 200)
        describe_refusal(response, &err);
    else if (credentials_parse_document((struct view){buf_text(&response->body), response->body.len}, &found, &err) ==
             0) {
        buf_wipe(&response->body);
        expire_by_our_clock(&found, response->date_ms);
        tell(endpoint, &found, NULL);
        return;
    }
    buf_wipe(&response->body);
    fail(endpoint, &err);
}

static void attempt(void *context)
{
    struct credentials_endpoint *endpoint = context;
    struct http_request *request = &endpoint->request;
    struct error err;

    endpoint->timer = NULL;
    if (credentials_endpoint_check(endpoint->source->endpoint, &err) || take_token(endpoint, &err)) {
        fail(endpoint, &err);
        return;
    }
    http_request_dispose(request);
    http_request_init(request, "GET", endpoint->source->endpoint);
    http_request_header(request, "Accept", "application/json");
    if (endpoint->token)
        http_request_header(request, "Authorization", endpoint->token);
    request->connect_timeout_ms = CONNECT_TIMEOUT_MS;
    request->timeout_ms = ANSWER_TIMEOUT_MS;
    request->max_response = CREDENTIALS_DOCUMENT_MAX;
    endpoint->transfer = http_start(endpoint->client, request, &endpoint->response, on_answer, endpoint);
}

/* ---- life cycle ---- */

struct credentials_endpoint *credentials_endpoint_new(const struct credentials_source *source, struct loop *loop)
{
    struct credentials_endpoint *endpoint = xcalloc(1, sizeof *endpoint);

    endpoint->source = source;
    endpoint->loop = loop;
    endpoint->client = http_client_new(loop, &(struct http_options){.max_connections = 1});
    http_request_init(&endpoint->request, "GET", source->endpoint);
    http_response_init(&endpoint->response);
    return endpoint;
}

void credentials_endpoint_free(struct credentials_endpoint *endpoint)
{
    if (!endpoint)
        return;
    http_cancel(endpoint->transfer);
    loop_timer_stop(endpoint->timer);
    buf_wipe(&endpoint->response.body);
    http_response_dispose(&endpoint->response);
    http_request_dispose(&endpoint->request);
    http_client_free(endpoint->client);
    wipe_free(endpoint->token);
    free(endpoint);
}

void credentials_endpoint_ask(struct credentials_endpoint *endpoint,
                              void (*done)(void *context, struct credentials *found, const struct error *error),
                              void *context)
{
    endpoint->done = done;
    endpoint->context = context;
    endpoint->retry = retry_policy;
    attempt(endpoint);
}

void credentials_endpoint_secrets(const struct credentials_endpoint *endpoint,
                                  void (*call)(void *context, const char *value), void *context)
{
    struct url url;

    if (endpoint->token)
        call(context, endpoint->token);
    else if (endpoint->source->endpoint_token)
        call(context, endpoint->source->endpoint_token);
    if (url_parse(endpoint->source->endpoint, &url, NULL))
        return;
    /* On ECS the path is the only secret that the endpoint asks for; its last part says who. */
    if (url.path && strlen(url.path) > 1) {
        call(context, url.path);
        if (strlen(strrchr(url.path, '/')) > 1)
            call(context, strrchr(url.path, '/') + 1);
    }
    if (url.query)
        call(context, url.query);
    url_dispose(&url);
}
