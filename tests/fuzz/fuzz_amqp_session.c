/* A hostile broker of AMQP: from its first byte to the confirmations of two messages. No connection is made. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bus/amqp_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct told {
    int count;
    struct amqp *amqp;
};

static void on_done(void *context, const struct error *error)
{
    struct told *told = context;

    told->count++;
    if (error && (!error->reason[0] || strlen(error->message) >= sizeof error->message))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct loop *loop;
    /* the first byte chooses the size of the pieces that come in */
    size_t piece = size && data[0] ? data[0] : 16384, at = 1;
    struct amqp_options options = {.host = "192.0.2.1", .port = 5672};
    struct amqp_message message = {
        .exchange = "e", .routing_key = "k", .message_id = "m1", .content_type = "t", .body = view_of("body")};
    struct told told = {0};
    struct amqp *amqp;

    if (!loop)
        loop = loop_new();
    amqp = amqp_new(loop, &options);
    amqp_publish(amqp, &message, on_done, &told);
    message.message_id = "m2";
    amqp_publish(amqp, &message, on_done, &told);
    amqp_stream_events.connected(amqp);
    while (at < size && amqp->state != AMQP_CLOSED) {
        size_t len = size - at < piece ? size - at : piece;

        amqp_stream_events.received(amqp, (struct view){(const char *)data + at, len});
        at += len;
        /* what is told fails at the end of the connection, or is confirmed: never twice */
        if (told.count > 2)
            abort();
    }
    if (amqp->state == AMQP_CLOSED && told.count != 2)
        abort();
    amqp_free(amqp);
    return 0;
}
