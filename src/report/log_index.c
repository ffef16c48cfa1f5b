#include "report/log_index.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/mem.h"

#define BYTES_MAX ((int64_t)1 << 40)

static int bad(struct error *err, const char *name, const char *what)
{
    return error_set(err, CLASS_USAGE, "bad-log-index", "%.500s: not an index of a log: %s", name, what);
}

static int parse_encoding(const json_t *document, enum log_encoding *encoding)
{
    const char *text = json_text(document, "encoding", "");

    for (*encoding = LOG_IDENTITY; *encoding <= LOG_ZSTD; (*encoding)++)
        if (strcmp(log_encoding_name(*encoding), text) == 0)
            return 0;
    return -1;
}

/* Each begins where the one before has ended, or behind; what they say of the text goes up with them. */
static bool parse_part(const struct log_index *index, const json_t *json, struct log_index_part *part)
{
    const struct log_index_part *before = index->parts_len ? &index->parts[index->parts_len - 1] : NULL;

    *part = (struct log_index_part){.offset = json_int(json, "offset", -1),
                                    .bytes = json_int(json, "bytes", -1),
                                    .text_offset = json_int(json, "text_offset", -1),
                                    .line = json_int(json, "line", -1)};
    if (clock_parse(json_text(json, "time", ""), &part->wall_ms))
        return false;
    if (part->offset < 0 || part->bytes < 1 || part->bytes > index->bytes || part->offset > index->bytes - part->bytes)
        return false;
    if (part->text_offset >= index->text_bytes || part->line > index->lines)
        return false;
    if (!before)
        return part->text_offset == 0 && part->line == 1;
    return part->offset >= before->offset + before->bytes && part->text_offset > before->text_offset &&
           part->line > before->line;
}

static bool parse_parts(struct log_index *index, const json_t *list)
{
    size_t i, len = json_array_size(list);

    index->parts = xcalloc(len ? len : 1, sizeof *index->parts);
    for (i = 0; i < len; i++) {
        if (!parse_part(index, json_array_get(list, i), &index->parts[i]))
            return false;
        index->parts_len++;
    }
    return json_is_array(list) && (len > 0) == (index->lines > 0);
}

static bool parse_step(const struct log_index *index, const json_t *json, struct log_index_step *step)
{
    const struct log_index_step *before = index->steps_len ? &index->steps[index->steps_len - 1] : NULL;
    const char *name = json_text(json, "name", "");

    *step = (struct log_index_step){.line = json_int(json, "line", -1), .lines = json_int(json, "lines", -1)};
    if (!*name || strlen(name) >= sizeof step->name)
        return false;
    memcpy(step->name, name, strlen(name) + 1);
    return step->line >= 1 && step->lines >= 1 && step->line <= index->lines &&
           step->lines <= index->lines - step->line + 1 && (!before || step->line >= before->line + before->lines);
}

static bool parse_steps(struct log_index *index, const json_t *list)
{
    size_t i, len = json_array_size(list);

    index->steps = xcalloc(len ? len : 1, sizeof *index->steps);
    for (i = 0; i < len; i++) {
        if (!parse_step(index, json_array_get(list, i), &index->steps[i]))
            return false;
        index->steps_len++;
    }
    return json_is_array(list);
}

int log_index_parse(struct log_index *index, struct view text, const char *name, struct error *err)
{
    CLEANUP_JSON json_t *document = NULL;

    *index = (struct log_index){0};
    document = json_parse(text.data, text.len, CLASS_USAGE, name, err);
    if (!document) {
        snprintf(err->reason, sizeof err->reason, "bad-log-index");
        return -1;
    }
    if (strcmp(json_text(document, "schema", ""), "caisson.log-index/1") != 0)
        return bad(err, name, "its schema is another");
    if (parse_encoding(document, &index->encoding))
        return bad(err, name, "its encoding is none that is known");
    index->bytes = json_int(document, "bytes", -1);
    index->text_bytes = json_int(document, "text_bytes", -1);
    index->lines = json_int(document, "lines", -1);
    if (index->bytes < 0 || index->bytes > BYTES_MAX || index->text_bytes < 0 || index->text_bytes > LOG_TEXT_MAX ||
        index->lines < 0 || index->lines > index->text_bytes)
        return bad(err, name, "its sizes cannot be");
    if (!parse_parts(index, json_object_get(document, "parts")))
        return bad(err, name, "its parts are not in order, or not within the log");
    if (!parse_steps(index, json_object_get(document, "steps")))
        return bad(err, name, "its steps are not in order, or not within the log");
    return 0;
}

void log_index_dispose(struct log_index *index)
{
    free(index->parts);
    free(index->steps);
    *index = (struct log_index){0};
}

size_t log_index_part_of(const struct log_index *index, int64_t line)
{
    size_t low = 0, high = index->parts_len;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (index->parts[middle].line <= line)
            low = middle;
        else
            high = middle;
    }
    return low;
}

int64_t log_index_text_end(const struct log_index *index, size_t part)
{
    return part + 1 < index->parts_len ? index->parts[part + 1].text_offset : index->text_bytes;
}

const char *log_index_step_before(const struct log_index *index, int64_t line)
{
    size_t i;

    for (i = 0; i < index->steps_len; i++)
        if (index->steps[i].line < line && line < index->steps[i].line + index->steps[i].lines)
            return index->steps[i].name;
    return "";
}
