/*
 * Amazon EventBridge: PutEvents, up to ten entries at once, in order.
 * https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html (AWS JSON 1.1)
 */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/lines.h"
#include "core/mem.h"
#include "report/sink_aws.h"

#define SOURCE "caisson"
#define ENTRIES_MAX 10

struct sink {
    struct aws_sender sender;
    char *bus;
};

/* https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html */
static const char *reason_of(const char *code)
{
    if (strstr(code, "NotAuthorized") || strstr(code, "AccessDenied"))
        return "access-denied";
    if (strstr(code, "NotFound"))
        return "not-found";
    return strstr(code, "Malformed") || strstr(code, "InvalidArgument") ? "request-refused" : "server-error";
}

/* Those before the first that was not taken are there. An answer that does not say what it should is none: what it was
 * about goes again, with the ids that it had. */
size_t put_events_read(size_t len, struct view answer, struct error *err)
{
    CLEANUP_JSON json_t *document = json_parse(answer.data, answer.len, CLASS_PLATFORM, "the answer", NULL);
    const json_t *failed = json_object_get(document, "FailedEntryCount"), *entries, *entry;
    size_t i;

    if (json_is_integer(failed) && json_integer_value(failed) == 0)
        return len;
    entries = json_object_get(document, "Entries");
    json_array_foreach(entries, i, entry)
    {
        CLEANUP_FREE char *code = lines_one(json_text(entry, "ErrorCode", ""), 80);
        CLEANUP_FREE char *text = lines_one(json_text(entry, "ErrorMessage", ""), 300);

        if (i >= len)
            break;
        if (!*code)
            continue;
        error_set(err, CLASS_PLATFORM, reason_of(code), "events:PutEvents: %s: %s", code, text);
        return i;
    }
    error_set(err, CLASS_PLATFORM, "bad-response",
              "events:PutEvents: its answer does not say which entries were taken");
    return 0;
}

static int eventbridge_open(struct sink **out, const struct sink_context *context, const struct sink_settings *settings,
                            struct error *err)
{
    struct sink *sink = xcalloc(1, sizeof *sink);
    struct arn arn;
    bool is_arn = arn_parse(settings->target, &arn);

    if (aws_sender_init(&sink->sender, context, "events", context->events_endpoint, is_arn ? arn.region : NULL, err)) {
        free(sink);
        return -1;
    }
    sink->sender.read = put_events_read;
    sink->bus = xstrdup(settings->target);
    *out = sink;
    return 0;
}

/* The detail is an object: text has to be put into one. */
static json_t *entry_of(const struct sink *sink, const struct message *message)
{
    json_t *entry = json_object();
    bool is_json = message->content_type && strstr(message->content_type, "json");
    json_t *detail = is_json ? NULL : json_pack("{s:s#}", "text", message->body, message->body_len);
    char *text = detail ? json_dumps(detail, JSON_COMPACT) : NULL;

    json_decref(detail);
    json_put_text(entry, "EventBusName", sink->bus);
    json_put_text(entry, "Source", SOURCE);
    json_put_text(entry, "DetailType", message->subject ? message->subject : SOURCE);
    json_put_text(entry, "Detail", text ? text : message->body);
    json_object_set_new(entry, "Time", json_real((double)message->wall_ms / 1000));
    free(text);
    return entry;
}

/* All entries of a call together have the room of one message. */
static size_t how_many(const struct message *messages, size_t len)
{
    size_t bytes = 0, i;

    for (i = 0; i < len && i < ENTRIES_MAX; i++) {
        bytes += messages[i].body_len + 512;
        if (i && bytes > AWS_BODY_MAX)
            break;
    }
    return i;
}

static void eventbridge_send(struct sink *sink, const struct message *messages, size_t len, sink_done *done,
                             void *context)
{
    json_t *request, *entries;
    struct error err;
    char *body;
    size_t i;

    if (aws_message_check(messages, "EventBridge", &err)) {
        aws_sender_refuse(&sink->sender, &err, done, context);
        return;
    }
    len = how_many(messages, len);
    entries = json_array();
    for (i = 0; i < len; i++)
        json_array_append_new(entries, entry_of(sink, &messages[i]));
    request = json_pack("{s:o}", "Entries", entries);
    body = json_dumps(request, JSON_COMPACT | JSON_REAL_PRECISION(14));
    json_decref(request);
    aws_sender_start(&sink->sender, "AWSEvents.PutEvents", view_of(body ? body : "{}"), len, done, context);
    free(body);
}

static void eventbridge_cancel(struct sink *sink)
{
    aws_sender_cancel(&sink->sender);
}

static void eventbridge_close(struct sink *sink)
{
    eventbridge_cancel(sink);
    free(sink->bus);
    free(sink);
}

const struct sink_type sink_eventbridge = {
    .name = "eventbridge",
    .max_body = AWS_BODY_MAX,
    .max_messages = ENTRIES_MAX,
    .open = eventbridge_open,
    .send = eventbridge_send,
    .cancel = eventbridge_cancel,
    .close = eventbridge_close,
};
