#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/mem.h"
#include "proc/worker.h"
#include "proc/worker_reader.h"

#define REQUEST_MAX (16 * 1024 * 1024)
#define TEXT_MAX 16384
#define PROGRESS_INTERVAL_MS 100

struct worker {
    int fd;
    int64_t progress_ms; /* when the last one got through */
    bool broken;         /* the parent is gone */
};

/* Takes the message. False when it is longer than the parent accepts: then nothing was sent. */
static bool send_message(struct worker *worker, json_t *message)
{
    char *line = json_dumps(message, JSON_COMPACT);
    size_t len = line ? strlen(line) : 0;
    bool fits = line && len < WORKER_LINE_MAX;

    if (fits && !worker->broken) {
        line[len] = '\n'; /* the NUL's place: one write, so that lines of one size or another do not mix */
        worker->broken = fs_write_all(worker->fd, line, len + 1) != 0;
    }
    free(line);
    json_decref(message);
    return fits;
}

static json_t *new_message(const char *type)
{
    json_t *message = json_object();

    json_put_text(message, "type", type);
    return message;
}

static void send_text(struct worker *worker, json_t *message, const char *format, va_list args)
{
    char *text = xmalloc(TEXT_MAX);

    vsnprintf(text, TEXT_MAX, format, args);
    json_put_text(message, "text", text);
    free(text);
    send_message(worker, message);
}

static json_t *new_log(const char *level)
{
    json_t *message = new_message("log");

    json_put_text(message, "level", level);
    return message;
}

void worker_info(struct worker *worker, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    send_text(worker, new_log("info"), format, args);
    va_end(args);
}

void worker_warning(struct worker *worker, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    send_text(worker, new_log("warning"), format, args);
    va_end(args);
}

void worker_progress(struct worker *worker, const char *format, ...)
{
    int64_t now_ms = clock_monotonic_ms();
    va_list args;

    if (worker->progress_ms && now_ms - worker->progress_ms < PROGRESS_INTERVAL_MS)
        return;
    worker->progress_ms = now_ms;
    va_start(args, format);
    send_text(worker, new_message("progress"), format, args);
    va_end(args);
}

void worker_mark(struct worker *worker, json_t *message)
{
    json_put_text(message, "type", "mark");
    if (!send_message(worker, message))
        worker_warning(worker, "a mark was too long to be reported");
}

static void send_error(struct worker *worker, const struct error *err)
{
    json_t *message = new_message("error");

    json_object_set_new(message, "class", json_integer(err->class));
    json_put_text(message, "reason", err->reason);
    json_put_text(message, "message", err->message);
    json_put_text(message, "hint", err->hint);
    json_object_set_new(message, "retryable", json_boolean(err->retryable));
    json_object_set_new(message, "retry_after_ms", json_integer(err->retry_after_ms));
    send_message(worker, message);
}

static json_t *read_request(int fd, struct error *err)
{
    char *chunk = xmalloc(65536);
    json_t *request = NULL;
    struct buf text;
    ssize_t got;

    buf_init(&text, REQUEST_MAX);
    while ((got = read(fd, chunk, 65536)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 || buf_add(&text, chunk, (size_t)got))
            break;
    }
    if (got == 0)
        request = json_parse(buf_text(&text), text.len, CLASS_INTERNAL, "request", err);
    else
        error_set(err, CLASS_INTERNAL, "bad-request", "the request cannot be read or is larger than %d bytes",
                  REQUEST_MAX);
    /* It may hold tokens. */
    wipe(chunk, 65536);
    free(chunk);
    buf_wipe(&text);
    return request;
}

static int answer(struct worker *worker, json_t *value, struct error *err)
{
    json_t *message;

    if (value) {
        message = new_message("result");
        json_object_set_new(message, "value", value);
        if (send_message(worker, message))
            return 0;
        error_set(err, CLASS_INTERNAL, "result-too-large", "the result is longer than %d bytes", WORKER_LINE_MAX);
    }
    send_error(worker, err);
    return 1;
}

int worker_main(const struct worker_entry *entry, int in_fd, int out_fd)
{
    struct worker worker = {.fd = out_fd};
    struct error err = {.class = CLASS_INTERNAL, .reason = "no-answer", .message = "the worker gave no answer"};
    json_t *request, *value = NULL;
    int code;

    /* The request holds tokens: nobody with our uid may read our memory. */
    memory_hide();
    signal(SIGPIPE, SIG_IGN);
    request = read_request(in_fd, &err);
    if (request)
        value = entry->run(&worker, request, &err);
    json_decref(request);
    code = answer(&worker, value, &err);
    memory_show_to_leak_check();
    return code;
}
