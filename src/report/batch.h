/* Lines that wait to become one event. Private to report/. */
#ifndef CAISSON_REPORT_BATCH_H
#define CAISSON_REPORT_BATCH_H

#include "core/buf.h"
#include "report/event.h"

struct batch {
    struct event_line
        *lines; /* their texts are set by batch_event: until then they lie in `text`, one behind the other */
    size_t len, cap;
    struct buf text;
    size_t cost, max; /* bytes that they take as JSON, about, and how many they may */
    int64_t since_ms; /* monotonic: of the first line */
};
void batch_init(struct batch *batch, size_t max);
void batch_dispose(struct batch *batch);
/* Copies it. False, and nothing changed, when it has to wait for the next batch; a batch takes one line at least. */
bool batch_add(struct batch *batch, const struct record *record);
/* The event of all its lines; its texts are borrowed from the batch until batch_reset. */
void batch_event(struct batch *batch, struct event *event);
void batch_reset(struct batch *batch);

#endif
