/* What the sinks of brokers share: messages that are asked for one behind the other, and settle as they like. Private to
 * report/. */
#ifndef CAISSON_REPORT_SINK_BUS_H
#define CAISSON_REPORT_SINK_BUS_H

#include "bus/request.h"
#include "report/sink.h"

/* 0: the protocol's own. */
int bus_port(const struct url *url);
/* Borrowed. */
const char *bus_ca_bundle(const struct sink_context *context, const struct sink_settings *settings);

struct bus_batch {
    struct bus_place {
        struct bus_batch *batch;
        size_t index;
    } * places; /* of each request */
    size_t requests, settled;
    size_t first_failed; /* message; `len` where none is */
    size_t len;
    struct error error;
    sink_done *done;
    void *context;
};

/* The two halves of a line of a message's headers: the name is returned, which the caller frees. What HTTP calls ce-id has
 * another prefix in each binding of CloudEvents. */
char *bus_header(const char *line, const char *prefix, const char **value);

/* per_message: requests for each. Until bus_batch_done has been called for all of them the batch is under way. */
void bus_batch_begin(struct bus_batch *batch, size_t len, size_t per_message, sink_done *done, void *context);
/* The context for the request, in the order message by message; the callback is bus_batch_settle. */
void *bus_batch_place(struct bus_batch *batch, size_t request);
void bus_batch_settle(void *place, const struct error *error);
/* Whether something is under way. */
bool bus_batch_waits(const struct bus_batch *batch);
/* Nobody is told; no request of it may settle afterwards. */
void bus_batch_forget(struct bus_batch *batch);

#endif
