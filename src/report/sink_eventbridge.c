/*
 * Amazon EventBridge: PutEvents, up to ten entries at once, in order.
 * https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html (AWS JSON 1.1)
 */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/mem.h"
#include "report/sink_aws.h"

#define SOURCE "caisson"
#define ENTRIES_MAX 10

struct sink {
    struct aws_sender sender;
    char *bus;
};

/* What an entry that was not taken says; those before it were. */
static size_t read_answer(size_t len, struct view answer, struct error *err)
{
    CLEANUP_JSON json_t *document = json_parse(answer.data, answer.len, CLASS_PLATFORM, "the answer", NULL);
    const json_t *entries = json_object_get(document, "Entries"), *entry;
    size_t i;

    if (json_int(document, "FailedEntryCount", 0) == 0)
        return len;
    json_array_foreach(entries, i, entry)
    {
        const char *code = json_text(entry, "ErrorCode", NULL);

        if (!code)
            continue;
        error_set(err, CLASS_PLATFORM,
                  strstr(code, "NotAuthorized")      ? "access-denied"
                  : strstr(code, "ResourceNotFound") ? "not-found"
                                                     : "server-error",
                  "events:PutEvents: %.80s: %.300s", code, json_text(entry, "ErrorMessage", ""));
        return i < len ? i : len;
    }
    return len;
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
    sink->sender.read = read_answer;
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
