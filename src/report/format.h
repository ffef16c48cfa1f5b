/*
 * How an event is said: from events to messages, which sinks carry. `cloudevents` and `plain` are here
 * (report/format_cloudevents.c, report/format_plain.c); what an existing system reads is its profile's (profiles/).
 */
#ifndef CAISSON_REPORT_FORMAT_H
#define CAISSON_REPORT_FORMAT_H

#include "core/buf.h"
#include "core/strings.h"
#include "report/event.h"

/* One message for a sink. All strings are owned by the outbox; NULL: the sink's own choice. */
struct message {
    char *id;     /* the event's; with ".2", ".3" … where an event needs several messages */
    char *group;  /* what is kept in order: the job's id, or what the system calls so */
    char *key;    /* Kafka key, AMQP routing key */
    char *method; /* HTTP */
    char *content_type;
    char *subject;          /* EventBridge detail-type, SNS subject */
    struct strings headers; /* "ce-id: …": HTTP and AMQP headers, Kafka headers, attributes of SNS and SQS */
    char *body;             /* NUL-terminated, UTF-8 */
    size_t body_len;
    int64_t wall_ms;
    uint64_t first, last; /* of the event: the records that it holds */
    size_t lines, parts;  /* see outbox_measure: lines that are not told without it; messages that the event needs */
    enum event_kind kind;
    const json_t *result; /* borrowed; of EVENT_FINISHED, for sinks that say no more than a status (GitHub) */
    bool begins;          /* EVENT_STEP */
};

struct outbox {
    struct message *items;
    size_t len;
};
/* A new message about the event: id, group (the job's), kind and time are filled. Borrowed until the next. */
struct message *outbox_add(struct outbox *outbox, const struct event_job *job, const struct event *event);
/* The body as compact JSON, content type application/json. Takes the reference. */
void message_json(struct message *message, json_t *body);
/* The body as it is. Takes the text; NULL is an empty one. */
void message_text(struct message *message, char *text);
/* The two halves of a line of `headers`: returns the length of the name; *value is what stands behind it. */
size_t message_header(const char *line, const char **value);
/* Without the first `len`; without the one at `index`. */
void outbox_drop(struct outbox *outbox, size_t len);
void outbox_remove(struct outbox *outbox, size_t index);
/* All of `more` behind what is there; `more` is empty then. */
void outbox_append(struct outbox *outbox, struct outbox *more);
/* Notes that the messages from `before` on are the parts of one event of so many lines. Returns the bytes of their bodies. */
size_t outbox_measure(struct outbox *outbox, size_t before, size_t lines);
/* How many lines, or events that are none, are not told without it. */
uint64_t message_weight(const struct message *message);
/* Without all but the beginning and the end: what became of the steps stands in the latter. Returns the weight of what has
 * gone, and takes its bytes off *bytes. */
uint64_t outbox_thin_out(struct outbox *outbox, size_t *bytes);
void outbox_dispose(struct outbox *outbox);

struct format_options {
    size_t max_body; /* bytes of a body at most: what the sink carries. A batch of lines is cut to fit before (queue.c
                       * counts on at most twice the bytes of the text); a result is cut down here */
    bool binary;     /* cloudevents in binary mode: attributes in headers, data in the body */
    bool line_wise;  /* plain: one message a line, as CloudWatch Logs and a terminal's tail want it */
};

struct event_format {
    const char *name;
    unsigned kinds; /* EVENT_BITs that it can say */
    /* Appends the messages that say the event: none, one, or several. */
    void (*encode)(const struct format_options *options, const struct event_job *job, const struct event *event,
                   struct outbox *out);
};

extern const struct event_format format_cloudevents;
extern const struct event_format format_plain;
/* Of the two above; NULL: none of that name. */
const struct event_format *format_find(const char *name);

#endif
