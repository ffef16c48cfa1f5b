/* A packet between runner and sandbox, and the payloads in it: what is taken is what would be written again. The first
 * byte says who sends it. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proc/sandbox_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_same(const struct buf *written, struct view read)
{
    if (written->len != read.len || memcmp(buf_text(written), read.data, read.len) != 0)
        abort();
}

static void try_command(struct view payload)
{
    struct sandbox_command command;
    struct buf out;

    if (sandbox_command_decode(payload, &command))
        return;
    buf_init(&out, SANDBOX_COMMAND_MAX);
    if (sandbox_command_encode(&command.command, &out))
        abort();
    must_be_same(&out, payload);
    buf_dispose(&out);
    sandbox_command_dispose(&command);
}

static void try_exit(struct view payload)
{
    struct outcome outcome, again;
    struct buf out;
    const char *at;

    if (sandbox_exit_decode(payload, &outcome))
        return;
    if (outcome.exit_code < 0 || outcome.signal < 0 || outcome.duration_ms < 0 || outcome.left_over < 0)
        abort();
    for (at = outcome.memory.biggest_name; *at; at++)
        if (*at <= ' ' || *at >= 0x7f)
            abort();
    buf_init(&out, 128);
    sandbox_exit_encode(&outcome, &out);
    if (sandbox_exit_decode((struct view){out.data, out.len}, &again) || outcome.kind != again.kind ||
        outcome.memory.peak_bytes != again.memory.peak_bytes)
        abort();
    buf_dispose(&out);
}

static void try_failed(struct view payload)
{
    struct error error;
    size_t i;

    if (sandbox_failed_decode(payload, &error))
        return;
    if (error.class != CLASS_INTERNAL || !error.reason[0])
        abort();
    for (i = 0; error.message[i]; i++)
        if ((unsigned char)error.message[i] < ' ')
            abort();
}

static void try_payload(const struct sandbox_message *message)
{
    struct sandbox_hello hello;
    uint32_t number;

    switch (message->type) {
    case SANDBOX_HELLO: sandbox_hello_decode(message->payload, &hello); break;
    case SANDBOX_COMMAND: try_command(message->payload); break;
    case SANDBOX_EXIT: try_exit(message->payload); break;
    case SANDBOX_FAILED: try_failed(message->payload); break;
    case SANDBOX_CANCEL:
    case SANDBOX_REAPED:
        if (sandbox_number_decode(message->payload, &number))
            abort();
        break;
    default: break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sandbox_message message;
    struct view packet;
    struct buf out;

    if (size == 0)
        return 0;
    packet = (struct view){(const char *)data + 1, size - 1};
    if (sandbox_message_decode(packet, data[0] & 1 ? SANDBOX_BUILD : SANDBOX_RUNNER, &message))
        return 0;
    if (message.payload.len > SANDBOX_PAYLOAD_MAX)
        abort();
    buf_init(&out, SANDBOX_PACKET_MAX);
    sandbox_message_encode(&message, &out);
    must_be_same(&out, packet);
    buf_dispose(&out);
    try_payload(&message);
    return 0;
}
