/* A hostile server of Redis: from its first byte to the answers to two messages, or what comes over a subscription. No
 * connection is made. */
#include <stdint.h>
#include <stdlib.h>

#include "bus/redis_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct told {
    int count, messages, ended;
};

static void on_done(void *context, const struct error *error)
{
    struct told *told = context;

    told->count++;
    if (error && !error->reason[0])
        abort();
}

static void on_message(void *context, struct view payload)
{
    struct told *told = context;

    told->messages++;
    if (payload.data[payload.len] != '\0')
        abort();
}

static void on_ended(void *context, const struct error *error)
{
    struct told *told = context;

    told->ended++;
    if (!error->reason[0])
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct loop *loop;
    /* the first byte chooses the size of the pieces that come in, and what is asked for */
    bool subscribes = size && data[0] & 0x80;
    size_t piece = size && data[0] & 0x7f ? data[0] & 0x7f : 16384, at = 1;
    struct redis_options options = {.host = "192.0.2.1", .password = "p", .database = 1};
    struct redis *redis;
    struct told told = {0};
    struct redis_subscription subscription = {.message = on_message, .ended = on_ended, .context = &told};

    if (!loop)
        loop = loop_new();
    redis = redis_new(loop, &options);
    if (subscribes) {
        redis_subscribe(redis, "c", &subscription);
    } else {
        redis_publish(redis, "c", view_of("one"), on_done, &told);
        redis_publish(redis, "c", view_of("two"), on_done, &told);
    }
    redis_stream_events.connected(redis);
    while (at < size && told.ended == 0 && told.count < 2) {
        size_t len = size - at < piece ? size - at : piece;

        redis_stream_events.received(redis, (struct view){(const char *)data + at, len});
        at += len;
    }
    if (told.count > 2 || told.ended > 1)
        abort();
    redis_free(redis);
    return 0;
}
