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
    struct loop *loop;
    struct amqp_options options;
    char *host, *virtual_host, *username, *password, *ca_bundle, *exchange, *routing_key;
    struct amqp *amqp;
    struct bus_batch batch;
};

static void amqp_close_sink(struct sink *sink)
{
    amqp_free(sink->amqp);
    bus_batch_forget(&sink->batch);
    free(sink->host);
    free(sink->virtual_host);
    free(sink->username);
    secret_free(sink->password);
    free(sink->ca_bundle);
    free(sink->exchange);
    free(sink->routing_key);
    free(sink);
}

static int amqp_open(struct sink **out, const struct sink_context *context, const struct sink_settings *settings,
                     struct error *err)
{
    struct sink *sink;
    struct url url;

    if (url_parse(settings->target, &url, err)) {
        err->class = CLASS_SPEC_INVALID;
        return -1;
    }
    sink = xcalloc(1, sizeof *sink);
    sink->loop = context->loop;
    sink->host = xstrdup(url.host);
    /* https://www.rabbitmq.com/docs/uri-spec: no path is the default one, "/" alone is the one with the empty name */
    sink->virtual_host = url.path && url.path[0] && url.path[1] ? url_decode(url.path + 1) : NULL;
    sink->username = xstrdup(settings->username);
    sink->password = settings->password ? secret_dup(settings->password) : NULL;
    sink->ca_bundle = xstrdup(settings->ca_bundle ? settings->ca_bundle : http_client_ca_bundle(context->client));
    sink->exchange = xstrdup(settings->exchange ? settings->exchange : "");
    sink->routing_key = xstrdup(settings->routing_key ? settings->routing_key : "");
    sink->options = (struct amqp_options){.host = sink->host,
                                          .port = url.port ? (int)strtol(url.port, NULL, 10) : 0,
                                          .virtual_host = sink->virtual_host,
                                          .username = sink->username,
                                          .password = sink->password,
                                          .tls = strcmp(url.scheme, "amqps") == 0,
                                          .ca_bundle = sink->ca_bundle};
    url_dispose(&url);
    *out = sink;
    return 0;
}

static void publish(struct sink *sink, const struct message *message, void *place)
{
    struct amqp_header headers[HEADERS_MAX];
    struct amqp_message published = {.exchange = message->to ? message->to : sink->exchange,
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
        const char *line = message->headers.items[i];
        size_t len = strcspn(line, ":");

        strings_take(&names, bus_header_name(line, PREFIX));
        line += len;
        headers[published.header_count++] = (struct amqp_header){names.items[i], line + strspn(line, ": ")};
    }
    amqp_publish(sink->amqp, &published, bus_batch_settle, place);
    strings_dispose(&names);
}

static void amqp_send(struct sink *sink, const struct message *messages, size_t len, sink_done *done, void *context)
{
    size_t i;

    if (!sink->amqp)
        sink->amqp = amqp_new(sink->loop, &sink->options);
    bus_batch_begin(&sink->batch, len, 1, done, context);
    for (i = 0; i < len; i++)
        publish(sink, &messages[i], bus_batch_place(&sink->batch, i));
}

static void amqp_cancel(struct sink *sink)
{
    if (!bus_batch_waits(&sink->batch))
        return;
    amqp_free(sink->amqp);
    sink->amqp = NULL;
    bus_batch_forget(&sink->batch);
}

const struct sink_type sink_amqp = {
    .name = "amqp",
    .max_body = (size_t)1 << 20,
    .max_messages = 200,
    .open = amqp_open,
    .send = amqp_send,
    .cancel = amqp_cancel,
    .close = amqp_close_sink,
};
