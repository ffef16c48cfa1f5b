#include "job/control.h"

#include <stdlib.h>
#include <string.h>

#include "aws/s3.h"
#include "core/json.h"
#include "core/lines.h"
#include "core/mem.h"
#include "core/utf8.h"
#include "job/storage.h"

#define POLL_MS 5000
#define POLL_MAX_MS (60 * 1000)
#define ANSWER_MS (20 * 1000)
#define TOLERATED 3 /* failures in a row that pass by themselves, before anybody is told */
#define BY_MAX 128
#define REASON_MAX 512
#define ETAG_MAX 256

struct control {
    struct job *job;
    char *shown; /* the place without a query, which may be a credential */
    char *etag;  /* of what was read last; NULL: nothing */
    struct loop_timer *timer;
    int failures; /* in a row */
    bool warned, misread;

    /* s3:// */
    struct s3 *s3;
    char *bucket, *key;
    struct s3_call call;
    struct s3_operation *operation;

    /* https:// */
    struct http_request request;
    struct http_response response;
    struct http_transfer *transfer;
    bool asking; /* call, or request and response, are to be disposed of */
};

static void poll_in(struct control *control, int64_t delay_ms);

/* ---- the document ---- */

static int invalid(struct error *err, const char *what)
{
    error_set(err, CLASS_SPEC_INVALID, "control-invalid", "%s", what);
    return error_hint(err, "a request to cancel is { \"action\": \"cancel\", \"by\": \"…\", \"reason\": \"…\" }");
}

static void on_piece(void *context, const char *text, size_t len)
{
    struct buf *out = context;

    if (out->len)
        buf_addc(out, ' ');
    buf_add(out, text, len);
}

/* One line, cut, of what a terminal shows as text: events and formats hand it on as it is. NULL when nothing is left. */
static char *one_line(const char *text, size_t max)
{
    struct lines lines;
    struct buf out;
    char *line, *end;

    buf_init(&out, 4 * CONTROL_MAX);
    lines_init(&lines, false, on_piece, &out);
    lines_feed(&lines, view_of(text));
    lines_end(&lines);
    lines_dispose(&lines);
    line = buf_take(&out);
    end = line + utf8_cut(view_of(line), max);
    while (end > line && end[-1] == ' ')
        end--;
    *end = '\0';
    if (*line)
        return line;
    free(line);
    return NULL;
}

static bool is_text_or_absent(const json_t *document, const char *key)
{
    const json_t *value = json_object_get(document, key);

    return !value || json_is_string(value) || json_is_null(value);
}

/* NULL: it is none. Caller frees with json_decref. */
static json_t *parse(struct view text, struct error *err)
{
    struct error broken;
    json_t *document;

    if (text.len > CONTROL_MAX) {
        invalid(err, "it is larger than 16 KiB");
        return NULL;
    }
    document = json_parse(text.data ? text.data : "", text.len, CLASS_SPEC_INVALID, "it", &broken);
    if (json_is_object(document))
        return document;
    json_decref(document);
    invalid(err, "it is no JSON object");
    return NULL;
}

static int read_request(const json_t *document, char **by, char **reason, struct error *err)
{
    if (strcmp(json_text(document, "action", ""), "cancel") != 0)
        return invalid(err, "its \"action\" is not \"cancel\"");
    if (!is_text_or_absent(document, "by") || !is_text_or_absent(document, "reason"))
        return invalid(err, "its \"by\" or \"reason\" is no text");
    *by = one_line(json_text(document, "by", ""), BY_MAX);
    *reason = one_line(json_text(document, "reason", ""), REASON_MAX);
    return 0;
}

int control_read(struct view text, char **by, char **reason, struct error *err)
{
    CLEANUP_JSON json_t *document = parse(text, err);

    *by = *reason = NULL;
    if (!document)
        return -1;
    if (!json_object_get(document, "action"))
        return invalid(err, "it has no \"action\"");
    return read_request(document, by, reason, err);
}

int control_read_message(struct view text, const char *member, const char *id, bool *ours, char **by, char **reason,
                         struct error *err)
{
    CLEANUP_JSON json_t *document = parse(text, err);
    CLEANUP_FREE char *whose = NULL;
    const json_t *value;

    *by = *reason = NULL;
    *ours = false;
    if (!document)
        return -1;
    value = json_object_get(document, member);
    if (json_is_integer(value))
        whose = xasprintf("%lld", (long long)json_integer_value(value));
    else if (json_is_string(value))
        whose = xstrdup(json_string_value(value));
    if (!whose) {
        error_set(err, CLASS_SPEC_INVALID, "control-invalid", "it has no \"%.100s\" that is an id", member);
        return error_hint(err, "see `member` of `cancel` in the spec");
    }
    *ours = strcmp(whose, id) == 0;
    if (!*ours)
        return 0;
    /* On such a channel nothing else is asked for. */
    if (!json_object_get(document, "action"))
        json_object_set_new(document, "action", json_string("cancel"));
    return read_request(document, by, reason, err);
}

/* ---- what an answer means ---- */

static void keep_etag(struct control *control, const char *etag)
{
    free(control->etag);
    control->etag = etag && strlen(etag) <= ETAG_MAX ? xstrdup(etag) : NULL;
}

/* Nothing there, or nothing new. */
static void on_nothing(struct control *control)
{
    if (control->warned && control->failures)
        log_info(control->job->options->log, "control: %s can be read again", control->shown);
    control->failures = 0;
    poll_in(control, POLL_MS);
}

