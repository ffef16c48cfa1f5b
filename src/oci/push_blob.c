#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "oci/push_internal.h"

/* A registry may take its time with a large blob once it has it all: object stores copy it then. */
#define STALL_MS 120000
#define STALL_BYTES_A_MS 20000
#define STALL_MAX_MS 900000
#define MOUNTS_MAX 3

static void begin(struct push_blob *blob, enum push_stage stage);

static const struct oci_blob *source(const struct push_blob *blob)
{
    return &blob->push->request->image->blobs[blob->index];
}

static void release(struct push_blob *blob)
{
    registry_call_dispose(&blob->call);
    free(blob->path);
    free(blob->what);
    blob->path = blob->what = NULL;
}

void push_blob_cancel(struct push_blob *blob)
{
    loop_timer_stop(blob->timer);
    blob->timer = NULL;
    release(blob);
    free(blob->location);
    blob->location = NULL;
}

static void fail(struct push_blob *blob, const struct error *error)
{
    push_blob_cancel(blob);
    push_blob_failed(blob, error);
}

static void finish(struct push_blob *blob, enum push_how how)
{
    push_blob_cancel(blob);
    push_blob_done(blob, how);
}

/* A blob whose sending failed may be there all the same. */
static void go_on(void *context)
{
    struct push_blob *blob = context;

    blob->timer = NULL;
    begin(blob, blob->stage == PUSH_SEND ? PUSH_LOOK : blob->stage);
}

static void retry_or_fail(struct push_blob *blob, const struct error *error)
{
    struct retry *retry = &blob->retries[blob->stage];
    int64_t wait_ms = retry_next(retry, error);
    struct error own;

    if (wait_ms >= 0) {
        blob->timer = loop_timer_start(blob->push->registry->loop, wait_ms, go_on, blob);
        return;
    }
    own = *error;
    if (retry->attempts > 1)
        error_context(&own, "after %d attempts", retry->attempts);
    fail(blob, &own);
}

static void refuse(struct push_blob *blob)
{
    struct error error;

    registry_refusal(blob->push->registry, &blob->call, &error);
    if (error.retryable)
        retry_or_fail(blob, &error);
    else
        fail(blob, &error);
}

/* ---- its stages ---- */

static bool is_unchanged(struct push_blob *blob)
{
    struct error error;

    if (oci_blob_unchanged(blob->push->request->image, blob->index))
        return true;
    error_set(&error, CLASS_OUTPUT_REFUSED, "blob-changed", "%s of the image's layout changed after it was hashed",
              source(blob)->digest);
    error_hint(&error, "something still writes to the layout: end it before the push");
    fail(blob, &error);
    return false;
}

static const char *mount_source(const struct push_blob *blob)
{
    const struct strings *from = blob->push->request->mount_from;

    return from && blob->mount < from->len && blob->mount < MOUNTS_MAX ? from->items[blob->mount] : NULL;
}

static void on_look(struct push_blob *blob)
{
    long status = blob->call.response.status;

    if (status == 200)
        finish(blob, PUSH_THERE);
    else if (status == 401 && blob->call.authorized)
        refuse(blob);
    else
        /* 404, or an answer from wherever it keeps its blobs: sending it will show what is wrong, if anything is. */
        begin(blob, mount_source(blob) ? PUSH_MOUNT : PUSH_OPEN);
}

static void take_location(struct push_blob *blob)
{
    const char *location = http_response_header(&blob->call.response, "location");
    struct error error;

    free(blob->location);
    blob->location = NULL;
    if (registry_location(blob->push->registry, blob->call.url, location, &blob->location, &error)) {
        error_context(&error, "%s", blob->what);
        fail(blob, &error);
        return;
    }
    begin(blob, PUSH_SEND);
}

static void on_mount(struct push_blob *blob)
{
    long status = blob->call.response.status;

    blob->mount++;
    if (status == 201)
        finish(blob, PUSH_MOUNTED);
    else if (mount_source(blob))
        begin(blob, PUSH_MOUNT);
    else if (status == 202)
        take_location(blob); /* it could not, and has begun an upload instead */
    else
        begin(blob, PUSH_OPEN);
}

