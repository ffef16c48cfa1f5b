#include "core/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/lines.h"
#include "core/mem.h"

/* Output is worked on in pieces of this size, so that the redacted copy stays small. */
#define SLICE 65536
#define REDACTED_MAX ((size_t)4 * SLICE)
/* A message of ours that is longer is cut. */
#define MESSAGE_MAX ((size_t)256 << 10)

struct stream {
    struct log *log;
    bool is_stderr;
    struct redact_stream redact;
    struct lines lines;
};

struct log {
    struct spool *spool;
    struct redactor *redactor;
    char step[sizeof((struct record *)0)->step];
    struct stream streams[2]; /* stdout, stderr */
    struct buf redacted;
    int64_t now_ms; /* read once for each piece of output */
    void (*on_warning)(void *context, const char *text);
    void *warning_context;
};

/* `spliced`: redact it once more, because control characters that were dropped after the first time may have stood within
 * a secret. */
static void append(struct log *log, struct record record, bool spliced)
{
    struct view text = {record.text, record.text_len};
    struct buf again;

    buf_init(&again, SPOOL_LINE_MAX + 2);
    if (spliced && redact_finds(log->redactor, text)) {
        redact_text(log->redactor, text, &again);
        record.text = buf_text(&again);
        record.text_len = again.len;
    }
    memcpy(record.step, log->step, sizeof record.step);
    spool_append(log->spool, &record);
    if (record.kind == RECORD_WARNING && log->on_warning)
        log->on_warning(log->warning_context, record.text);
    buf_dispose(&again);
}

static void emit_output(void *context, const char *text, size_t len)
{
    const struct stream *stream = context;

    append(stream->log,
           (struct record){
               .kind = RECORD_OUTPUT,
               .wall_ms = stream->log->now_ms,
               .is_stderr = stream->is_stderr,
               .text = text,
               .text_len = len,
           },
           stream->lines.spliced);
}

struct log *log_new(struct spool *spool, struct redactor *redactor)
{
    struct log *log = xcalloc(1, sizeof *log);
    int i;

    log->spool = spool;
    log->redactor = redactor;
    buf_init(&log->redacted, REDACTED_MAX);
    for (i = 0; i < 2; i++) {
        struct stream *stream = &log->streams[i];

        stream->log = log;
        stream->is_stderr = i == 1;
        redact_stream_init(&stream->redact, redactor);
        lines_init(&stream->lines, true, emit_output, stream);
    }
    return log;
}

void log_free(struct log *log)
{
    int i;

    if (!log)
        return;
    log_output_flush(log);
    for (i = 0; i < 2; i++) {
        redact_stream_dispose(&log->streams[i].redact);
        lines_dispose(&log->streams[i].lines);
    }
    buf_dispose(&log->redacted);
    free(log);
}

void log_on_warning(struct log *log, void (*call)(void *context, const char *text), void *context)
{
    log->on_warning = call;
    log->warning_context = context;
}

/* ---- output of commands ---- */

static void pass_redacted(struct stream *stream)
{
    struct buf *redacted = &stream->log->redacted;

    lines_feed(&stream->lines, (struct view){buf_text(redacted), redacted->len});
    buf_reset(redacted);
}

void log_output(struct log *log, bool is_stderr, const char *data, size_t len)
{
    struct stream *stream = &log->streams[is_stderr];

    log->now_ms = clock_wall_ms();
    while (len) {
        size_t slice = len < SLICE ? len : SLICE;

        redact_stream_feed(&stream->redact, (struct view){data, slice}, &log->redacted);
        pass_redacted(stream);
        data += slice;
        len -= slice;
    }
}

void log_output_flush(struct log *log)
{
    int i;

    log->now_ms = clock_wall_ms();
    for (i = 0; i < 2; i++) {
        redact_stream_flush(&log->streams[i].redact, &log->redacted);
        pass_redacted(&log->streams[i]);
        lines_end(&log->streams[i].lines);
    }
}

/* ---- lines of ours ---- */

struct message {
    struct log *log;
    enum record_kind kind;
    bool continued;
};

/* The lines of one message after the first are indented: a name with a newline in it cannot pass for a message. */
static void emit_message(void *context, const char *text, size_t len)
{
    struct message *message = context;
    struct buf line;

    buf_init(&line, SPOOL_LINE_MAX + 2);
    if (message->continued)
        buf_adds(&line, "  ");
    buf_add(&line, text, len);
    message->continued = true;
    append(message->log, (struct record){.kind = message->kind, .text = buf_text(&line), .text_len = line.len}, true);
    buf_dispose(&line);
}

static void say(struct log *log, enum record_kind kind, const char *text)
{
    struct message message = {.log = log, .kind = kind};
    struct buf redacted;
    struct lines lines;

    buf_init(&redacted, MESSAGE_MAX);
    redact_text(log->redactor, view_of(text), &redacted);
    lines_init(&lines, false, emit_message, &message);
    lines_feed(&lines, (struct view){buf_text(&redacted), redacted.len});
    lines_end(&lines);
    if (!message.continued)
        emit_message(&message, "", 0);
    lines_dispose(&lines);
    buf_dispose(&redacted);
}

static void say_formatted(struct log *log, enum record_kind kind, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

static void say_formatted(struct log *log, enum record_kind kind, const char *format, va_list args)
{
    char *text;

    if (vasprintf(&text, format, args) < 0)
        text = xstrdup(format);
    say(log, kind, text);
    /* It may have held a secret before it was redacted. */
    wipe_free(text);
}

#define SAY(kind)                                                                                                      \
    do {                                                                                                               \
        va_list args;                                                                                                  \
        va_start(args, format);                                                                                        \
        say_formatted(log, kind, format, args);                                                                        \
        va_end(args);                                                                                                  \
    } while (0)

void log_info(struct log *log, const char *format, ...)
{
    SAY(RECORD_INFO);
}

void log_warning(struct log *log, const char *format, ...)
{
    SAY(RECORD_WARNING);
}

void log_error(struct log *log, const char *format, ...)
{
    SAY(RECORD_ERROR);
}

void log_debug(struct log *log, const char *format, ...)
{
    SAY(RECORD_DEBUG);
}

void log_progress(struct log *log, const char *format, ...)
{
    SAY(RECORD_PROGRESS);
}

void log_command(struct log *log, const char *command_line)
{
    say(log, RECORD_COMMAND, command_line);
}

void log_result(struct log *log, const char *summary)
{
    log_output_flush(log);
    say(log, RECORD_RESULT, summary);
}

void log_heartbeat(struct log *log, int64_t duration_ms)
{
    append(log, (struct record){.kind = RECORD_HEARTBEAT, .text = "", .duration_ms = duration_ms}, false);
}

void log_step_begin(struct log *log, const char *step)
{
    log_output_flush(log);
    snprintf(log->step, sizeof log->step, "%s", step);
    append(log, (struct record){.kind = RECORD_STEP_BEGIN, .text = log->step, .text_len = strlen(log->step)}, true);
}

void log_step_end(struct log *log, bool ok, int attempts, int64_t duration_ms)
{
    log_output_flush(log);
    append(log,
           (struct record){
               .kind = RECORD_STEP_END,
               .ok = ok,
               .attempts = attempts,
               .duration_ms = duration_ms,
               .text = log->step,
               .text_len = strlen(log->step),
           },
           true);
    memset(log->step, 0, sizeof log->step);
}
