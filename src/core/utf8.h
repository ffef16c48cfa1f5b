/*
 * UTF-8 (RFC 3629) for text that others wrote: shortest forms only, no surrogates, at most U+10FFFF. Everything that
 * leaves the program is valid UTF-8; what was not becomes U+FFFD, one for each maximal broken part (Unicode 3.9).
 */
#ifndef CAISSON_CORE_UTF8_H
#define CAISSON_CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"

#define UTF8_REPLACEMENT "\xEF\xBF\xBD"

/* Looks at the character that the bytes begin with (len ≥ 1). Its length, 1 to 4, when it is valid; else minus the
 * number of bytes that are broken together; 0 when the bytes end before one could tell. */
int utf8_step(const char *data, size_t len);
bool utf8_is_valid(struct view text);
/* Appends the text with its broken parts replaced. An overflow of out cuts it. */
void utf8_repair(struct view text, struct buf *out);
/* The largest cut ≤ max that does not divide a character. For text that is valid. */
size_t utf8_cut(struct view text, size_t max);

#endif
