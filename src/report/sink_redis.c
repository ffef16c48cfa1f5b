/* Redis: PUBLISH to a channel, XADD to a stream, or both. In a stream about as many entries stay as below; what a server
 * without room refuses there while it takes a later one would come behind that, so they go one after the other. */
#include <stdlib.h>
#include <string.h>

#include "bus/redis.h"
#include "core/mem.h"
#include "report/sink_bus.h"

#define STREAM_MAX 10000

struct sink {
    struct redis *redis;
    char *channel, *stream;
    struct bus_batch batch;
};

static int redis_open(struct sink **out, const struct sink_context *context, const struct sink_settings *settings,
                      struct error *err)
{
    struct redis_options options;
    struct sink *sink;
    struct url url;

    if (url_parse(settings->target, &url, err)) {
        err->class = CLASS_SPEC_INVALID;
        return -1;
    }
    options = (struct redis_options){.host = url.host,
                                     .port = bus_port(&url),
                                     .username = settings->username,
                                     .password = settings->password,
                                     .database = url.path && url.path[0] ? (int)strtol(url.path + 1, NULL, 10) : 0,
                                     .tls = strcmp(url.scheme, "rediss") == 0,
                                     .ca_bundle = bus_ca_bundle(context, settings),
                                     .refuse_own = !settings->plain};
    sink = xcalloc(1, sizeof *sink);
    sink->redis = redis_new(context->loop, &options);
    sink->channel = xstrdup(settings->channel);
    sink->stream = xstrdup(settings->stream);
    url_dispose(&url);
    *out = sink;
    return 0;
}

static void redis_send(struct sink *sink, const struct message *messages, size_t len, sink_done *done, void *context)
{
    size_t each = (sink->channel ? 1 : 0) + (sink->stream ? 1 : 0), request = 0, i;

    if (sink->stream)
        len = 1;
    bus_batch_begin(&sink->batch, len, each, done, context);
    for (i = 0; i < len; i++) {
        const struct message *message = &messages[i];
        const struct view body = {message->body, message->body_len};
        const struct redis_field fields[] = {{"id", view_of(message->id)}, {"event", body}};

        if (sink->channel)
            redis_publish(sink->redis, sink->channel, body, bus_batch_settle, bus_batch_place(&sink->batch, request++));
        if (sink->stream)
            redis_xadd(sink->redis, sink->stream, fields, ARRAY_LEN(fields), STREAM_MAX, bus_batch_settle,
                       bus_batch_place(&sink->batch, request++));
    }
}

static void redis_cancel(struct sink *sink)
{
    if (bus_batch_waits(&sink->batch))
        redis_abandon(sink->redis);
    bus_batch_forget(&sink->batch);
}

static void redis_close_sink(struct sink *sink)
{
    redis_free(sink->redis);
    bus_batch_forget(&sink->batch);
    free(sink->channel);
    free(sink->stream);
    free(sink);
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
