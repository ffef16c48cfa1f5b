/*
 * A real broker of the test's own: Redis, RabbitMQ or Kafka, by tests/unit/support/broker.py, which says what orders it
 * takes. It is on 127.0.0.1, with TLS as "localhost", and ends with the test, whatever becomes of that.
 */
#ifndef CAISSON_TESTS_BROKER_H
#define CAISSON_TESTS_BROKER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

struct broker {
    pid_t pid;
    FILE *orders, *answers;
    char *folder;
    int port, tls_port;
    char *user, *password, *ca; /* ca: a file */
    char *place;                /* the virtual host of RabbitMQ */
};

/* kind: "redis", "redis-open" (no password wanted), "rabbitmq", "kafka" (its port plain, tls_port SASL). False when it
 * cannot be had here: say so and skip. */
bool broker_start(struct broker *broker, const char *kind);
/* An order and its answer, a new reference; aborts where the order fails. */
json_t *broker_ask(struct broker *broker, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same without an answer. */
void broker_tell(struct broker *broker, const char *format, ...) __attribute__((format(printf, 2, 3)));
void broker_stop(struct broker *broker);

#endif
