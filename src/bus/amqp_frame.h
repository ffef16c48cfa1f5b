/*
 * Frames of AMQP 0-9-1 (specification, 2.3): type, channel, length, payload, 0xCE. What is within them is rabbitmq-c's to
 * encode and decode. For bus/ only.
 */
#ifndef CAISSON_BUS_AMQP_FRAME_H
#define CAISSON_BUS_AMQP_FRAME_H

#include <rabbitmq-c/amqp.h>
#include <stdint.h>

#include "core/buf.h"

/* Before a size is agreed on, and after. */
#define AMQP_FRAME_EARLY 16384u
#define AMQP_FRAME_MAX 131072u

struct amqp_frame {
    uint8_t type;
    uint16_t channel;
    struct view payload; /* borrowed from the input */
};

/* The frame at the front of `input`. Returns its length on the wire, 0 when it is not whole yet, -1 when it is no frame
 * or larger than max. */
long amqp_frame_read(struct view input, size_t max, struct amqp_frame *frame);
void amqp_frame_add(struct buf *out, uint8_t type, uint16_t channel, struct view payload);
/* -1: a field is longer than the protocol has room for. */
int amqp_method_add(struct buf *out, uint16_t channel, amqp_method_number_t method, void *fields);
/* The header and the body of a message. -1 as above. */
int amqp_content_add(struct buf *out, uint16_t channel, amqp_basic_properties_t *properties, struct view body);
/* The method of a frame, its fields from the pool. -1: malformed. */
int amqp_method_read(struct view payload, amqp_pool_t *pool, amqp_method_number_t *method, void **fields);
/* The properties of a content header. NULL: malformed. */
amqp_basic_properties_t *amqp_properties_read(struct view payload, amqp_pool_t *pool);

#endif
