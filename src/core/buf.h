/*
 * A growing byte buffer that knows its ceiling, and a borrowed view of bytes. `data` is NUL-terminated whenever it is
 * not NULL, so text can be read from it. Life cycle: buf_init(&b, max) … buf_dispose(&b). Zero-initialised means a
 * buffer of ceiling 0: always init.
 */
#ifndef CAISSON_CORE_BUF_H
#define CAISSON_CORE_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct view {
    const char *data; /* borrowed, not NUL-terminated */
    size_t len;
};

struct buf {
    char *data;
    size_t len;
    size_t cap;
    size_t max;    /* ceiling in bytes of len */
    bool overflow; /* something did not fit; what fitted stays */
};

void buf_init(struct buf *buf, size_t max);
void buf_dispose(struct buf *buf);
/* Wipes before it frees: for secrets. */
void buf_wipe(struct buf *buf);
void buf_reset(struct buf *buf);

/* All adders return 0, or -1 with `overflow` set and nothing added when the ceiling would be passed. */
int buf_add(struct buf *buf, const void *data, size_t len);
int buf_adds(struct buf *buf, const char *text);
int buf_addc(struct buf *buf, char c);
int buf_addf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Removes n bytes from the front (or all when there are fewer). */
void buf_consume(struct buf *buf, size_t n);
/* The text, never NULL. Borrowed until the next change. */
const char *buf_text(const struct buf *buf);
/* The data as a malloc'd string; the buffer is empty afterwards. Caller frees with free. */
char *buf_take(struct buf *buf);

struct view view_of(const char *text);
bool view_is(struct view view, const char *text);
bool view_starts(struct view view, const char *prefix);

#endif
