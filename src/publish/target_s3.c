/* An S3 prefix as a target. The state is the object .caisson/<prefix>/manifest.json of the same bucket. */
#include "aws/s3.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aws/s3_multipart.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/mem.h"
#include "publish/target_s3.h"

#define STAMP_HEADER "x-amz-meta-caisson"
#define PART_STEP ((int64_t)1 << 20)
#define DRAIN_MS 3000
/* A server that takes nothing for so long is not slow, it is out of order. */
#define PATIENCE_MS ((int64_t)5 * 60 * 1000)

/* What a call of ours has under way. */
struct s3_handle {
    struct s3_target *target;
    struct target_call *call;
    struct s3_call s3_call;
    struct s3_operation *operation;
    struct s3_upload *upload;
    struct strings headers, conditions;
    char *key;
    char *body;
    int fd;
    int64_t started_ms;
};

/* ---- one call ---- */

static void handle_free(struct s3_handle *handle)
{
    s3_call_dispose(&handle->s3_call);
    strings_dispose(&handle->headers);
    strings_dispose(&handle->conditions);
    free(handle->key);
    free(handle->body);
    if (handle->fd >= 0)
        close(handle->fd);
    free(handle);
}

static void finish(struct s3_handle *handle, const struct error *error)
{
    struct target_call *call = handle->call;
    struct error copy;
    bool conditional = call->if_absent || call->if_match;

    call->handle = NULL;
    call->duration_ms = clock_monotonic_ms() - (handle->s3_call.sent_ms ? handle->s3_call.sent_ms : handle->started_ms);
    if (error && strcmp(error->reason, "no-such-key") == 0 && call->act != TARGET_PUT)
        error = NULL; /* nothing there: that is what a probe wants to know and a removal wants to reach */
    if (error && strcmp(error->reason, "access-denied") == 0 && call->act == TARGET_PROBE) {
        call->denied = true;
        error = NULL;
    }
    if (error && conditional && s3_target_is_conflict(error)) {
        call->conflict = true;
        error = NULL;
    }
    if (error) {
        copy = *error;
        if (strcmp(error->reason, "content-mismatch") == 0) {
            error_set(&copy, CLASS_OUTPUT_REFUSED, "file-changed", "%s changed while it was being published",
                      call->path);
            error_hint(&copy, "something still writes to the output: end it before the build step ends");
        }
    }
    handle_free(handle);
    call->done(call->context, error ? &copy : NULL);
}

static void on_call_done(void *context, const struct error *error)
{
    struct s3_handle *handle = context;
    struct target_call *call = handle->call;
    const struct http_response *response = &handle->s3_call.response;

    handle->operation = NULL;
    if (!error && call->act != TARGET_REMOVE)
        call->etag = xstrdup(s3_etag(&handle->s3_call));
    if (!error && call->act == TARGET_PROBE) {
        const char *length = http_response_header(response, "content-length");

        call->exists = true;
        call->ours = stamp_parse(http_response_header(response, STAMP_HEADER), handle->target->base.uri, &call->found);
        call->found.size = length ? strtoll(length, NULL, 10) : 0;
        if (!call->ours)
            call->found.form = call->etag && strchr(call->etag, '-') != NULL;
    }
    finish(handle, error);
}

static void on_upload_done(void *context, const char *etag, const struct error *error)
{
    struct s3_handle *handle = context;

    handle->upload = NULL;
    if (!error)
        handle->call->etag = xstrdup(etag);
    finish(handle, error);
}

static void add_conditions(const struct target_call *call, struct strings *headers)
{
    if (call->if_absent)
        strings_add(headers, "If-None-Match: *");
    else if (call->if_match)
        strings_addf(headers, "If-Match: %s", call->if_match);
}

static int read_body(struct s3_handle *handle, const struct tree_file *file, struct error *err)
{
    int64_t size = file->content.size, at = 0;
    ssize_t got;

    handle->body = xmalloc((size_t)size + 1);
    while (at < size && (got = pread(handle->fd, handle->body + at, (size_t)(size - at), at)) > 0)
        at += got;
    close(handle->fd);
    handle->fd = -1;
    if (at < size) {
        error_set(err, CLASS_OUTPUT_REFUSED, "file-changed", "%s changed while it was being published", file->path);
        return -1;
    }
    handle->s3_call.body = (struct view){handle->body, (size_t)size};
    return 0;
}

/* In parts: a large file, or one that needs the other form of ETag. */
static int64_t part_size_of(const struct tree_file *file, int form)
{
    int64_t size = file->content.size;

    if (size < TREE_LARGE)
        return TREE_LARGE; /* one part: "…-1" */
    return s3_part_size(size) + (form ? PART_STEP : 0);
}

