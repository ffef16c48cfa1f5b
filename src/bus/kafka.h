/*
 * Producing to Kafka with librdkafka: acknowledged by all replicas (acks=all), idempotent, so that its own retries make
 * no duplicates and keep the order within a partition.
 *
 * librdkafka has threads of its own, one for each broker and two more. They run with every signal blocked, touch nothing
 * of ours, and end with the process; what they have to say comes through a queue whose descriptor is in the loop. Name
 * lookups, TLS and dead brokers hold up only them. Children of ours exec at once, so a fork beside threads is safe as
 * long as nothing is allocated between the two, which src/proc takes care of anyway.
 *
 * librdkafka connects at the first message, reconnects and retries by itself for delivery_timeout_ms; then, or at once
 * where trying again is of no use (password, certificate, topic, size), `done` is told. Nothing else is retried here.
 *
 * Reasons: "broker-denied" (user, password, rights; CLASS_CREDENTIALS), "tls-failed", "unknown-topic",
 * "message-too-large", "broker-refused", "own-address", and, retryable, "name-lookup-failed", "connect-failed", "timed-out",
 * "broker-busy" (disk full, replicas missing, too much at once), "connection-lost".
 */
#ifndef CAISSON_BUS_KAFKA_H
#define CAISSON_BUS_KAFKA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/request.h"
#include "core/buf.h"
#include "net/loop.h"

struct kafka_options {
    const char *brokers;             /* "host:port,host:port" */
    const char *mechanism;           /* "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"; NULL: nobody signs in */
    const char *username, *password; /* with a mechanism */
    bool tls;
    const char *ca_bundle;   /* PEM file; NULL: the system's */
    bool refuse_own;         /* no address of this machine (core/address.h), also of brokers that others name */
    int delivery_timeout_ms; /* 0: 30 s; at least 1 s */
};

struct kafka;
/* Options are copied. */
struct kafka *kafka_new(struct loop *loop, const struct kafka_options *options);
/* Outstanding messages are not told, and not sent any more. Takes at most half a second. NULL is fine. */
void kafka_free(struct kafka *kafka);

/* Drops what was asked for and is not sent yet: nobody is told. Takes as long as kafka_free. */
void kafka_abandon(struct kafka *kafka);

struct kafka_header {
    const char *name, *value;
};

struct kafka_message {
    const char *topic;
    const char *key; /* messages of one key keep their order; NULL: none */
    struct view value;
    const struct kafka_header *headers;
    size_t header_count;
    int64_t wall_ms; /* 0: now */
};
/* Everything is copied. */
void kafka_produce(struct kafka *kafka, const struct kafka_message *message, bus_done *done, void *context);

#endif
