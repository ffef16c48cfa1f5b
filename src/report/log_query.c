#include "report/log_query.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "report/log_index.h"
#include "report/log_reader.h"

#define RANGE_BYTES ((size_t)4 << 20) /* of one request */
#define FIRST_BYTES ((size_t)64 << 10)

/* One run over the log. */
struct run {
    const struct log_query *query;
    struct log_source *source;
    struct log_filter *filter;
    struct log_lines lines;
    int64_t first, last; /* lines that are wanted of a range */
    struct buf bytes;
};

static bool is_missing(const struct error *err)
{
    return strcmp(err->reason, "not-found") == 0 || strcmp(err->reason, "access-denied") == 0;
}

static int feed(struct run *run, struct log_reader *reader, struct error *err)
{
    int status = log_reader_feed(reader, (struct view){run->bytes.data, run->bytes.len}, err);

    buf_reset(&run->bytes);
    return status < 0 ? error_context(err, "%.500s", log_source_name(run->source)) : status;
}

/* ---- without an index ---- */

static bool on_line(void *context, struct view line)
{
    struct run *run = context;

    return log_lines_add(&run->lines, line);
}

static int read_whole(struct run *run, struct error *err)
{
    struct log_reader reader;
    int64_t offset = 0;
    int status = log_source_read(run->source, 0, FIRST_BYTES, &run->bytes, err);

    if (status)
        return -1;
    log_reader_init(&reader, log_encoding_sniff((struct view){buf_text(&run->bytes), run->bytes.len}), false,
                    LOG_TEXT_MAX, on_line, run);
    while (status == 0 && run->bytes.len) {
        offset += (int64_t)run->bytes.len;
        status = feed(run, &reader, err);
        if (status == 0)
            status = log_source_read(run->source, offset, RANGE_BYTES, &run->bytes, err);
    }
    if (status == 0 && log_reader_end(&reader, err))
        status = error_context(err, "%.500s", log_source_name(run->source));
    log_reader_dispose(&reader);
    return status < 0 ? -1 : 0;
}

/* ---- with an index ---- */

static bool on_range_line(void *context, struct view line)
{
    struct run *run = context;

    /* what stands before is looked at too: it says when and in which step we are */
    if (run->lines.number >= run->last)
        return false;
    return log_lines_add(&run->lines, line);
}

static bool on_wanted(void *context, const struct log_line *line)
{
    struct run *run = context;

    return line->number < run->first || log_filter_add(run->filter, line);
}

static int mismatch(const struct run *run, struct error *err)
{
    error_set(err, CLASS_USAGE, "log-index-mismatch", "%.500s and the index beside it are not of one log",
              log_source_name(run->source));
    return error_hint(err, "--no-index reads the whole log without it");
}

static int read_parts(struct run *run, struct log_reader *reader, int64_t offset, int64_t end, struct error *err)
{
    int status = 0;

    while (status == 0 && offset < end) {
        size_t len = end - offset < (int64_t)RANGE_BYTES ? (size_t)(end - offset) : RANGE_BYTES;

        if (log_source_read(run->source, offset, len, &run->bytes, err))
            return -1;
        if (run->bytes.len != len)
            return mismatch(run, err);
        offset += (int64_t)len;
        status = feed(run, reader, err);
    }
    if (status < 0 && strcmp(err->reason, "log-too-large") == 0)
        return mismatch(run, err);
    return status < 0 ? -1 : 0;
}

/* The parts that hold the lines from run->first to run->last. */
static int read_range(struct run *run, const struct log_index *index, struct error *err)
{
    size_t from = log_index_part_of(index, run->first), to = log_index_part_of(index, run->last);
    const struct log_index_part *first = &index->parts[from], *last = &index->parts[to];
    int64_t text_bytes = log_index_text_end(index, to) - first->text_offset;
    struct log_reader reader;
    int status;

    run->lines =
        (struct log_lines){.emit = on_wanted, .context = run, .number = first->line - 1, .near_ms = first->wall_ms};
    snprintf(run->lines.step, sizeof run->lines.step, "%s", log_index_step_before(index, first->line));
    log_reader_init(&reader, index->encoding, true, text_bytes, on_range_line, run);
    status = read_parts(run, &reader, first->offset, last->offset + last->bytes, err);
    if (status == 0)
        status = log_reader_end(&reader, err);
    if (status == 0 && run->lines.number < run->last && !reader.stopped)
        status = mismatch(run, err);
    log_reader_dispose(&reader);
    return status;
}

/* Lines that the step has, or all: the n-th stretch of them; false past the last. */
static bool stretch(const struct log_query *query, const struct log_index *index, size_t n, int64_t *line,
                    int64_t *lines)
{
    size_t i;

    *line = 1;
    *lines = index->lines;
    if (!query->step)
        return n == 0 && index->lines > 0;
    for (i = 0; i < index->steps_len; i++)
        if (strcmp(index->steps[i].name, query->step) == 0 && n-- == 0) {
            *line = index->steps[i].line;
            *lines = index->steps[i].lines;
            return true;
        }
    return false;
}

