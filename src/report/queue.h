/*
 * What stands before each sink: a cursor in the spool, at most one batch of messages, and patience. Records become
 * events, events become messages in the sink's format, messages are sent in order, again until they are taken. So a slow
 * or dead sink costs its cursor and one batch, whatever the length of the log; what the spool still has is not lost, and
 * what it has lost is said as a gap by the spool itself.
 *
 * Denied or untrusted, it is tried again while the job runs, for somebody may mend it, and once at the end.
 *
 * Lines that are too large together are read again and sent in parts. A message that a sink refuses for ever (one line
 * that is too large, a 400) is left out, counted by its lines, and warned of in the log.
 */
#ifndef CAISSON_REPORT_QUEUE_H
#define CAISSON_REPORT_QUEUE_H

#include "core/log.h"
#include "report/sink.h"

#define QUEUE_BATCH_MAX ((size_t)64 << 10) /* bytes of log text in one event */
#define QUEUE_LINGER_MS 1000               /* so long lines are gathered, unless something more telling comes */

struct queue_options {
    struct loop *loop;
    struct spool *spool;
    struct log *log; /* warnings about the sink go here */
    const struct event_job *job;
    const struct sink_type *type;
    struct sink *sink; /* taken: closed by queue_free */
    const struct event_format *format;
    bool binary;
    unsigned kinds;   /* EVENT_BITs that are wanted */
    const char *name; /* for messages: "http https://hooks.example.com"; copied */
};

struct queue;
struct queue *queue_new(const struct queue_options *options);
void queue_free(struct queue *queue);
/* New records are there. */
void queue_wake(struct queue *queue);
/* The job is over: what is left is sent, then `finished`. `result` is borrowed until queue_free. */
void queue_finish(struct queue *queue, const json_t *result);
/* After queue_finish: lines that still wait are left out, said in a gap, so that the end is told in time. Once is enough. */
void queue_skip(struct queue *queue);
/* Monotonic: when the sink last took something; since queue_finish at least. */
int64_t queue_heard_ms(const struct queue *queue);
/* Whether all was told, `finished` included. */
bool queue_done(const struct queue *queue);
/* Whether `finished` was taken. False also where it was refused; `error` (may be NULL) is then the last one. */
bool queue_told(const struct queue *queue, struct error *error);
/* Lines, and messages of other kinds, that were refused for ever or skipped at the end. */
uint64_t queue_lost(const struct queue *queue);
const char *queue_name(const struct queue *queue);

#endif
