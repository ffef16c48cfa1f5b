/* Kafka: all messages of a job have one key, so that they keep their order within a partition (bus/kafka.h). */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "bus/kafka.h"
#include "core/mem.h"
#include "report/sink_bus.h"

#define HEADERS_MAX 16
/* https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md, section 3.2.3.1 */
#define PREFIX "ce_"
#define PLAINTEXT "kafka://"

struct sink {
    struct kafka *kafka;
    char *topic, *key;
    struct bus_batch batch;
};

/* Kafka's spelling: "PLAIN", "SCRAM-SHA-256". */
static char *mechanism_of(const struct sink_settings *settings)
{
    char *name, *at;

    if (!settings->password)
        return NULL;
    name = xstrdup(settings->sasl ? settings->sasl : "plain");
    for (at = name; *at; at++)
        *at = (char)toupper((unsigned char)*at);
    return name;
}

static int kafka_open(struct sink **out, const struct sink_context *context, const struct sink_settings *settings,
                      struct error *err)
{
    bool plaintext = strncmp(settings->target, PLAINTEXT, strlen(PLAINTEXT)) == 0;
    CLEANUP_FREE char *mechanism = mechanism_of(settings);
    const struct kafka_options options = {.brokers = settings->target + (plaintext ? strlen(PLAINTEXT) : 0),
                                          .mechanism = mechanism,
                                          .username = settings->username,
                                          .password = settings->password,
                                          .tls = !plaintext,
                                          .ca_bundle = bus_ca_bundle(context, settings),
                                          .refuse_own = !settings->plain};
    struct sink *sink = xcalloc(1, sizeof *sink);

    (void)err;
    sink->kafka = kafka_new(context->loop, &options);
    sink->topic = xstrdup(settings->topic);
    sink->key = xstrdup(settings->key);
    *out = sink;
    return 0;
}

static void produce(struct sink *sink, const struct message *message, void *place)
{
    struct kafka_header headers[HEADERS_MAX];
    struct kafka_message produced = {.topic = sink->topic,
                                     .key = message->key ? message->key
                                            : sink->key  ? sink->key
                                                         : message->group,
                                     .value = {message->body, message->body_len},
                                     .headers = headers,
                                     .wall_ms = message->wall_ms};
    struct strings names = {0};
    size_t i;

    headers[produced.header_count++] = (struct kafka_header){"id", message->id};
    if (message->content_type)
        headers[produced.header_count++] = (struct kafka_header){"content-type", message->content_type};
    for (i = 0; i < message->headers.len && produced.header_count < HEADERS_MAX; i++) {
        struct kafka_header *header = &headers[produced.header_count++];

        strings_take(&names, bus_header(message->headers.items[i], PREFIX, &header->value));
        header->name = names.items[i];
    }
    kafka_produce(sink->kafka, &produced, bus_batch_settle, place);
    strings_dispose(&names);
}

static void kafka_send(struct sink *sink, const struct message *messages, size_t len, sink_done *done, void *context)
{
    size_t i;

    bus_batch_begin(&sink->batch, len, 1, done, context);
    for (i = 0; i < len; i++)
        produce(sink, &messages[i], bus_batch_place(&sink->batch, i));
}

static void kafka_cancel(struct sink *sink)
{
    if (bus_batch_waits(&sink->batch))
        kafka_abandon(sink->kafka);
    bus_batch_forget(&sink->batch);
}

static void kafka_close_sink(struct sink *sink)
{
    kafka_free(sink->kafka);
    bus_batch_forget(&sink->batch);
    free(sink->topic);
    free(sink->key);
    free(sink);
}

const struct sink_type sink_kafka = {
    .name = "kafka",
    .max_body = 900000, /* message.max.bytes of a broker is 1,048,588 where nobody has set it */
    .max_messages = 500,
    .open = kafka_open,
    .send = kafka_send,
    .cancel = kafka_cancel,
    .close = kafka_close_sink,
};
