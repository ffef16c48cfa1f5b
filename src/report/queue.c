#include "report/queue.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "net/retry.h"
#include "report/line_batch.h"
#include "report/progress.h"

#define RECORDS_AT_ONCE 2000 /* then others have their turn */
#define BACKOFF_MS 500
#define BACKOFF_CAP_MS (30 * 1000)
#define END_CAP_MS 1000 /* at the end somebody waits */
#define WARNINGS_MAX 5  /* of one sink in one log */

struct queue {
    struct queue_options options;
    char *name;
    struct spool_cursor cursor;
    struct spool_place oldest; /* of what lies in batch and outbox */
    struct line_batch batch;
    struct outbox outbox;
    struct loop_timer *timer;
    int64_t timer_at_ms;
    struct retry retry;

    size_t outbox_bytes;
    struct progress progress;

    bool started, finishing, finish_made, skipped;
    bool sending, backing_off, failing, refused_finish, given_up;
    const json_t *result;
    int64_t heard_ms;
    int warnings;
    uint64_t lost;
    struct error error; /* the last one */
};

static void advance(struct queue *queue);

static bool wants(const struct queue *queue, enum event_kind kind)
{
    return queue->options.kinds & EVENT_BIT(kind);
}

/* ---- timer ---- */

static void on_timer(void *context)
{
    struct queue *queue = context;

    queue->timer = NULL;
    queue->backing_off = false;
    advance(queue);
}

/* The nearest of all that was asked for. */
static void set_timer(struct queue *queue, int64_t delay_ms)
{
    int64_t at_ms = clock_monotonic_ms() + delay_ms;

    if (queue->timer && queue->timer_at_ms <= at_ms)
        return;
    loop_timer_stop(queue->timer);
    queue->timer = loop_timer_start(queue->options.loop, delay_ms, on_timer, queue);
    queue->timer_at_ms = at_ms;
}

/* ---- from records to messages ---- */

static void emit(struct queue *queue, struct event *event)
{
    const struct format_options options = {.max_body = queue->options.type->max_body,
                                           .binary = queue->options.binary,
                                           .line_wise = queue->options.type->line_wise};
    size_t before = queue->outbox.len;

    if (!wants(queue, event->kind))
        return;
    event_identify(event, queue->options.job);
    queue->options.format->encode(&options, queue->options.job, event, &queue->outbox);
    queue->outbox_bytes += outbox_measure(&queue->outbox, before, event->lines_len);
}

static void emit_progress(struct queue *queue)
{
    struct event event;

    progress_event(&queue->progress, &event);
    emit(queue, &event);
}

static void emit_lines(struct queue *queue)
{
    struct event event;

    if (!queue->batch.len)
        return;
    line_batch_event(&queue->batch, &event);
    if (queue->progress.waits && queue->progress.sequence < event.last) {
        if (progress_wait_ms(&queue->progress) <= 0)
            emit_progress(queue);
        queue->progress.waits = false; /* behind what is newer it would be out of order */
    }
    emit(queue, &event);
    line_batch_reset(&queue->batch);
}

static void emit_started(struct queue *queue)
{
    struct event event = {.kind = EVENT_STARTED, .wall_ms = queue->options.job->started_ms, .step = ""};

    queue->started = true;
    emit(queue, &event);
}

static void emit_finished(struct queue *queue)
{
    uint64_t sequence = spool_last(queue->options.spool) + 1;
    struct event event = {.kind = EVENT_FINISHED,
                          .first = sequence,
                          .last = sequence,
                          .wall_ms = clock_wall_ms(),
                          .step = "",
                          .result = queue->result};

    queue->finish_made = true;
    emit(queue, &event);
}

static void emit_record(struct queue *queue, enum event_kind kind, const struct record *record)
{
    struct event event = {.kind = kind,
                          .first = record->sequence,
                          .last = record->sequence,
                          .wall_ms = record->wall_ms,
                          .step = kind == EVENT_STEP ? record->text : record->step,
                          .begins = record->kind == RECORD_STEP_BEGIN,
                          .ok = record->ok,
                          .attempts = record->attempts,
                          .duration_ms = record->duration_ms};

    emit(queue, &event);
}

static void take_line(struct queue *queue, const struct record *record)
{
    if (!wants(queue, EVENT_LOG) || line_batch_add(&queue->batch, record))
        return;
    emit_lines(queue);
    line_batch_add(&queue->batch, record);
}

static void take(struct queue *queue, const struct record *record)
{
    switch (record->kind) {
    case RECORD_STEP_BEGIN:
    case RECORD_STEP_END:
        emit_lines(queue);
        queue->progress.waits = false; /* what comes tells more */
        emit_record(queue, EVENT_STEP, record);
        break;
    case RECORD_PROGRESS:
        if (wants(queue, EVENT_PROGRESS))
            progress_note(&queue->progress, record);
        break;
    case RECORD_HEARTBEAT:
        if (!spool_at_end(&queue->cursor) || !wants(queue, EVENT_HEARTBEAT)) /* an old one says nothing */
            break;
        emit_lines(queue);
        emit_record(queue, EVENT_HEARTBEAT, record);
        break;
    default: /* what is neither is for the log alone; RECORD_RESULT is `finished` in short */
        if (line_batch_takes(record->kind))
            take_line(queue, record);
        break;
    }
}