static void start_upload(struct s3_handle *handle, const struct tree_file *file)
{
    struct s3_upload_options options;
    int form = handle->call->content.form;

    add_conditions(handle->call, &handle->conditions);
    s3_upload_options_init(&options, handle->key);
    options.headers = &handle->headers;
    options.conditions = &handle->conditions;
    options.fd = handle->fd;
    options.size = file->content.size;
    options.part_size = part_size_of(file, form);
    options.concurrency = file->content.size < TREE_LARGE ? 1 : TARGET_PARTS_AT_ONCE;
    /* The hashes that the plan was made by, so that the server refuses what has changed since. In parts of the other
     * size a large file has none. */
    if (file->content.size < TREE_LARGE)
        options.part_sha256 = &file->content.sha256;
    else if (!form)
        options.part_sha256 = (const char(*)[SHA256_HEX_SIZE])file->part_sha256;
    handle->upload = s3_upload_start(handle->target->s3, &options, on_upload_done, handle);
}

static int start_put(struct s3_handle *handle, struct error *err)
{
    struct target_call *call = handle->call;
    const struct tree_file *file = call->file;
    char stamp[STAMP_SIZE];

    handle->fd = tree_open_file(call->tree, file, err);
    if (handle->fd < 0)
        return -1;
    header_rules_apply(handle->target->rules, file->path, file->encoding, &handle->headers);
    stamp_format(&call->content, handle->target->base.uri, stamp);
    strings_addf(&handle->headers, STAMP_HEADER ": %s", stamp);
    if (file->content.size >= TREE_LARGE || call->content.form) {
        start_upload(handle, file);
        return 0;
    }
    if (file->content.size <= TARGET_IN_MEMORY && read_body(handle, file, err))
        return -1;
    strings_copy(&handle->s3_call.headers, &handle->headers);
    add_conditions(call, &handle->s3_call.headers);
    handle->s3_call.body_fd = handle->fd;
    handle->s3_call.body_length = handle->fd >= 0 ? file->content.size : 0;
    handle->s3_call.body_sha256 = file->content.sha256;
    handle->operation = s3_start(handle->target->s3, &handle->s3_call, on_call_done, handle);
    return 0;
}

static void start(struct target *base, struct target_call *call)
{
    static const char *const methods[] = {[TARGET_PROBE] = "HEAD", [TARGET_PUT] = "PUT", [TARGET_REMOVE] = "DELETE"};
    struct s3_target *target = (struct s3_target *)base;
    struct s3_handle *handle = xcalloc(1, sizeof *handle);
    struct error error = {0};

    handle->target = target;
    handle->call = call;
    handle->fd = -1;
    handle->key = xasprintf("%s%s", target->prefix, call->path);
    handle->started_ms = clock_monotonic_ms();
    s3_call_init(&handle->s3_call, methods[call->act], handle->key);
    call->handle = handle;
    if (call->act == TARGET_PUT) {
        if (start_put(handle, &error))
            finish(handle, &error);
        return;
    }
    if (call->act == TARGET_REMOVE)
        add_conditions(call, &handle->s3_call.headers);
    handle->operation = s3_start(target->s3, &handle->s3_call, on_call_done, handle);
}

static int64_t bytes_sent(struct target *base, const struct target_call *call)
{
    const struct s3_handle *handle = call->handle;

    (void)base;
    return handle && handle->upload ? s3_upload_bytes(handle->upload) : 0;
}

static bool is_idle(struct target *base, const struct target_call *call)
{
    const struct s3_handle *handle = call->handle;

    (void)base;
    return handle && handle->operation && s3_is_idle(handle->operation);
}

static bool cancel(struct target *base, struct target_call *call)
{
    struct s3_handle *handle = call->handle;
    bool sent;

    (void)base;
    if (!handle)
        return false;
    call->handle = NULL;
    sent = handle->upload || handle->s3_call.attempts > 0;
    s3_cancel(handle->operation);
    s3_upload_cancel(handle->upload);
    handle_free(handle);
    return sent;
}

/* ---- the rest ---- */

static void set_concurrency(struct target *base, int concurrency)
{
    http_client_set_connections(((struct s3_target *)base)->client,
                                concurrency > TARGET_PARTS_AT_ONCE ? concurrency : TARGET_PARTS_AT_ONCE);
}

static struct target_stats stats(struct target *base)
{
    struct s3_stats stats = s3_stats(((struct s3_target *)base)->s3);

