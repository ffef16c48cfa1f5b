#include "core/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

void buf_init(struct buf *buf, size_t max)
{
    *buf = (struct buf){.max = max};
}

void buf_dispose(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){.max = buf->max};
}

void buf_wipe(struct buf *buf)
{
    wipe(buf->data, buf->cap);
    buf_dispose(buf);
}

void buf_reset(struct buf *buf)
{
    buf->len = 0;
    buf->overflow = false;
    if (buf->data)
        buf->data[0] = '\0';
}

static int reserve(struct buf *buf, size_t more)
{
    size_t need;
    size_t cap;

    if (__builtin_add_overflow(buf->len, more, &need) || need > buf->max) {
        buf->overflow = true;
        return -1;
    }
    if (buf->data && need < buf->cap)
        return 0;
    cap = buf->cap ? buf->cap : 64;
    while (cap <= need)
        cap *= 2;
    /* A fresh block and a wipe of the old one: a grown buffer leaves no copy of a secret behind. */
    char *data = xmalloc(cap);
    if (buf->data)
        memcpy(data, buf->data, buf->len);
    data[buf->len] = '\0';
    wipe(buf->data, buf->len);
    free(buf->data);
    buf->data = data;
    buf->cap = cap;
    return 0;
}

int buf_add(struct buf *buf, const void *data, size_t len)
{
    if (reserve(buf, len))
        return -1;
    if (len)
        memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
    return 0;
}

int buf_adds(struct buf *buf, const char *text)
{
    return buf_add(buf, text, strlen(text));
}

int buf_addc(struct buf *buf, char c)
{
    return buf_add(buf, &c, 1);
}

int buf_addf(struct buf *buf, const char *format, ...)
{
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0 || reserve(buf, (size_t)length))
        return -1;
    va_start(args, format);
    vsnprintf(buf->data + buf->len, (size_t)length + 1, format, args);
    va_end(args);
    buf->len += (size_t)length;
    return 0;
}

void buf_consume(struct buf *buf, size_t n)
{
    if (!buf->data)
        return;
    if (n > buf->len)
        n = buf->len;
    memmove(buf->data, buf->data + n, buf->len - n);
    buf->len -= n;
    buf->data[buf->len] = '\0';
}

const char *buf_text(const struct buf *buf)
{
    return buf->data ? buf->data : "";
}

char *buf_take(struct buf *buf)
{
    char *data = buf->data ? buf->data : xstrdup("");

    *buf = (struct buf){.max = buf->max};
    return data;
}

struct view view_of(const char *text)
{
    return (struct view){text, text ? strlen(text) : 0};
}

bool view_is(struct view view, const char *text)
{
    return view.len == strlen(text) && (view.len == 0 || memcmp(view.data, text, view.len) == 0);
}

bool view_starts(struct view view, const char *prefix)
{
    size_t len = strlen(prefix);

    return view.len >= len && (len == 0 || memcmp(view.data, prefix, len) == 0);
}
