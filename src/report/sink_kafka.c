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
    struct loop *loop;
    struct kafka_options options;
    char *brokers, *mechanism, *username, *password, *ca_bundle, *topic, *key;
    struct kafka *kafka;
    struct bus_batch batch;
};

static void kafka_close_sink(struct sink *sink)
{
    kafka_free(sink->kafka);
    bus_batch_forget(&sink->batch);
    free(sink->brokers);
    free(sink->mechanism);
    free(sink->username);
    secret_free(sink->password);
    free(sink->ca_bundle);
    free(sink->topic);
    free(sink->key);
    free(sink);
}

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
    struct sink *sink = xcalloc(1, sizeof *sink);

    (void)err;
    sink->loop = context->loop;
    sink->brokers = xstrdup(settings->target + (plaintext ? strlen(PLAINTEXT) : 0));
    sink->mechanism = mechanism_of(settings);
    sink->username = xstrdup(settings->username);
    sink->password = settings->password ? secret_dup(settings->password) : NULL;
    sink->ca_bundle = xstrdup(settings->ca_bundle ? settings->ca_bundle : http_client_ca_bundle(context->client));
    sink->topic = xstrdup(settings->topic);
    sink->key = xstrdup(settings->key);
    sink->options = (struct kafka_options){.brokers = sink->brokers,
                                           .mechanism = sink->mechanism,
                                           .username = sink->username,
                                           .password = sink->password,
                                           .tls = !plaintext,
                                           .ca_bundle = sink->ca_bundle};
    *out = sink;
    return 0;
}

static void produce(struct sink *sink, const struct message *message, void *place)
{
    struct kafka_header headers[HEADERS_MAX];
    struct kafka_message produced = {.topic = message->to ? message->to : sink->topic,
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
        const char *line = message->headers.items[i];
        size_t len = strcspn(line, ":");

        strings_take(&names, bus_header_name(line, PREFIX));
        line += len;
        headers[produced.header_count++] = (struct kafka_header){names.items[i], line + strspn(line, ": ")};
    }
    kafka_produce(sink->kafka, &produced, bus_batch_settle, place);
    strings_dispose(&names);
}

static void kafka_send(struct sink *sink, const struct message *messages, size_t len, sink_done *done, void *context)
{
    size_t i;

    if (!sink->kafka)
        sink->kafka = kafka_new(sink->loop, &sink->options);
    bus_batch_begin(&sink->batch, len, 1, done, context);
    for (i = 0; i < len; i++)
        produce(sink, &messages[i], bus_batch_place(&sink->batch, i));
}

static void kafka_cancel(struct sink *sink)
{
    if (!bus_batch_waits(&sink->batch))
        return;
    kafka_free(sink->kafka);
    sink->kafka = NULL;
    bus_batch_forget(&sink->batch);
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