/* What waits at the end of the spool, when its time has come. */
static void settle(struct queue *queue)
{
    int64_t now_ms = clock_monotonic_ms();

    if (queue->batch.len) {
        int64_t left = queue->batch.since_ms + QUEUE_LINGER_MS - now_ms;

        if (queue->finishing || queue->outbox.len || left <= 0)
            emit_lines(queue);
        else
            set_timer(queue, left);
    }
    if (queue->progress.waits) {
        int64_t left = progress_wait_ms(&queue->progress);

        if (queue->finishing) {
            queue->progress.waits = false;
        } else if (left > 0) {
            set_timer(queue, left);
        } else {
            if (line_batch_last(&queue->batch) < queue->progress.sequence)
                emit_lines(queue);
            emit_progress(queue);
        }
    }
    if (queue->finishing && !queue->finish_made)
        emit_finished(queue);
}

/* Fills the outbox with what there is, as far as one batch goes. */
static void collect(struct queue *queue)
{
    struct record record;
    int records = 0;

    if (!queue->batch.len)
        queue->oldest = (struct spool_place){queue->cursor.offset, queue->cursor.sequence};
    if (!queue->started)
        emit_started(queue);
    while (queue->outbox_bytes < QUEUE_BATCH_MAX) {
        if (records++ == RECORDS_AT_ONCE) {
            set_timer(queue, 0);
            return;
        }
        if (spool_read(&queue->cursor, &record) != 1) {
            settle(queue);
            return;
        }
        take(queue, &record);
    }
}

/* ---- sending ---- */

static void drop(struct queue *queue, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++)
        queue->outbox_bytes -= queue->outbox.items[i].body_len;
    outbox_drop(&queue->outbox, len);
}

static void warn(struct queue *queue, const char *what, const struct error *error)
{
    if (queue->warnings++ < WARNINGS_MAX)
        log_warning(queue->options.log, "telling %s: %s%s%s%s", queue->name, error->message, what,
                    *error->hint ? "; try: " : "", error->hint);
}

/* Puts these lines into the outbox once more. Returns how many they are. */
static size_t emit_again(struct queue *queue, uint64_t first, uint64_t last)
{
    struct spool_cursor cursor;
    struct line_batch batch;
    struct event event;
    size_t lines = 0;

    spool_cursor_init(&cursor, queue->options.spool);
    spool_return(&cursor, &queue->oldest);
    line_batch_init(&batch, queue->batch.max);
    while (line_batch_read(&batch, &cursor, first, last)) {
        line_batch_event(&batch, &event);
        emit(queue, &event);
        lines += event.lines_len;
        line_batch_reset(&batch);
    }
    line_batch_dispose(&batch);
    spool_cursor_dispose(&cursor);
    return lines;
}

/* Lines that were too large together are gathered anew, and those to come too, in smaller batches. */
static bool split(struct queue *queue, const struct error *error)
{
    const struct message *message = queue->outbox.items;
    struct outbox rest = queue->outbox;

    if (strcmp(error->reason, "message-too-large") != 0 || message->lines < 2 || message->parts > 1 || queue->skipped)
        return false;
    queue->batch.max = (message->body_len < queue->batch.max ? message->body_len : queue->batch.max) / 2;
    queue->outbox = (struct outbox){0};
    queue->outbox_bytes -= message->body_len;
    queue->lost += message->lines - emit_again(queue, message->first, message->last);
    outbox_drop(&rest, 1);
    outbox_append(&queue->outbox, &rest);
    return true;
}

/* One message that no patience helps. */
static void refuse(struct queue *queue, const struct error *error)
{
    warn(queue, "; this message is left out", error);
    queue->refused_finish = queue->refused_finish || queue->outbox.items[0].kind == EVENT_FINISHED;
    queue->lost += message_weight(queue->outbox.items);
    drop(queue, 1);
}

static void back_off(struct queue *queue, const struct error *error)
{
    struct error again = *error;

    if (!queue->failing)
        warn(queue, "; it is tried again", error);
    queue->failing = true;
    again.retryable = true; /* whose access is denied may get it */
    queue->retry.cap_ms = queue->finishing ? END_CAP_MS : BACKOFF_CAP_MS;
    queue->backing_off = true;
    loop_timer_stop(queue->timer);
    queue->timer = NULL;
    set_timer(queue, retry_next(&queue->retry, &again));
}

/* Whether it is the end, and somebody else would have to do something: that is not waited for. */
static bool is_hopeless(const struct queue *queue, const struct error *error)
{
    static const char *const reasons[] = {"tls-failed",  "no-exchange", "unroutable",     "unknown-topic",
                                          "own-address", "clock-skew",  "file-not-opened"};
    size_t i;

    if (!queue->finishing || !queue->failing)
        return false;
    for (i = 0; i < ARRAY_LEN(reasons); i++)
        if (strcmp(error->reason, reasons[i]) == 0)
            return true;
    return error->class == CLASS_CREDENTIALS;
}

