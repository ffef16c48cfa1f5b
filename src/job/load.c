#include "job/load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/fs.h"
#include "core/mem.h"
#include "net/retry.h"
#include "report/deliver.h"

static int too_large(const char *name, struct error *err)
{
    error_set(err, CLASS_SPEC_INVALID, "spec-too-large", "%s is larger than %d KiB", name, SPEC_TEXT_MAX / 1024);
    return error_hint(err, "a job spec is a page of text: is this the right file?");
}

static int load_file(const char *path, struct buf *text, struct error *err)
{
    int code = fs_read_file(path, SPEC_TEXT_MAX, text);

    if (code == 0)
        return 0;
    if (code == -EFBIG)
        return too_large(path, err);
    if (code == -EINVAL) {
        error_set(err, CLASS_SPEC_NOT_FOUND, "spec-not-found", "the job spec %s is not a regular file", path);
        return error_hint(err, "give a pipe as standard input: caisson run - < %.100s", path);
    }
    error_set_errno(err, CLASS_SPEC_NOT_FOUND, "spec-not-found", -code, "reading the job spec %s", path);
    return error_hint(err, "give an existing file, - for standard input, or the spec in CAISSON_JOB");
}

static int stopped(struct error *err)
{
    error_set(err, CLASS_INTERRUPTED, "interrupted", "stopped while the job spec was awaited");
    return error_retryable(err, 0);
}

static bool is_stopped(const bool *stop)
{
    return stop && *stop;
}

static void on_readable(void *context, int events)
{
    bool *ready = context;

    (void)events;
    *ready = true;
}

/* A person types, or a pipe's other end takes its time: a stop is heard meanwhile. */
static void await_stdin(struct loop *loop, const bool *stop)
{
    bool ready = false;
    struct loop_watch *watch = loop_watch(loop, STDIN_FILENO, LOOP_READ, on_readable, &ready);

    while (!ready && !is_stopped(stop))
        loop_run_once(loop, -1);
    loop_unwatch(watch);
}

static int load_stdin(struct loop *loop, const bool *stop, struct buf *text, struct error *err)
{
    char block[16 * 1024];
    ssize_t got;

    for (;;) {
        await_stdin(loop, stop);
        if (is_stopped(stop))
            return stopped(err);
        got = read(STDIN_FILENO, block, sizeof block);
        if (got == 0)
            return 0;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set_errno(err, CLASS_SPEC_NOT_FOUND, "spec-not-found", errno,
                                   "reading the job spec from standard input");
        if (buf_add(text, block, (size_t)got))
            return too_large("standard input", err);
    }
}

static int get_https(const char *url, const char *name, struct http_client *client, const bool *stop, struct buf *text,
                     struct error *err)
{
    struct http_request request;
    struct http_response response;
    int status;

    http_request_init(&request, "GET", url);
    http_response_init(&response);
    request.max_response = SPEC_TEXT_MAX;
    request.timeout_ms = 30 * 1000;
    status = http_perform_unless(client, &request, &response, stop, err);
    if (status && strcmp(err->reason, "response-too-large") == 0) {
        too_large(name, err);
    } else if (status) {
        error_context(err, "fetching the job spec from %s", name);
    } else if (response.status / 100 != 2) {
        bool passing = response.status >= 500 || response.status == 429;

        status = error_set(err, passing ? CLASS_PLATFORM : CLASS_SPEC_NOT_FOUND, "spec-not-found",
                           "fetching the job spec from %s: answered %ld", name, response.status);
        error_hint(err, "is the URL right, and is it still valid (presigned URLs expire)?");
        if (passing)
            error_retryable(err, http_response_retry_after(&response));
    } else if (buf_add(text, response.body.data, response.body.len)) {
        status = too_large(name, err);
    }
    http_request_dispose(&request);
    http_response_dispose(&response);
    return status;
}

static int load_https(const char *url, const char *name, struct http_client *client, const bool *stop, struct buf *text,
                      struct error *err)
{
    struct retry retry = {.max_attempts = 4, .base_ms = 500, .cap_ms = 5000};
    int64_t wait_ms;

    for (;;) {
        buf_reset(text);
        if (get_https(url, name, client, stop, text, err) == 0)
            return 0;
        wait_ms = retry_next(&retry, err);
        if (wait_ms < 0)
            return -1;
        loop_sleep(http_client_loop(client), wait_ms, stop);
        if (is_stopped(stop))
            return stopped(err);
    }
}

/* All of it, with its retries: a server that sends a byte now and then never stalls. */
#define S3_LIMIT_MS (2 * 60 * 1000)

static int load_s3(const char *uri, const struct platform *platform, struct http_client *client,
                   struct credentials_provider *credentials, const bool *stop, struct buf *text, struct error *err)
{
    int64_t deadline_ms = clock_monotonic_ms() + S3_LIMIT_MS;
    struct deliver deliver = {.client = client,
                              .credentials = credentials,
                              .region = platform->region,
                              .endpoint = platform->endpoint,
                              .path_style = platform->path_style,
                              .deadline_ms = &deadline_ms,
                              .stop = stop};

    if (deliver_fetch(&deliver, uri, text, err) == 0)
        return 0;
    if (strcmp(err->reason, "response-too-large") == 0)
        return too_large(uri, err);
    if (strcmp(err->reason, "no-such-key") == 0 || strcmp(err->reason, "no-such-bucket") == 0)
        err->class = CLASS_SPEC_NOT_FOUND;
    return error_context(err, "fetching the job spec");
}

int load_local(const char *path, struct loop *loop, const bool *stop, struct buf *text, char **name, struct error *err)
{
    if (strcmp(path, "-") == 0) {
        *name = xstrdup("standard input");
        return load_stdin(loop, stop, text, err);
    }
    *name = xstrdup(path);
    return load_file(path, text, err);
}

int load_text(const struct load_source *source, const struct platform *platform, struct http_client *client,
              struct credentials_provider *credentials, struct buf *text, char **name, struct error *err)
{
    const char *job = source->job;

    if (source->path)
        return load_local(source->path, http_client_loop(client), source->stop, text, name, err);
    if (!job || !*job) {
        error_set(err, CLASS_SPEC_NOT_FOUND, "spec-not-found",
                  "no job spec: no file was named, and CAISSON_JOB is not set");
        return error_hint(err, "caisson run FILE, caisson run - < FILE, or CAISSON_JOB=… caisson run");
    }
    if (strncmp(job, "s3://", 5) == 0) {
        *name = xstrdup(job);
        return load_s3(job, platform, client, credentials, source->stop, text, err);
    }
    if (strncmp(job, "https://", 8) == 0) {
        /* The query of a presigned URL is a credential: it stays out of every message. */
        *name = url_without_userinfo(job);
        (*name)[strcspn(*name, "?#")] = '\0';
        return load_https(job, *name, client, source->stop, text, err);
    }
    if (strncmp(job, "http://", 7) == 0) {
        *name = xstrdup("CAISSON_JOB");
        error_set(err, CLASS_SPEC_NOT_FOUND, "spec-not-found",
                  "CAISSON_JOB is an http:// URL: a spec is fetched over https only");
        return error_hint(err, "use https://, s3://, or put the text itself into CAISSON_JOB");
    }
    *name = xstrdup("CAISSON_JOB");
    return buf_adds(text, job) ? too_large("CAISSON_JOB", err) : 0;
}
