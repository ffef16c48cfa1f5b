/*
 * What is wanted of a stored log: a step, the last lines, those since a time. Where an index lies beside it, only the
 * parts that hold them are fetched; else the whole is read, and what is not wanted is passed over.
 */
#ifndef CAISSON_REPORT_LOG_QUERY_H
#define CAISSON_REPORT_LOG_QUERY_H

#include "core/strings.h"
#include "report/log_line.h"
#include "report/log_source.h"

#define LOG_TAIL_MAX 1000000 /* lines; and no more than LOG_TAIL_BYTES of them */
#define LOG_TAIL_BYTES ((size_t)64 << 20)

struct log_since {
    int64_t wall_ms; /* 0: none */
    int clock_s;     /* -1: none; a time of day, UTC: half a day before it is before, half a day behind it is behind */
};
/* RFC 3339, a duration before `now_ms` ("10m"), or a time of day ("12:00", "12:00:01"). 0 or CLASS_USAGE. */
int log_since_parse(const char *text, int64_t now_ms, struct log_since *since, struct error *err);

struct log_query {
    const char *step; /* NULL: all; borrowed */
    int64_t tail;     /* the last of them; 0: all */
    bool no_index;    /* as if there were none */
    struct log_since since;
    bool (*emit)(void *context, const struct log_line *line); /* false: nothing more is wanted */
    void *context;
};

/* Lines as they come through the query: those of a tail are kept until they are flushed. */
struct log_filter;
struct log_filter *log_filter_new(const struct log_query *query);
void log_filter_free(struct log_filter *filter);
bool log_filter_add(void *filter, const struct log_line *line);
/* Hands on what is kept; from now on lines go through as they come. */
void log_filter_flush(struct log_filter *filter);
/* At the end: −1 (CLASS_USAGE, "no-such-step", a hint that lists those there are) where the step was not in it;
 * "no-dates" where lines have no day that `since` could be compared with. */
int log_filter_check(const struct log_filter *filter, struct error *err);

/* `note` (caller frees with free; NULL: nothing to say) tells why an index was not used though it is there. */
int log_query_run(const struct log_query *query, const struct log_access *access, struct log_source *source,
                  char **note, struct error *err);
/* Whether there is an index, so that the log is complete: 1, 0, or −1. S3 says access-denied of what is not there to
 * those without s3:ListBucket: no error, 0 and *refused. */
int log_index_exists(const struct log_access *access, const struct log_source *source, bool *refused,
                     struct error *err);

#endif
