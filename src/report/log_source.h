/*
 * A stored log, or its index, wherever it lies: read in ranges, so that what nobody wants is not fetched. Names are
 * s3://bucket/key, https://… and http://…, file:path, or a path. What was replaced while it is read is not mixed up: a
 * file stays open, of an object the same ETag is asked for (RFC 9110, 13.1.1).
 */
#ifndef CAISSON_REPORT_LOG_SOURCE_H
#define CAISSON_REPORT_LOG_SOURCE_H

#include "aws/s3.h"

/* How to reach what is far away. All borrowed. */
struct log_access {
    struct http_client *client;
    struct credentials_provider *credentials;
    const char *region, *endpoint; /* NULL: AWS's own */
    bool path_style;
};

struct log_source;
/* Reads nothing yet. `access` is borrowed. Free with log_source_free. */
int log_source_open(struct log_source **source, const struct log_access *access, const char *name, struct error *err);
void log_source_free(struct log_source *source);
/* What may stand in a message: without the query of a URL, which may be a credential. Borrowed. */
const char *log_source_name(const struct log_source *source);
/* The path of one on this machine, borrowed; NULL: it is elsewhere. */
const char *log_source_path(const struct log_source *source);
/* What lies beside it under a name that goes on so; NULL where a URL has a query: it is signed for one object. Caller
 * frees with free. */
char *log_source_beside(const struct log_source *source, const char *suffix);

/* Appends at most `len` bytes from there; fewer, or none, at the end only. Reasons "not-found" and "access-denied"
 * (CLASS_USAGE), "log-changed", and those of the transports. */
int log_source_read(struct log_source *source, int64_t offset, size_t len, struct buf *out, struct error *err);
/* Bytes it has, known once something was read; -1: not known. */
int64_t log_source_size(const struct log_source *source);
/* All of it, up to the ceiling of `out`; more is an error, "too-large". */
int log_source_read_all(struct log_source *source, struct buf *out, struct error *err);

#endif
