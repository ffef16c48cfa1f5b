#include "publish/unpack.h"

#include <brotli/decode.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "core/mem.h"

/* gzip reaches 1,032 to 1 on zeros; what goes beyond is made to. Small files may. */
#define RATIO_MAX 1100
#define RATIO_FREE ((int64_t)16 << 20)
#define ZSTD_WINDOW_LOG 23

/* cmake/deps/patches/brotli_dictionary.c: 0 or -1. */
int brotli_dictionary_load(void);

struct unpack {
    enum unpack_format format;
    struct unpack_consumer consumer;
    int64_t *budget;
    int64_t in, out;
    bool at_end; /* of a member, frame or stream */
    bool over;   /* what follows is not part of it */
    z_stream zlib;
    BrotliDecoderState *brotli;
    ZSTD_DCtx *zstd;
};

enum unpack_format unpack_format_of(const char *path, struct view begin)
{
    size_t len = strlen(path);

    if (begin.len >= 3 && memcmp(begin.data, "\x1f\x8b\x08", 3) == 0)
        return UNPACK_GZIP;
    if (begin.len >= 4 && memcmp(begin.data, "\x28\xb5\x2f\xfd", 4) == 0)
        return UNPACK_ZSTD;
    if (len > 3 && strcmp(path + len - 3, ".br") == 0)
        return UNPACK_BROTLI;
    if (len > 3 && strcmp(path + len - 3, ".gz") == 0)
        return UNPACK_GZIP;
    return len > 4 && strcmp(path + len - 4, ".zst") == 0 ? UNPACK_ZSTD : UNPACK_NONE;
}

struct unpack *unpack_new(enum unpack_format format, const struct unpack_consumer *consumer, int64_t *budget)
{
    struct unpack *unpack = xcalloc(1, sizeof *unpack);

    unpack->format = format;
    unpack->consumer = *consumer;
    unpack->budget = budget;
    if (format == UNPACK_GZIP && inflateInit2(&unpack->zlib, MAX_WBITS + 16) != Z_OK)
        abort();
    if (format == UNPACK_BROTLI &&
        (brotli_dictionary_load() || !(unpack->brotli = BrotliDecoderCreateInstance(NULL, NULL, NULL))))
        abort();
    if (format == UNPACK_ZSTD) {
        unpack->zstd = ZSTD_createDCtx();
        if (!unpack->zstd || ZSTD_isError(ZSTD_DCtx_setParameter(unpack->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG)))
            abort();
    }
    return unpack;
}

void unpack_free(struct unpack *unpack)
{
    if (!unpack)
        return;
    if (unpack->format == UNPACK_GZIP)
        inflateEnd(&unpack->zlib);
    if (unpack->brotli)
        BrotliDecoderDestroyInstance(unpack->brotli);
    ZSTD_freeDCtx(unpack->zstd);
    free(unpack);
}

/* Each of these takes some of the input and fills some of the room: *written. Without progress the input is used up.
 * False: damaged. */

static bool step_gzip(struct unpack *unpack, struct view *bytes, unsigned char *room, size_t *written)
{
    z_stream *zlib = &unpack->zlib;
    int status;

    if (unpack->at_end && bytes->len) {
        /* Another member may follow; other bytes are ignored, as gunzip does. */
        if ((unsigned char)bytes->data[0] != 0x1f || inflateReset(zlib) != Z_OK) {
            unpack->over = true;
            return true;
        }
        unpack->at_end = false;
    }
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): takes away const; zlib only reads it */
    zlib->next_in = (Bytef *)(uintptr_t)bytes->data;
    zlib->avail_in = (uInt)bytes->len;
    zlib->next_out = room;
    zlib->avail_out = (uInt)UNPACK_ROOM;
    status = inflate(zlib, Z_NO_FLUSH);
    bytes->data += bytes->len - zlib->avail_in;
    bytes->len = zlib->avail_in;
    *written = UNPACK_ROOM - zlib->avail_out;
    unpack->at_end = status == Z_STREAM_END;
    return status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR;
}

static bool step_brotli(struct unpack *unpack, struct view *bytes, unsigned char *room, size_t *written)
{
    const uint8_t *next = (const uint8_t *)bytes->data;
    size_t left = bytes->len, available = UNPACK_ROOM;
    BrotliDecoderResult result = BrotliDecoderDecompressStream(unpack->brotli, &left, &next, &available, &room, NULL);

    *bytes = (struct view){(const char *)next, left};
    *written = UNPACK_ROOM - available;
    unpack->at_end = unpack->over = result == BROTLI_DECODER_RESULT_SUCCESS;
    return result != BROTLI_DECODER_RESULT_ERROR;
}

static bool step_zstd(struct unpack *unpack, struct view *bytes, unsigned char *room, size_t *written)
{
    ZSTD_inBuffer in = {bytes->data, bytes->len, 0};
    ZSTD_outBuffer out = {room, UNPACK_ROOM, 0};
    size_t status = ZSTD_decompressStream(unpack->zstd, &out, &in);

    bytes->data += in.pos;
    bytes->len -= in.pos;
    *written = out.pos;
    unpack->at_end = status == 0;
    return !ZSTD_isError(status);
}

static bool is_too_far(struct unpack *unpack, size_t written)
{
    unpack->out += (int64_t)written;
    *unpack->budget -= (int64_t)written;
    return *unpack->budget < 0 || (unpack->out > RATIO_FREE && unpack->out / RATIO_MAX > unpack->in);
}

enum unpack_status unpack_feed(struct unpack *unpack, struct view bytes)
{
    static bool (*const steps[])(struct unpack *, struct view *, unsigned char *, size_t *) = {
        [UNPACK_GZIP] = step_gzip, [UNPACK_BROTLI] = step_brotli, [UNPACK_ZSTD] = step_zstd};
    size_t written;

    unpack->in += (int64_t)bytes.len;
    do {
        if (unpack->over || (unpack->at_end && !bytes.len))
            return UNPACK_ENDED;
        written = 0;
        if (!steps[unpack->format](unpack, &bytes, unpack->consumer.place(unpack->consumer.context), &written))
            return UNPACK_DAMAGED;
        if (is_too_far(unpack, written))
            return UNPACK_TOO_FAR;
        if (written && unpack->consumer.take(unpack->consumer.context, written))
            return UNPACK_STOPPED;
        /* A full room may hide more that is ready. */
    } while (bytes.len || written == UNPACK_ROOM);
    return unpack->at_end ? UNPACK_ENDED : UNPACK_MORE;
}
