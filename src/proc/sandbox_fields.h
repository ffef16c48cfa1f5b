/* Fields of the sandbox's messages, read and written one after the other. For proc/sandbox_*.c only. */
#ifndef CAISSON_PROC_SANDBOX_FIELDS_H
#define CAISSON_PROC_SANDBOX_FIELDS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/buf.h"

/* A reader that remembers that it ran out: check `bad`, or fields_end, once at the end. What it gives from then on is
 * zero and empty. */
struct fields {
    const char *at;
    size_t left;
    bool bad;
};

static inline struct fields fields_of(struct view bytes)
{
    return (struct fields){.at = bytes.data, .left = bytes.len};
}

static inline struct view get_bytes(struct fields *fields, size_t len)
{
    struct view view = {fields->at, len};

    if (fields->bad || len > fields->left) {
        fields->bad = true;
        return (struct view){"", 0};
    }
    fields->at += len;
    fields->left -= len;
    return view;
}

static inline uint64_t get_number(struct fields *fields, size_t size)
{
    struct view bytes = get_bytes(fields, size);
    uint64_t number = 0;
    size_t i;

    for (i = bytes.len; i > 0; i--)
        number = number << 8 | (unsigned char)bytes.data[i - 1];
    return number;
}

static inline unsigned get_byte(struct fields *fields)
{
    return (unsigned)get_number(fields, 1);
}

static inline uint32_t get_u32(struct fields *fields)
{
    return (uint32_t)get_number(fields, 4);
}

static inline uint64_t get_u64(struct fields *fields)
{
    return get_number(fields, 8);
}

/* A text with its length before it. One with a NUL in it is bad: it would be cut. */
static inline struct view get_text(struct fields *fields)
{
    struct view text = get_bytes(fields, get_u32(fields));

    if (text.len && memchr(text.data, '\0', text.len)) {
        fields->bad = true;
        return (struct view){"", 0};
    }
    return text;
}

/* All was there, and nothing more. */
static inline bool fields_end(const struct fields *fields)
{
    return !fields->bad && fields->left == 0;
}

static inline void put_number(struct buf *out, uint64_t number, size_t size)
{
    char bytes[8];
    size_t i;

    for (i = 0; i < size; i++)
        bytes[i] = (char)(number >> 8 * i & 0xff);
    buf_add(out, bytes, size);
}

static inline void put_byte(struct buf *out, unsigned number)
{
    put_number(out, number, 1);
}

static inline void put_u32(struct buf *out, uint32_t number)
{
    put_number(out, number, 4);
}

static inline void put_u64(struct buf *out, uint64_t number)
{
    put_number(out, number, 8);
}

static inline void put_bytes(struct buf *out, struct view bytes)
{
    put_u32(out, (uint32_t)bytes.len);
    buf_add(out, bytes.data, bytes.len);
}

static inline void put_text(struct buf *out, const char *text)
{
    put_bytes(out, view_of(text));
}

#endif
