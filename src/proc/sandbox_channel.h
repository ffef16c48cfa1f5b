/*
 * One end of the connection between runner and sandbox: packets out of and into messages, over the loop. What cannot be
 * sent yet is queued, up to a ceiling; a peer that says nonsense, passes a descriptor or goes away ends it for ever.
 * Life cycle: new … free, never freed from within its callbacks.
 */
#ifndef CAISSON_PROC_SANDBOX_CHANNEL_H
#define CAISSON_PROC_SANDBOX_CHANNEL_H

#include "net/loop.h"
#include "proc/sandbox_message.h"

enum sandbox_end {
    SANDBOX_OPEN,
    SANDBOX_CLOSED,   /* the other side is gone: nobody holds its end any more, or it was shut down */
    SANDBOX_NONSENSE, /* it said what it cannot mean */
    SANDBOX_CLOGGED,  /* it does not read what we send */
};

struct sandbox_calls {
    void (*message)(void *context, const struct sandbox_message *message);
    void (*ended)(void *context, enum sandbox_end end, const char *why); /* once; `why` is static */
    void (*drained)(void *context);                                      /* all that was queued is sent; may be NULL */
    void *context;
};

struct sandbox_channel;

/* Takes the descriptor and makes it non-blocking. `self` is our side. The loop is borrowed. */
struct sandbox_channel *sandbox_channel_new(struct loop *loop, int fd, enum sandbox_side self,
                                            const struct sandbox_calls *calls);
/* Closes. NULL is fine. */
void sandbox_channel_free(struct sandbox_channel *channel);
/* Sent or queued; silently nothing once it has ended. */
void sandbox_channel_send(struct sandbox_channel *channel, enum sandbox_type type, unsigned flags, uint32_t number,
                          struct view payload);
/* Whether something is queued. */
bool sandbox_channel_is_full(const struct sandbox_channel *channel);
/* Ends it from our side: what a message means is the caller's to judge. From callbacks too. */
void sandbox_channel_refuse(struct sandbox_channel *channel, const char *why);

/* ---- sandbox_socket.c: how the two find each other ---- */

/* Binds and listens at `path`, in place of whatever is there, for root alone. The descriptor, or -1. */
int sandbox_listen(const char *path, struct error *err);
/* One try. The descriptor; -1 and *err when trying again makes no sense; -1 with err->retryable when it may. */
int sandbox_connect(const char *path, struct error *err);
/* A waiting connection of somebody who may command us. The descriptor, -1 when there is none. */
int sandbox_accept(int listener);

#endif
