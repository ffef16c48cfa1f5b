#include "proc/worker_reader.h"

#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "core/mem.h"

#define LONGEST_RETRY_AFTER_MS 600000

void worker_reader_init(struct worker_reader *reader, const char *what, const struct worker_sink *sink)
{
    *reader = (struct worker_reader){.what = what, .sink = *sink};
    buf_init(&reader->line, WORKER_LINE_MAX);
}

void worker_reader_dispose(struct worker_reader *reader)
{
    buf_dispose(&reader->line);
    json_decref(reader->value);
    reader->value = NULL;
}

static int nonsense(struct worker_reader *reader, const char *text)
{
    if (!reader->nonsense[0])
        snprintf(reader->nonsense, sizeof reader->nonsense, "%s", text);
    return -1;
}

static bool is_reason(const char *text)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");

    return len > 0 && len < sizeof((struct error *)0)->reason && text[len] == '\0';
}

static int take_error(struct worker_reader *reader, const json_t *message)
{
    int64_t number = json_int(message, "class", -1);
    const char *reason = json_text(message, "reason", "");
    int64_t retry_after_ms = json_int(message, "retry_after_ms", 0);
    enum error_class class;

    /* A class that is none of ours, or "succeeded", would become our exit code. */
    if (number <= 0 || number > 255 || (class = error_class_from((int)number)) != (enum error_class)number)
        return nonsense(reader, "an error without a known class");
    if (!is_reason(reason))
        return nonsense(reader, "an error without a reason");
    error_set(&reader->error, class, reason, "%s", json_text(message, "message", ""));
    error_hint(&reader->error, "%s", json_text(message, "hint", ""));
    if (retry_after_ms < 0 || retry_after_ms > LONGEST_RETRY_AFTER_MS)
        retry_after_ms = retry_after_ms < 0 ? 0 : LONGEST_RETRY_AFTER_MS;
    if (json_flag(message, "retryable", false))
        error_retryable(&reader->error, (long)retry_after_ms);
    reader->has_error = true;
    return 0;
}

static int take_log(struct worker_reader *reader, const json_t *message)
{
    const char *level = json_text(message, "level", "");
    const char *text = json_text(message, "text", "");

    if (strcmp(level, "info") == 0)
        reader->sink.log(reader->sink.context, WORKER_INFO, text);
    else if (strcmp(level, "warning") == 0)
        reader->sink.log(reader->sink.context, WORKER_WARNING, text);
    else if (strcmp(level, "debug") == 0)
        reader->sink.log(reader->sink.context, WORKER_DEBUG, text);
    else
        return nonsense(reader, "a log message of an unknown level");
    return 0;
}

static int take_message(struct worker_reader *reader, json_t *message)
{
    const char *type = json_text(message, "type", "");

    if (reader->value || reader->has_error)
        return nonsense(reader, "a message after its answer");
    if (strcmp(type, "log") == 0)
        return take_log(reader, message);
    if (strcmp(type, "error") == 0)
        return take_error(reader, message);
    if (strcmp(type, "progress") == 0) {
        reader->sink.progress(reader->sink.context, json_text(message, "text", ""));
        return 0;
    }
    if (strcmp(type, "mark") == 0) {
        if (reader->sink.mark)
            reader->sink.mark(reader->sink.context, message);
        return 0;
    }
    if (strcmp(type, "result") == 0) {
        reader->value = json_incref(json_object_get(message, "value"));
        return reader->value ? 0 : nonsense(reader, "a result without a value");
    }
    return nonsense(reader, "a message of an unknown type");
}

static int take_line(struct worker_reader *reader, const char *line, size_t len)
{
    json_t *message = json_parse(line, len, CLASS_INTERNAL, "message", NULL);
    int result;

    if (!json_is_object(message))
        result = nonsense(reader, "a line that is no message");
    else
        result = take_message(reader, message);
    json_decref(message);
    return result;
}

int worker_reader_feed(struct worker_reader *reader, const char *data, size_t len)
{
    if (reader->nonsense[0])
        return -1;
    reader->total += len;
    if (reader->total > WORKER_TOTAL_MAX)
        return nonsense(reader, "more than 64 MiB of messages");
    while (len) {
        const char *newline = memchr(data, '\n', len);
        size_t part = newline ? (size_t)(newline - data) : len;

        if (buf_add(&reader->line, data, part))
            return nonsense(reader, "a message of more than 1 MiB");
        if (!newline)
            break;
        if (take_line(reader, buf_text(&reader->line), reader->line.len))
            return -1;
        buf_reset(&reader->line);
        data = newline + 1;
        len -= part + 1;
    }
    return 0;
}

bool worker_reader_finish(struct worker_reader *reader)
{
    if (reader->line.len)
        nonsense(reader, "an unfinished message");
    else if (!reader->value && !reader->has_error)
        nonsense(reader, "no answer");
    return !reader->nonsense[0];
}
