#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "report/log_query.h"

#define STEPS_MAX 50
#define DAY_S (24 * 60 * 60)

/* A line of the tail, with all that it borrows. */
struct kept {
    struct log_line line;
    size_t bytes;
    char *data;
};

struct log_filter {
    struct log_query query;
    struct strings steps; /* that were seen */
    struct kept *ring;    /* NULL: lines go through */
    size_t first, len, cap, bytes;
    bool begun;    /* the time has come */
    bool dateless; /* a line has a time and no day, but a day was asked for */
    bool stopped;
};

int log_since_parse(const char *text, int64_t now_ms, struct log_since *since, struct error *err)
{
    int64_t ago_ms;

    *since = (struct log_since){.clock_s = log_clock_parse(view_of(text))};
    if (since->clock_s >= 0 || clock_parse(text, &since->wall_ms) == 0)
        return 0;
    if (duration_parse(text, &ago_ms) == 0) {
        since->wall_ms = now_ms - ago_ms;
        return 0;
    }
    error_set(err, CLASS_USAGE, "bad-since", "--since cannot be %.100s", text);
    return error_hint(err, "10m, 12:00:01 (UTC), or 2026-01-09T12:00:01Z");
}

struct log_filter *log_filter_new(const struct log_query *query)
{
    struct log_filter *filter = xcalloc(1, sizeof *filter);

    filter->query = *query;
    filter->begun = !query->since.wall_ms && query->since.clock_s < 0;
    if (query->tail) {
        filter->cap = (size_t)query->tail;
        filter->ring = xcalloc(filter->cap, sizeof *filter->ring);
    }
    return filter;
}

static void drop_first(struct log_filter *filter)
{
    struct kept *kept = &filter->ring[filter->first];

    filter->bytes -= kept->bytes;
    free(kept->data);
    filter->first = (filter->first + 1) % filter->cap;
    filter->len--;
}

void log_filter_free(struct log_filter *filter)
{
    if (!filter)
        return;
    while (filter->len)
        drop_first(filter);
    free(filter->ring);
    strings_dispose(&filter->steps);
    free(filter);
}

static const char *put(char **at, const char *text, size_t len)
{
    char *copy = *at;

    if (len)
        memcpy(copy, text, len);
    copy[len] = '\0';
    *at += len + 1;
    return copy;
}

static void keep(struct log_filter *filter, const struct log_line *line)
{
    size_t bytes =
        line->text.len + line->whole.len + strlen(line->step) + strlen(line->type) + strlen(line->stream) + 5;
    struct kept kept = {.line = *line, .bytes = bytes, .data = xmalloc(bytes)};
    char *at = kept.data;

    kept.line.text.data = put(&at, line->text.data, line->text.len);
    kept.line.whole.data = put(&at, line->whole.data, line->whole.len);
    kept.line.step = put(&at, line->step, strlen(line->step));
    kept.line.type = put(&at, line->type, strlen(line->type));
    kept.line.stream = put(&at, line->stream, strlen(line->stream));
    while (filter->len && (filter->len == filter->cap || filter->bytes + bytes > LOG_TAIL_BYTES))
        drop_first(filter);
    filter->ring[(filter->first + filter->len) % filter->cap] = kept;
    filter->len++;
    filter->bytes += bytes;
}

/* Once it has come, clocks that are set back change nothing. */
static bool has_begun(struct log_filter *filter, const struct log_line *line)
{
    const struct log_since *since = &filter->query.since;

    if (filter->begun || line->clock_s < 0)
        return filter->begun;
    if (since->clock_s >= 0)
        filter->begun = (line->clock_s - since->clock_s + DAY_S + DAY_S / 2) % DAY_S >= DAY_S / 2;
    else if (line->wall_ms)
        /* of a line of text the second is known, no more */
        filter->begun = line->wall_ms / 1000 >= since->wall_ms / 1000;
    else
        filter->dateless = true;
    return filter->begun;
}

bool log_filter_add(void *context, const struct log_line *line)
{
    struct log_filter *filter = context;
    const char *step = filter->query.step;

    if (*line->step && !strings_has(&filter->steps, line->step) && filter->steps.len < STEPS_MAX)
        strings_add(&filter->steps, line->step);
    if (filter->stopped)
        return false;
    if (!has_begun(filter, line) || (step && strcmp(step, line->step) != 0))
        return true;
    if (filter->ring)
        keep(filter, line);
    else if (!filter->query.emit(filter->query.context, line))
        filter->stopped = true;
    return !filter->stopped;
}

void log_filter_flush(struct log_filter *filter)
{
    while (filter->len) {
        if (!filter->stopped && !filter->query.emit(filter->query.context, &filter->ring[filter->first].line))
            filter->stopped = true;
        drop_first(filter);
    }
    free(filter->ring);
    filter->ring = NULL;
}

int log_filter_check(const struct log_filter *filter, struct error *err)
{
    struct buf list;
    size_t i;

    if (filter->dateless && !filter->begun) {
        error_set(err, CLASS_USAGE, "no-dates", "the log has times and no days: --since cannot be compared with them");
        return error_hint(err, "name a time of day, such as 12:00:01, or put the log's index beside it");
    }
    if (!filter->query.step || filter->stopped || strings_has(&filter->steps, filter->query.step))
        return 0;
    error_set(err, CLASS_USAGE, "no-such-step", "there is no step %.100s in the log", filter->query.step);
    if (!filter->steps.len)
        return error_hint(
            err, "it has no steps: the job ended before the first, a file of `notify` was told no `step` (take "
                 "events: [status, log]), or this is no log of caisson");
    buf_init(&list, 600);
    for (i = 0; i < filter->steps.len; i++)
        buf_addf(&list, "%s%s", i ? ", " : "", filter->steps.items[i]);
    error_hint(err, "its steps are %s", buf_text(&list));
    buf_dispose(&list);
    return -1;
}