    return (struct target_stats){stats.requests, stats.retries, stats.slow_downs, stats.pace};
}

static void s3_target_free(struct target *base)
{
    struct s3_target *target = (struct s3_target *)base;

    s3_target_forget(target);
    if (target->s3) {
        s3_drain(target->s3, DRAIN_MS);
        s3_free(target->s3);
    }
    if (target->provider)
        credentials_provider_free(target->provider);
    if (target->client)
        http_client_free(target->client);
    header_rules_free(target->rules);
    free(target->prefix);
    free(target->state_key);
    free(base->uri);
    free(target);
}

static const struct target_type s3_type = {
    .prepare = s3_target_prepare,
    .read_state = s3_target_read_state,
    .now_ms = s3_target_now_ms,
    .write_state = s3_target_write_state,
    .start = start,
    .bytes_sent = bytes_sent,
    .is_idle = is_idle,
    .cancel = cancel,
    .list = s3_target_list,
    .is_empty = s3_target_is_empty,
    .set_concurrency = set_concurrency,
    .stats = stats,
    .free = s3_target_free,
};

/* The prefix as one component: "/" is "~1" and "~" is "~0" (as in JSON Pointer), none at all is "~". */
char *s3_target_state_key(const char *prefix)
{
    struct buf key;
    const char *p;
    char *text;
    size_t len = strlen(prefix);

    buf_init(&key, 4096);
    buf_adds(&key, ".caisson/");
    if (len == 0)
        buf_addc(&key, '~');
    for (p = prefix; p + 1 < prefix + len; p++) {
        if (*p == '/' || *p == '~')
            buf_addf(&key, "~%c", *p == '/' ? '1' : '0');
        else
            buf_addc(&key, *p);
    }
    buf_adds(&key, "/manifest.json");
    text = buf_take(&key);
    buf_dispose(&key);
    return text;
}

/* "a/b", "a/b/" or "" → with one slash at the end, or "". Caller frees. NULL: not one that S3 clients agree on. */
static char *prefix_of(const char *key)
{
    size_t len = strlen(key);
    char *trimmed, *prefix;

    if (len > 0 && key[len - 1] == '/')
        len--;
    trimmed = xstrndup(key, len);
    if (len > 0 && (!fs_is_confined(trimmed, false) || len > 512 || strncmp(trimmed, ".caisson", 8) == 0)) {
        free(trimmed);
        return NULL;
    }
    prefix = xasprintf("%s%s", trimmed, len ? "/" : "");
    free(trimmed);
    return prefix;
}

static int open_clients(struct s3_target *target, const char *bucket, struct error *err)
{
    const struct publish_request *request = target->request;
    struct http_options http = {
        .ca_bundle = request->ca_bundle,
        .proxy = request->proxy,
        .http_proxy = request->proxy, /* whoever asks has chosen by the endpoint's scheme */
        .no_proxy = request->no_proxy,
        .max_connections = TARGET_PARTS_AT_ONCE,
    };
    struct s3_options options = {
        .bucket = bucket,
        .region = request->region,
        .endpoint = request->endpoint,
        .path_style = request->path_style,
        .patience_ms = PATIENCE_MS,
    };

    if (header_rules_new(&target->rules, request->headers, request->headers_len, err))
        return -1;
    target->client = http_client_new(target->base.loop, &http);
    target->provider = credentials_provider_new(&request->credentials, target->client);
    target->base.credentials = target->provider;
    return s3_new(&target->s3, target->client, target->provider, &options, err);
}

int target_s3_open(struct target **out, struct loop *loop, const struct publish_request *request, struct error *err)
{
    CLEANUP_FREE char *bucket = NULL, *key = NULL;
    struct s3_target *target;
    char *prefix;

    if (s3_uri_parse(request->to, &bucket, &key, err))
        return -1;
    prefix = prefix_of(key);
    if (!prefix)
        return error_set(err, CLASS_SPEC_INVALID, "bad-target",
                         "the prefix of %s has an empty, \".\" or \"..\" component, is too long, or is our own",
                         request->to);
    target = xcalloc(1, sizeof *target);
    target->base.type = &s3_type;
    target->base.loop = loop;
    target->base.max_concurrency = 256;
    target->base.has_headers = true;
    target->base.uri = xasprintf("s3://%s/%s", bucket, prefix);
    target->base.prefix_len = strlen(prefix);
    target->request = request;
    target->prefix = prefix;
    target->state_key = s3_target_state_key(prefix);
    if (open_clients(target, bucket, err)) {
        s3_target_free(&target->base);
        return -1;
    }
    *out = &target->base;
    return 0;
}
