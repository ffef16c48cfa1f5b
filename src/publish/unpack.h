/*
 * Opens compressed files (gzip, RFC 1952; brotli, RFC 7932; Zstandard, RFC 8878) as they are read, to look for secrets
 * in what browsers will see. The bytes are hostile: windows are bounded as browsers bound them (8 MiB for Zstandard,
 * 16 MiB for brotli), and so is what comes out of what goes in.
 *
 * Life cycle: unpack_new … unpack_feed … unpack_free.
 */
#ifndef CAISSON_PUBLISH_UNPACK_H
#define CAISSON_PUBLISH_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"

enum unpack_format { UNPACK_NONE, UNPACK_GZIP, UNPACK_BROTLI, UNPACK_ZSTD };

/* By the first bytes; brotli, which has no mark of its own, by the name's end. */
enum unpack_format unpack_format_of(const char *path, struct view begin);

enum unpack_status {
    UNPACK_MORE,    /* all is well so far */
    UNPACK_ENDED,   /* … and the file may end here */
    UNPACK_DAMAGED, /* it is not what it seemed */
    UNPACK_TOO_FAR, /* more came out than anything honest holds */
    UNPACK_STOPPED, /* by the consumer */
};

/* Where the unpacked bytes go: place() gives UNPACK_ROOM bytes, take() is told how many were written there; true ends
 * it. */
#define UNPACK_ROOM ((size_t)64 << 10)
struct unpack_consumer {
    unsigned char *(*place)(void *context);
    bool (*take)(void *context, size_t len);
    void *context;
};

struct unpack;
/* `budget` (borrowed): bytes that may come out, of all files that share it. */
struct unpack *unpack_new(enum unpack_format format, const struct unpack_consumer *consumer, int64_t *budget);
void unpack_free(struct unpack *unpack);
/* After anything but UNPACK_MORE and UNPACK_ENDED it is over. */
enum unpack_status unpack_feed(struct unpack *unpack, struct view bytes);

#endif
