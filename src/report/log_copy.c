#include "report/log_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/mem.h"
#include "report/console.h"

#define TEMP_NEEDS ((uint64_t)128 << 20) /* free space for the copy: more than a log may have */
#define PART_BYTES ((size_t)256 << 10)   /* of text in a part, at least */
#define GZIP_LEVEL 6
#define ZSTD_LEVEL 1 /* the slower levels are not in our library */
#define GZIP_HEAD 10 /* bytes before the first block: RFC 1952, 2.3 */

struct copy {
    int fd;
    enum log_encoding encoding;
    z_stream gzip;
    ZSTD_CCtx *zstd;
    struct buf text; /* of the part that is being gathered */
    char *packed;
    size_t packed_cap;
    int64_t text_bytes, bytes, lines; /* so far: of text, stored */
    int64_t part_line, part_ms;       /* first line of the part, from 1; its time */
    json_t *parts, *steps;
    json_t *step; /* the current one, borrowed; NULL: none */
    bool failed;
};

enum log_encoding log_encoding_of(const char *name)
{
    size_t len = strlen(name);

    if (len > 3 && strcmp(name + len - 3, ".gz") == 0)
        return LOG_GZIP;
    return len > 4 && strcmp(name + len - 4, ".zst") == 0 ? LOG_ZSTD : LOG_IDENTITY;
}

const char *log_encoding_name(enum log_encoding encoding)
{
    return encoding == LOG_GZIP ? "gzip" : encoding == LOG_ZSTD ? "zstd" : "identity";
}

/* On disk, for memory is the task's scarcer good; in memory where the disk is full or read-only. */
static int open_unlinked(void)
{
    int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    struct statvfs status;

    if (fd >= 0 && fstatvfs(fd, &status) == 0 && (uint64_t)status.f_bavail * status.f_frsize > TEMP_NEEDS)
        return fd;
    if (fd >= 0)
        close(fd);
    return memfd_create("caisson-log", MFD_CLOEXEC);
}

/* ---- parts ---- */

static void write_all(struct copy *copy, const void *data, size_t len)
{
    const char *at = data;

    while (len && !copy->failed) {
        ssize_t written = write(copy->fd, at, len);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            copy->failed = true;
            return;
        }
        at += written;
        len -= (size_t)written;
        copy->bytes += written;
    }
}

static char *room(struct copy *copy, size_t len)
{
    if (copy->packed_cap < len) {
        free(copy->packed);
        copy->packed = xmalloc(len);
        copy->packed_cap = len;
    }
    return copy->packed;
}

/* What has come out of deflate so far, up to a place from which another may begin to read; the end with Z_FINISH. */
static void pack_gzip(struct copy *copy, int flush)
{
    size_t max = deflateBound(&copy->gzip, copy->text.len) + GZIP_HEAD;
    char *out = room(copy, max);
    int status;

    copy->gzip.next_in = (unsigned char *)copy->text.data;
    copy->gzip.avail_in = (unsigned)copy->text.len;
    copy->gzip.next_out = (unsigned char *)out;
    copy->gzip.avail_out = (unsigned)max;
    status = deflate(&copy->gzip, flush);
    if (status != (flush == Z_FINISH ? Z_STREAM_END : Z_OK) || copy->gzip.avail_in)
        copy->failed = true;
    else
        write_all(copy, out, max - copy->gzip.avail_out);
}

static void pack_zstd(struct copy *copy)
{
    size_t max = ZSTD_compressBound(copy->text.len);
    char *out = room(copy, max);
    size_t len = ZSTD_compress2(copy->zstd, out, max, copy->text.data, copy->text.len);

    if (ZSTD_isError(len))
        copy->failed = true;
    else
        write_all(copy, out, len);
}

static json_t *time_of(int64_t wall_ms)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format(wall_ms, text);
    return json_string(text);
}

static void end_part(struct copy *copy)
{
    int64_t offset = copy->bytes ? copy->bytes : copy->encoding == LOG_GZIP ? GZIP_HEAD : 0;

    if (!copy->text.len)
        return;
    if (copy->encoding == LOG_GZIP)
        pack_gzip(copy, Z_FULL_FLUSH);
    else if (copy->encoding == LOG_ZSTD)
        pack_zstd(copy);
    else
        write_all(copy, copy->text.data, copy->text.len);
    json_array_append_new(copy->parts,
                          json_pack("{s:I, s:I, s:I, s:I, s:o}", "offset", (json_int_t)offset, "bytes",
                                    (json_int_t)(copy->bytes - offset), "text_offset", (json_int_t)copy->text_bytes,
                                    "line", (json_int_t)copy->part_line, "time", time_of(copy->part_ms)));
    copy->text_bytes += (int64_t)copy->text.len;
    buf_reset(&copy->text);
}

/* ---- lines ---- */

