#include "bus/amqp_frame.h"

#include <string.h>

#include "core/mem.h"

#define FRAME_HEAD 7
#define FRAME_END 0xCE
#define CLASS_BASIC 60
/* A body in pieces that every broker takes: 4096 is the least that may be agreed on. */
#define BODY_BYTES (4096 - 8)
/* Of a method or a content header: what the longest of ours may need. */
#define METHOD_BYTES 16384

static uint32_t number(const char *at, int bytes)
{
    uint32_t value = 0;

    while (bytes-- > 0)
        value = value << 8 | (unsigned char)*at++;
    return value;
}

static void put(char *at, uint64_t value, int bytes)
{
    while (bytes-- > 0) {
        at[bytes] = (char)(value & 0xff);
        value >>= 8;
    }
}

long amqp_frame_read(struct view input, size_t max, struct amqp_frame *frame)
{
    size_t len;

    if (input.len < FRAME_HEAD)
        return 0;
    len = number(input.data + 3, 4);
    if (len + FRAME_HEAD + 1 > max)
        return -1;
    if (input.len < FRAME_HEAD + len + 1)
        return 0;
    if ((unsigned char)input.data[FRAME_HEAD + len] != FRAME_END)
        return -1;
    frame->type = (uint8_t)input.data[0];
    frame->channel = (uint16_t)number(input.data + 1, 2);
    frame->payload = (struct view){input.data + FRAME_HEAD, len};
    return (long)(FRAME_HEAD + len + 1);
}

void amqp_frame_add(struct buf *out, uint8_t type, uint16_t channel, struct view payload)
{
    char head[FRAME_HEAD];

    put(head, type, 1);
    put(head + 1, channel, 2);
    put(head + 3, payload.len, 4);
    buf_add(out, head, sizeof head);
    buf_add(out, payload.data, payload.len);
    buf_addc(out, (char)FRAME_END);
}

int amqp_method_add(struct buf *out, uint16_t channel, amqp_method_number_t method, void *fields)
{
    char payload[METHOD_BYTES];
    int len = amqp_encode_method(method, fields, (amqp_bytes_t){sizeof payload - 4, payload + 4});

    if (len < 0)
        return -1;
    put(payload, method, 4);
    amqp_frame_add(out, AMQP_FRAME_METHOD, channel, (struct view){payload, (size_t)len + 4});
    wipe(payload, sizeof payload); /* one of them holds a password */
    return 0;
}

int amqp_content_add(struct buf *out, uint16_t channel, amqp_basic_properties_t *properties, struct view body)
{
    char payload[METHOD_BYTES];
    int len = amqp_encode_properties(CLASS_BASIC, properties, (amqp_bytes_t){sizeof payload - 12, payload + 12});

    /* the header must fit into the smallest frame as well, which our users' limits see to */
    if (len < 0)
        return -1;
    put(payload, CLASS_BASIC, 2);
    put(payload + 2, 0, 2);
    put(payload + 4, body.len, 8);
    amqp_frame_add(out, AMQP_FRAME_HEADER, channel, (struct view){payload, (size_t)len + 12});
    while (body.len) {
        struct view piece = {body.data, body.len < BODY_BYTES ? body.len : BODY_BYTES};

        amqp_frame_add(out, AMQP_FRAME_BODY, channel, piece);
        body.data += piece.len;
        body.len -= piece.len;
    }
    return 0;
}

int amqp_method_read(struct view payload, amqp_pool_t *pool, amqp_method_number_t *method, void **fields)
{
    if (payload.len < 4)
        return -1;
    *method = number(payload.data, 4);
    return amqp_decode_method(*method, pool, (amqp_bytes_t){payload.len - 4, (char *)payload.data + 4}, fields) ? -1
                                                                                                                : 0;
}

amqp_basic_properties_t *amqp_properties_read(struct view payload, amqp_pool_t *pool)
{
    void *properties = NULL;

    if (payload.len < 12 || number(payload.data, 2) != CLASS_BASIC ||
        amqp_decode_properties(CLASS_BASIC, pool, (amqp_bytes_t){payload.len - 12, (char *)payload.data + 12},
                               &properties))
        return NULL;
    return properties;
}
