/*
 * Bytes of a program, as they come, into lines that are safe to show anywhere: valid UTF-8 of at most SPOOL_LINE_MAX
 * bytes, without control characters but tabs, and without those that move text about (line separators, overrides of the
 * direction: U+FFFD stands for them). Longer lines are cut between characters. Escape sequences (cursor
 * movement, titles, clipboard, links) are dropped whole, so that a build cannot move the cursor, or write where we do.
 *
 * For the output of a `terminal` program colours stay (SGR, "ESC [ … m"; they are reset at the end of their line), and
 * a carriage return starts the line again, as do the sequences by which progress displays do the same (erase line,
 * first column). For other text both are dropped: a name within it cannot overwrite what stands before it.
 *
 * Life cycle: lines_init … lines_feed … lines_end … lines_dispose.
 */
#ifndef CAISSON_CORE_LINES_H
#define CAISSON_CORE_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"

#define LINES_PARAMETERS_MAX 32

enum lines_state {
    LINES_TEXT,
    LINES_ESCAPE,        /* after ESC */
    LINES_CONTROL,       /* in a control sequence, ESC [ */
    LINES_STRING,        /* in a string (OSC, DCS, …) that ESC \ or BEL ends */
    LINES_STRING_ESCAPE, /* after an ESC in it */
};

struct lines {
    void (*emit)(void *context, const char *text, size_t len); /* borrowed; not NUL-terminated */
    void *context;
    bool terminal;

    /* Inner state. */
    struct buf line;
    enum lines_state state;
    bool restart;  /* a carriage return came: what follows starts the line again */
    bool started;  /* the line has text, be it empty after a cut */
    bool coloured; /* the line does not end with a reset */
    bool spliced;  /* something within the line was dropped or replaced: it is not a piece of what was fed */
    char parameters[LINES_PARAMETERS_MAX];
    size_t parameters_len; /* LINES_PARAMETERS_MAX: too many, or none of ours */
    char partial[4];       /* the beginning of a character */
    size_t partial_len;
};

void lines_init(struct lines *lines, bool terminal, void (*emit)(void *context, const char *text, size_t len),
                void *context);
void lines_dispose(struct lines *lines);
void lines_feed(struct lines *lines, struct view bytes);
/* Emits what has come of an unfinished line, if anything. */
void lines_end(struct lines *lines);

/* At most `max` bytes of a text that anybody wrote, on one line: breaks become spaces. Caller frees with free. */
char *lines_one(const char *text, size_t max);

#endif