static void on_open(struct push_blob *blob)
{
    if (blob->call.response.status == 202)
        take_location(blob);
    else
        refuse(blob);
}

static void on_sent(struct push_blob *blob)
{
    const char *digest = http_response_header(&blob->call.response, "docker-content-digest");
    long status = blob->call.response.status;
    struct error error;

    if (!is_unchanged(blob))
        return;
    if (status != 201 && status != 204 && status != 200) {
        /* An upload that it does not know any more; of a repository that is missing the POST would have told. */
        if (status == 404) {
            registry_refusal(blob->push->registry, &blob->call, &error);
            error_retryable(&error, 0);
            retry_or_fail(blob, &error);
        } else {
            refuse(blob);
        }
        return;
    }
    if (digest && oci_digest_valid(digest) && strcmp(digest, source(blob)->digest) != 0) {
        error_set(&error, CLASS_PUSH_FAILED, "digest-refused", "%s: the registry says that it has got %s", blob->what,
                  digest);
        fail(blob, &error);
        return;
    }
    finish(blob, PUSH_SENT);
}

static void on_answer(void *context, const struct error *error)
{
    static void (*const stages[])(struct push_blob * blob) = {
        [PUSH_LOOK] = on_look, [PUSH_MOUNT] = on_mount, [PUSH_OPEN] = on_open, [PUSH_SEND] = on_sent};
    struct push_blob *blob = context;

    if (!error) {
        stages[blob->stage](blob);
    } else if (strcmp(error->reason, "body-unreadable") == 0) {
        if (is_unchanged(blob))
            fail(blob, error);
    } else if (error->retryable) {
        retry_or_fail(blob, error);
    } else {
        fail(blob, error);
    }
}

static void prepare_send(struct push_blob *blob)
{
    const struct oci_blob *from = source(blob);
    struct registry_call *call = &blob->call;
    char *url = xasprintf("%s%cdigest=%s", blob->location, strchr(blob->location, '?') ? '&' : '?', from->digest);

    free(blob->location);
    blob->location = url;
    call->method = "PUT";
    call->location = url;
    strings_add(&call->headers, "Content-Type: application/octet-stream");
    call->body_fd = from->fd;
    call->body_length = from->size;
    call->stall_ms =
        (int)(from->size / STALL_BYTES_A_MS < STALL_MAX_MS - STALL_MS ? STALL_MS + from->size / STALL_BYTES_A_MS
                                                                      : STALL_MAX_MS);
}

static void begin(struct push_blob *blob, enum push_stage stage)
{
    static const char *const names[] = {"looking for", "mounting", "beginning the upload of", "uploading"};
    const struct oci_blob *from = source(blob);
    const struct registry *registry = blob->push->registry;

    if (stage == PUSH_SEND && !is_unchanged(blob))
        return;
    release(blob);
    blob->stage = stage;
    blob->what = xasprintf("%s %.19s", names[stage], from->digest);
    registry_call_init(&blob->call, stage == PUSH_LOOK ? "HEAD" : "POST", NULL, blob->what);
    if (stage == PUSH_SEND)
        prepare_send(blob);
    else if (stage == PUSH_LOOK)
        blob->path = registry_path(registry, "blobs/%s", from->digest);
    else if (stage == PUSH_MOUNT)
        blob->path = registry_path(registry, "blobs/uploads/?mount=%s&from=%s", from->digest, mount_source(blob));
    else
        blob->path = registry_path(registry, "blobs/uploads/");
    blob->call.path = blob->path;
    registry_send(blob->push->registry, &blob->call, on_answer, blob);
}

void push_blob_start(struct push_blob *blob)
{
    size_t i;

    for (i = 0; i < PUSH_STAGES; i++)
        blob->retries[i] = registry_retry(blob->push->registry);
    begin(blob, PUSH_LOOK);
}
