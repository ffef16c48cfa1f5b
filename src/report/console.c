#include "report/console.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/mem.h"
#include "core/utf8.h"

#define CONSOLE_BUFFER_MAX (256 * 1024)
#define LIVE_INTERVAL_MS 200

struct console {
    struct loop *loop;
    struct loop_watch *watch; /* only while something waits to be written: a reader that hung up must not wake us */
    struct loop_timer *live;
    struct spool_cursor cursor;
    struct render render;
    struct buf out;
    int fd;
    bool broken;       /* the reader is gone: nothing more is written */
    bool status_shown; /* the live line stands on the screen */
    char step[24];
    int64_t step_started_ms; /* monotonic */
    char progress[200];
};

static void want_writable(struct console *console, bool want);

static bool writable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};

    return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & (POLLOUT | POLLERR | POLLHUP));
}

static void note_progress(struct console *console, const struct record *record)
{
    if (record->kind == RECORD_STEP_BEGIN) {
        snprintf(console->step, sizeof console->step, "%s", record->text);
        console->step_started_ms = clock_monotonic_ms();
        console->progress[0] = '\0';
    } else if (record->kind == RECORD_STEP_END) {
        console->step[0] = '\0';
    } else if (record->kind == RECORD_PROGRESS) {
        snprintf(console->progress, sizeof console->progress, "%s", record->text);
    }
}

static void erase_status(struct console *console)
{
    if (!console->status_shown)
        return;
    buf_adds(&console->out, "\r\033[K");
    console->status_shown = false;
}

/* Bytes of so many characters; nothing of what a buffer had no room for. */
static size_t cut_line(const char *line, size_t width)
{
    size_t len = strlen(line), at = 0;

    while (at < len && width--) {
        int step = utf8_step(line + at, len - at);

        if (step <= 0)
            break;
        at += (size_t)step;
    }
    return at;
}

static void draw_status(struct console *console)
{
    char time[CLOCK_TEXT_SIZE], line[300];
    struct winsize size = {.ws_col = 80};
    size_t width;

    if (console->render.format != LOG_TERMINAL || !*console->step || console->out.len)
        return;
    ioctl(console->fd, TIOCGWINSZ, &size);
    width = size.ws_col > 20 ? size.ws_col - 1U : 79;
    duration_format((clock_monotonic_ms() - console->step_started_ms) / 1000 * 1000, time);
    snprintf(line, sizeof line, "… %s %s%s%s", console->step, time, *console->progress ? " · " : "", console->progress);
    buf_addf(&console->out, "\r\033[K\033[2m%.*s\033[0m", (int)cut_line(line, width), line);
    console->status_shown = true;
}

/* Takes records while the buffer is small: what is not taken waits in the spool. */
static void fill(struct console *console)
{
    struct record record;

    while (console->out.len < PIPE_BUF && spool_read(&console->cursor, &record) == 1) {
        note_progress(console, &record);
        if (record.kind == RECORD_PROGRESS || record.kind == RECORD_HEARTBEAT)
            continue;
        erase_status(console);
        render_record(&console->render, &record, &console->out);
    }
}

static void write_some(struct console *console)
{
    size_t len = console->out.len < PIPE_BUF ? console->out.len : PIPE_BUF;
    ssize_t written = write(console->fd, console->out.data, len);

    if (written > 0)
        buf_consume(&console->out, (size_t)written);
    else if (written < 0 && errno != EAGAIN && errno != EINTR) /* someone else may write to it too, and be quicker */
        console->broken = true;
}

/* Some writes per wake-up, so that a fast reader does not keep the loop from its other work. */
static void pump(struct console *console)
{
    int rounds;

    for (rounds = 0; rounds < 16 && !console->broken; rounds++) {
        fill(console);
        if (!console->out.len || !writable(console->fd))
            break;
        write_some(console);
    }
    want_writable(console, console->out.len && !console->broken);
}

static void on_writable(void *context, int events)
{
    (void)events;
    pump(context);
}

static void want_writable(struct console *console, bool want)
{
    if (want && !console->watch) {
        console->watch = loop_watch(console->loop, console->fd, LOOP_WRITE, on_writable, console);
    } else if (!want && console->watch) {
        loop_unwatch(console->watch);
        console->watch = NULL;
    }
}

static void on_append(void *context)
{
    struct console *console = context;

    if (!console->out.len)
        pump(console);
}

static void on_live(void *context)
{
    struct console *console = context;

    draw_status(console);
    pump(console);
    console->live = loop_timer_start(console->loop, LIVE_INTERVAL_MS, on_live, console);
}

struct console *console_new(struct loop *loop, struct spool *spool, int fd, const struct render *render)
{
    struct console *console = xcalloc(1, sizeof *console);
    enum log_format format = render->format;

    if (format == LOG_AUTO)
        format = isatty(fd) ? LOG_TERMINAL : LOG_PLAIN;
    console->loop = loop;
    console->fd = fd;
    console->render = *render;
    console->render.format = format;
    console->render.colour = format == LOG_TERMINAL;
    buf_init(&console->out, CONSOLE_BUFFER_MAX);
    spool_cursor_init(&console->cursor, spool);
    spool_on_append(spool, on_append, console);
    if (format == LOG_TERMINAL)
        console->live = loop_timer_start(loop, LIVE_INTERVAL_MS, on_live, console);
    return console;
}

bool console_drain(struct console *console, int64_t limit_ms)
{
    int64_t deadline = clock_monotonic_ms() + limit_ms;

    loop_timer_stop(console->live);
    console->live = NULL;
    erase_status(console);
    for (;;) {
        int64_t left = deadline - clock_monotonic_ms();

        pump(console);
        if (console->broken)
            return false;
        if (!console->out.len && spool_at_end(&console->cursor))
            return true;
        if (left <= 0)
            return false;
        loop_run_once(console->loop, left < 50 ? left : 50);
    }
}

bool console_line(struct console *console, struct view line, int64_t limit_ms)
{
    buf_add(&console->out, line.data, line.len);
    return console_drain(console, limit_ms);
}

void console_free(struct console *console)
{
    if (!console)
        return;
    loop_timer_stop(console->live);
    loop_unwatch(console->watch);
    spool_forget(console->cursor.spool, on_append, console);
    spool_cursor_dispose(&console->cursor);
    buf_dispose(&console->out);
    free(console);
}
