/*
 * Standard output as one consumer of the spool. It writes only when a write cannot block (poll first, at most PIPE_BUF
 * bytes at once: standard output is shared with others, so O_NONBLOCK is not ours to set), so a reader that never
 * reads slows nothing. The renderer alone knows the formats; the final copy of the log uses it too.
 */
#ifndef CAISSON_REPORT_CONSOLE_H
#define CAISSON_REPORT_CONSOLE_H

#include <stdbool.h>

#include "core/buf.h"
#include "core/spool.h"
#include "net/loop.h"

enum log_format {
    LOG_AUTO,     /* terminal when standard output is one, else plain */
    LOG_PLAIN,    /* 12:00:01 build | text */
    LOG_EMOJI,    /* the same with the seeds' marks: success, warning, failure, in progress */
    LOG_JSON,     /* one JSON object a line */
    LOG_TERMINAL, /* colours, groups, a live status line, and the pages of what came of it */
    LOG_GITHUB,   /* plain, each step a group that GitHub Actions folds, the end an annotation */
};
/* "auto", "plain", "emoji", "json", "github"; −1 when unknown. */
int log_format_parse(const char *name, enum log_format *format);

struct render {
    enum log_format format; /* not LOG_AUTO */
    bool debug;             /* show RECORD_DEBUG */
    bool colour;            /* LOG_TERMINAL: keep SGR sequences of the build's own output */
    bool links;             /* LOG_TERMINAL: it shows links (report/links.h) */
};
/* Appends the record's bytes, newline included; nothing for records that the format does not show. */
void render_record(const struct render *render, const struct record *record, struct buf *out);

struct console;
/* fd is borrowed. `loop` and `spool` outlive it. Of `render`, which is copied, a terminal has colours. */
struct console *console_new(struct loop *loop, struct spool *spool, int fd, const struct render *render);
/* Writes what is left, at most for so long; true when all of it went out. */
bool console_drain(struct console *console, int64_t limit_ms);
/* Writes a line that is no record (its newline included) behind all that was drained, at most for so long; true when it
 * went out. */
bool console_line(struct console *console, struct view line, int64_t limit_ms);
void console_free(struct console *console);

#endif
