/* How records lie in the spool's file and memory. Internal to the spool. */
#ifndef CAISSON_CORE_SPOOL_FRAME_H
#define CAISSON_CORE_SPOOL_FRAME_H

#include "core/spool.h"

/* The head, then for RECORD_STEP_END a frame_end, then the text and a NUL. Native byte order: nobody else reads it. */
struct frame_head {
    uint32_t text_len;
    uint8_t kind;
    uint8_t flags;
    uint16_t step; /* index into the spool's table of names */
    int64_t wall_ms;
    uint64_t sequence;
};

struct frame_end {
    int64_t duration_ms;
    int64_t attempts;
};

#define FRAME_OK 1
#define FRAME_STDERR 2
#define FRAME_MAX (sizeof(struct frame_head) + sizeof(struct frame_end) + SPOOL_LINE_MAX + 1)

size_t frame_size(const struct frame_head *head);
/* Writes a whole frame to `to`, which has room for FRAME_MAX bytes. Its size. */
size_t frame_write(char *to, const struct record *record, uint16_t step);
/* Reads the frame that the bytes begin with. Its size; 0 when they end too early or are no frame. The record's step
 * is left alone: *step is its index. */
size_t frame_read(const char *from, size_t len, struct record *record, uint16_t *step);

#endif
