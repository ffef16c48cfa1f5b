#include "core/redact_encode.h"

#include <stdint.h>
#include <string.h>

#include "core/utf8.h"

const char base64_standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const char base64_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const char hex_lower[] = "0123456789abcdef";
const char hex_upper[] = "0123456789ABCDEF";

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c);
}

static bool is_plain(char c, const char *also)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || is_one_of(c, also);
}

static void add_hex(struct buf *out, unsigned char byte, const char *digits)
{
    buf_addc(out, digits[byte >> 4]);
    buf_addc(out, digits[byte & 15]);
}

void encode_base64(struct buf *out, struct view value, const char *digits)
{
    const unsigned char *bytes = (const unsigned char *)value.data;
    size_t i;

    for (i = 0; i < value.len; i += 3) {
        size_t left = value.len - i;
        uint32_t group = (uint32_t)bytes[i] << 16;

        if (left > 1)
            group |= (uint32_t)bytes[i + 1] << 8;
        if (left > 2)
            group |= bytes[i + 2];
        buf_addc(out, digits[group >> 18]);
        buf_addc(out, digits[group >> 12 & 63]);
        if (left > 1)
            buf_addc(out, digits[group >> 6 & 63]);
        if (left > 2)
            buf_addc(out, digits[group & 63]);
    }
}

void encode_hex(struct buf *out, struct view value, const char *digits)
{
    size_t i;

    for (i = 0; i < value.len; i++)
        add_hex(out, (unsigned char)value.data[i], digits);
}

void encode_percent(struct buf *out, struct view value, const char *also, const char *digits, bool plus)
{
    size_t i;

    for (i = 0; i < value.len; i++) {
        if (is_plain(value.data[i], also)) {
            buf_addc(out, value.data[i]);
        } else if (plus && value.data[i] == ' ') {
            buf_addc(out, '+');
        } else {
            buf_addc(out, '%');
            add_hex(out, (unsigned char)value.data[i], digits);
        }
    }
}

/* ---- JSON ---- */

static void add_unit(struct buf *out, uint32_t unit, const char *digits)
{
    buf_adds(out, "\\u");
    add_hex(out, (unsigned char)(unit >> 8), digits);
    add_hex(out, (unsigned char)unit, digits);
}

/* The number of a valid character of more than one byte. */
static uint32_t decode(const char *data, int len)
{
    uint32_t number = (unsigned char)data[0] & (0xFFU >> (len + 1));
    int i;

    for (i = 1; i < len; i++)
        number = number << 6 | ((unsigned char)data[i] & 0x3F);
    return number;
}

static void add_json_ascii(struct buf *out, char c, unsigned flags, const char *digits)
{
    static const char special[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";

    if (is_one_of(c, special)) {
        buf_addc(out, '\\');
        buf_addc(out, letters[strchr(special, c) - special]);
    } else if ((unsigned char)c < 0x20 || (flags & JSON_HTML && is_one_of(c, "<>&"))) {
        add_unit(out, (unsigned char)c, digits);
    } else {
        if (c == '/' && flags & JSON_SLASH)
            buf_addc(out, '\\');
        buf_addc(out, c);
    }
}

void encode_json(struct buf *out, struct view value, unsigned flags)
{
    const char *digits = flags & JSON_UPPER ? hex_upper : hex_lower;
    size_t at = 0;

    while (at < value.len) {
        int len = utf8_step(value.data + at, value.len - at);
        uint32_t number;

        if (len == 1) {
            add_json_ascii(out, value.data[at++], flags, digits);
            continue;
        }
        if (len <= 0 || !(flags & JSON_ASCII)) {
            /* 0: the value ends within a character */
            size_t bytes = len ? (size_t)(len < 0 ? -len : len) : value.len - at;

            buf_add(out, value.data + at, bytes);
            at += bytes;
            continue;
        }
        number = decode(value.data + at, len);
        if (number >= 0x10000) {
            add_unit(out, 0xD800 + ((number - 0x10000) >> 10), digits);
            number = 0xDC00 + ((number - 0x10000) & 0x3FF);
        }
        add_unit(out, number, digits);
        at += (size_t)len;
    }
}

/* ---- shell ---- */

void encode_replaced(struct buf *out, struct view value, char what, const char *by)
{
    size_t i;

    for (i = 0; i < value.len; i++)
        if (value.data[i] == what)
            buf_adds(out, by);
        else
            buf_addc(out, value.data[i]);
}

void encode_escaped(struct buf *out, struct view value, const char *special)
{
    size_t i;

    for (i = 0; i < value.len; i++) {
        if (is_one_of(value.data[i], special))
            buf_addc(out, '\\');
        buf_addc(out, value.data[i]);
    }
}

void encode_escaped_but(struct buf *out, struct view value, const char *plain)
{
    size_t i;

    for (i = 0; i < value.len; i++) {
        if (!is_plain(value.data[i], plain) && !((unsigned char)value.data[i] & 0x80))
            buf_addc(out, '\\');
        buf_addc(out, value.data[i]);
    }
}

void encode_dollar_quoted(struct buf *out, struct view value, bool octal)
{
    static const char special[] = "\a\b\033\f\n\r\t\v\\'";
    static const char letters[] = "abEfnrtv\\'";
    size_t i;

    for (i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];

        if (is_one_of((char)c, special)) {
            buf_addc(out, '\\');
            buf_addc(out, letters[strchr(special, (char)c) - special]);
        } else if (c < 0x20 || c == 0x7F || (octal && c >= 0x80)) {
            buf_addc(out, '\\');
            buf_addc(out, (char)('0' + (c >> 6)));
            buf_addc(out, (char)('0' + (c >> 3 & 7)));
            buf_addc(out, (char)('0' + (c & 7)));
        } else {
            buf_addc(out, (char)c);
        }
    }
}
