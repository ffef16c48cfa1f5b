/*
 * Messages as lines of a file: for a person who watches, or what collects files. A body with line breaks stays whole;
 * what follows starts on a new line. A write that fails is tried again: the disk may have room later.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/mem.h"
#include "report/sink.h"

struct sink {
    struct loop *loop;
    struct loop_timer *timer;
    char *path;
    int fd; /* -1: not open yet */
    const struct message *messages;
    size_t len;
    sink_done *done;
    void *context;
};

static int file_open(struct sink **out, const struct sink_context *context, const struct sink_settings *settings,
                     struct error *err)
{
    struct sink *sink = xcalloc(1, sizeof *sink);

    (void)err;
    sink->loop = context->loop;
    sink->path = xstrdup(settings->target);
    sink->fd = -1;
    *out = sink;
    return 0;
}

static int make_file(struct sink *sink, struct error *err)
{
    CLEANUP_FREE char *folder = xstrdup(sink->path);
    char *slash = strrchr(folder, '/');
    int code = 0;

    if (slash && slash != folder) {
        *slash = '\0';
        code = fs_make_folders(folder, 0755);
    }
    /* never waits for the other end of a pipe, and never writes through a link that a build has left there */
    if (code == 0) {
        sink->fd = open(sink->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
        code = sink->fd < 0 ? -errno : 0;
    }
    if (code == 0)
        return 0;
    error_set_errno(err, CLASS_PLATFORM, "file-not-opened", -code, "opening %s", sink->path);
    return error_retryable(err, 0);
}

/* A message is written whole or not at all. */
static int write_message(struct sink *sink, const struct message *message, struct error *err)
{
    char newline = '\n';
    struct iovec parts[2] = {{message->body, message->body_len}, {&newline, 1}};
    off_t before = lseek(sink->fd, 0, SEEK_END);
    ssize_t written = writev(sink->fd, parts, 2);
    int code = written < 0 ? errno : ENOSPC;

    if (written == (ssize_t)message->body_len + 1)
        return 0;
    if (written > 0 && before >= 0 && ftruncate(sink->fd, before) != 0)
        code = errno;
    error_set_errno(err, CLASS_PLATFORM, "write-failed", code, "writing to %s", sink->path);
    return error_retryable(err, 0);
}

static void on_turn(void *context)
{
    struct sink *sink = context;
    struct error err;
    size_t i = 0;
    int status = sink->fd < 0 ? make_file(sink, &err) : 0;

    sink->timer = NULL;
    for (; status == 0 && i < sink->len; i++)
        if ((status = write_message(sink, &sink->messages[i], &err)))
            break;
    sink->done(sink->context, i, status ? &err : NULL);
}

static void file_send(struct sink *sink, const struct message *messages, size_t len, sink_done *done, void *context)
{
    sink->messages = messages;
    sink->len = len;
    sink->done = done;
    sink->context = context;
    sink->timer = loop_timer_start(sink->loop, 0, on_turn, sink);
}

static void file_cancel(struct sink *sink)
{
    loop_timer_stop(sink->timer);
    sink->timer = NULL;
}

static void file_close(struct sink *sink)
{
    file_cancel(sink);
    if (sink->fd >= 0)
        close(sink->fd);
    free(sink->path);
    free(sink);
}

const struct sink_type sink_file = {
    .name = "file",
    .max_body = (size_t)1 << 20,
    .max_messages = 1000,
    .open = file_open,
    .send = file_send,
    .cancel = file_cancel,
    .close = file_close,
};
