/* Any bytes as the index beside a log: what is taken leads nowhere but into the log. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "report/log_index.h"

static void check_parts(const struct log_index *index)
{
    int64_t end = 0, text = -1, line = 0;
    size_t i;

    for (i = 0; i < index->parts_len; i++) {
        const struct log_index_part *part = &index->parts[i];

        if (part->offset < end || part->bytes < 1 || part->offset + part->bytes > index->bytes ||
            part->text_offset <= text || part->line <= line || part->line > index->lines ||
            log_index_text_end(index, i) <= part->text_offset || log_index_part_of(index, part->line) != i)
            abort();
        end = part->offset + part->bytes;
        text = part->text_offset;
        line = part->line;
    }
    if (index->lines > 0 && (!index->parts_len || log_index_part_of(index, index->lines) != index->parts_len - 1))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct error err = {0};
    struct log_index index;
    size_t i;

    if (log_index_parse(&index, (struct view){(const char *)data, len}, "x.index.json", &err)) {
        if (!err.message[0] || !err.reason[0])
            abort();
    } else {
        check_parts(&index);
        for (i = 0; i < index.steps_len; i++)
            if (index.steps[i].line < 1 || index.steps[i].line + index.steps[i].lines - 1 > index.lines ||
                *log_index_step_before(&index, index.steps[i].line))
                abort();
    }
    log_index_dispose(&index);
    return 0;
}
