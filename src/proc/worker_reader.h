/*
 * Reads what a worker says, as bytes come: one JSON message a line (proc/worker.h lists them). The worker may have been
 * taken over by the hostile input that it reads, so lines and their sum are bounded, types are checked, and the first
 * nonsense ends it. Life cycle: worker_reader_init … feed … finish … dispose.
 */
#ifndef CAISSON_PROC_WORKER_READER_H
#define CAISSON_PROC_WORKER_READER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"
#include "core/error.h"

#define WORKER_LINE_MAX (1024 * 1024)
#define WORKER_TOTAL_MAX (64 * 1024 * 1024)

enum worker_level { WORKER_DEBUG, WORKER_INFO, WORKER_WARNING };

struct worker_sink {
    void (*log)(void *context, enum worker_level level, const char *text);
    void (*progress)(void *context, const char *text);
    void (*mark)(void *context, const json_t *message); /* may be NULL */
    void *context;
};

struct worker_reader {
    const char *what; /* borrowed */
    struct worker_sink sink;
    struct buf line;
    size_t total;
    char nonsense[128]; /* what was wrong; "" while all is well */
    json_t *value;      /* of the result; NULL: none yet */
    bool has_error;
    struct error error; /* what the worker reported */
};

void worker_reader_init(struct worker_reader *reader, const char *what, const struct worker_sink *sink);
void worker_reader_dispose(struct worker_reader *reader);
/* 0, or -1 from the first nonsense on. */
int worker_reader_feed(struct worker_reader *reader, const char *data, size_t len);
/* The worker has ended: whether it said exactly one answer and nothing after it. */
bool worker_reader_finish(struct worker_reader *reader);

#endif