static void reset_retry(struct queue *queue)
{
    queue->retry = (struct retry){.max_attempts = INT_MAX, .base_ms = BACKOFF_MS, .cap_ms = BACKOFF_CAP_MS};
    queue->failing = false;
}

static void on_sent(void *context, size_t delivered, const struct error *error)
{
    struct queue *queue = context;

    queue->sending = false;
    drop(queue, delivered);
    if (delivered || !error)
        reset_retry(queue);
    if (delivered)
        queue->heard_ms = clock_monotonic_ms();
    if (error)
        queue->error = *error;
    if (error && is_hopeless(queue, error)) {
        queue->given_up = true;
        return;
    }
    if (error && (error->retryable || error->class == CLASS_CREDENTIALS)) {
        back_off(queue, error);
        return;
    }
    if (error && !split(queue, error))
        refuse(queue, error);
    advance(queue);
}

static void send_some(struct queue *queue)
{
    const struct sink_type *type = queue->options.type;
    size_t max = queue->failing ? 1 : type->max_messages; /* which of them has failed shows when it goes alone */
    size_t len = queue->outbox.len < max ? queue->outbox.len : max;

    queue->sending = true;
    type->send(queue->options.sink, queue->outbox.items, len, on_sent, queue);
}

/* The time for everything is over: what tells the most goes out, the rest is counted. */
static void skip(struct queue *queue)
{
    char text[100];
    struct record gap = {.kind = RECORD_GAP, .wall_ms = clock_wall_ms(), .text = text};
    uint64_t skipped = queue->batch.len, unread;

    queue->skipped = true;
    if (queue->outbox.len && queue->outbox.items[0].kind == EVENT_FINISHED)
        return; /* nothing else waits */
    if (queue->sending)
        queue->options.type->cancel(queue->options.sink);
    queue->sending = queue->backing_off = false;
    skipped += outbox_thin_out(&queue->outbox, &queue->outbox_bytes);
    line_batch_reset(&queue->batch);
    unread = spool_skip(&queue->cursor);
    skipped += wants(queue, EVENT_LOG) ? unread : 0; /* others are told of steps alone, which the end names */
    queue->lost += skipped;
    if (!skipped || queue->finish_made)
        return;
    gap.sequence = spool_last(queue->options.spool);
    gap.text_len = (size_t)snprintf(text, sizeof text, "%llu lines and events could not be told in time",
                                    (unsigned long long)skipped);
    take_line(queue, &gap);
}

static void advance(struct queue *queue)
{
    if (queue->given_up || queue->sending || queue->backing_off)
        return;
    if (!queue->outbox.len && !queue->finish_made) /* what others still say comes after the end */
        collect(queue);
    if (queue->outbox.len)
        send_some(queue);
}

/* ---- for the reporter ---- */

struct queue *queue_new(const struct queue_options *options)
{
    struct queue *queue = xcalloc(1, sizeof *queue);
    size_t half = options->type->max_body / 2;

    queue->options = *options;
    queue->options.kinds = (options->kinds | EVENT_BIT(EVENT_FINISHED)) & options->format->kinds;
    queue->name = xstrdup(options->name);
    spool_cursor_init(&queue->cursor, options->spool);
    line_batch_init(&queue->batch, half < QUEUE_BATCH_MAX ? half : QUEUE_BATCH_MAX);
    reset_retry(queue);
    set_timer(queue, 0);
    return queue;
}

void queue_free(struct queue *queue)
{
    if (!queue)
        return;
    loop_timer_stop(queue->timer);
    if (queue->sending)
        queue->options.type->cancel(queue->options.sink);
    queue->options.type->close(queue->options.sink);
    spool_cursor_dispose(&queue->cursor);
    line_batch_dispose(&queue->batch);
    outbox_dispose(&queue->outbox);
    free(queue->name);
    free(queue);
}

void queue_wake(struct queue *queue)
{
    if (!queue->sending && !queue->backing_off && !queue->outbox.len)
        set_timer(queue, 0);
}

void queue_finish(struct queue *queue, const json_t *result)
{
    queue->finishing = true;
    queue->result = result;
    queue->heard_ms = clock_monotonic_ms();
    queue->backing_off = false;
    if (!queue->sending)
        set_timer(queue, 0);
}

void queue_skip(struct queue *queue)
{
    if (queue->skipped || queue_done(queue))
        return;
    skip(queue);
    advance(queue);
}

int64_t queue_heard_ms(const struct queue *queue)
{
    return queue->heard_ms;
}

bool queue_done(const struct queue *queue)
{
    return queue->given_up || (queue->finish_made && !queue->sending && !queue->outbox.len);
}

bool queue_told(const struct queue *queue, struct error *error)
{
    bool told = queue_done(queue) && !queue->refused_finish && !queue->given_up;

    if (!told && error)
        *error = queue->error;
    return told;
}

uint64_t queue_lost(const struct queue *queue)
{
    return queue->lost;
}

const char *queue_name(const struct queue *queue)
{
    return queue->name;
}
