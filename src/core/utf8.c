#include "core/utf8.h"

#include <stdint.h>
#include <string.h>

/* What may follow a first byte: the range of the second byte carries the rules against overlong forms, surrogates and
 * numbers past U+10FFFF (RFC 3629, section 4). */
struct lead {
    int length;
    unsigned char low;
    unsigned char high;
};

static struct lead lead_of(unsigned char c)
{
    if (c < 0x80)
        return (struct lead){1, 0, 0};
    if (c >= 0xC2 && c <= 0xDF)
        return (struct lead){2, 0x80, 0xBF};
    if (c == 0xE0)
        return (struct lead){3, 0xA0, 0xBF};
    if (c == 0xED)
        return (struct lead){3, 0x80, 0x9F};
    if (c >= 0xE1 && c <= 0xEF)
        return (struct lead){3, 0x80, 0xBF};
    if (c == 0xF0)
        return (struct lead){4, 0x90, 0xBF};
    if (c >= 0xF1 && c <= 0xF3)
        return (struct lead){4, 0x80, 0xBF};
    if (c == 0xF4)
        return (struct lead){4, 0x80, 0x8F};
    return (struct lead){0, 0, 0};
}

int utf8_step(const char *data, size_t len)
{
    const unsigned char *bytes = (const unsigned char *)data;
    struct lead lead = lead_of(bytes[0]);
    int i;

    if (lead.length == 0)
        return -1;
    for (i = 1; i < lead.length; i++) {
        if ((size_t)i >= len)
            return 0;
        if (bytes[i] < (i == 1 ? lead.low : 0x80) || bytes[i] > (i == 1 ? lead.high : 0xBF))
            return -i;
    }
    return lead.length;
}

/* The number of bytes in front that are plain ASCII, eight at a time: most of every log. */
static size_t ascii_run(struct view text)
{
    size_t at = 0;
    uint64_t word;

    for (; at + sizeof word <= text.len; at += sizeof word) {
        memcpy(&word, text.data + at, sizeof word);
        if (word & 0x8080808080808080U)
            break;
    }
    while (at < text.len && (unsigned char)text.data[at] < 0x80)
        at++;
    return at;
}

/* The length of the valid part in front. */
static size_t valid_run(struct view text)
{
    size_t at = 0;
    int step;

    for (;;) {
        at += ascii_run((struct view){text.data + at, text.len - at});
        if (at == text.len)
            return at;
        step = utf8_step(text.data + at, text.len - at);
        if (step <= 0)
            return at;
        at += (size_t)step;
    }
}

bool utf8_is_valid(struct view text)
{
    return valid_run(text) == text.len;
}

void utf8_repair(struct view text, struct buf *out)
{
    size_t at = 0;
    size_t run;
    int step;

    while (at < text.len) {
        run = valid_run((struct view){text.data + at, text.len - at});
        if (run && buf_add(out, text.data + at, run))
            return;
        at += run;
        if (at == text.len)
            return;
        step = utf8_step(text.data + at, text.len - at);
        if (buf_adds(out, UTF8_REPLACEMENT))
            return;
        at = step == 0 ? text.len : at + (size_t)-step;
    }
}

size_t utf8_cut(struct view text, size_t max)
{
    if (text.len <= max)
        return text.len;
    while (max > 0 && ((unsigned char)text.data[max] & 0xC0) == 0x80)
        max--;
    return max;
}
