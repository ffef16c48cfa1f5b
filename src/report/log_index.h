/* The index beside a stored log (report/log_copy.h makes it), as a reader finds it: anybody may have written it. */
#ifndef CAISSON_REPORT_LOG_INDEX_H
#define CAISSON_REPORT_LOG_INDEX_H

#include <stdint.h>

#include "core/buf.h"
#include "core/error.h"
#include "report/log_copy.h"

#define LOG_INDEX_MAX ((size_t)16 << 20)
#define LOG_TEXT_MAX ((int64_t)8 << 30) /* more than any job may store: what unpacks to more is a bomb */

struct log_index_part {
    int64_t offset, bytes; /* as stored */
    int64_t text_offset;
    int64_t line; /* its first, from 1 */
    int64_t wall_ms;
};

struct log_index_step {
    char name[24];
    int64_t line, lines;
};

struct log_index {
    enum log_encoding encoding;
    int64_t bytes, text_bytes, lines;
    struct log_index_part *parts; /* in order, without overlap, all within the log */
    size_t parts_len;
    struct log_index_step *steps; /* in order, all within the log */
    size_t steps_len;
};

/* CLASS_USAGE, reason "bad-log-index". Dispose in any case. */
int log_index_parse(struct log_index *index, struct view text, const char *name, struct error *err);
void log_index_dispose(struct log_index *index);
/* The last part that begins at or before the line; the index has one at least. */
size_t log_index_part_of(const struct log_index *index, int64_t line);
/* Where the text and the bytes of a part end. */
int64_t log_index_text_end(const struct log_index *index, size_t part);
/* The step that had begun before the line and not ended; "": none. Borrowed. */
const char *log_index_step_before(const struct log_index *index, int64_t line);

#endif
