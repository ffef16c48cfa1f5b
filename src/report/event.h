/*
 * What the world is told about a job. Events are made from the records of the spool, each sink with a cursor of its
 * own (report/queue.h): the same record gives the same event, with the same id, to every sink and at every attempt.
 *
 * Two events are no records: `started`, before the first (sequence 0), and `finished`, behind the last. Identity: `id` is
 * the run and the sequence of the last record that the event holds; a batch of log lines names its first one too, since
 * two sinks may cut the log differently. A second run of a job (a retry in another task) is another `run`.
 */
#ifndef CAISSON_REPORT_EVENT_H
#define CAISSON_REPORT_EVENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/spool.h"

enum event_kind {
    EVENT_STARTED,
    EVENT_STEP,
    EVENT_PROGRESS,
    EVENT_LOG,
    EVENT_HEARTBEAT,
    EVENT_FINISHED,
    EVENT_KINDS, /* how many */
};
#define EVENT_BIT(kind) (1U << (kind))
#define EVENT_SEQUENCE_SIZE 24
#define EVENTS_STATUS (EVENT_BIT(EVENT_STARTED) | EVENT_BIT(EVENT_STEP) | EVENT_BIT(EVENT_FINISHED))

/* "started", …; static. */
const char *event_kind_name(enum event_kind kind);
/* The bits of a word of `events:`: a kind's name, or "status" for EVENTS_STATUS. 0: no such word. */
unsigned event_bits(const char *word);

/* What all events of a run have in common. Borrowed by whoever makes events; the same for the whole run. */
struct event_job {
    const char *run;          /* unique to this run: the ECS task's id, else random; [A-Za-z0-9-], at most 64 bytes */
    const char *source;       /* CloudEvents: the task's ARN, or "urn:caisson:RUN" */
    const char *id;           /* of the job */
    const char *project;      /* NULL: none */
    const char *type;         /* "build", "test" */
    const json_t *labels;     /* object or NULL */
    const char *repository;   /* without user info; NULL: none */
    const char *ref, *commit; /* as the spec has them; NULL: none */
    const char *directory;    /* of the source; NULL: not known */
    const char *log_url, *result_url;  /* as the spec has them; NULL: none */
    int64_t created_at_ms, started_ms; /* wall; 0: not known */
};

struct event_line {
    enum record_kind kind;
    bool is_stderr;
    uint64_t sequence;
    int64_t wall_ms;
    char step[24];
    const char *text; /* NUL-terminated; borrowed from the batch */
    size_t text_len;
};

struct event {
    enum event_kind kind;
    uint64_t first, last; /* sequences of the records that it holds; equal but for EVENT_LOG */
    int64_t wall_ms;
    char id[128];
    const char *step; /* the current one; "" outside */

    /* EVENT_STEP */
    bool begins, ok;
    int attempts;        /* at the end */
    int64_t duration_ms; /* at the end; EVENT_HEARTBEAT: since the job started */

    /* EVENT_PROGRESS */
    const char *text;
    int percent; /* -1: not known */

    /* EVENT_LOG */
    const struct event_line *lines;
    size_t lines_len;

    /* EVENT_FINISHED: the whole result document (report/result.h) */
    const json_t *result;
};

/* Fills event->id from run, first and last. */
void event_identify(struct event *event, const struct event_job *job);
/* The CloudEvents `sequence` of an event: twelve digits, so that it sorts as text. */
void event_sequence(const struct event *event, char out[EVENT_SEQUENCE_SIZE]);
/* The `data` of an event as JSON, as docs/events.md shows it. Caller frees with free. */
char *event_data(const struct event *event, const struct event_job *job);
/* JSON Schema 2020-12 of all events in structured mode. New reference. */
json_t *event_schema(void);

#endif