/* The first line of the first part that may hold what is wanted. */
static int64_t since_line(const struct log_query *query, const struct log_index *index)
{
    int64_t second = query->since.wall_ms / 1000;
    size_t i = 0;

    while (query->since.wall_ms && i + 1 < index->parts_len && index->parts[i + 1].wall_ms / 1000 < second)
        i++;
    return index->parts_len ? index->parts[i].line : 1;
}

static int read_indexed(struct run *run, const struct log_index *index, struct error *err)
{
    int64_t total = 0, skip, line, lines, since = since_line(run->query, index);
    size_t n;

    for (n = 0; stretch(run->query, index, n, &line, &lines); n++)
        total += lines;
    skip = run->query->tail && total > run->query->tail ? total - run->query->tail : 0;
    for (n = 0; stretch(run->query, index, n, &line, &lines); n++) {
        int64_t passed = skip < lines ? skip : lines;

        skip -= passed;
        run->first = line + passed > since ? line + passed : since;
        run->last = line + lines - 1;
        if (run->first <= run->last && read_range(run, index, err))
            return -1;
    }
    return 0;
}

/* Steps that were not read are steps all the same. */
static int check_step(const struct log_query *query, const struct log_index *index, struct error *err)
{
    struct log_filter *filter;
    int64_t line, lines;
    int status;
    size_t i;

    if (stretch(query, index, 0, &line, &lines))
        return 0;
    filter = log_filter_new(query);
    for (i = 0; i < index->steps_len; i++)
        log_filter_add(filter, &(struct log_line){.step = index->steps[i].name,
                                                  .type = "",
                                                  .stream = "",
                                                  .clock_s = -1,
                                                  .text = {"", 0},
                                                  .whole = {"", 0}});
    status = log_filter_check(filter, err);
    log_filter_free(filter);
    return status;
}

/* 1 with an index, 0 without (*note says why, where one is there), −1. */
static int load_index(const struct log_query *query, const struct log_access *access, struct log_source *source,
                      struct log_index *index, char **note, struct error *err)
{
    CLEANUP_FREE char *name = log_source_beside(source, LOG_INDEX_SUFFIX);
    struct log_source *beside;
    struct buf text;
    int status;

    *index = (struct log_index){0};
    if (!name || query->no_index)
        return 0;
    if (log_source_open(&beside, access, name, err))
        return -1;
    buf_init(&text, LOG_INDEX_MAX);
    status = log_source_read_all(beside, &text, err);
    if (status == 0 &&
        log_index_parse(index, (struct view){buf_text(&text), text.len}, log_source_name(beside), err) == 0)
        status = 1;
    else if (status && !is_missing(err))
        status = -1;
    else if (status == 0)
        *note = xasprintf("%s; reading the whole log", err->message);
    else
        status = 0;
    buf_dispose(&text);
    log_source_free(beside);
    return status;
}

/* An index of a log that was replaced, or is not of this one, is none. */
static int check_size(struct log_source *source, const struct log_index *index, char **note, struct error *err)
{
    struct buf byte;
    int status;

    buf_init(&byte, 1);
    status = log_source_read(source, 0, 1, &byte, err);
    buf_dispose(&byte);
    if (status)
        return -1;
    if (log_source_size(source) < 0 || log_source_size(source) == index->bytes)
        return 1;
    *note =
        xasprintf("%s has another size than the index beside it says; reading the whole log", log_source_name(source));
    return 0;
}

int log_query_run(const struct log_query *query, const struct log_access *access, struct log_source *source,
                  char **note, struct error *err)
{
    struct log_query passed = *query;
    struct run run = {.query = query, .source = source};
    struct log_index index;
    int indexed, status;

    *note = NULL;
    indexed = load_index(query, access, source, &index, note, err);
    if (indexed == 1)
        indexed = check_size(source, &index, note, err);
    if (indexed < 0 || (indexed && check_step(query, &index, err))) {
        log_index_dispose(&index);
        return -1;
    }
    if (indexed)
        passed.tail = 0; /* the ranges are cut to it */
    run.filter = log_filter_new(&passed);
    run.lines = (struct log_lines){.emit = log_filter_add, .context = run.filter};
    buf_init(&run.bytes, RANGE_BYTES + FIRST_BYTES);
    status = indexed ? read_indexed(&run, &index, err) : read_whole(&run, err);
    log_filter_flush(run.filter);
    if (status == 0 && !indexed)
        status = log_filter_check(run.filter, err);
    buf_dispose(&run.bytes);
    log_filter_free(run.filter);
    log_index_dispose(&index);
    return status;
}

int log_index_exists(const struct log_access *access, const struct log_source *source, bool *refused, struct error *err)
{
    CLEANUP_FREE char *name = log_source_beside(source, LOG_INDEX_SUFFIX);
    struct log_source *beside;
    struct buf byte;
    int status;

    *refused = false;
    if (!name)
        return 0;
    if (log_source_open(&beside, access, name, err))
        return -1;
    buf_init(&byte, 1);
    status = log_source_read(beside, 0, 1, &byte, err);
    if (status == 0)
        status = byte.len > 0;
    else if (is_missing(err)) {
        *refused = strcmp(err->reason, "access-denied") == 0;
        status = 0;
    }
    buf_dispose(&byte);
    log_source_free(beside);
    return status;
}
