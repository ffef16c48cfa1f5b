#include "core/redact_forms.h"

#include <stdint.h>
#include <string.h>

/* The longest form is the percent-encoding, three bytes for one; the ceilings below follow from the value's length. */

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* How `base64` of coreutils breaks its lines (RFC 2045). */
#define BASE64_LINE 76

struct sink {
    void (*add)(void *context, struct view form);
    void *context;
};

static void give(const struct sink *sink, struct buf *form)
{
    sink->add(sink->context, (struct view){buf_text(form), form->len});
    buf_wipe(form);
}

/* Without padding: the pattern then finds both ways of writing it. */
static void encode(struct buf *out, struct view value, const char *alphabet)
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
        buf_addc(out, alphabet[group >> 18]);
        buf_addc(out, alphabet[group >> 12 & 63]);
        if (left > 1)
            buf_addc(out, alphabet[group >> 6 & 63]);
        if (left > 2)
            buf_addc(out, alphabet[group & 63]);
    }
}

static void give_encoded(const struct sink *sink, struct view value, const char *alphabet)
{
    struct buf form;
    size_t at;

    buf_init(&form, value.len / 3 * 4 + 4);
    encode(&form, value, alphabet);
    for (at = 0; form.len > BASE64_LINE && at < form.len; at += BASE64_LINE) {
        size_t left = form.len - at;

        sink->add(sink->context, (struct view){form.data + at, left < BASE64_LINE ? left : BASE64_LINE});
    }
    give(sink, &form);
}

static void give_base64(const struct sink *sink, struct view value, const char *alphabet)
{
    struct buf with_newline;

    give_encoded(sink, value, alphabet);
    /* What `echo $TOKEN | base64` prints. */
    buf_init(&with_newline, value.len + 1);
    buf_add(&with_newline, value.data, value.len);
    buf_addc(&with_newline, '\n');
    give_encoded(sink, (struct view){with_newline.data, with_newline.len}, alphabet);
    buf_wipe(&with_newline);
    /* Followed by anything else, the whole groups in front are the same. */
    give_encoded(sink, (struct view){value.data, value.len - value.len % 3}, alphabet);
}

static bool is_unreserved(char c, const char *also)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c != '\0' && strchr(also, c));
}

static void give_percent(const struct sink *sink, struct view value, const char *also, const char *hex, bool plus)
{
    struct buf form;
    size_t i;

    buf_init(&form, value.len * 3);
    for (i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];

        if (is_unreserved((char)c, also)) {
            buf_addc(&form, (char)c);
        } else if (plus && c == ' ') {
            buf_addc(&form, '+');
        } else {
            buf_addc(&form, '%');
            buf_addc(&form, hex[c >> 4]);
            buf_addc(&form, hex[c & 15]);
        }
    }
    give(sink, &form);
}

static void give_json(const struct sink *sink, struct view value)
{
    static const char special[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    struct buf form;
    size_t i;

    buf_init(&form, value.len * 6);
    for (i = 0; i < value.len; i++) {
        char c = value.data[i];
        const char *found = c ? strchr(special, c) : NULL;

        if (found) {
            buf_addc(&form, '\\');
            buf_addc(&form, letters[found - special]);
        } else if ((unsigned char)c < 0x20) {
            buf_addf(&form, "\\u%04x", (unsigned)(unsigned char)c);
        } else {
            buf_addc(&form, c);
        }
    }
    give(sink, &form);
}

void redact_forms(struct view value, void (*add)(void *context, struct view form), void *context)
{
    const struct sink sink = {add, context};

    add(context, value);
    give_base64(&sink, value, standard);
    give_base64(&sink, value, url_safe);
    /* RFC 3986; what JavaScript's encodeURIComponent leaves; application/x-www-form-urlencoded. */
    give_percent(&sink, value, "-._~", "0123456789ABCDEF", false);
    give_percent(&sink, value, "-._~", "0123456789abcdef", false);
    give_percent(&sink, value, "-._~!'()*", "0123456789ABCDEF", false);
    give_percent(&sink, value, "-._*", "0123456789ABCDEF", true);
    give_json(&sink, value);
}
