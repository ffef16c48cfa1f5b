/*
 * CloudEvents 1.0: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md, its JSON format ("structured
 * mode") and its HTTP and AMQP bindings ("binary mode": attributes are headers, whose values are percent-encoded where
 * they are not printable ASCII), and the extension `sequence`.
 */
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/mem.h"
#include "report/format.h"
#include "report/result.h"

#define TYPE_PREFIX "dev.caisson.job."
#define STRUCTURED_TYPE "application/cloudevents+json; charset=utf-8"
#define ENVELOPE_MAX 2048 /* what surrounds the data, at most */

/* A result that is too long for the sink is cut down; a log is not (queue.c cuts it before). */
static char *bounded_data(const struct event *event, const struct event_job *job, size_t max)
{
    struct event_job unlabelled = *job;
    struct event shortened = *event;
    char *text = event_data(event, job);
    json_t *result;

    if (event->kind != EVENT_FINISHED || strlen(text) + ENVELOPE_MAX <= max)
        return text;
    free(text);
    result = json_deep_copy(event->result);
    free(result_shorten(result, max > 2 * ENVELOPE_MAX ? max - 2 * ENVELOPE_MAX : ENVELOPE_MAX));
    unlabelled.labels = NULL;
    shortened.result = result;
    text = event_data(&shortened, &unlabelled);
    json_decref(result);
    return text;
}

static void encode_structured(const struct event_job *job, const struct event *event, const char *data,
                              struct message *message)
{
    char time[CLOCK_TEXT_SIZE], sequence[EVENT_SEQUENCE_SIZE];
    CLEANUP_FREE char *type = xasprintf(TYPE_PREFIX "%s", event_kind_name(event->kind));
    CLEANUP_FREE char *envelope = NULL;
    CLEANUP_JSON json_t *attributes = NULL;

    clock_format(event->wall_ms, time);
    event_sequence(event, sequence);
    attributes = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "specversion", "1.0", "id", event->id, "source",
                           job->source, "type", type, "subject", job->id, "time", time, "sequence", sequence,
                           "datacontenttype", "application/json");
    envelope = json_dumps(attributes, JSON_COMPACT);
    message_text(message, xasprintf("%.*s,\"data\":%s}", (int)strlen(envelope) - 1, envelope, data));
    message->content_type = xstrdup(STRUCTURED_TYPE);
}

static void add_header(struct message *message, const char *name, const char *value)
{
    strings_addf(&message->headers, "ce-%s: %s", name, value);
}

/* Takes data. */
static void encode_binary(const struct event_job *job, const struct event *event, char *data, struct message *message)
{
    char time[CLOCK_TEXT_SIZE], sequence[EVENT_SEQUENCE_SIZE];

    clock_format(event->wall_ms, time);
    event_sequence(event, sequence);
    add_header(message, "specversion", "1.0");
    add_header(message, "id", event->id);
    add_header(message, "source", job->source);
    strings_addf(&message->headers, "ce-type: " TYPE_PREFIX "%s", event_kind_name(event->kind));
    add_header(message, "subject", job->id);
    add_header(message, "time", time);
    add_header(message, "sequence", sequence);
    message->content_type = xstrdup("application/json");
    message_text(message, data);
}

static void encode(const struct format_options *options, const struct event_job *job, const struct event *event,
                   struct outbox *out)
{
    struct message *message = outbox_add(out, job, event);
    char *data = bounded_data(event, job, options->max_body);

    message->subject = xasprintf(TYPE_PREFIX "%s", event_kind_name(event->kind));
    if (options->binary) {
        encode_binary(job, event, data, message);
        return;
    }
    encode_structured(job, event, data, message);
    free(data);
}

const struct event_format format_cloudevents = {
    .name = "cloudevents",
    .kinds = (1U << EVENT_KINDS) - 1,
    .encode = encode,
};
