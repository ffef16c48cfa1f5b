#include "report/log_reader.h"

#include <stdlib.h>
#include <string.h>
#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>

#include "core/mem.h"

#define BLOCK ((size_t)64 << 10)
#define WINDOW_LOG_MAX 23 /* 8 MiB: what RFC 8878 asks of a decoder, and far more than we write */

struct log_unpacker {
    enum log_encoding encoding;
    bool within;
    bool whole; /* what came ends a gzip member or a zstd frame; or nothing came */
    bool over;  /* what follows is no log */
    z_stream gzip;
    ZSTD_DCtx *zstd;
    char out[BLOCK];
};

enum log_encoding log_encoding_sniff(struct view head)
{
    if (view_starts(head, "\x1f\x8b\x08"))
        return LOG_GZIP;
    return view_starts(head, "\x28\xb5\x2f\xfd") ? LOG_ZSTD : LOG_IDENTITY;
}

void log_reader_init(struct log_reader *reader, enum log_encoding encoding, bool within, int64_t text_max,
                     bool (*emit)(void *context, struct view line), void *context)
{
    struct log_unpacker *unpacker = xcalloc(1, sizeof *unpacker);

    *reader = (struct log_reader){.emit = emit, .context = context, .text_max = text_max, .unpacker = unpacker};
    buf_init(&reader->line, LOG_LINE_MAX);
    unpacker->encoding = encoding;
    unpacker->within = within;
    unpacker->whole = true;
    if (encoding == LOG_GZIP && inflateInit2(&unpacker->gzip, within ? -MAX_WBITS : MAX_WBITS + 16) != Z_OK)
        abort(); /* no memory */
    if (encoding == LOG_ZSTD) {
        unpacker->zstd = ZSTD_createDCtx();
        if (!unpacker->zstd)
            abort();
        ZSTD_DCtx_setParameter(unpacker->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    }
}

void log_reader_dispose(struct log_reader *reader)
{
    if (!reader->unpacker)
        return;
    if (reader->unpacker->encoding == LOG_GZIP)
        inflateEnd(&reader->unpacker->gzip);
    ZSTD_freeDCtx(reader->unpacker->zstd);
    free(reader->unpacker);
    buf_dispose(&reader->line);
    *reader = (struct log_reader){0};
}

static int damaged(struct error *err, const char *what)
{
    return error_set(err, CLASS_USAGE, "log-damaged", "the log is damaged: %s", what);
}

static void emit_line(struct log_reader *reader)
{
    size_t len = reader->line.len;

    if (len && reader->line.data[len - 1] == '\r')
        len--;
    if (!reader->stopped && !reader->emit(reader->context, (struct view){buf_text(&reader->line), len}))
        reader->stopped = true;
    buf_reset(&reader->line);
}

static int add_text(struct log_reader *reader, struct view text, struct error *err)
{
    reader->text_bytes += (int64_t)text.len;
    if (reader->text_bytes > reader->text_max)
        return error_set(err, CLASS_USAGE, "log-too-large", "the log unpacks to more than %lld bytes: no job's does",
                         (long long)reader->text_max);
    while (text.len && !reader->stopped) {
        const char *newline = memchr(text.data, '\n', text.len);
        size_t len = newline ? (size_t)(newline - text.data) : text.len;
        size_t room = LOG_LINE_MAX - reader->line.len;

        if (len > room) {
            newline = NULL;
            len = room;
        }
        buf_add(&reader->line, text.data, len);
        if (newline || reader->line.len == LOG_LINE_MAX)
            emit_line(reader);
        len += newline ? 1 : 0;
        text = (struct view){text.data + len, text.len - len};
    }
    return reader->stopped;
}

/* Another member may follow; so may padding, as tapes leave it. */
static int next_member(struct log_unpacker *unpacker)
{
    unpacker->whole = true;
    unpacker->over = unpacker->within || (unpacker->gzip.avail_in && *unpacker->gzip.next_in != 0x1f);
    return unpacker->over || inflateReset(&unpacker->gzip) == Z_OK ? 0 : -1;
}

static int feed_gzip(struct log_reader *reader, struct view bytes, struct error *err)
{
    struct log_unpacker *unpacker = reader->unpacker;
    int status = 0;

    unpacker->gzip.next_in = (const unsigned char *)bytes.data;
    unpacker->gzip.avail_in = (unsigned)bytes.len;
    while (status == 0 && !unpacker->over) {
        int code;

        unpacker->gzip.next_out = (unsigned char *)unpacker->out;
        unpacker->gzip.avail_out = BLOCK;
        code = inflate(&unpacker->gzip, Z_NO_FLUSH);
        if (code == Z_BUF_ERROR) /* all that came is unpacked */
            return 0;
        if (code != Z_OK && code != Z_STREAM_END)
            return damaged(err, unpacker->gzip.msg ? unpacker->gzip.msg : "what came is not gzip");
        unpacker->whole = false;
        status = add_text(reader, (struct view){unpacker->out, BLOCK - unpacker->gzip.avail_out}, err);
        if (code == Z_STREAM_END && next_member(unpacker))
            return damaged(err, "what came is not gzip");
    }
    return status;
}

static int feed_zstd(struct log_reader *reader, struct view bytes, struct error *err)
{
    struct log_unpacker *unpacker = reader->unpacker;
    ZSTD_inBuffer in = {bytes.data, bytes.len, 0};
    int status = 0;
    bool full;

    do {
        ZSTD_outBuffer out = {unpacker->out, BLOCK, 0};
        size_t left = ZSTD_decompressStream(unpacker->zstd, &out, &in);

        if (ZSTD_isError(left))
            return damaged(err, ZSTD_getErrorName(left));
        unpacker->whole = left == 0;
        full = out.pos == BLOCK;
        status = add_text(reader, (struct view){unpacker->out, out.pos}, err);
    } while (status == 0 && (in.pos < in.size || (full && !unpacker->whole)));
    return status;
}

int log_reader_feed(struct log_reader *reader, struct view bytes, struct error *err)
{
    if (reader->stopped)
        return 1;
    if (!bytes.len)
        return 0;
    switch (reader->unpacker->encoding) {
    case LOG_GZIP: return feed_gzip(reader, bytes, err);
    case LOG_ZSTD: return feed_zstd(reader, bytes, err);
    default: return add_text(reader, bytes, err);
    }
}

int log_reader_end(struct log_reader *reader, struct error *err)
{
    if (reader->line.len)
        emit_line(reader);
    if (!reader->stopped && !reader->unpacker->within && !reader->unpacker->whole)
        return damaged(err, "it breaks off");
    return 0;
}
