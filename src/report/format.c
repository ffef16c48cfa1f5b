#include "report/format.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

static const struct event_format *const formats[] = {&format_cloudevents, &format_plain};

const struct event_format *format_find(const char *name)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(formats); i++)
        if (strcmp(formats[i]->name, name) == 0)
            return formats[i];
    return NULL;
}

static bool belongs_to(const struct message *message, const struct event *event)
{
    size_t len = strlen(event->id);

    return strncmp(message->id, event->id, len) == 0 && (message->id[len] == '\0' || message->id[len] == '.');
}

struct message *outbox_add(struct outbox *outbox, const struct event_job *job, const struct event *event)
{
    struct message *message;
    size_t before = 0;

    while (before < outbox->len && belongs_to(&outbox->items[outbox->len - 1 - before], event))
        before++;
    outbox->items = xrealloc(outbox->items, outbox->len + 1, sizeof *outbox->items);
    message = &outbox->items[outbox->len++];
    *message = (struct message){
        .id = before ? xasprintf("%s.%zu", event->id, before + 1) : xstrdup(event->id),
        .group = xstrdup(job->id),
        .wall_ms = event->wall_ms,
        .first = event->first,
        .last = event->last,
        .kind = event->kind,
        .begins = event->begins,
        .result = event->result,
    };
    return message;
}

void message_json(struct message *message, json_t *body)
{
    message_text(message, json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(12)));
    message->content_type = xstrdup("application/json");
    json_decref(body);
}

void message_text(struct message *message, char *text)
{
    message->body = text ? text : xstrdup("");
    message->body_len = strlen(message->body);
}

size_t message_header(const char *line, const char **value)
{
    size_t len = strcspn(line, ":");

    *value = line + len + strspn(line + len, ": ");
    return len;
}

static void message_dispose(struct message *message)
{
    free(message->id);
    free(message->group);
    free(message->key);
    free(message->method);
    free(message->content_type);
    free(message->subject);
    strings_dispose(&message->headers);
    free(message->body);
}

static void cut_out(struct outbox *outbox, size_t index, size_t len)
{
    size_t i, rest = outbox->len - index - len;

    for (i = index; i < index + len; i++)
        message_dispose(&outbox->items[i]);
    if (rest)
        memmove(outbox->items + index, outbox->items + index + len, rest * sizeof *outbox->items);
    outbox->len -= len;
}

void outbox_drop(struct outbox *outbox, size_t len)
{
    cut_out(outbox, 0, len);
}

void outbox_remove(struct outbox *outbox, size_t index)
{
    cut_out(outbox, index, 1);
}

void outbox_append(struct outbox *outbox, struct outbox *more)
{
    if (more->len) {
        outbox->items = xrealloc(outbox->items, outbox->len + more->len, sizeof *outbox->items);
        memcpy(outbox->items + outbox->len, more->items, more->len * sizeof *more->items);
        outbox->len += more->len;
    }
    free(more->items);
    *more = (struct outbox){0};
}

size_t outbox_measure(struct outbox *outbox, size_t before, size_t lines)
{
    size_t parts = outbox->len - before, bytes = 0, i;

    for (i = 0; i < parts; i++) {
        struct message *message = &outbox->items[before + i];

        message->lines = lines * (i + 1) / parts - lines * i / parts;
        message->parts = parts;
        bytes += message->body_len;
    }
    return bytes;
}

uint64_t message_weight(const struct message *message)
{
    return message->lines ? message->lines : 1;
}

uint64_t outbox_thin_out(struct outbox *outbox, size_t *bytes)
{
    uint64_t gone = 0;
    size_t i;

    for (i = outbox->len; i-- > 0;) {
        const struct message *message = &outbox->items[i];

        if (message->kind == EVENT_STARTED || message->kind == EVENT_FINISHED)
            continue;
        gone += message_weight(message);
        *bytes -= message->body_len;
        outbox_remove(outbox, i);
    }
    return gone;
}

void outbox_dispose(struct outbox *outbox)
{
    if (outbox->len)
        outbox_drop(outbox, outbox->len);
    free(outbox->items);
    *outbox = (struct outbox){0};
}