static void on_document(struct control *control, struct view text, const char *etag)
{
    CLEANUP_FREE char *by = NULL;
    CLEANUP_FREE char *reason = NULL;
    struct error err;

    keep_etag(control, etag);
    if (control_read(text, &by, &reason, &err) == 0) {
        job_cancel(control->job, by, reason);
        return;
    }
    if (!control->misread)
        log_warning(control->job->options->log, "control: %s is no request that is known: %s; %s", control->shown,
                    err.message, err.hint);
    control->misread = true;
    on_nothing(control);
}

static int64_t pause_ms(int failures)
{
    int64_t pause = POLL_MS;

    while (--failures > 0 && pause < POLL_MAX_MS)
        pause *= 2;
    return pause < POLL_MAX_MS ? pause : POLL_MAX_MS;
}

static void on_failure(struct control *control, const struct error *err, const char *hint)
{
    control->failures++;
    if (!control->warned && (!err->retryable || control->failures >= TOLERATED)) {
        log_warning(control->job->options->log,
                    "control: %s cannot be read, so nobody can cancel the job by it: %s%s%s", control->shown,
                    err->message, *hint ? "; " : "", hint);
        control->warned = true;
    }
    poll_in(control, pause_ms(control->failures));
}

/* ---- S3 ---- */

/* Without s3:ListBucket S3 answers 403 for what is not there, so that is no failure that a pause would help. */
static void on_refused(struct control *control, const struct error *err)
{
    if (!control->warned)
        log_warning(control->job->options->log,
                    "control: %s cannot be read: %s; the task's role needs s3:GetObject, and s3:ListBucket where a "
                    "request that is not there yet shall be told from one that may not be read",
                    control->shown, err->message);
    control->warned = true;
    poll_in(control, POLL_MS);
}

static void on_object(void *context, const struct error *error)
{
    struct control *control = context;

    control->operation = NULL;
    if (!error)
        on_document(control, (struct view){control->call.response.body.data, control->call.response.body.len},
                    s3_etag(&control->call));
    else if (strcmp(error->reason, "not-modified") == 0 || strcmp(error->reason, "no-such-key") == 0)
        on_nothing(control);
    else if (strcmp(error->reason, "access-denied") == 0)
        on_refused(control, error);
    else
        on_failure(control, error, error->hint);
}

static void ask_s3(struct control *control)
{
    s3_call_init(&control->call, "GET", control->key);
    control->call.max_response = CONTROL_MAX;
    if (control->etag)
        strings_addf(&control->call.headers, "If-None-Match: %s", control->etag);
    control->operation = s3_start(control->s3, &control->call, on_object, control);
}

/* ---- https ---- */

static void on_page(void *context, const struct error *error)
{
    struct control *control = context;
    const struct http_response *response = &control->response;
    struct error err;

    control->transfer = NULL;
    if (error) {
        on_failure(control, error, error->hint);
    } else if (response->status == 200) {
        on_document(control, (struct view){response->body.data, response->body.len},
                    http_response_header(response, "etag"));
    } else if (response->status == 204 || response->status == 304 || response->status == 404) {
        on_nothing(control);
    } else {
        error_set(&err, CLASS_PLATFORM, "control-refused", "the server answers %ld", response->status);
        if (response->status >= 500 || response->status == 429)
            error_retryable(&err, 0);
        on_failure(control, &err, "200 with a request, 304 and 404 for none are expected; redirects are not followed");
    }
}

static void ask_server(struct control *control)
{
    const struct job_options *options = control->job->options;

    http_request_init(&control->request, "GET", control->job->spec.control);
    http_response_init(&control->response);
    control->request.max_response = CONTROL_MAX;
    control->request.timeout_ms = ANSWER_MS;
    if (control->etag)
        http_request_header(&control->request, "If-None-Match", control->etag);
    control->transfer = http_start(options->client, &control->request, &control->response, on_page, control);
}

/* ---- all of it ---- */

static void finish_asking(struct control *control)
{
    if (!control->asking)
        return;
    control->asking = false;
    if (control->s3) {
        s3_call_dispose(&control->call);
        return;
    }
    http_request_dispose(&control->request);
    http_response_dispose(&control->response);
}

static void on_time(void *context)
{
    struct control *control = context;

    control->timer = NULL;
    finish_asking(control);
    if (control->job->stopping)
        return;
    control->asking = true;
    if (control->s3)
        ask_s3(control);
    else
        ask_server(control);
}

static void poll_in(struct control *control, int64_t delay_ms)
{
    control->timer = loop_timer_start(control->job->options->loop, delay_ms, on_time, control);
}

static int open_s3(struct control *control, struct error *err)
{
    const struct deliver storage = job_storage(control->job, control->job->spec.control);
    struct s3_options options = {
        .region = storage.region, .endpoint = storage.endpoint, .path_style = storage.path_style, .max_attempts = 1};

    if (s3_uri_parse(control->job->spec.control, &control->bucket, &control->key, err))
        return -1;
    options.bucket = control->bucket;
    return s3_new(&control->s3, storage.client, storage.credentials, &options, err);
}

struct control *control_start(struct job *job)
{
    struct control *control;
    struct error err;

    if (!job->spec.control)
        return NULL;
    control = xcalloc(1, sizeof *control);
    control->job = job;
    control->shown = xstrndup(job->spec.control, strcspn(job->spec.control, "?#"));
    if (strncmp(job->spec.control, "s3://", 5) == 0 && open_s3(control, &err)) {
        on_failure(control, &err, err.hint);
        control_stop(control);
        return NULL;
    }
    poll_in(control, 0);
    return control;
}

void control_stop(struct control *control)
{
    if (!control)
        return;
    loop_timer_stop(control->timer);
    s3_cancel(control->operation);
    http_cancel(control->transfer);
    finish_asking(control);
    s3_free(control->s3);
    free(control->bucket);
    free(control->key);
    free(control->etag);
    free(control->shown);
    free(control);
}
