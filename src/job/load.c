#include "job/load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    error_set_errno(err, CLASS_SPEC_NOT_FOUND, "spec-not-found", -code, "reading the job spec %s", path);
    return error_hint(err, "give an existing file, - for standard input, or the spec in CAISSON_JOB");
}

static int load_stdin(struct buf *text, struct error *err)
{
    char block[16 * 1024];
    ssize_t got;

    while ((got = read(STDIN_FILENO, block, sizeof block)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set_errno(err, CLASS_SPEC_NOT_FOUND, "spec-not-found", errno,
                                   "reading the job spec from standard input");
        if (buf_add(text, block, (size_t)got))
            return too_large("standard input", err);
    }
    return 0;
}

static int get_https(const char *url, const char *name, struct http_client *client, struct buf *text,
                     struct error *err)
{
    struct http_request request;
    struct http_response response;
    int status;

    http_request_init(&request, "GET", url);
    http_response_init(&response);
    request.max_response = SPEC_TEXT_MAX;
    request.timeout_ms = 30 * 1000;
    status = http_perform(client, &request, &response, err);
    if (status) {
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

static int load_https(const char *url, const char *name, struct http_client *client, struct buf *text,
                      struct error *err)
{
    struct retry retry = {.max_attempts = 4, .base_ms = 500, .cap_ms = 5000};
    int64_t wait_ms;

    for (;;) {
        buf_reset(text);
        if (get_https(url, name, client, text, err) == 0)
            return 0;
        wait_ms = retry_next(&retry, err);
        if (wait_ms < 0)
            return -1;
        loop_sleep(http_client_loop(client), wait_ms, NULL);
    }
}

static int load_s3(const char *uri, const struct platform *platform, struct http_client *client,
                   struct credentials_provider *credentials, struct buf *text, struct error *err)
{
    struct deliver deliver = {.client = client,
                              .credentials = credentials,
                              .region = platform->region,
                              .endpoint = platform->endpoint,
                              .path_style = platform->path_style};

    if (deliver_fetch(&deliver, uri, text, err) == 0)
        return 0;
    if (strcmp(err->reason, "no-such-key") == 0 || strcmp(err->reason, "no-such-bucket") == 0)
        err->class = CLASS_SPEC_NOT_FOUND;
    return error_context(err, "fetching the job spec");
}

int load_text(const struct load_source *source, const struct platform *platform, struct http_client *client,
              struct credentials_provider *credentials, struct buf *text, char **name, struct error *err)
{
    const char *job = source->job;

    if (source->path && strcmp(source->path, "-") == 0) {
        *name = xstrdup("standard input");
        return load_stdin(text, err);
    }
    if (source->path) {
        *name = xstrdup(source->path);
        return load_file(source->path, text, err);
    }
    if (!job || !*job) {
        error_set(err, CLASS_SPEC_NOT_FOUND, "spec-not-found", "no job spec: no file was named, and CAISSON_JOB is not set");
        return error_hint(err, "caisson run FILE, caisson run - < FILE, or CAISSON_JOB=… caisson run");
    }
    if (strncmp(job, "s3://", 5) == 0) {
        *name = xstrdup(job);
        return load_s3(job, platform, client, credentials, text, err);
    }
    if (strncmp(job, "https://", 8) == 0) {
        /* The query of a presigned URL is a credential: it stays out of every message. */
        *name = url_without_userinfo(job);
        (*name)[strcspn(*name, "?#")] = '\0';
        return load_https(job, *name, client, text, err);
    }
    if (strncmp(job, "http://", 7) == 0) {
        *name = xstrdup("CAISSON_JOB");
        error_set(err, CLASS_SPEC_NOT_FOUND, "spec-not-found", "CAISSON_JOB is an http:// URL: a spec is fetched over https only");
        return error_hint(err, "use https://, s3://, or put the text itself into CAISSON_JOB");
    }
    *name = xstrdup("CAISSON_JOB");
    return buf_adds(text, job) ? too_large("CAISSON_JOB", err) : 0;
}
