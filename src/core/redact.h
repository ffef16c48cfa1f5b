/*
 * Redaction: known secret values never reach the spool. A redactor holds the values (raw, and the base64, base64url,
 * URL-escaped and JSON-escaped forms of each); a stream applies it to bytes that arrive in pieces, holding back just
 * what might be the beginning of a secret. Each line (of at least REDACT_LINE_MIN bytes) of a secret of several lines
 * counts as a secret of its own; line ends at the end of a value do not count. Every run of bytes that belong to a
 * secret, overlapping or touching ones together, becomes one mark. Values shorter than REDACT_MIN_LENGTH are not
 * redacted (every log would be full of holes): redactor_add says so.
 */
#ifndef CAISSON_CORE_REDACT_H
#define CAISSON_CORE_REDACT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"

#define REDACT_MIN_LENGTH 6
#define REDACT_LINE_MIN 8
#define REDACT_MARK "***"

struct redactor;

struct redactor *redactor_new(void);
/* Wipes all values. */
void redactor_free(struct redactor *redactor);
/* Copies the value. False when it is too short to be redacted. Streams see values added later at once. */
bool redactor_add(struct redactor *redactor, const char *value, size_t len);
/* Whole text, appended to out (which may overflow: then it is cut). */
void redact_text(const struct redactor *redactor, struct view text, struct buf *out);
/* Whether the text holds a secret in any form. */
bool redact_finds(const struct redactor *redactor, struct view text);
/* The longest form of any value in bytes (of very long ones: the pieces that are looked for); 0 without values. For
 * scanners that overlap their windows. */
size_t redactor_longest(const struct redactor *redactor);

struct redact_stream {
    const struct redactor *redactor; /* borrowed */
    struct buf held;
    size_t covered; /* so many bytes of held, from its beginning, belong to a secret that is already marked */
    bool in_secret; /* the last byte given out, or the covered ones, belong to a marked secret */
};
void redact_stream_init(struct redact_stream *stream, const struct redactor *redactor);
void redact_stream_dispose(struct redact_stream *stream);
/* Appends to out what is certain; keeps the rest. Whatever the pieces, with the flush at the end the output is that of
 * redact_text. */
void redact_stream_feed(struct redact_stream *stream, struct view bytes, struct buf *out);
/* Gives out the rest at the end of the stream (or when nothing more has come for a while). */
void redact_stream_flush(struct redact_stream *stream, struct buf *out);

#endif
