/*
 * Lines straight into CloudWatch Logs, for tasks whose log driver may drop some: PutLogEvents, after a CreateLogStream when
 * the service says that there is none. The group is the operator's.
 * https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html (AWS JSON 1.1)
 */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/mem.h"
#include "report/sink_aws.h"

#define EVENTS_MAX 10000
#define BYTES_MAX 1000000 /* with 26 for each event */
#define EVENT_OVERHEAD 26

struct sink {
    struct aws_sender sender;
    char *group, *stream;
    bool stream_made;
    int64_t newest_ms; /* events of a call are in the order of their times */
    const struct message *messages;
    size_t len;
    sink_done *done;
    void *context;
};

static int logs_open(struct sink **out, const struct sink_context *context, const struct sink_settings *settings,
                     struct error *err)
{
    struct sink *sink = xcalloc(1, sizeof *sink);
    struct arn arn;
    bool is_arn = arn_parse(settings->target, &arn);
    const char *name = is_arn && strncmp(arn.resource, "log-group:", 10) == 0 ? arn.resource + 10 : settings->target;

    if (aws_sender_init(&sink->sender, context, "logs", context->logs_endpoint, is_arn ? arn.region : NULL, err)) {
        free(sink);
        return -1;
    }
    sink->group = xstrndup(name, strcspn(name, ":"));
    sink->stream = xstrdup(settings->stream ? settings->stream : "caisson");
    *out = sink;
    return 0;
}

static size_t how_many(const struct sink *sink)
{
    size_t bytes = 0, i;

    for (i = 0; i < sink->len && i < EVENTS_MAX; i++) {
        bytes += sink->messages[i].body_len + EVENT_OVERHEAD;
        if (i && bytes > BYTES_MAX)
            break;
    }
    return i;
}

static void on_put(void *context, size_t delivered, const struct error *error);

static void put(struct sink *sink)
{
    size_t len = how_many(sink), i;
    json_t *events = json_array();
    json_t *request;
    char *body;

    for (i = 0; i < len; i++) {
        const struct message *message = &sink->messages[i];

        if (message->wall_ms > sink->newest_ms) /* a clock that was set back */
            sink->newest_ms = message->wall_ms;
        /* an empty one is refused */
        json_array_append_new(events, json_pack("{s:I, s:s}", "timestamp", (json_int_t)sink->newest_ms, "message",
                                                message->body_len ? message->body : " "));
    }
    request =
        json_pack("{s:s, s:s, s:o}", "logGroupName", sink->group, "logStreamName", sink->stream, "logEvents", events);
    body = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    aws_sender_start(&sink->sender, "Logs_20140328.PutLogEvents", view_of(body ? body : "{}"), len, on_put, sink);
    free(body);
}

static void on_made(void *context, size_t delivered, const struct error *error)
{
    struct sink *sink = context;

    (void)delivered;
    /* Another task of the job may have been quicker. */
    if (error && !strstr(error->message, "ResourceAlreadyExistsException")) {
        sink->done(sink->context, 0, error);
        return;
    }
    sink->stream_made = true;
    put(sink);
}

static void make_stream(struct sink *sink)
{
    json_t *request = json_pack("{s:s, s:s}", "logGroupName", sink->group, "logStreamName", sink->stream);
    char *body = json_dumps(request, JSON_COMPACT);

    json_decref(request);
    aws_sender_start(&sink->sender, "Logs_20140328.CreateLogStream", view_of(body ? body : "{}"), 1, on_made, sink);
    free(body);
}

static void on_put(void *context, size_t delivered, const struct error *error)
{
    struct sink *sink = context;

    sink->done(sink->context, delivered, error);
}

static void logs_send(struct sink *sink, const struct message *messages, size_t len, sink_done *done, void *context)
{
    struct error err;

    sink->messages = messages;
    sink->len = len;
    sink->done = done;
    sink->context = context;
    if (messages->body_len > AWS_BODY_MAX) {
        error_set(&err, CLASS_PLATFORM, "message-too-large",
                  "CloudWatch Logs takes lines of %zu bytes, this one has %zu", AWS_MESSAGE_MAX, messages->body_len);
        aws_sender_refuse(&sink->sender, &err, done, context);
    } else if (sink->stream_made) {
        put(sink);
    } else {
        make_stream(sink);
    }
}

static void logs_cancel(struct sink *sink)
{
    aws_sender_cancel(&sink->sender);
}

static void logs_close(struct sink *sink)
{
    logs_cancel(sink);
    free(sink->group);
    free(sink->stream);
    free(sink);
}

const struct sink_type sink_cloudwatch_logs = {
    .name = "cloudwatch_logs",
    .max_body = AWS_BODY_MAX,
    .max_messages = EVENTS_MAX,
    .line_wise = true,
    .open = logs_open,
    .send = logs_send,
    .cancel = logs_cancel,
    .close = logs_close,
};
