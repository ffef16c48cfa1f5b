#include "report/deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <zlib.h>

#include "core/clock.h"
#include "core/fs.h"
#include "core/mem.h"
#include "report/console.h"

#define TEMP_NEEDS ((uint64_t)128 << 20) /* free space for the copy: more than a log may have */

static int open_s3(const struct deliver *deliver, const char *uri, struct s3 **s3, char **key, struct error *err)
{
    struct s3_options options = {.region = deliver->region,
                                 .endpoint = deliver->endpoint,
                                 .path_style = deliver->path_style,
                                 .max_attempts = deliver->max_attempts};
    CLEANUP_FREE char *bucket = NULL;

    if (s3_uri_parse(uri, &bucket, key, err))
        return -1;
    options.bucket = bucket;
    if (s3_new(s3, deliver->client, deliver->credentials, &options, err)) {
        free(*key);
        *key = NULL;
        return -1;
    }
    return 0;
}

/* The upload class is the publisher's; a document that cannot be delivered is the platform's failure. */
static int as_platform(struct error *err)
{
    if (err->class == CLASS_UPLOAD_FAILED)
        err->class = CLASS_PLATFORM;
    return -1;
}

struct waiting {
    bool done, failed;
    struct error error;
};

static void on_done(void *context, const struct error *error)
{
    struct waiting *waiting = context;

    waiting->done = true;
    waiting->failed = error != NULL;
    if (error)
        waiting->error = *error;
}

static int perform_until(const struct deliver *deliver, struct s3 *s3, struct s3_call *call, struct error *err)
{
    struct waiting waiting = {0};
    struct s3_operation *operation = s3_start(s3, call, on_done, &waiting);
    CLEANUP_FREE char *uri = NULL;

    while (!waiting.done) {
        int64_t left = deliver->deadline_ms ? *deliver->deadline_ms - clock_monotonic_ms() : 60 * 1000;

        if (deliver->stop && *deliver->stop) {
            s3_cancel(operation);
            error_set(err, CLASS_INTERRUPTED, "interrupted", "stopped during %s", call->method);
            return error_retryable(err, 0);
        }
        if (left <= 0) {
            s3_cancel(operation);
            uri = s3_uri(s3, call->key);
            return error_set(err, CLASS_PLATFORM, "out-of-time", "%s %s was not done in the time that was left",
                             call->method, uri);
        }
        loop_run_once(http_client_loop(deliver->client), left);
    }
    if (waiting.failed)
        *err = waiting.error;
    return waiting.failed ? -1 : 0;
}

static int perform_s3(const struct deliver *deliver, const char *to, struct s3_call *call, struct error *err)
{
    struct s3 *s3;
    char *key;
    int status;

    if (open_s3(deliver, to, &s3, &key, err))
        return -1;
    call->key = key;
    status = perform_until(deliver, s3, call, err);
    s3_free(s3);
    free(key);
    return status ? as_platform(err) : 0;
}

static int put_file(const char *to, struct view data, struct error *err)
{
    const char *path = to + strlen("file:");
    CLEANUP_FREE char *folder = xstrdup(path);
    char *slash = strrchr(folder, '/');
    int code = 0;

    if (slash && slash != folder) {
        *slash = '\0';
        code = fs_make_folders(folder, 0755);
    }
    if (code == 0)
        code = fs_write_file(path, data.data, data.len, 0644);
    if (code)
        return error_set_errno(err, CLASS_PLATFORM, "write-failed", -code, "writing %s", path);
    return 0;
}

int deliver_data(const struct deliver *deliver, const char *to, struct view data, const char *content_type,
                 struct error *err)
{
    struct s3_call call;
    int status;

    if (strncmp(to, "file:", 5) == 0)
        return put_file(to, data, err);
    s3_call_init(&call, "PUT", NULL);
    strings_addf(&call.headers, "Content-Type: %s", content_type);
    call.body = data;
    status = perform_s3(deliver, to, &call, err);
    s3_call_dispose(&call);
    return status;
}

static void render_to(gzFile file, struct spool *spool)
{
    struct render render = {.format = LOG_PLAIN, .debug = true};
    struct spool_cursor cursor;
    struct record record;
    struct buf out;

    buf_init(&out, 1 << 20);
    spool_cursor_init(&cursor, spool);
    while (spool_read(&cursor, &record) == 1) {
        buf_reset(&out);
        render_record(&render, &record, &out);
        if (out.len)
            gzwrite(file, out.data, (unsigned)out.len);
    }
    spool_cursor_dispose(&cursor);
    buf_dispose(&out);
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

/* An unlinked file with the rendered log; its descriptor, or −1. */
static int render_file(struct spool *spool, bool compress, struct error *err)
{
    int fd = open_unlinked();
    int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    gzFile file;

    if (copy < 0) {
        if (fd >= 0)
            close(fd);
        return error_set_errno(err, CLASS_PLATFORM, "log-copy-failed", errno, "making room for the copy of the log");
    }
    file = gzdopen(copy, compress ? "wb6" : "wbT");
    if (!file) {
        close(copy);
        close(fd);
        return error_set(err, CLASS_INTERNAL, "log-copy-failed", "starting the compression of the log failed");
    }
    render_to(file, spool);
    if (gzclose(file) != Z_OK) {
        close(fd);
        return error_set(err, CLASS_PLATFORM, "log-copy-failed", "compressing the log failed");
    }
    return fd;
}

/* A file of ours that nobody else can reach: mapping it cannot fault. */
static int copy_to_file(int fd, int64_t len, const char *to, struct error *err)
{
    void *data = len ? mmap(NULL, (size_t)len, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    int status;

    if (data == MAP_FAILED)
        return error_set_errno(err, CLASS_PLATFORM, "log-copy-failed", errno, "reading the copy of the log");
    status = put_file(to, (struct view){data, (size_t)len}, err);
    if (data)
        munmap(data, (size_t)len);
    return status;
}

int deliver_log(const struct deliver *deliver, const char *to, struct spool *spool, struct error *err)
{
    size_t to_len = strlen(to);
    bool compress = to_len > 3 && strcmp(to + to_len - 3, ".gz") == 0;
    CLEANUP_CLOSE int fd = render_file(spool, compress, err);
    struct s3_call call;
    int64_t len;
    int status;

    if (fd < 0)
        return -1;
    len = lseek(fd, 0, SEEK_END);
    if (strncmp(to, "file:", 5) == 0)
        return copy_to_file(fd, len, to, err);
    s3_call_init(&call, "PUT", NULL);
    strings_add(&call.headers, "Content-Type: text/plain; charset=utf-8");
    if (compress)
        strings_add(&call.headers, "Content-Encoding: gzip");
    call.body_fd = fd;
    call.body_length = len;
    status = perform_s3(deliver, to, &call, err);
    s3_call_dispose(&call);
    return status;
}

int deliver_fetch(const struct deliver *deliver, const char *from, struct buf *out, struct error *err)
{
    struct s3_call call;
    int status;

    s3_call_init(&call, "GET", NULL);
    call.max_response = out->max;
    status = perform_s3(deliver, from, &call, err);
    if (status == 0 && buf_add(out, call.response.body.data, call.response.body.len))
        status = error_set(err, CLASS_PLATFORM, "response-too-large", "%s is larger than %zu bytes", from, out->max);
    s3_call_dispose(&call);
    return status;
}
