/*
 * Redis (RESP2, redis.io/docs/latest/develop/reference/protocol-spec) in the loop: net/stream.h carries, hiredis parses.
 *
 * The connection is made at the first request. Requests are sent one behind the other without waiting and answered in
 * order. When the connection is lost, or an answer does not come in time, all that are outstanding fail with one
 * retryable error, and the next request connects anew. Nothing is retried here, and nothing is bounded but single
 * requests: the caller asks for as much at once as it wants to have in memory.
 *
 * Reasons: those of a connection (net/http.h: "name-lookup-failed", "connect-failed", "timed-out", "tls-failed",
 * "connection-lost", "own-address"), "broker-denied" (user, password, rights; class CLASS_CREDENTIALS),
 * "broker-busy" (loading, read-only, out of memory or disk; retryable), "broker-refused", "bad-response",
 * "message-too-large".
 */
#ifndef CAISSON_BUS_REDIS_H
#define CAISSON_BUS_REDIS_H

#include <stdbool.h>
#include <stddef.h>

#include "bus/request.h"
#include "core/buf.h"
#include "net/loop.h"

struct redis_options {
    const char *host;
    int port;                        /* 0: 6379 */
    const char *username, *password; /* NULL: none; a password alone is the default user's */
    int database;                    /* 0: the first, not selected */
    bool tls;
    const char *ca_bundle;  /* PEM file; NULL: the system's */
    bool refuse_own;        /* no address of this machine (net/stream.h) */
    int connect_timeout_ms; /* 0: 10 s */
    int answer_timeout_ms;  /* without any answer; 0: 15 s */
};

struct redis;
/* Options are copied. */
struct redis *redis_new(struct loop *loop, const struct redis_options *options);
/* At once; outstanding requests are not told. NULL is fine. */
void redis_free(struct redis *redis);

/* Drops the connection and what was asked for: nobody is told. What is asked for next connects anew. Not of one that
 * listens. */
void redis_abandon(struct redis *redis);

/* The payload is copied. Success says that Redis has passed it on, to however many listen. */
void redis_publish(struct redis *redis, const char *channel, struct view payload, bus_done *done, void *context);

struct redis_field {
    const char *name;
    struct view value;
};
/* Appends an entry; about max_entries stay in the stream (0: all). */
void redis_xadd(struct redis *redis, const char *stream, const struct redis_field *fields, size_t count,
                long max_entries, bus_done *done, void *context);

struct redis_subscription {
    void (*begun)(void *context); /* nothing that is published from now on is missed; NULL: nobody asks */
    void (*message)(void *context, struct view payload);
    /* Once: it is over, or never came about. Subscribe again if you like, after a while. */
    void (*ended)(void *context, const struct error *error);
    void *context;
};
/* From now on this connection listens to one channel and does nothing else: a redis of its own. Messages are at most
 * 256 KiB. */
void redis_subscribe(struct redis *redis, const char *channel, const struct redis_subscription *subscription);

#endif
