#include "proc/sandbox_message.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "proc/sandbox_fields.h"

static const char magic[8] = {'c', 'a', 'i', 's', 's', 'o', 'n', '\n'};

#define HELLO_SIZE (sizeof magic + 8)
#define EXIT_SIZE 88

/* What of each type may be. A HELLO may be longer in a later version. */
static const struct {
    enum sandbox_type type;
    bool from_runner, from_build;
    bool of_command; /* has a number */
    unsigned flags;
    size_t min, max;
} rules[] = {
    {SANDBOX_HELLO, true, true, false, 0, HELLO_SIZE, 1024},
    {SANDBOX_COMMAND, true, false, true, SANDBOX_LAST | SANDBOX_ONE_STREAM, 1, SANDBOX_PAYLOAD_MAX},
    {SANDBOX_CANCEL, true, false, true, 0, 4, 4},
    {SANDBOX_KILL, true, false, true, 0, 0, 0},
    {SANDBOX_PING, true, false, false, 0, 0, 0},
    {SANDBOX_FINISH, true, false, false, 0, 0, 0},
    {SANDBOX_OUTPUT, false, true, true, SANDBOX_STDERR, 1, SANDBOX_PAYLOAD_MAX},
    {SANDBOX_EXIT, false, true, true, 0, EXIT_SIZE, EXIT_SIZE},
    {SANDBOX_FAILED, false, true, true, 0, 1, 8192},
    {SANDBOX_PONG, false, true, false, 0, 0, 0},
    {SANDBOX_REAPED, false, true, false, 0, 4, 4},
};

const char *sandbox_message_decode(struct view packet, enum sandbox_side from, struct sandbox_message *message)
{
    struct fields fields = fields_of(packet);
    unsigned type = get_byte(&fields), flags = get_byte(&fields), low = get_byte(&fields), high = get_byte(&fields);
    uint32_t number = get_u32(&fields);
    size_t i;

    if (fields.bad)
        return "a packet without a header";
    for (i = 0; i < ARRAY_LEN(rules); i++)
        if (rules[i].type == (enum sandbox_type)type)
            break;
    if (i == ARRAY_LEN(rules) || !(from == SANDBOX_RUNNER ? rules[i].from_runner : rules[i].from_build))
        return "a message of a type that is not its to send";
    if ((flags & ~rules[i].flags) || low || high)
        return "unknown flags";
    if ((number != 0) != rules[i].of_command)
        return "a wrong command number";
    if (fields.left < rules[i].min || fields.left > rules[i].max)
        return "a message of an impossible length";
    *message = (struct sandbox_message){
        .type = rules[i].type, .flags = flags, .number = number, .payload = {fields.at, fields.left}};
    return NULL;
}

void sandbox_message_encode(const struct sandbox_message *message, struct buf *packet)
{
    put_byte(packet, (unsigned)message->type);
    put_byte(packet, message->flags);
    put_byte(packet, 0);
    put_byte(packet, 0);
    put_u32(packet, message->number);
    buf_add(packet, message->payload.data, message->payload.len);
}

const char *sandbox_hello_decode(struct view payload, struct sandbox_hello *hello)
{
    struct fields fields = fields_of(payload);
    struct view first = get_bytes(&fields, sizeof magic);

    hello->version = get_u32(&fields);
    hello->build_uid = get_u32(&fields);
    if (fields.bad || memcmp(first.data, magic, sizeof magic) != 0)
        return "a greeting that is not caisson's";
    return NULL;
}

void sandbox_hello_encode(const struct sandbox_hello *hello, struct buf *out)
{
    buf_add(out, magic, sizeof magic);
    put_u32(out, hello->version);
    put_u32(out, hello->build_uid);
}

const char *sandbox_number_decode(struct view payload, uint32_t *number)
{
    struct fields fields = fields_of(payload);

    *number = get_u32(&fields);
    return fields_end(&fields) ? NULL : "a number of another size";
}

void sandbox_number_encode(uint32_t number, struct buf *out)
{
    put_u32(out, number);
}
