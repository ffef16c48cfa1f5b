/*
 * A connection of bytes to a host and port, plain or TLS, in the loop. curl makes it (CURLOPT_CONNECT_ONLY): names are
 * looked up without blocking, all addresses are tried, certificates are checked, and all of it is over in time; what is
 * said over it is the caller's protocol. No proxy, no environment.
 *
 * Life cycle: stream_open … connected? … received* … ended, stream_close. Callbacks run from the loop, never from
 * stream_open, stream_send or stream_close, and may close the stream or free what owns it.
 */
#ifndef CAISSON_NET_STREAM_H
#define CAISSON_NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/error.h"
#include "net/loop.h"

struct stream_options {
    const char *what; /* first word of messages: "redis" */
    const char *host; /* a name or an address, as URLs have it or bare */
    int port;
    bool tls;               /* 1.2 or newer; the certificate must be valid for the host */
    const char *ca_bundle;  /* PEM file; NULL: the system's */
    bool refuse_own;        /* never to an address of this machine (address_is_own), whatever the name says: an error
                             * (reason "own-address") */
    int connect_timeout_ms; /* name, TCP and TLS together; 0: 10 s */
    size_t max_unsent;      /* bytes; 0: 4 MiB */
};

struct stream_events {
    void (*connected)(void *context);
    /* Borrowed until it returns. */
    void (*received)(void *context, struct view bytes);
    /* Once, and nothing after it: there was no connection, or it is over. Reasons as those of net/http.h, class
     * CLASS_PLATFORM. stream_close is still the caller's. */
    void (*ended)(void *context, const struct error *error);
};

struct stream;
/* The strings of the options are copied, events and context are borrowed until stream_close. */
struct stream *stream_open(struct loop *loop, const struct stream_options *options, const struct stream_events *events,
                           void *context);
/* Queues bytes, before it is connected too. -1: there are more than max_unsent, and nothing of these was taken. */
int stream_send(struct stream *stream, const void *data, size_t len);
size_t stream_unsent(const struct stream *stream);
/* Bytes that have gone out so far: while they become more, the other side is not silent but slow. */
uint64_t stream_written(const struct stream *stream);
/* At once, without a word to the other side. NULL is fine. */
void stream_close(struct stream *stream);

#endif
