/*
 * Redaction: known secret values never reach the spool. A redactor holds the values in the forms in which tools print
 * them (raw, percent-encoded, base64 at any offset, hex, JSON, quoted for a shell: core/redact_forms.h); a stream
 * applies it to bytes that arrive in pieces, holding back just what might be the beginning of a secret. The time is
 * linear in the text, however many values there are. Each line (of at least REDACT_MIN_LENGTH bytes) of a secret of
 * several lines counts as a secret of its own, and the whole is found with LF and with CRLF; line ends at the end of a
 * value do not count. Every run of bytes that belong to a secret, overlapping or touching ones together, becomes one
 * mark. Values shorter than REDACT_MIN_LENGTH are not redacted (every log would be full of holes): redactor_add says so.
 *
 * Memory is some 400 bytes a byte of the values, less for what has several lines; where values are very long, or there
 * are very many, rare forms of the later ones are left out (core/redact.c).
 */
#ifndef CAISSON_CORE_REDACT_H
#define CAISSON_CORE_REDACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/redact_automaton.h"

#define REDACT_MIN_LENGTH 8
#define REDACT_LINE_MIN REDACT_MIN_LENGTH
#define REDACT_MARK "***"

struct redactor;

struct redactor *redactor_new(void);
/* Wipes all values. */
void redactor_free(struct redactor *redactor);
/* Copies the value. False when it is too short to be redacted. Streams see values added later at once. */
bool redactor_add(struct redactor *redactor, const char *value, size_t len);
/* The same; redact_find then says the name. */
bool redactor_add_named(struct redactor *redactor, const char *name, const char *value, size_t len);
/* Calls `call` with each value that was added and is long enough, and its name ("": none). Borrowed. */
void redactor_each(const struct redactor *redactor, void (*call)(void *context, const char *name, struct view value),
                   void *context);
/* Whole text, appended to out (which may overflow: then it is cut). */
void redact_text(const struct redactor *redactor, struct view text, struct buf *out);
/* Whether the text holds a secret in any form. */
bool redact_finds(const struct redactor *redactor, struct view text);
/* The name ("": it has none) of the secret that ends first in the text, or NULL. Borrowed from the redactor. Of two
 * names with the same value the first is said. */
const char *redact_find(const struct redactor *redactor, struct view text);
/* The longest form of any value in bytes (of very long ones: the pieces that are looked for); 0 without values. For
 * scanners that overlap their windows. */
size_t redactor_longest(const struct redactor *redactor);

struct redact_stream {
    const struct redactor *redactor; /* borrowed */
    struct buf held;
    /* Inner state. */
    uint64_t generation; /* of the redactor, when `state` was made */
    uint32_t state;
    struct spans found; /* in held: what belongs to secrets */
    bool in_secret;     /* the last byte given out belongs to a marked secret */
};
void redact_stream_init(struct redact_stream *stream, const struct redactor *redactor);
void redact_stream_dispose(struct redact_stream *stream);
/* Appends to out what is certain; keeps the rest. Whatever the pieces, with the flush at the end the output is that of
 * redact_text. */
void redact_stream_feed(struct redact_stream *stream, struct view bytes, struct buf *out);
/* Gives out the rest at the end of the stream (or when nothing more has come for a while). */
void redact_stream_flush(struct redact_stream *stream, struct buf *out);

#endif
