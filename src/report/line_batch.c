#include "report/line_batch.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"

#define LINE_COST 160 /* what stands around a line's text */

void line_batch_init(struct line_batch *batch, size_t max)
{
    *batch = (struct line_batch){.max = max};
    buf_init(&batch->text, max + SPOOL_LINE_MAX + 1);
}

void line_batch_dispose(struct line_batch *batch)
{
    free(batch->lines);
    buf_dispose(&batch->text);
}

static size_t cost_of(const struct record *record)
{
    size_t cost = LINE_COST, i;

    for (i = 0; i < record->text_len; i++) {
        unsigned char c = (unsigned char)record->text[i];

        cost += c == '"' || c == '\\' ? 2 : c < 0x20 ? 6 : 1;
    }
    return cost;
}

bool line_batch_takes(enum record_kind kind)
{
    return kind == RECORD_OUTPUT || kind == RECORD_INFO || kind == RECORD_WARNING || kind == RECORD_ERROR ||
           kind == RECORD_COMMAND || kind == RECORD_GAP;
}

bool line_batch_read(struct line_batch *batch, struct spool_cursor *cursor, uint64_t first, uint64_t last)
{
    struct spool_place place = {cursor->offset, cursor->sequence};
    struct record record;

    while (spool_read(cursor, &record) == 1 && record.sequence <= last) {
        if (record.sequence >= first && line_batch_takes(record.kind) && !line_batch_add(batch, &record))
            break;
        place = (struct spool_place){cursor->offset, cursor->sequence};
    }
    spool_return(cursor, &place);
    return batch->len > 0;
}

bool line_batch_add(struct line_batch *batch, const struct record *record)
{
    size_t cost = cost_of(record);
    struct event_line *line;

    if (batch->len && batch->cost + cost > batch->max)
        return false;
    if (batch->len == batch->cap) {
        batch->cap = batch->cap ? batch->cap * 2 : 64;
        batch->lines = xrealloc(batch->lines, batch->cap, sizeof *batch->lines);
    }
    if (!batch->len)
        batch->since_ms = clock_monotonic_ms();
    line = &batch->lines[batch->len++];
    *line = (struct event_line){.kind = record->kind,
                                .is_stderr = record->is_stderr,
                                .sequence = record->sequence,
                                .wall_ms = record->wall_ms,
                                .text_len = record->text_len};
    memcpy(line->step, record->step, sizeof line->step);
    buf_add(&batch->text, record->text, record->text_len);
    buf_addc(&batch->text, '\0');
    batch->cost += cost;
    return true;
}

void line_batch_event(struct line_batch *batch, struct event *event)
{
    const char *text = batch->text.data;
    size_t i;

    for (i = 0; i < batch->len; i++) {
        batch->lines[i].text = text;
        text += batch->lines[i].text_len + 1;
    }
    *event = (struct event){.kind = EVENT_LOG,
                            .first = batch->lines[0].sequence,
                            .last = batch->lines[batch->len - 1].sequence,
                            .wall_ms = batch->lines[batch->len - 1].wall_ms,
                            .step = batch->lines[batch->len - 1].step,
                            .lines = batch->lines,
                            .lines_len = batch->len};
}

uint64_t line_batch_last(const struct line_batch *batch)
{
    return batch->len ? batch->lines[batch->len - 1].sequence : 0;
}

void line_batch_reset(struct line_batch *batch)
{
    batch->len = 0;
    batch->cost = 0;
    buf_reset(&batch->text);
}
