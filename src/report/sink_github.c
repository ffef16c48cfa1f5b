/*
 * The commit's status on GitHub: pending while the job runs, then how it ended. It says what the events mean, not what a
 * format makes of them, and nothing before the commit is known.
 * https://docs.github.com/en/rest/commits/statuses#create-a-commit-status
 */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/mem.h"
#include "core/utf8.h"
#include "report/sink.h"

#define ENDPOINT "https://api.github.com"
#define CONTEXT "caisson"
#define DESCRIPTION_MAX 140
#define TIMEOUT_MS (15 * 1000)

struct sink {
    struct loop *loop;
    struct loop_timer *timer;
    struct http_client *client;
    char *endpoint, *repository, *token, *context, *link;
    const char *commit; /* borrowed; "" until it is known */

    const struct message *messages;
    size_t len, at;
    char *body; /* of the request under way */
    struct http_transfer *transfer;
    struct http_response response;
    sink_done *done;
    void *done_context;
};

static int github_open(struct sink **out, const struct sink_context *context, const struct sink_settings *settings,
                       struct error *err)
{
    struct sink *sink;

    if (!settings->token) {
        error_set(err, CLASS_SPEC_INVALID, "no-token", "a commit status needs a token");
        return error_hint(err, "name one in `token`, with the permission to write commit statuses");
    }
    sink = xcalloc(1, sizeof *sink);
    sink->loop = context->loop;
    sink->client = context->client;
    sink->endpoint = xstrdup(context->github_endpoint ? context->github_endpoint : ENDPOINT);
    sink->repository = xstrdup(settings->target);
    sink->token = secret_dup(settings->token);
    sink->context = xstrdup(settings->context ? settings->context : CONTEXT);
    sink->link = xstrdup(settings->link);
    sink->commit = settings->commit;
    *out = sink;
    return 0;
}

static const char *state_of(const struct message *message)
{
    const char *status = message->result ? json_text(message->result, "status", "") : "";

    if (message->kind != EVENT_FINISHED)
        return "pending";
    if (strcmp(status, "succeeded") == 0 || strcmp(status, "skipped") == 0)
        return "success";
    return strcmp(status, "failed") == 0 || strcmp(status, "timed_out") == 0 ? "failure" : "error";
}

static char *description_of(const struct message *message)
{
    const char *status = message->result ? json_text(message->result, "status", "") : "";
    const char *text = message->result ? json_text(message->result, "message", NULL) : NULL;
    char *description;

    if (message->kind != EVENT_FINISHED)
        return xstrdup("running");
    description = xasprintf("%s%s%s", status, text ? ": " : "", text ? text : "");
    description[utf8_cut(view_of(description), DESCRIPTION_MAX)] = '\0';
    return description;
}

/* What is worth a request: the beginning of a step once the commit is known, and the end. */
static bool says_something(const struct sink *sink, const struct message *message)
{
    if (!*sink->commit)
        return false;
    return message->kind == EVENT_FINISHED || (message->kind == EVENT_STEP && message->begins);
}

static int judge(const struct http_response *response, struct error *err)
{
    const char *left = http_response_header(response, "x-ratelimit-remaining");
    long status = response->status;
    bool limited = status == 429 || http_response_retry_after(response) || (left && strcmp(left, "0") == 0);

    if (status >= 200 && status < 300)
        return 0;
    error_set(err, CLASS_PLATFORM, "status-refused", "GitHub answered %ld", status);
    if (limited || status >= 500)
        return error_retryable(err, http_response_retry_after(response));
    if (status == 401 || status == 403 || status == 404) {
        err->class = CLASS_CREDENTIALS;
        return error_hint(err, "check the repository's name, and that the token may write commit statuses there");
    }
    return -1;
}

static void send_next(struct sink *sink);

static void on_done(void *context, const struct error *error)
{
    struct sink *sink = context;
    struct error err;
    int status = 0;

    sink->transfer = NULL;
    if (error) {
        err = *error;
        status = error_retryable(&err, err.retry_after_ms);
    } else {
        status = judge(&sink->response, &err);
    }
    http_response_dispose(&sink->response);
    if (status) {
        sink->done(sink->done_context, sink->at, &err);
        return;
    }
    sink->at++;
    send_next(sink);
}

static void start_request(struct sink *sink, const struct message *message)
{
    CLEANUP_FREE char *url = xasprintf("%s/repos/%s/statuses/%s", sink->endpoint, sink->repository, sink->commit);
    CLEANUP_FREE char *description = description_of(message);
    CLEANUP_FREE char *authorization = xasprintf("Bearer %s", sink->token);
    CLEANUP_JSON json_t *status = json_object();
    struct http_request request;
    char *body;

    json_put_text(status, "state", state_of(message));
    json_put_text(status, "context", sink->context);
    json_put_text(status, "description", description);
    json_put_text(status, "target_url", sink->link);
    body = json_dumps(status, JSON_COMPACT);
    http_request_init(&request, "POST", url);
    http_request_header(&request, "Authorization", authorization);
    http_request_header(&request, "Accept", "application/vnd.github+json");
    http_request_header(&request, "X-GitHub-Api-Version", "2022-11-28");
    http_request_header(&request, "Content-Type", "application/json");
    wipe(authorization, strlen(authorization));
    free(sink->body);
    sink->body = body;
    request.body = view_of(body ? body : "{}");
    request.timeout_ms = TIMEOUT_MS;
    http_response_init(&sink->response);
    sink->transfer = http_start(sink->client, &request, &sink->response, on_done, sink);
    http_request_dispose(&request);
}

static void send_next(struct sink *sink)
{
    while (sink->at < sink->len && !says_something(sink, &sink->messages[sink->at]))
        sink->at++;
    if (sink->at < sink->len)
        start_request(sink, &sink->messages[sink->at]);
    else
        sink->done(sink->done_context, sink->len, NULL);
}

static void on_turn(void *context)
{
    struct sink *sink = context;

    sink->timer = NULL;
    send_next(sink);
}

static void github_send(struct sink *sink, const struct message *messages, size_t len, sink_done *done, void *context)
{
    sink->messages = messages;
    sink->len = len;
    sink->at = 0;
    sink->done = done;
    sink->done_context = context;
    sink->timer = loop_timer_start(sink->loop, 0, on_turn, sink);
}

static void github_cancel(struct sink *sink)
{
    loop_timer_stop(sink->timer);
    sink->timer = NULL;
    if (!sink->transfer)
        return;
    http_cancel(sink->transfer);
    sink->transfer = NULL;
    http_response_dispose(&sink->response);
}

static void github_close(struct sink *sink)
{
    github_cancel(sink);
    secret_free(sink->token);
    free(sink->body);
    free(sink->endpoint);
    free(sink->repository);
    free(sink->context);
    free(sink->link);
    free(sink);
}

const struct sink_type sink_github = {
    .name = "github",
    .max_body = (size_t)1 << 20,
    .max_messages = 100,
    .open = github_open,
    .send = github_send,
    .cancel = github_cancel,
    .close = github_close,
};
