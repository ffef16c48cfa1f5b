/* AMQP 0-9-1: persistent, mandatory, confirmed (bus/amqp.h). */
#include <stdlib.h>
#include <string.h>

#include "bus/amqp.h"
#include "core/mem.h"
#include "report/sink_bus.h"

#define HEADERS_MAX 16
/* https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/amqp-protocol-binding.md, section 3.1.3.1 */
#define PREFIX "cloudEvents:"

struct sink {
    struct amqp *amqp;
    char *exchange, *routing_key;
    struct bus_batch batch;
};

static int amqp_open(struct sink **out, const struct sink_context *context, const struct sink_settings *settings,
                     struct error *err)
{
    CLEANUP_FREE char *virtual_host = NULL;
    struct amqp_options options;
    struct sink *sink;
    struct url url;

    if (url_parse(settings->target, &url, err)) {
        err->class = CLASS_SPEC_INVALID;
        return -1;
    }
    /* https://www.rabbitmq.com/docs/uri-spec: no path is the default one, "/" alone is the one with the empty name */
    virtual_host = url.path && url.path[0] && url.path[1] ? url_decode(url.path + 1) : NULL;
    options = (struct amqp_options){.host = url.host,
                                    .port = bus_port(&url),
                                    .virtual_host = virtual_host,
                                    .username = settings->username,
                                    .password = settings->password,
                                    .tls = strcmp(url.scheme, "amqps") == 0,
                                    .ca_bundle = bus_ca_bundle(context, settings),
                                    .refuse_own = !settings->plain};
    sink = xcalloc(1, sizeof *sink);
    sink->amqp = amqp_new(context->loop, &options);
    sink->exchange = xstrdup(settings->exchange ? settings->exchange : "");
    sink->routing_key = xstrdup(settings->routing_key ? settings->routing_key : "");
    url_dispose(&url);
    *out = sink;
    return 0;
}

static void publish(struct sink *sink, const struct message *message, void *place)
{
    struct amqp_header headers[HEADERS_MAX];
    struct amqp_message published = {.exchange = sink->exchange,
                                     .routing_key = message->key ? message->key : sink->routing_key,
                                     .message_id = message->id,
                                     .content_type = message->content_type,
                                     .type = message->subject,
                                     .headers = headers,
                                     .wall_ms = message->wall_ms,
                                     .body = {message->body, message->body_len}};
    struct strings names = {0};
    size_t i;

    for (i = 0; i < message->headers.len && i < HEADERS_MAX; i++) {
        struct amqp_header *header = &headers[published.header_count++];

        strings_take(&names, bus_header(message->headers.items[i], PREFIX, &header->value));
        header->name = names.items[i];
    }
    amqp_publish(sink->amqp, &published, bus_batch_settle, place);
    strings_dispose(&names);
}

static void amqp_send(struct sink *sink, const struct message *messages, size_t len, sink_done *done, void *context)
{
    size_t i;

    bus_batch_begin(&sink->batch, len, 1, done, context);
    for (i = 0; i < len; i++)
        publish(sink, &messages[i], bus_batch_place(&sink->batch, i));
}

static void amqp_cancel(struct sink *sink)
{
    if (bus_batch_waits(&sink->batch))
        amqp_abandon(sink->amqp);
    bus_batch_forget(&sink->batch);
}

static void amqp_close_sink(struct sink *sink)
{
    amqp_free(sink->amqp);
    bus_batch_forget(&sink->batch);
    free(sink->exchange);
    free(sink->routing_key);
    free(sink);
}

const struct sink_type sink_amqp = {
    .name = "amqp",
    .max_body = (size_t)1 << 20,
    .max_messages = 1, /* one that is refused while a later one is taken would come behind it */
    .open = amqp_open,
    .send = amqp_send,
    .cancel = amqp_cancel,
    .close = amqp_close_sink,
};
