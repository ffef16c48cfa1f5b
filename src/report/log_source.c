#include "report/log_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"
#include "net/retry.h"

#define RANGE_BYTES ((size_t)4 << 20)    /* of one request */
#define UNRANGED_MAX ((size_t)128 << 20) /* from a server that knows no ranges: kept in memory while it is read */
#define ATTEMPTS 4
#define TIMEOUT_MS (120 * 1000)

struct log_source {
    const struct log_access *access;
    char *name;  /* as given, without "file:" */
    char *shown; /* without what may be secret */
    int fd;      /* of a file; -1: not open, or it is elsewhere */
    bool is_file;
    struct s3 *s3; /* NULL: it is not there */
    char *key;
    char *etag;        /* NULL: not known */
    int64_t size;      /* -1: not known */
    struct buf *whole; /* from a server that knows no ranges; NULL: none */
};

static int open_s3(struct log_source *source, struct error *err)
{
    struct s3_options options = {.region = source->access->region,
                                 .endpoint = source->access->endpoint,
                                 .path_style = source->access->path_style};
    CLEANUP_FREE char *bucket = NULL;

    if (s3_uri_parse(source->name, &bucket, &source->key, err))
        return -1;
    if (!*source->key)
        return error_set(err, CLASS_USAGE, "not-found", "%.500s names a bucket, and no object in it", source->name);
    options.bucket = bucket;
    return s3_new(&source->s3, source->access->client, source->access->credentials, &options, err);
}

static bool is_url(const char *name)
{
    return strncmp(name, "https://", 8) == 0 || strncmp(name, "http://", 7) == 0;
}

static const char *path_of(const char *name)
{
    if (strncmp(name, "file:", 5) != 0)
        return name;
    return strncmp(name, "file:///", 8) == 0 ? name + 7 : name + 5;
}

int log_source_open(struct log_source **out, const struct log_access *access, const char *name, struct error *err)
{
    struct log_source *source = xcalloc(1, sizeof *source);
    int status = 0;

    source->access = access;
    source->fd = -1;
    source->size = -1;
    source->is_file = !is_url(name) && strncmp(name, "s3://", 5) != 0;
    source->name = xstrdup(source->is_file ? path_of(name) : name);
    source->shown = is_url(name) ? url_without_userinfo(name) : xstrdup(source->name);
    if (is_url(name))
        source->shown[strcspn(source->shown, "?#")] = '\0';
    else if (!source->is_file)
        status = open_s3(source, err);
    if (status) {
        log_source_free(source);
        return -1;
    }
    *out = source;
    return 0;
}

void log_source_free(struct log_source *source)
{
    if (!source)
        return;
    if (source->fd >= 0)
        close(source->fd);
    if (source->s3)
        s3_free(source->s3);
    if (source->whole)
        buf_dispose(source->whole);
    free(source->whole);
    free(source->key);
    free(source->etag);
    free(source->name);
    free(source->shown);
    free(source);
}

const char *log_source_name(const struct log_source *source)
{
    return source->shown;
}

const char *log_source_path(const struct log_source *source)
{
    return source->is_file ? source->name : NULL;
}

char *log_source_beside(const struct log_source *source, const char *suffix)
{
    return is_url(source->name) && strpbrk(source->name, "?#") ? NULL : xasprintf("%s%s", source->name, suffix);
}

int64_t log_source_size(const struct log_source *source)
{
    return source->size;
}

static int not_found(const struct log_source *source, struct error *err)
{
    error_set(err, CLASS_USAGE, "not-found", "there is no %.500s", source->shown);
    return error_hint(err, "a log is stored when its job ends, where the spec's `log` says; --follow waits for it");
}

static int access_denied(const struct log_source *source, const char *said, struct error *err)
{
    error_set(err, CLASS_USAGE, "access-denied", "reading %.500s was refused%s%.1000s", source->shown,
              *said ? ": " : "", said);
    return error_hint(err, "is the name right? S3 answers the same for what is not there to those without "
                           "s3:ListBucket; a presigned URL expires");
}

static int changed(const struct log_source *source, struct error *err)
{
    error_set(err, CLASS_PLATFORM, "log-changed", "%.500s was replaced while it was read", source->shown);
    return error_retryable(err, 0);
}

/* ---- files ---- */

