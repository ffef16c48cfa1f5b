#include "core/spool_frame.h"

#include <string.h>

size_t frame_size(const struct frame_head *head)
{
    return sizeof *head + (head->kind == RECORD_STEP_END ? sizeof(struct frame_end) : 0) + head->text_len + 1;
}

size_t frame_write(char *to, const struct record *record, uint16_t step)
{
    const struct frame_head head = {
        .text_len = (uint32_t)record->text_len,
        .kind = (uint8_t)record->kind,
        .flags = (uint8_t)((record->ok ? FRAME_OK : 0) | (record->is_stderr ? FRAME_STDERR : 0)),
        .step = step,
        .wall_ms = record->wall_ms,
        .sequence = record->sequence,
    };
    char *at = to;

    memcpy(at, &head, sizeof head);
    at += sizeof head;
    if (record->kind == RECORD_STEP_END) {
        const struct frame_end end = {record->duration_ms, record->attempts};

        memcpy(at, &end, sizeof end);
        at += sizeof end;
    }
    if (record->text_len)
        memcpy(at, record->text, record->text_len);
    at[record->text_len] = '\0';
    return frame_size(&head);
}

size_t frame_read(const char *from, size_t len, struct record *record, uint16_t *step)
{
    struct frame_head head;
    size_t size;

    if (len < sizeof head)
        return 0;
    memcpy(&head, from, sizeof head);
    if (head.text_len > SPOOL_LINE_MAX || head.kind >= RECORD_KINDS)
        return 0;
    size = frame_size(&head);
    if (size > len)
        return 0;
    *record = (struct record){
        .kind = (enum record_kind)head.kind,
        .wall_ms = head.wall_ms,
        .sequence = head.sequence,
        .ok = head.flags & FRAME_OK,
        .is_stderr = head.flags & FRAME_STDERR,
        .text = from + size - head.text_len - 1,
        .text_len = head.text_len,
    };
    if (head.kind == RECORD_STEP_END) {
        struct frame_end end;

        memcpy(&end, from + sizeof head, sizeof end);
        record->duration_ms = end.duration_ms;
        record->attempts = (int)end.attempts;
    }
    *step = head.step;
    return size;
}
