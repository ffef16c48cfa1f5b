/* Lines as standard output has them (report/render.c), for people and for what keeps lines. */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "report/console.h"
#include "report/format.h"

#define TEXT_MAX ((size_t)256 << 10)

static const struct render render = {.format = LOG_PLAIN};

static void add(const struct event_job *job, const struct event *event, const struct buf *text, struct outbox *out)
{
    struct message *message = outbox_add(out, job, event);

    message->content_type = xstrdup("text/plain; charset=utf-8");
    message->subject = xasprintf("caisson %s", event_kind_name(event->kind));
    message_text(message, xstrdup(buf_text(text)));
}

/* Without the last newline: a message ends by itself. */
static void strip(struct buf *text)
{
    if (text->len && text->data[text->len - 1] == '\n')
        text->data[--text->len] = '\0';
}

static void encode_lines(const struct format_options *options, const struct event_job *job, const struct event *event,
                         struct outbox *out)
{
    struct buf text;
    size_t i;

    buf_init(&text, TEXT_MAX);
    for (i = 0; i < event->lines_len; i++) {
        const struct event_line *line = &event->lines[i];
        struct record record = {.kind = line->kind,
                                .wall_ms = line->wall_ms,
                                .is_stderr = line->is_stderr,
                                .text = line->text,
                                .text_len = line->text_len};

        memcpy(record.step, line->step, sizeof record.step);
        render_record(&render, &record, &text);
        if (!options->line_wise)
            continue;
        strip(&text);
        add(job, event, &text, out);
        out->items[out->len - 1].wall_ms = line->wall_ms;
        buf_reset(&text);
    }
    if (!options->line_wise) {
        strip(&text);
        add(job, event, &text, out);
    }
    buf_dispose(&text);
}

static void encode_step(const struct event_job *job, const struct event *event, struct outbox *out)
{
    struct record record = {.kind = event->begins ? RECORD_STEP_BEGIN : RECORD_STEP_END,
                            .wall_ms = event->wall_ms,
                            .ok = event->ok,
                            .duration_ms = event->duration_ms,
                            .attempts = event->attempts,
                            .text = event->step,
                            .text_len = strlen(event->step)};
    struct buf text;

    buf_init(&text, 4096);
    snprintf(record.step, sizeof record.step, "%s", event->step);
    render_record(&render, &record, &text);
    strip(&text);
    add(job, event, &text, out);
    buf_dispose(&text);
}

static void encode_finished(const struct event_job *job, const struct event *event, struct outbox *out)
{
    const char *message = json_string_value(json_object_get(event->result, "message"));
    struct buf text;

    buf_init(&text, TEXT_MAX);
    buf_addf(&text, "job %s %s", job->id, json_string_value(json_object_get(event->result, "status")));
    if (message)
        buf_addf(&text, ": %s", message);
    add(job, event, &text, out);
    buf_dispose(&text);
}

static void encode(const struct format_options *options, const struct event_job *job, const struct event *event,
                   struct outbox *out)
{
    struct buf text;

    switch (event->kind) {
    case EVENT_LOG: encode_lines(options, job, event, out); return;
    case EVENT_STEP: encode_step(job, event, out); return;
    case EVENT_FINISHED: encode_finished(job, event, out); return;
    default: break;
    }
    buf_init(&text, TEXT_MAX);
    if (event->kind == EVENT_STARTED)
        buf_addf(&text, "job %s started", job->id);
    else if (event->kind == EVENT_PROGRESS)
        buf_adds(&text, event->text);
    else
        buf_addf(&text, "job %s is running", job->id);
    add(job, event, &text, out);
    buf_dispose(&text);
}

const struct event_format format_plain = {
    .name = "plain",
    .kinds = (1U << EVENT_KINDS) - 1,
    .encode = encode,
};
