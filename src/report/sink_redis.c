/* Redis: PUBLISH to a channel, XADD to a stream, or both. In a stream about as many entries stay as below. */
#include <stdlib.h>
#include <string.h>

#include "bus/redis.h"
#include "core/mem.h"
#include "report/sink_bus.h"

#define STREAM_MAX 10000

struct sink {
    struct loop *loop;
    struct redis_options options;
    char *host, *username, *password, *ca_bundle, *channel, *stream;
    struct redis *redis;
    struct bus_batch batch;
};

static void redis_close_sink(struct sink *sink)
{
    redis_free(sink->redis);
    bus_batch_forget(&sink->batch);
    free(sink->host);
    free(sink->username);
    secret_free(sink->password);
    free(sink->ca_bundle);
    free(sink->channel);
    free(sink->stream);
    free(sink);
}

static int redis_open(struct sink **out, const struct sink_context *context, const struct sink_settings *settings,
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
    sink->username = xstrdup(settings->username);
    sink->password = settings->password ? secret_dup(settings->password) : NULL;
    sink->ca_bundle = xstrdup(settings->ca_bundle ? settings->ca_bundle : http_client_ca_bundle(context->client));
    sink->channel = xstrdup(settings->channel);
    sink->stream = xstrdup(settings->stream);
    sink->options =
        (struct redis_options){.host = sink->host,
                               .port = url.port ? (int)strtol(url.port, NULL, 10) : 0,
                               .username = sink->username,
                               .password = sink->password,
                               .database = url.path && url.path[0] ? (int)strtol(url.path + 1, NULL, 10) : 0,
                               .tls = strcmp(url.scheme, "rediss") == 0,
                               .ca_bundle = sink->ca_bundle};
    url_dispose(&url);
    *out = sink;
    return 0;
}

static void redis_send(struct sink *sink, const struct message *messages, size_t len, sink_done *done, void *context)
{
    size_t each = (messages->to || sink->channel ? 1 : 0) + (sink->stream ? 1 : 0);
    size_t request = 0, i;

    if (!sink->redis)
        sink->redis = redis_new(sink->loop, &sink->options);
    bus_batch_begin(&sink->batch, len, each, done, context);
    for (i = 0; i < len; i++) {
        const struct message *message = &messages[i];
        const struct view body = {message->body, message->body_len};
        const struct redis_field fields[] = {{"id", view_of(message->id)}, {"event", body}};
        const char *channel = message->to ? message->to : sink->channel;

        if (channel)
            redis_publish(sink->redis, channel, body, bus_batch_settle, bus_batch_place(&sink->batch, request++));
        if (sink->stream)
            redis_xadd(sink->redis, sink->stream, fields, ARRAY_LEN(fields), STREAM_MAX, bus_batch_settle,
                       bus_batch_place(&sink->batch, request++));
    }
}

static void redis_cancel(struct sink *sink)
{
    if (!bus_batch_waits(&sink->batch))
        return;
    redis_free(sink->redis);
    sink->redis = NULL;
    bus_batch_forget(&sink->batch);
}

const struct sink_type sink_redis = {
    .name = "redis",
    .max_body = (size_t)1 << 20,
    .max_messages = 200,
    .open = redis_open,
    .send = redis_send,
    .cancel = redis_cancel,
    .close = redis_close_sink,
};
