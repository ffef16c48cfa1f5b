/*
 * The first line of the input is one secret, the second another, the third gives the lengths of the pieces; the rest
 * is the text. A stream must say what the whole says, whatever the pieces, and no secret may be left in it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/redact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CEILING ((size_t)1 << 24)

static struct view take_line(struct view *rest)
{
    const char *end = rest->len ? memchr(rest->data, '\n', rest->len) : NULL;
    struct view line = {rest->data, end ? (size_t)(end - rest->data) : rest->len};
    size_t used = end ? line.len + 1 : line.len;

    rest->data += used;
    rest->len -= used;
    return line;
}

static void feed_in_pieces(const struct redactor *redactor, struct view text, struct view lengths, struct buf *out)
{
    struct redact_stream stream;
    size_t piece;
    size_t i = 0;

    redact_stream_init(&stream, redactor);
    while (text.len) {
        piece = 1 + (lengths.len ? (unsigned char)lengths.data[i++ % lengths.len] % 40 : 0);
        if (piece > text.len)
            piece = text.len;
        redact_stream_feed(&stream, (struct view){text.data, piece}, out);
        text.data += piece;
        text.len -= piece;
    }
    redact_stream_flush(&stream, out);
    redact_stream_dispose(&stream);
}

/* A mark beside other text can spell a secret only when the secret has the mark's characters. */
static void check_gone(struct view secret, const struct buf *out)
{
    if (secret.len >= REDACT_MIN_LENGTH && !memchr(secret.data, '*', secret.len) && out->len &&
        memmem(out->data, out->len, secret.data, secret.len))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view rest = {size ? (const char *)data : "", size};
    struct view first = take_line(&rest);
    struct view second = take_line(&rest);
    struct view lengths = take_line(&rest);
    struct redactor *redactor = redactor_new();
    struct buf whole;
    struct buf pieces;

    buf_init(&whole, CEILING);
    buf_init(&pieces, CEILING);
    redactor_add(redactor, first.data, first.len);
    redactor_add(redactor, second.data, second.len);
    redact_text(redactor, rest, &whole);
    feed_in_pieces(redactor, rest, lengths, &pieces);
    if (whole.len != pieces.len || memcmp(buf_text(&whole), buf_text(&pieces), whole.len) != 0)
        abort();
    if (!redact_finds(redactor, rest) && (whole.len != rest.len || memcmp(buf_text(&whole), rest.data, rest.len) != 0))
        abort();
    /* A line's end at a value's end does not belong to it, and adding says no to what is too short then. */
    while (first.len && first.data[first.len - 1] == '\r')
        first.len--;
    check_gone(first, &whole);
    buf_dispose(&whole);
    buf_dispose(&pieces);
    redactor_free(redactor);
    return 0;
}
