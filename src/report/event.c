#include "report/event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/mem.h"

/* A batch is cut long before (queue.h). */
#define LINES_MAX ((size_t)4 << 20)

static const char *const names[EVENT_KINDS] = {
    [EVENT_STARTED] = "started", [EVENT_STEP] = "step",           [EVENT_PROGRESS] = "progress",
    [EVENT_LOG] = "log",         [EVENT_HEARTBEAT] = "heartbeat", [EVENT_FINISHED] = "finished",
};

const char *event_kind_name(enum event_kind kind)
{
    return names[kind];
}

unsigned event_bits(const char *word)
{
    unsigned kind;

    for (kind = 0; kind < EVENT_KINDS; kind++)
        if (strcmp(names[kind], word) == 0)
            return EVENT_BIT(kind);
    return strcmp(word, "status") == 0 ? EVENTS_STATUS : 0;
}

void event_sequence(const struct event *event, char out[EVENT_SEQUENCE_SIZE])
{
    snprintf(out, EVENT_SEQUENCE_SIZE, "%012llu", (unsigned long long)event->last);
}

void event_identify(struct event *event, const struct event_job *job)
{
    if (event->kind == EVENT_LOG)
        snprintf(event->id, sizeof event->id, "%.64s-%012llu-%llu", job->run, (unsigned long long)event->last,
                 (unsigned long long)event->first);
    else if (event->kind ==
             EVENT_FINISHED) /* of the same id for everybody, though they may be told it at different places */
        snprintf(event->id, sizeof event->id, "%.64s-finished", job->run);
    else
        snprintf(event->id, sizeof event->id, "%.64s-%012llu", job->run, (unsigned long long)event->last);
}

static void put_time(json_t *object, const char *key, int64_t wall_ms)
{
    char text[CLOCK_TEXT_SIZE];

    if (!wall_ms)
        return;
    clock_format(wall_ms, text);
    json_put_text(object, key, text);
}

static void put_seconds(json_t *object, const char *key, int64_t ms)
{
    json_object_set_new(object, key, json_real((double)ms / 1000));
}

static void put_started(json_t *data, const struct event_job *job)
{
    json_t *source = json_object();

    json_put_text(data, "type", job->type);
    put_time(data, "created_at", job->created_at_ms);
    put_time(data, "started_at", job->started_ms);
    json_put_text(source, "repository", job->repository);
    json_put_text(source, "ref", job->ref);
    json_put_text(source, "commit", job->commit);
    json_object_set_new(data, "source", source);
    json_put_text(data, "log_url", job->log_url);
    json_put_text(data, "result_url", job->result_url);
    json_put_text(data, "runner_version", CAISSON_VERSION);
}

static void put_step(json_t *data, const struct event *event)
{
    json_put_text(data, "step", event->step);
    json_put_text(data, "phase", event->begins ? "begin" : "end");
    if (event->begins)
        return;
    json_put_text(data, "status", event->ok ? "succeeded" : "failed");
    json_object_set_new(data, "attempts", json_integer(event->attempts));
    put_seconds(data, "seconds", event->duration_ms);
}

static const char *line_type(const struct event_line *line)
{
    switch (line->kind) {
    case RECORD_OUTPUT: return "output";
    case RECORD_WARNING: return "warning";
    case RECORD_ERROR: return "error";
    case RECORD_COMMAND: return "command";
    case RECORD_GAP: return "gap";
    default: return "info";
    }
}

static void add_number(struct buf *out, uint64_t number)
{
    char digits[24];
    size_t at = sizeof digits;

    do
        digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    buf_add(out, digits + at, sizeof digits - at);
}

static void add_line(struct buf *out, const struct event_line *line, const char *time)
{
    buf_adds(out, "{\"sequence\":");
    add_number(out, line->sequence);
    if (line->wall_ms) {
        buf_adds(out, ",\"time\":\"");
        buf_adds(out, time);
        buf_addc(out, '"');
    }
    if (*line->step) {
        buf_adds(out, ",\"step\":");
        json_add_string(out, view_of(line->step));
    }
    buf_adds(out, ",\"type\":\"");
    buf_adds(out, line_type(line));
    if (line->kind == RECORD_OUTPUT)
        buf_adds(out, line->is_stderr ? "\",\"stream\":\"stderr" : "\",\"stream\":\"stdout");
    buf_adds(out, "\",\"text\":");
    json_add_string(out, (struct view){line->text, line->text_len});
    buf_addc(out, '}');
}

/* `data` without its lines, and then them: there may be millions, and a document of each would be most of our work. */
static char *lines_to_json(const struct event *event, const json_t *data)
{
    CLEANUP_FREE char *around = json_dumps(data, JSON_COMPACT);
    char time[CLOCK_TEXT_SIZE], *text;
    int64_t time_ms = 0;
    struct buf out;
    size_t i;

    buf_init(&out, LINES_MAX);
    for (i = 0; i < event->lines_len; i++) {
        const struct event_line *line = &event->lines[i];

        if (line->wall_ms != time_ms)
            clock_format(line->wall_ms, time);
        time_ms = line->wall_ms;
        if (i)
            buf_addc(&out, ',');
        add_line(&out, line, time);
    }
    text = xasprintf("%.*s,\"lines\":[%s]}", (int)strlen(around) - 1, around, buf_text(&out));
    buf_dispose(&out);
    return text;
}

char *event_data(const struct event *event, const struct event_job *job)
{
    CLEANUP_JSON json_t *data = json_object();

    json_put_text(data, "id", job->id);
    json_put_text(data, "project", job->project);
    if (job->labels)
        json_object_set(data, "labels", (json_t *)job->labels);
    switch (event->kind) {
    case EVENT_STARTED: put_started(data, job); break;
    case EVENT_STEP: put_step(data, event); break;
    case EVENT_PROGRESS:
        if (*event->step)
            json_put_text(data, "step", event->step);
        json_put_text(data, "text", event->text);
        if (event->percent >= 0)
            json_object_set_new(data, "percent", json_integer(event->percent));
        break;
    case EVENT_LOG: return lines_to_json(event, data);
    case EVENT_HEARTBEAT:
        if (*event->step)
            json_put_text(data, "step", event->step);
        put_seconds(data, "seconds", event->duration_ms);
        break;
    default:
        json_put_text(data, "result_url", job->result_url); /* the whole, where what is told had to be shortened */
        json_object_set(data, "result", (json_t *)event->result);
        break;
    }
    return json_dumps(data, JSON_COMPACT | JSON_REAL_PRECISION(12));
}
