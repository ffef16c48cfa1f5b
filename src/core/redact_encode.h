/* Encodings of bytes as text, as redaction looks for them. Each adds to `out`, which has room. Internal to redaction. */
#ifndef CAISSON_CORE_REDACT_ENCODE_H
#define CAISSON_CORE_REDACT_ENCODE_H

#include <stdbool.h>

#include "core/buf.h"

extern const char base64_standard[], base64_url[], hex_lower[], hex_upper[];

/* RFC 4648, without padding: what is sought then is found with and without. */
void encode_base64(struct buf *out, struct view value, const char *digits);
void encode_hex(struct buf *out, struct view value, const char *digits);
/* Letters, digits and `also` stay. */
void encode_percent(struct buf *out, struct view value, const char *also, const char *digits, bool plus);

#define JSON_SLASH 1 /* "\/" (PHP) */
#define JSON_HTML 2  /* <, >, & as \u (Go, Rails) */
#define JSON_ASCII 4 /* what is not ASCII as \u (Python) */
#define JSON_UPPER 8 /* upper-case hex */
#define JSON_ALL_FLAGS 15U
/* RFC 8259, without the quotes. Bytes that are no UTF-8 stay as they are. */
void encode_json(struct buf *out, struct view value, unsigned flags);

void encode_replaced(struct buf *out, struct view value, char what, const char *by);
/* A backslash before each of `special`; before all but letters, digits and `plain`. */
void encode_escaped(struct buf *out, struct view value, const char *special);
void encode_escaped_but(struct buf *out, struct view value, const char *plain);
/* The inside of $'…' as bash writes it; `octal`: also of bytes that are not ASCII. */
void encode_dollar_quoted(struct buf *out, struct view value, bool octal);

#endif