static int open_file(struct log_source *source, struct error *err)
{
    struct stat status;

    source->fd = open(source->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (source->fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return not_found(source, err);
    if (source->fd < 0)
        return error_set_errno(err, CLASS_USAGE, "not-readable", errno, "opening %.500s", source->shown);
    if (fstat(source->fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(source->fd);
        source->fd = -1;
        return error_set(err, CLASS_USAGE, "not-readable", "%.500s is not a regular file", source->shown);
    }
    source->size = status.st_size;
    return 0;
}

static int read_file(struct log_source *source, int64_t offset, size_t len, struct buf *out, struct error *err)
{
    char block[64 * 1024];

    if (source->fd < 0 && open_file(source, err))
        return -1;
    while (len) {
        ssize_t got = pread(source->fd, block, len < sizeof block ? len : sizeof block, offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set_errno(err, CLASS_PLATFORM, "not-readable", errno, "reading %.500s", source->shown);
        if (got == 0)
            break;
        buf_add(out, block, (size_t)got);
        offset += got;
        len -= (size_t)got;
    }
    return 0;
}

/* ---- answers of servers ---- */

static bool take_number(const char **at, char end, int64_t *number)
{
    char *rest;

    if (**at < '0' || **at > '9')
        return false;
    errno = 0;
    *number = strtoll(*at, &rest, 10);
    *at = rest + (*rest != '\0');
    return errno == 0 && *rest == end;
}

/* "bytes 0-99/1234" (RFC 9110, 14.4); a range that is not the one that was asked for is of no use. */
static bool parse_range(const char *text, int64_t *first, int64_t *last, int64_t *size)
{
    if (!text || strncmp(text, "bytes ", 6) != 0)
        return false;
    text += 6;
    return take_number(&text, '-', first) && take_number(&text, '/', last) && take_number(&text, '\0', size) &&
           *last >= *first && *last < *size;
}

static int take_range(struct log_source *source, const struct http_response *response, int64_t offset,
                      struct error *err)
{
    int64_t first, last, size;

    if (response->status != 206) {
        source->size = (int64_t)response->body.len;
        return 0;
    }
    if (!parse_range(http_response_header(response, "content-range"), &first, &last, &size) || first != offset ||
        last - first + 1 != (int64_t)response->body.len)
        return error_set(err, CLASS_PLATFORM, "bad-response", "%.500s: the answer is not the range that was asked for",
                         source->shown);
    source->size = size;
    return 0;
}

static void take_etag(struct log_source *source, const struct http_response *response)
{
    const char *etag = http_response_header(response, "etag");

    /* a weak one is no condition */
    if (!source->etag && etag && *etag == '"' && strlen(etag) < 200)
        source->etag = xstrdup(etag);
}

static void add_headers(const struct log_source *source, int64_t offset, size_t len, struct strings *headers)
{
    strings_addf(headers, "Range: bytes=%lld-%lld", (long long)offset, (long long)offset + (long long)len - 1);
    if (source->etag)
        strings_addf(headers, "If-Match: %s", source->etag);
}

/* Hands on what of the answer was asked for: of a whole one, what stands there. */
static int take_body(struct log_source *source, const struct http_response *response, int64_t offset, size_t len,
                     struct buf *out, struct error *err)
{
    struct view body = {response->body.data, response->body.len};

    if (take_range(source, response, offset, err))
        return -1;
    take_etag(source, response);
    if (response->status != 206) {
        size_t skip = offset < (int64_t)body.len ? (size_t)offset : body.len;

        body = (struct view){body.data ? body.data + skip : "", body.len - skip};
    }
    if (body.len)
        buf_add(out, body.data, body.len < len ? body.len : len);
    return 0;
}

/* ---- S3 ---- */

static int s3_failure(const struct log_source *source, const struct s3_call *call, struct error *err)
{
    CLEANUP_FREE char *said = xstrdup(err->message);

    if (strcmp(err->reason, "no-such-key") == 0)
        return not_found(source, err);
    if (strcmp(err->reason, "access-denied") == 0)
        return access_denied(source, said, err);
    if (call->response.status == 412)
        return changed(source, err);
    if (err->class == CLASS_UPLOAD_FAILED)
        err->class = strcmp(err->reason, "no-such-bucket") == 0 ? CLASS_USAGE : CLASS_PLATFORM;
    return -1;
}

static int read_s3(struct log_source *source, int64_t offset, size_t len, struct buf *out, struct error *err)
{
    struct s3_call call;
    int status;

    s3_call_init(&call, "GET", source->key);
    add_headers(source, offset, len, &call.headers);
    call.max_response = len + (64 << 10);
    status = s3_perform(source->s3, &call, err);
    if (status && call.response.status == 416)
        status = 0; /* nothing stands there */
    else
        status = status ? s3_failure(source, &call, err) : take_body(source, &call.response, offset, len, out, err);
    s3_call_dispose(&call);
    return status;
}

/* ---- http ---- */

static int http_failure(const struct log_source *source, const struct http_response *response, struct error *err)
{
    char said[40];

    snprintf(said, sizeof said, "answered %ld", response->status);
    if (response->status == 404 || response->status == 410)
        return not_found(source, err);
    if (response->status == 401 || response->status == 403)
        return access_denied(source, said, err);
    if (response->status == 412)
        return changed(source, err);
    error_set(err, CLASS_PLATFORM, "request-refused", "reading %.500s: %s", source->shown, said);
    if (response->status >= 500 || response->status == 429)
        error_retryable(err, http_response_retry_after(response));
    return -1;
}

static int get(struct log_source *source, int64_t offset, size_t len, bool ranged, struct buf *out, struct error *err)
{
    struct http_request request;
    struct http_response response;
    int status;

    http_request_init(&request, "GET", source->name);
    http_response_init(&response);
    if (ranged)
        add_headers(source, offset, len, &request.headers);
    request.max_response = ranged ? len + (64 << 10) : UNRANGED_MAX;
    request.max_redirects = 5;
    request.timeout_ms = TIMEOUT_MS;
    status = http_perform(source->access->client, &request, &response, err);
    if (status)
        error_context(err, "reading %.500s", source->shown);
    else if (response.status / 100 == 2)
        status = take_body(source, &response, offset, len, out, err);
    else if (response.status != 416)
        status = http_failure(source, &response, err);
    http_request_dispose(&request);
    http_response_dispose(&response);
    return status;
}

static int get_again(struct log_source *source, int64_t offset, size_t len, bool ranged, struct buf *out,
                     struct error *err)
{
    struct retry retry = {.max_attempts = ATTEMPTS, .base_ms = 500, .cap_ms = 5000};
    size_t before = out->len;
    int64_t wait_ms;

    while (get(source, offset, len, ranged, out, err)) {
        wait_ms = retry_next(&retry, err);
        if (wait_ms < 0)
            return -1;
        out->len = before;
        loop_sleep(http_client_loop(source->access->client), wait_ms, NULL);
    }
    return 0;
}

/* A server that knows no ranges gives the whole each time: once is enough. */
static int keep_whole(struct log_source *source, struct error *err)
{
    source->whole = xcalloc(1, sizeof *source->whole);
    buf_init(source->whole, UNRANGED_MAX);
    if (get_again(source, 0, UNRANGED_MAX, false, source->whole, err) == 0)
        return 0;
    if (strcmp(err->reason, "response-too-large") == 0)
        error_hint(err, "the server gives no ranges of it: download it, and name the file");
    return -1;
}

static int read_http(struct log_source *source, int64_t offset, size_t len, struct buf *out, struct error *err)
{
    int status = 0;

    if (!source->whole)
        status = get_again(source, offset, len, true, out, err);
    if (status && strcmp(err->reason, "response-too-large") == 0)
        status = keep_whole(source, err);
    if (status == 0 && source->whole && offset < (int64_t)source->whole->len) {
        size_t left = source->whole->len - (size_t)offset;

        buf_add(out, source->whole->data + offset, left < len ? left : len);
    }
    return status;
}

/* ---- all of them ---- */

int log_source_read(struct log_source *source, int64_t offset, size_t len, struct buf *out, struct error *err)
{
    if (source->is_file)
        return read_file(source, offset, len, out, err);
    if (source->size >= 0 && offset >= source->size)
        return 0;
    return source->s3 ? read_s3(source, offset, len, out, err) : read_http(source, offset, len, out, err);
}

int log_source_read_all(struct log_source *source, struct buf *out, struct error *err)
{
    size_t before;

    do {
        size_t room = out->max - out->len;

        before = out->len;
        if (log_source_read(source, (int64_t)out->len, room < RANGE_BYTES ? room : RANGE_BYTES, out, err))
            return -1;
    } while (out->len > before && out->len < out->max);
    if (out->len < out->max)
        return 0;
    return error_set(err, CLASS_USAGE, "too-large", "%.500s is larger than %zu KiB", source->shown, out->max >> 10);
}
