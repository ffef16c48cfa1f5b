/* Lines that wait to become one event. Private to report/. */
#ifndef CAISSON_REPORT_LINE_BATCH_H
#define CAISSON_REPORT_LINE_BATCH_H

#include "core/buf.h"
#include "report/event.h"

struct line_batch {
    struct event_line
        *lines; /* their texts are set by line_batch_event: until then they lie in `text`, one behind the other */
    size_t len, cap;
    struct buf text;
    size_t cost, max; /* bytes that they take as JSON, about, and how many they may */
    int64_t since_ms; /* monotonic: of the first line */
};
void line_batch_init(struct line_batch *batch, size_t max);
void line_batch_dispose(struct line_batch *batch);
/* Whether records of the kind are lines of the log that others are told. */
bool line_batch_takes(enum record_kind kind);
/* Adds lines of these sequences from there on, as many as fit. False: there are none any more. What did not fit is read
 * again by the next call. */
bool line_batch_read(struct line_batch *batch, struct spool_cursor *cursor, uint64_t first, uint64_t last);
/* Copies it. False, and nothing changed, when it has to wait for the next batch; a batch takes one line at least. */
bool line_batch_add(struct line_batch *batch, const struct record *record);
/* The event of all its lines; its texts are borrowed from the batch until line_batch_reset. */
void line_batch_event(struct line_batch *batch, struct event *event);
/* The sequence of its last line; 0: it has none. */
uint64_t line_batch_last(const struct line_batch *batch);
void line_batch_reset(struct line_batch *batch);

#endif
