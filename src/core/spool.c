#include "core/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/mem.h"
#include "core/spool_frame.h"
#include "core/utf8.h"

/* So much is gathered before it is written. */
#define GATHER 65536
/* What a record counts at least towards the limit: an endless run of empty lines takes space too. */
#define COST_MIN ((int64_t)sizeof(struct frame_head))
#define STEPS_MAX 1024

/*
 * Offsets are logical: [0, file_end) is in the file, [memory_start, end) in memory, and what lies between is lost.
 * While the disk has room memory_start == file_end always.
 */
struct spool {
    int fd; /* -1: memory only */
    uint64_t file_end;
    char *memory;
    size_t memory_cap;
    size_t memory_len;
    uint64_t memory_start;
    uint64_t retry_at; /* the disk was full: try again when the end is here */
    uint64_t sequence; /* of the last record */
    int64_t limit;
    int64_t used;
    bool truncated;
    uint64_t dropped_lines;
    int64_t dropped_bytes;
    char (*steps)[sizeof((struct record *)0)->step];
    uint16_t step_count;
    struct listener {
        void (*call)(void *context);
        void *context;
    } listeners[SPOOL_LISTENERS];
};

static int make_unlinked_file(const char *directory)
{
    CLEANUP_FREE char *path = NULL;
    int fd = open(directory, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0)
        return fd;
    /* File systems without O_TMPFILE: overlay of older kernels, NFS. */
    path = xasprintf("%s/.caisson-spool-XXXXXX", directory);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

struct spool *spool_new(const char *directory, int64_t limit_bytes)
{
    struct spool *spool = xcalloc(1, sizeof *spool);

    spool->fd = directory ? make_unlinked_file(directory) : -1;
    spool->limit = limit_bytes;
    spool->memory_cap = GATHER + FRAME_MAX;
    spool->memory = xmalloc(spool->memory_cap);
    spool->steps = xcalloc(1, sizeof *spool->steps);
    spool->step_count = 1; /* the empty name */
    return spool;
}

void spool_limit(struct spool *spool, int64_t limit_bytes)
{
    spool->limit = limit_bytes;
}

void spool_free(struct spool *spool)
{
    if (!spool)
        return;
    if (spool->fd >= 0)
        close(spool->fd);
    free(spool->memory);
    free(spool->steps);
    free(spool);
}

void spool_on_append(struct spool *spool, void (*call)(void *context), void *context)
{
    size_t i;

    for (i = 0; i < SPOOL_LISTENERS; i++)
        if (!spool->listeners[i].call) {
            spool->listeners[i] = (struct listener){call, context};
            return;
        }
    abort(); /* a mistake of ours */
}

void spool_forget(struct spool *spool, void (*call)(void *context), void *context)
{
    size_t i;

    for (i = 0; i < SPOOL_LISTENERS; i++)
        if (spool->listeners[i].call == call && spool->listeners[i].context == context)
            spool->listeners[i] = (struct listener){0};
}

uint64_t spool_last(const struct spool *spool)
{
    return spool->sequence;
}

/* ---- from memory to the file, or past it ---- */

static bool write_at(int fd, const char *data, size_t len, uint64_t offset)
{
    while (len) {
        ssize_t put = pwrite(fd, data, len, (off_t)offset);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        data += put;
        len -= (size_t)put;
        offset += (uint64_t)put;
    }
    return true;
}

/* A failed write leaves everything as it was: the file's end is where we say it is. */
static bool flush_to_file(struct spool *spool)
{
    if (spool->fd < 0 || spool->memory_start != spool->file_end)
        return false;
    if (!write_at(spool->fd, spool->memory, spool->memory_len, spool->file_end))
        return false;
    spool->file_end += spool->memory_len;
    spool->memory_start = spool->file_end;
    spool->memory_len = 0;
    return true;
}

/* Drops the oldest records, a quarter of the ring at once so that the move costs little. */
static void drop_oldest(struct spool *spool)
{
    size_t keep = SPOOL_RING - SPOOL_RING / 4;
    size_t at = 0;

    while (spool->memory_len - at > keep) {
        struct record record;
        uint16_t step;
        size_t size = frame_read(spool->memory + at, spool->memory_len - at, &record, &step);

        at = size ? at + size : spool->memory_len;
    }
    spool->memory_len -= at;
    spool->memory_start += at;
    memmove(spool->memory, spool->memory + at, spool->memory_len);
}

static void make_room(struct spool *spool)
{
    uint64_t end = spool->memory_start + spool->memory_len;

    if (spool->memory_len < GATHER)
        return;
    if (end >= spool->retry_at) {
        if (flush_to_file(spool))
            return;
        spool->retry_at = end + GATHER;
    }
    if (spool->memory_cap < SPOOL_RING + FRAME_MAX) {
        spool->memory_cap = SPOOL_RING + FRAME_MAX;
        spool->memory = xrealloc(spool->memory, spool->memory_cap, 1);
    }
    if (spool->memory_len >= SPOOL_RING)
        drop_oldest(spool);
}

/* ---- appending ---- */

static uint16_t step_index(struct spool *spool, const char *name)
{
    uint16_t i = spool->step_count;

    /* The newest first: it is the current one. */
    while (i-- > 0)
        if (strncmp(spool->steps[i], name, sizeof spool->steps[i]) == 0)
            return i;
    if (spool->step_count == STEPS_MAX)
        return 0;
    spool->steps = xrealloc(spool->steps, (size_t)spool->step_count + 1, sizeof *spool->steps);
    snprintf(spool->steps[spool->step_count], sizeof *spool->steps, "%s", name);
    return spool->step_count++;
}

static void put(struct spool *spool, struct record *record)
{
    make_room(spool);
    record->sequence = ++spool->sequence;
    spool->memory_len += frame_write(spool->memory + spool->memory_len, record, step_index(spool, record->step));
}

static void put_gap(struct spool *spool, const struct record *beside, const char *text)
{
    struct record gap = {
        .kind = RECORD_GAP,
        .wall_ms = beside->wall_ms,
        .text = text,
        .text_len = strlen(text),
    };

    memcpy(gap.step, beside->step, sizeof gap.step);
    put(spool, &gap);
}

static bool is_mark(enum record_kind kind)
{
    return kind == RECORD_STEP_BEGIN || kind == RECORD_STEP_END || kind == RECORD_RESULT;
}

static bool is_bulk(enum record_kind kind)
{
    return kind == RECORD_OUTPUT || kind == RECORD_PROGRESS || kind == RECORD_DEBUG;
}

/* Whether the limit lets a record pass. Counts it, and says once that the limit is reached. */
static bool admit(struct spool *spool, const struct record *record)
{
    int64_t cost = (int64_t)record->text_len + 1 > COST_MIN ? (int64_t)record->text_len + 1 : COST_MIN;
    int64_t room = spool->limit - spool->used;
    char size[CLOCK_TEXT_SIZE];
    char text[120];

    if (is_mark(record->kind))
        return true;
    if (!is_bulk(record->kind))
        room += SPOOL_RESERVE;
    if (cost <= room && !(spool->truncated && is_bulk(record->kind))) {
        spool->used += cost;
        return true;
    }
    if (record->kind != RECORD_PROGRESS) { /* that is no line of the log */
        spool->dropped_lines++;
        spool->dropped_bytes += (int64_t)record->text_len + 1;
    }
    if (!spool->truncated) {
        spool->truncated = true;
        size_format(spool->limit, size);
        snprintf(text, sizeof text, "the log has reached its limit of %s: further output is left out", size);
        put_gap(spool, record, text);
    }
    return false;
}

static void put_admitted(struct spool *spool, struct record *record)
{
    char size[CLOCK_TEXT_SIZE];
    char text[120];

    if (!admit(spool, record))
        return;
    if (record->kind == RECORD_RESULT && spool->dropped_lines) {
        size_format(spool->dropped_bytes, size);
        snprintf(text, sizeof text, "%llu lines (%s) past the log's limit were left out",
                 (unsigned long long)spool->dropped_lines, size);
        put_gap(spool, record, text);
        spool->dropped_lines = 0;
    }
    put(spool, record);
}

void spool_append(struct spool *spool, const struct record *record)
{
    struct record part = *record;
    struct view rest = {record->text ? record->text : "", record->text ? record->text_len : 0};
    size_t i;

    part.step[sizeof part.step - 1] = '\0';
    if (part.wall_ms == 0)
        part.wall_ms = clock_wall_ms();
    do {
        part.text = rest.data;
        part.text_len = utf8_cut(rest, SPOOL_LINE_MAX);
        if (part.text_len == 0)
            part.text_len = rest.len < SPOOL_LINE_MAX ? rest.len : SPOOL_LINE_MAX;
        put_admitted(spool, &part);
        rest.data += part.text_len;
        rest.len -= part.text_len;
    } while (rest.len);
    for (i = 0; i < SPOOL_LISTENERS; i++)
        if (spool->listeners[i].call)
            spool->listeners[i].call(spool->listeners[i].context);
}

/* ---- reading ---- */

static uint64_t spool_end(const struct spool *spool)
{
    return spool->memory_start + spool->memory_len;
}

void spool_cursor_init(struct spool_cursor *cursor, struct spool *spool)
{
    *cursor = (struct spool_cursor){.spool = spool, .sequence = 1, .scratch_cap = GATHER + FRAME_MAX};
}

void spool_cursor_dispose(struct spool_cursor *cursor)
{
    free(cursor->scratch);
    *cursor = (struct spool_cursor){.spool = cursor->spool};
}

bool spool_at_end(const struct spool_cursor *cursor)
{
    return cursor->offset >= spool_end(cursor->spool);
}

void spool_return(struct spool_cursor *cursor, const struct spool_place *place)
{
    cursor->offset = place->offset;
    cursor->sequence = place->sequence;
}

uint64_t spool_skip(struct spool_cursor *cursor)
{
    uint64_t next = cursor->spool->sequence + 1;
    uint64_t skipped = next > cursor->sequence ? next - cursor->sequence : 0;

    cursor->offset = spool_end(cursor->spool);
    cursor->sequence = next;
    return skipped;
}

static size_t read_from_file(struct spool_cursor *cursor, size_t want)
{
    ssize_t got;

    do
        got = pread(cursor->spool->fd, cursor->scratch, want, (off_t)cursor->offset);
    while (got < 0 && errno == EINTR);
    return got < 0 ? 0 : (size_t)got;
}

/* Copies what follows the cursor, as much as fits: memory may be written to the file, and the ring turned, before the
 * text that the caller borrows is used up. */
static void fill(struct spool_cursor *cursor)
{
    const struct spool *spool = cursor->spool;
    bool in_file = cursor->offset < spool->file_end;
    uint64_t left;
    size_t want;

    if (!in_file && cursor->offset < spool->memory_start)
        cursor->offset = spool->memory_start;
    left = (in_file ? spool->file_end : spool_end(spool)) - cursor->offset;
    want = left < cursor->scratch_cap ? (size_t)left : cursor->scratch_cap;
    if (!cursor->scratch)
        cursor->scratch = xmalloc(cursor->scratch_cap);
    cursor->scratch_offset = cursor->offset;
    if (in_file) {
        cursor->scratch_len = read_from_file(cursor, want);
        return;
    }
    memcpy(cursor->scratch, spool->memory + (cursor->offset - spool->memory_start), want);
    cursor->scratch_len = want;
}

static size_t read_frame(struct spool_cursor *cursor, struct record *record, uint16_t *step)
{
    uint64_t at = cursor->offset - cursor->scratch_offset;

    if (cursor->offset < cursor->scratch_offset || at >= cursor->scratch_len)
        return 0;
    return frame_read(cursor->scratch + at, cursor->scratch_len - (size_t)at, record, step);
}

/* The next frame, past what is lost or cannot be read. 0 at the end. */
static size_t next_frame(struct spool_cursor *cursor, struct record *record, uint16_t *step)
{
    size_t size;

    while (!spool_at_end(cursor)) {
        size = read_frame(cursor, record, step);
        if (size)
            return size;
        fill(cursor);
        size = read_frame(cursor, record, step);
        if (size)
            return size;
        /* The file cannot be read here: what is in memory still can. */
        cursor->offset =
            cursor->offset < cursor->spool->memory_start ? cursor->spool->memory_start : spool_end(cursor->spool);
    }
    return 0;
}

/* Makes a record of the loss before `record`. The text lies in the cursor's scratch, which is read again afterwards. */
static void report_loss(struct spool_cursor *cursor, struct record *record)
{
    uint64_t lost = record->sequence - cursor->sequence;

    record->kind = RECORD_GAP;
    record->sequence = cursor->sequence;
    record->text_len = (size_t)snprintf(cursor->scratch, cursor->scratch_cap,
                                        "%llu lines of the log were lost: the disk was full", (unsigned long long)lost);
    record->text = cursor->scratch;
    cursor->sequence += lost;
    cursor->scratch_len = 0;
}

int spool_read(struct spool_cursor *cursor, struct record *record)
{
    uint16_t step = 0;
    size_t size = next_frame(cursor, record, &step);

    if (size == 0)
        return 0;
    memcpy(record->step, cursor->spool->steps[step < cursor->spool->step_count ? step : 0], sizeof record->step);
    if (record->sequence > cursor->sequence) {
        report_loss(cursor, record);
        return 1;
    }
    cursor->offset += size;
    cursor->sequence = record->sequence + 1;
    return 1;
}
