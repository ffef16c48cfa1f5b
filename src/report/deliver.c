#include "report/deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/mem.h"
#include "report/log_copy.h"

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

static int put_copy(const struct deliver *deliver, const char *to, int fd, struct error *err)
{
    enum log_encoding encoding = log_encoding_of(to);
    int64_t len = lseek(fd, 0, SEEK_END);
    struct s3_call call;
    int status;

    if (strncmp(to, "file:", 5) == 0)
        return copy_to_file(fd, len, to, err);
    s3_call_init(&call, "PUT", NULL);
    strings_add(&call.headers, "Content-Type: text/plain; charset=utf-8");
    if (encoding != LOG_IDENTITY)
        strings_addf(&call.headers, "Content-Encoding: %s", log_encoding_name(encoding));
    call.body_fd = fd;
    call.body_length = len;
    status = perform_s3(deliver, to, &call, err);
    s3_call_dispose(&call);
    return status;
}

int deliver_log(const struct deliver *deliver, const char *to, struct spool *spool, struct error *err)
{
    CLEANUP_FREE char *index_to = xasprintf("%s" LOG_INDEX_SUFFIX, to);
    CLEANUP_FREE char *text = NULL;
    CLEANUP_JSON json_t *index = NULL;
    CLEANUP_CLOSE int fd = log_copy_make(spool, to, &index, err);

    if (fd < 0 || put_copy(deliver, to, fd, err))
        return -1;
    text = json_dumps(index, JSON_COMPACT | JSON_REAL_PRECISION(12));
    return deliver_data(deliver, index_to, view_of(text ? text : "{}"), "application/json", err);
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
