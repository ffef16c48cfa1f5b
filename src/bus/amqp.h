/*
 * Publishing by AMQP 0-9-1 (www.rabbitmq.com/resources/specs/amqp0-9-1.pdf) with RabbitMQ's publisher confirms
 * (www.rabbitmq.com/docs/confirms), in the loop: net/stream.h carries, rabbitmq-c encodes and decodes. rabbitmq-c's own
 * connections are not used: they block in name lookup, TLS and every call that has an answer, and a thread for them would
 * have to be kept apart from a process that forks.
 *
 * The connection is made at the first message. Every message is persistent and mandatory, and `done` is told when the
 * broker has confirmed it: it is then where it is safe. When the connection or its channel is lost, or no confirmation
 * comes in time, all that are outstanding fail with one error, and the next message connects anew. Nothing is retried here.
 *
 * Reasons: those of a connection (net/http.h), "broker-denied" (user, password, rights; CLASS_CREDENTIALS),
 * "broker-busy" (blocked by an alarm, queue full, going down; retryable), "broker-refused", "no-exchange", "unroutable"
 * (no queue is bound for it), "message-too-large", "bad-response".
 */
#ifndef CAISSON_BUS_AMQP_H
#define CAISSON_BUS_AMQP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/request.h"
#include "core/buf.h"
#include "net/loop.h"

struct amqp_options {
    const char *host;
    int port;                        /* 0: 5671 with TLS, 5672 without */
    const char *virtual_host;        /* NULL: "/" */
    const char *username, *password; /* NULL: "guest", as servers have it on their own machine */
    bool tls;
    const char *ca_bundle;  /* PEM file; NULL: the system's */
    bool refuse_own;        /* no address of this machine (net/stream.h) */
    int connect_timeout_ms; /* 0: 10 s */
    int answer_timeout_ms;  /* without any confirmation; 0: 15 s */
    int heartbeat_s;        /* 0: 30 */
};

struct amqp;
/* Options are copied. */
struct amqp *amqp_new(struct loop *loop, const struct amqp_options *options);
/* At once; outstanding messages are not told. NULL is fine. */
void amqp_free(struct amqp *amqp);

/* Drops the connection and what was asked for: nobody is told. What is published next connects anew. */
void amqp_abandon(struct amqp *amqp);

struct amqp_header {
    const char *name, *value;
};

struct amqp_message {
    const char *exchange;              /* "": the default one, to the queue that routing_key names */
    const char *routing_key;           /* both at most 255 bytes */
    const char *message_id;            /* unique among those that are outstanding; at most 255 bytes */
    const char *content_type, *type;   /* NULL: none */
    const struct amqp_header *headers; /* at most 2 KiB in all */
    size_t header_count;
    int64_t wall_ms; /* 0: none */
    struct view body;
};
/* Everything is copied. */
void amqp_publish(struct amqp *amqp, const struct amqp_message *message, bus_done *done, void *context);

#endif
