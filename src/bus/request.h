/*
 * What is asked of a broker and not answered yet, in order. For bus/ only.
 *
 * `done` is told once of each, from the loop; it may ask for more, and may free the whole connection.
 */
#ifndef CAISSON_BUS_REQUEST_H
#define CAISSON_BUS_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

/* Whoever has taken more than this within the time for an answer is not silent but slow. Of a silent one the kernel takes
 * that much itself, once. */
#define BUS_TRIFLE 65536

/* error NULL: the broker has it. Else it is told why not, borrowed; where the error is retryable the message may have
 * arrived all the same, and the same one may be sent again. */
typedef void bus_done(void *context, const struct error *error);

struct request {
    struct request *next;
    bus_done *done; /* NULL: nobody wants to know */
    void *context;
    char *data; /* as it goes over the wire; NULL once it is sent */
    size_t len;
    uint64_t tag;  /* the protocol's number of it; 0: it has none yet */
    char *name;    /* what the broker calls it, owned; NULL: nothing */
    bool returned; /* AMQP: no queue wanted it */
};

struct requests {
    struct request *first, *last;
    struct request *settling; /* those that requests_fail is at */
    bool *gone;               /* told when the list is disposed of while `done` runs */
};

/* Takes data (malloc'd). */
struct request *requests_add(struct requests *list, char *data, size_t len, bus_done *done, void *context);
/* The first that is not sent; NULL: none. */
struct request *requests_unsent(const struct requests *list);
/* Frees what was sent, which may be a secret. */
void request_sent(struct request *request);
/* Takes it out and tells it. False: the list is disposed of, touch nothing any more. */
bool requests_settle(struct requests *list, struct request *request, const struct error *error);
/* Takes it out again, telling nobody. */
void requests_withdraw(struct requests *list, struct request *request);
/* Settles all that there are now. */
bool requests_fail(struct requests *list, const struct error *error);
/* Tells nobody. */
void requests_dispose(struct requests *list);

/* What a broker said, at most 300 bytes of it, fit for a message. */
void bus_quote(const char *text, size_t len, char out[304]);

#endif
