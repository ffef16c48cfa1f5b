/*
 * The whole log as text (LOG_PLAIN), in an unlinked file of ours, and an index beside it: where the lines of a step and of
 * a time are. A reader of a long log fetches the parts that it wants: a part of a zstd log is a frame (RFC 8878, 3), a part
 * of a gzip log begins behind a full flush, where raw deflate can be read from (RFC 1951, 3.2.4). Gzip members would be
 * simpler, but what reads Content-Encoding: gzip often stops after the first. Any ordinary program reads the whole.
 */
#ifndef CAISSON_REPORT_LOG_COPY_H
#define CAISSON_REPORT_LOG_COPY_H

#include <jansson.h>

#include "core/error.h"
#include "core/spool.h"

#define LOG_INDEX_SUFFIX ".index.json"

enum log_encoding { LOG_IDENTITY, LOG_GZIP, LOG_ZSTD };
/* By the name's end: ".gz", ".zst". */
enum log_encoding log_encoding_of(const char *name);
/* "identity", "gzip", "zstd"; static. */
const char *log_encoding_name(enum log_encoding encoding);

/* Descriptor of the copy (caller closes it), or -1 and *err; *index is a new reference. `name` of the log is its last
 * component in the index. */
int log_copy_make(struct spool *spool, const char *name, json_t **index, struct error *err);

#endif
