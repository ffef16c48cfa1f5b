/*
 * A line of a log as a reader finds it: of the text that is stored and that standard output has (LOG_PLAIN of
 * report/console.h), of its JSON, or of a file with CloudEvents (the sink `file`). What a build says cannot pass for
 * ours: its lines have a mark of their own behind time and step.
 */
#ifndef CAISSON_REPORT_LOG_LINE_H
#define CAISSON_REPORT_LOG_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"

struct log_line {
    int64_t number;     /* from 1 */
    int64_t wall_ms;    /* 0: the day is not known */
    int clock_s;        /* seconds since midnight UTC; -1: it has no time */
    const char *step;   /* ""; borrowed */
    const char *type;   /* as in JSON: "output", "info", "warning", "step-begin", …; borrowed */
    const char *stream; /* "stdout", "stderr"; "": not known; borrowed */
    struct view text;   /* without time, step and mark; borrowed */
    struct view whole;  /* as LOG_PLAIN has it; borrowed */
    bool failed;        /* of "step-end" */
    bool last;          /* nothing follows: the job's end */
};

/* "12:00" or "12:00:01" as seconds since midnight; -1: it is none. */
int log_clock_parse(struct view text);

struct log_lines {
    bool (*emit)(void *context, const struct log_line *line); /* false: nothing more is wanted */
    void *context;
    int64_t number;  /* of the line that came last: set it to begin elsewhere than at the first */
    int64_t near_ms; /* when it was; 0: not known */
    char step[24];   /* the one that had begun then */
};

/* Zero-initialise, set emit and context. One line, without its newline; what emit said (true where it was not called:
 * an event of no interest). */
bool log_lines_add(struct log_lines *lines, struct view line);

#endif