static void begin_step(struct copy *copy, const struct record *record)
{
    copy->step =
        json_pack("{s:s, s:s, s:o, s:I, s:I, s:I, s:I}", "name", record->step, "status", "unfinished", "started_at",
                  time_of(record->wall_ms), "line", (json_int_t)copy->lines, "lines", (json_int_t)0, "text_offset",
                  (json_int_t)copy->text_bytes + (json_int_t)copy->text.len, "text_bytes", (json_int_t)0);
    json_array_append_new(copy->steps, copy->step);
}

/* As far as the log has come. */
static void extend_step(struct copy *copy)
{
    int64_t line = json_int(copy->step, "line", 0), offset = json_int(copy->step, "text_offset", 0);

    json_object_set_new(copy->step, "lines", json_integer(copy->lines - line + 1));
    json_object_set_new(copy->step, "text_bytes", json_integer(copy->text_bytes + (int64_t)copy->text.len - offset));
}

static void end_step(struct copy *copy, const struct record *record)
{
    json_object_set_new(copy->step, "status", json_string(record->ok ? "succeeded" : "failed"));
    json_object_set_new(copy->step, "seconds", json_real((double)record->duration_ms / 1000));
    json_object_set_new(copy->step, "attempts", json_integer(record->attempts));
    copy->step = NULL;
}

static void add_record(struct copy *copy, const struct record *record)
{
    static const struct render render = {.format = LOG_PLAIN, .debug = true};
    size_t before = copy->text.len;

    if (record->kind == RECORD_PROGRESS || record->kind == RECORD_HEARTBEAT)
        return;
    copy->lines++;
    if (!before) {
        copy->part_line = copy->lines;
        copy->part_ms = record->wall_ms;
    }
    /* its first line may be among those that a full disk has lost */
    if (*record->step && (!copy->step || strcmp(json_text(copy->step, "name", ""), record->step) != 0))
        begin_step(copy, record);
    render_record(&render, record, &copy->text);
    if (copy->step)
        extend_step(copy);
    if (copy->step && record->kind == RECORD_STEP_END)
        end_step(copy, record);
    if (copy->text.len >= PART_BYTES)
        end_part(copy);
}

static int begin(struct copy *copy, const char *name, struct error *err)
{
    *copy = (struct copy){.fd = open_unlinked(), .encoding = log_encoding_of(name)};
    buf_init(&copy->text, PART_BYTES + (size_t)4 * SPOOL_LINE_MAX);
    copy->parts = json_array();
    copy->steps = json_array();
    if (copy->fd < 0)
        return error_set_errno(err, CLASS_PLATFORM, "log-copy-failed", errno, "making room for the copy of the log");
    if (copy->encoding == LOG_GZIP &&
        deflateInit2(&copy->gzip, GZIP_LEVEL, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return error_set(err, CLASS_INTERNAL, "log-copy-failed", "starting the compression of the log failed");
    copy->zstd = copy->encoding == LOG_ZSTD ? ZSTD_createCCtx() : NULL;
    if (copy->zstd)
        ZSTD_CCtx_setParameter(copy->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
    return 0;
}

static void dispose(struct copy *copy)
{
    if (copy->encoding == LOG_GZIP)
        deflateEnd(&copy->gzip);
    ZSTD_freeCCtx(copy->zstd);
    buf_dispose(&copy->text);
    free(copy->packed);
    json_decref(copy->parts);
    json_decref(copy->steps);
}

static json_t *index_of(const struct copy *copy, const char *name)
{
    const char *slash = strrchr(name, '/');

    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:O, s:O}", "schema", "caisson.log-index/1", "log",
                     slash ? slash + 1 : name, "encoding", log_encoding_name(copy->encoding), "bytes",
                     (json_int_t)copy->bytes, "text_bytes", (json_int_t)copy->text_bytes, "lines",
                     (json_int_t)copy->lines, "parts", copy->parts, "steps", copy->steps);
}

int log_copy_make(struct spool *spool, const char *name, json_t **index, struct error *err)
{
    struct spool_cursor cursor;
    struct record record;
    struct copy copy;
    int fd = -1;

    if (begin(&copy, name, err) == 0) {
        spool_cursor_init(&cursor, spool);
        while (spool_read(&cursor, &record) == 1 && !copy.failed)
            add_record(&copy, &record);
        spool_cursor_dispose(&cursor);
        end_part(&copy);
        if (copy.encoding == LOG_GZIP)
            pack_gzip(&copy, Z_FINISH);
        fd = copy.fd;
    }
    if (fd >= 0 && copy.failed) {
        error_set(err, CLASS_PLATFORM, "log-copy-failed", "writing the copy of the log failed: is the disk full?");
        fd = -1;
    }
    if (fd >= 0)
        *index = index_of(&copy, name);
    else if (copy.fd >= 0)
        close(copy.fd);
    dispose(&copy);
    return fd;
}
