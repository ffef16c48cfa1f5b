/*
 * A sink carries messages to one place. Each type is one file (report/sink_*.c) and one word in report/sinks.c. What is
 * common to all stands in the queue before it (report/queue.h): cursor, batches, retries, order, the end.
 *
 * To add one: write sink_NAME.c with a `const struct sink_type`, declare it in sinks.c and put it into the table there; its
 * keys go into spec/table_notify.c. A type never blocks, never retries, never logs and keeps no queue.
 */
#ifndef CAISSON_REPORT_SINK_H
#define CAISSON_REPORT_SINK_H

#include <stdbool.h>
#include <stddef.h>

#include "aws/credentials.h"
#include "net/http.h"
#include "report/format.h"

/* What a sink is told: values, not where they come from. All borrowed, and outlive the sink. */
struct sink_settings {
    const char *type;   /* "http", "sns", "sqs", "eventbridge", "redis", "amqp", "kafka", "github", "file",
                         * "cloudwatch_logs" */
    const char *target; /* URL, ARN, name of a bus, broker list, path, log group, "owner/name" */
    const char *username, *password, *token, *api_key, *secret; /* NULL: none */
    const char *channel, *stream;                               /* redis; stream also of cloudwatch_logs */
    const char *exchange, *routing_key;                         /* amqp */
    const char *topic, *key, *sasl; /* kafka; sasl "plain", "scram-sha-256", "scram-sha-512" */
    const char *context, *link;     /* github: name of the status, its target_url */
    const char *commit; /* github: of the job, once it is known: points to a buffer that is empty until then */
    const struct strings *headers; /* http: "Name: value" more */
    const char *ca_bundle;         /* PEM file for this sink alone; NULL: the client's */
    bool plain;                    /* the operator allows brokers without TLS and authentication */
    bool private_http;             /* the operator allows http:// and private addresses */
};

/* What all sinks of a job share; borrowed. */
struct sink_context {
    struct loop *loop;
    struct http_client *client;
    struct credentials_provider *credentials;
    const char *region; /* NULL: not known */
    const char *sns_endpoint, *sqs_endpoint, *events_endpoint, *logs_endpoint,
        *github_endpoint; /* NULL: the real ones */
};

/* `delivered`: so many of the first messages have certainly arrived. error NULL: nothing is wrong; what is left, if
 * something is, comes again. Where the error is retryable, or of CLASS_CREDENTIALS (no access yet), the rest comes again
 * too; else the message at `delivered` alone is refused for ever, and what follows may be sent. Called from the loop, never
 * from send. */
typedef void sink_done(void *context, size_t delivered, const struct error *error);

struct sink; /* of the type; each file has its own */

struct sink_type {
    const char *name;
    size_t max_body;     /* bytes of one message's body */
    size_t max_messages; /* at once; 1: one after the other */
    bool line_wise;      /* see struct format_options */
    /* Looks at the settings only: nothing is connected before the first message. CLASS_SPEC_INVALID where they cannot be,
     * with what to do; e.g. plain brokers without the operator's word (reason "plain-broker"). */
    int (*open)(struct sink **sink, const struct sink_context *context, const struct sink_settings *settings,
                struct error *err);
    /* Messages stay borrowed until done or cancel. One send at a time. */
    void (*send)(struct sink *sink, const struct message *messages, size_t len, sink_done *done, void *done_context);
    /* Gives up what is under way, done is not called. Nothing under way is fine. */
    void (*cancel)(struct sink *sink);
    /* Bounded: what is under way is given up. */
    void (*close)(struct sink *sink);
};

/* The table; NULL past the last. */
const struct sink_type *sink_type_at(size_t index);
/* NULL: no such type in this program. */
const struct sink_type *sink_type_find(const char *name);

#endif
