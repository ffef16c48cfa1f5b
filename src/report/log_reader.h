/*
 * The bytes of a stored log into lines: unpacked as they come, in little memory, whatever they claim. Life cycle:
 * log_reader_init … log_reader_feed … log_reader_end … log_reader_dispose.
 */
#ifndef CAISSON_REPORT_LOG_READER_H
#define CAISSON_REPORT_LOG_READER_H

#include "core/buf.h"
#include "core/error.h"
#include "report/log_copy.h"

#define LOG_LINE_MAX ((size_t)1152 << 10) /* an event of a file is at most 1 MiB; longer lines are cut */

struct log_unpacker;
struct log_reader {
    /* The line without its newline, borrowed. False: nothing more is wanted. */
    bool (*emit)(void *context, struct view line);
    void *context;
    int64_t text_max;   /* more text is an error */
    int64_t text_bytes; /* so far */

    /* Inner state. */
    struct log_unpacker *unpacker;
    struct buf line;
    bool stopped;
};

/* By the first bytes of a log: gzip and zstd have their marks (RFC 1952, 2.3.1; RFC 8878, 3.1.1). */
enum log_encoding log_encoding_sniff(struct view head);

/* `within`: what is fed is no whole log, but begins at a part of it (log_copy.h). */
void log_reader_init(struct log_reader *reader, enum log_encoding encoding, bool within, int64_t text_max,
                     bool (*emit)(void *context, struct view line), void *context);
void log_reader_dispose(struct log_reader *reader);
/* 0; 1 when nothing more is wanted; −1: "log-damaged" or "log-too-large" (CLASS_USAGE). */
int log_reader_feed(struct log_reader *reader, struct view bytes, struct error *err);
/* Emits an unfinished line. −1 where a whole log breaks off in the middle: "log-damaged". */
int log_reader_end(struct log_reader *reader, struct error *err);

#endif
