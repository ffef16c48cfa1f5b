/* Puts a small document or the log where the spec says: s3://bucket/key or file:path. */
#ifndef CAISSON_REPORT_DELIVER_H
#define CAISSON_REPORT_DELIVER_H

#include "aws/s3.h"
#include "core/spool.h"

struct deliver {
    struct http_client *client;               /* borrowed */
    struct credentials_provider *credentials; /* borrowed */
    const char *region, *endpoint;            /* borrowed; NULL: AWS's own */
    bool path_style;
    int max_attempts;           /* 0: 5 */
    const int64_t *deadline_ms; /* clock_monotonic_ms; given up then, and a stop may bring it nearer;
                                                 * NULL: none */
    const bool *stop;           /* given up when it turns true; NULL: never */
};

/* 0 or the error (CLASS_PLATFORM, or CLASS_CREDENTIALS). */
int deliver_data(const struct deliver *deliver, const char *to, struct view data, const char *content_type,
                 struct error *err);
/* Puts the whole log there, and its index beside it (report/log_copy.h). */
int deliver_log(const struct deliver *deliver, const char *to, struct spool *spool, struct error *err);
/* Fetches a small text object, e.g. a job spec: s3://…. `out` is initialised with its ceiling. */
int deliver_fetch(const struct deliver *deliver, const char *from, struct buf *out, struct error *err);

#endif
