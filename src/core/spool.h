/*
 * The one truth about what happened: an append-only file, unlinked at birth, of redacted records. Every consumer
 * (standard output, the final copy, later the sinks) is a cursor that may lag as long as it likes; the writer never
 * waits. Writes are gathered: a cursor that keeps up is served from memory.
 *
 * Past `limit` bytes of text (a record counts at least 24, so the file stays below about twice the limit) one
 * RECORD_GAP says so and output, progress and debug records are dropped; our own lines go on for another
 * SPOOL_RESERVE bytes, marks of steps and the result for ever, and before the result another RECORD_GAP says how much
 * was dropped. When the disk is full the spool goes on in a ring of SPOOL_RING bytes in memory; a cursor that the
 * ring has overtaken gets a RECORD_GAP that counts what it lost (marks may be among it). When the disk has room again
 * before anything was lost, the file goes on. One thread. SIGXFSZ must be ignored by the program.
 */
#ifndef CAISSON_CORE_SPOOL_H
#define CAISSON_CORE_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

#define SPOOL_LINE_MAX 16000 /* bytes of text in one record: awslogs splits at 16 KiB */
#define SPOOL_RING (1 << 20)
#define SPOOL_RESERVE (1 << 20)
#define SPOOL_LISTENERS 4

enum record_kind {
    RECORD_OUTPUT, /* a line of a command */
    RECORD_INFO,   /* a line of ours */
    RECORD_WARNING,
    RECORD_ERROR,
    RECORD_DEBUG,
    RECORD_COMMAND,    /* the command line that now runs: "$ npm ci" */
    RECORD_STEP_BEGIN, /* text: the step's name */
    RECORD_STEP_END,   /* text: the step's name; ok, duration_ms */
    RECORD_PROGRESS,   /* transient: text like "receiving objects 40 %"; shown live only */
    RECORD_GAP,        /* text says how much is missing */
    RECORD_RESULT,     /* the summary, at the end */
    RECORD_HEARTBEAT,  /* the job lives, for duration_ms by now: for consumers far away, shown nowhere */
    RECORD_KINDS,      /* how many */
};

struct record {
    enum record_kind kind;
    int64_t wall_ms;
    uint64_t sequence;
    int64_t duration_ms; /* RECORD_STEP_END, RECORD_HEARTBEAT */
    int attempts;        /* RECORD_STEP_END */
    bool ok;             /* RECORD_STEP_END */
    bool is_stderr;      /* RECORD_OUTPUT */
    char step[24];       /* current step; "" before the first */
    const char *text;    /* NUL-terminated, without the newline; valid UTF-8; borrowed */
    size_t text_len;
};

struct spool;
struct spool_cursor {
    struct spool *spool; /* borrowed */
    uint64_t offset;
    uint64_t sequence; /* of the next record expected: a jump is a gap */
    char *scratch;
    size_t scratch_cap;
    uint64_t scratch_offset; /* in the spool, of the first byte in scratch */
    size_t scratch_len;
};

/* `directory` (NULL: none) holds the unlinked file; limit in bytes. Falls back to memory when no file can be made:
 * never fails. */
struct spool *spool_new(const char *directory, int64_t limit_bytes);
void spool_free(struct spool *spool);
/* Another limit from now on, e.g. when the job is known. What has been let in stays. */
void spool_limit(struct spool *spool, int64_t limit_bytes);
/* Assigns the sequence (from 1 on) and, when 0, the time; text over SPOOL_LINE_MAX is cut into several records. */
void spool_append(struct spool *spool, const struct record *record);
/* Called after each append, to wake a consumer, of which there are at most SPOOL_LISTENERS. It must not append. */
void spool_on_append(struct spool *spool, void (*call)(void *context), void *context);
/* Takes that away again. One that is not there is fine. */
void spool_forget(struct spool *spool, void (*call)(void *context), void *context);
/* Sequence of the last record; 0: there is none. */
uint64_t spool_last(const struct spool *spool);

/* Where a cursor was. */
struct spool_place {
    uint64_t offset, sequence;
};

void spool_cursor_init(struct spool_cursor *cursor, struct spool *spool);
void spool_cursor_dispose(struct spool_cursor *cursor);
/* 1 and the next record (text borrowed until the next call on this cursor), or 0 at the end. A loss gives a
 * RECORD_GAP record whose sequence is that of the first record lost. */
int spool_read(struct spool_cursor *cursor, struct record *record);
bool spool_at_end(const struct spool_cursor *cursor);
/* Goes back there. What is lost meanwhile gives a RECORD_GAP. */
void spool_return(struct spool_cursor *cursor, const struct spool_place *place);
/* Goes to the end. Returns how many records it has left out. */
uint64_t spool_skip(struct spool_cursor *cursor);

#endif
