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
#define SPAN_MAX_MS ((int64_t)24 * 60 * 60 * 1000)

struct sink {
    struct aws_sender sender;
    char *group, *stream;
    bool stream_made;
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

/* With the times of a call no more than a day apart, as a clock that was set may have them. */
static size_t how_many(const struct sink *sink)
{
    size_t bytes = 0, i;

    for (i = 0; i < sink->len && i < EVENTS_MAX; i++) {
        bytes += sink->messages[i].body_len + EVENT_OVERHEAD;
        if (i && (bytes > BYTES_MAX || sink->messages[i].wall_ms - sink->messages->wall_ms >= SPAN_MAX_MS))
            break;
    }
    return i;
}

static size_t index_of(const json_t *rejected, const char *key, size_t otherwise, size_t len)
{
    int64_t index = json_int(rejected, key, -1);

    return index < 0 || (uint64_t)index > len ? otherwise : (size_t)index;
}

/* Too old and too new are told from the service's time, so this machine's is wrong. What came before lines that are too
 * new is there. Of those that are too old only the whole of a call is told: there is no way to tell of the first alone.
 * https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_RejectedLogEventsInfo.html */
size_t put_log_events_read(size_t len, struct view answer, struct error *err)
{
    CLEANUP_JSON json_t *document = json_parse(answer.data, answer.len, CLASS_PLATFORM, "the answer", NULL);
    const json_t *rejected = json_object_get(document, "rejectedLogEventsInfo");
    size_t old = index_of(rejected, "tooOldLogEventEndIndex", 0, len);
    size_t expired = index_of(rejected, "expiredLogEventEndIndex", 0, len);
    size_t taken = index_of(rejected, "tooNewLogEventStartIndex", len, len);

    if (len && (old == len || expired == len))
        taken = 0;
    if (taken == len)
        return len;
    error_set(err, CLASS_PLATFORM, "clock-skew", "logs:PutLogEvents: %zu lines are of a time that is too %s",
              len - taken, old || expired ? "old" : "new");
    error_hint(err, "set the clock of this machine, and see the retention of the log group");
    return taken;
}

static void on_put(void *context, size_t delivered, const struct error *error);

static void put(struct sink *sink)
{
    size_t len = how_many(sink), i;
    int64_t newest_ms = sink->messages->wall_ms; /* they are in the order of their times */
    json_t *events = json_array();
    json_t *request;
    char *body;

    for (i = 0; i < len; i++) {
        const struct message *message = &sink->messages[i];

        if (message->wall_ms > newest_ms) /* else the clock was set back */
            newest_ms = message->wall_ms;
        /* an empty one is refused */
        json_array_append_new(events, json_pack("{s:I, s:s}", "timestamp", (json_int_t)newest_ms, "message",
                                                message->body_len ? message->body : " "));
    }
    request =
        json_pack("{s:s, s:s, s:o}", "logGroupName", sink->group, "logStreamName", sink->stream, "logEvents", events);
    body = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    sink->sender.read = put_log_events_read;
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
    sink->sender.read = NULL;
    aws_sender_start(&sink->sender, "Logs_20140328.CreateLogStream", view_of(body ? body : "{}"), 1, on_made, sink);
    free(body);
}

static void on_put(void *context, size_t delivered, const struct error *error)
{
    struct sink *sink = context;

    if (error && strcmp(error->reason, "not-found") == 0)
        sink->stream_made = false; /* somebody has removed it */
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
