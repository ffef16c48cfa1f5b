#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "oci/push_internal.h"

#define AT_ONCE 4
#define TICK_MS 500

void push_result_dispose(struct push_result *result)
{
    strings_dispose(&result->tags_written);
    strings_dispose(&result->tags_there);
}

/* ---- progress ---- */

static void tell(struct push *push)
{
    const struct push_request *request = push->request;
    int64_t sent = push->finished_bytes;
    size_t i;

    for (i = 0; i < push->next; i++)
        if (push->blobs[i].stage == PUSH_SEND)
            sent += registry_call_sent(&push->blobs[i].call);
    /* What was sent in vain does not count twice, nor backwards. */
    if (sent <= push->told_bytes)
        return;
    push->told_bytes = sent;
    if (request->on_progress)
        request->on_progress(request->context, sent, request->image->bytes);
}

static void on_tick(void *context)
{
    struct push *push = context;

    push->ticker = loop_timer_start(push->registry->loop, TICK_MS, on_tick, push);
    tell(push);
}

/* ---- blobs ---- */

static void start_more(struct push *push)
{
    int at_once = push->request->at_once > 0 ? push->request->at_once : AT_ONCE;

    while (!push->failed && push->active < at_once && push->next < push->request->image->blobs_len) {
        push->active++;
        push_blob_start(&push->blobs[push->next++]);
    }
}

void push_blob_done(struct push_blob *blob, enum push_how how)
{
    struct push *push = blob->push;
    const struct oci_blob *source = &push->request->image->blobs[blob->index];

    push->active--;
    push->done++;
    push->finished_bytes += source->size;
    if (how == PUSH_SENT) {
        push->result->blobs_sent++;
        push->result->bytes_sent += source->size;
    } else if (how == PUSH_THERE) {
        push->result->blobs_there++;
    } else {
        push->result->blobs_mounted++;
    }
    start_more(push);
}

void push_blob_failed(struct push_blob *blob, const struct error *error)
{
    struct push *push = blob->push;

    push->active--;
    if (push->failed)
        return;
    push->failed = true;
    push->error = *error;
}

static int by_size(const void *a, const void *b)
{
    const struct push_blob *first = a, *second = b;
    const struct oci_blob *blobs = first->push->request->image->blobs;
    int64_t one = blobs[first->index].size, other = blobs[second->index].size;

    return one == other ? (first->index > second->index) - (first->index < second->index)
                        : (one < other) - (one > other);
}

static int push_blobs(struct push *push, struct error *err)
{
    size_t count = push->request->image->blobs_len;
    size_t i;

    push->blobs = xcalloc(count, sizeof *push->blobs);
    for (i = 0; i < count; i++)
        push->blobs[i] = (struct push_blob){.push = push, .index = i};
    qsort(push->blobs, count, sizeof *push->blobs, by_size);
    push->ticker = loop_timer_start(push->registry->loop, TICK_MS, on_tick, push);
    start_more(push);
    while (!push->failed && push->done < count && !registry_stopped(push->registry))
        loop_run_once(push->registry->loop, -1);
    loop_timer_stop(push->ticker);
    for (i = 0; i < push->next; i++)
        push_blob_cancel(&push->blobs[i]);
    if (!push->failed && push->done == count)
        tell(push);
    free(push->blobs);
    push->blobs = NULL;
    if (!push->failed && push->done == count)
        return 0;
    if (push->failed) {
        if (err)
            *err = push->error;
        return -1;
    }
    error_set(err, CLASS_INTERRUPTED, "interrupted", "stopped while the image was being pushed");
    return error_retryable(err, 0);
}

/* ---- all of it ---- */

/* Before anything is sent: one blob that is not what it was makes the whole image another. */
static int check_image(const struct oci_image *image, struct error *err)
{
    size_t i;

    for (i = 0; i < image->blobs_len; i++)
        if (!oci_blob_unchanged(image, i)) {
            error_set(err, CLASS_OUTPUT_REFUSED, "blob-changed", "%s of the image's layout changed after it was hashed",
                      image->blobs[i].digest);
            return error_hint(err, "something still writes to the layout: end it before the push");
        }
    return 0;
}

static void add_mount_scopes(struct registry *registry, const struct strings *from)
{
    size_t i;

    for (i = 0; from && i < from->len; i++) {
        CLEANUP_FREE char *scope = xasprintf("repository:%s:pull", from->items[i]);

        if (!strings_has(&registry->auth.scopes, scope))
            strings_add(&registry->auth.scopes, scope);
    }
}

int registry_push(struct registry *registry, const struct push_request *request, struct push_result *result,
                  struct error *err)
{
    struct push push = {.registry = registry, .request = request, .result = result};
    int64_t began_ms = clock_monotonic_ms();
    int status;

    *result = (struct push_result){0};
    status = check_image(request->image, err);
    if (!status) {
        add_mount_scopes(registry, request->mount_from);
        status = push_blobs(&push, err);
    }
    if (!status)
        status = push_tags(&push, err);
    result->duration_ms = clock_monotonic_ms() - began_ms;
    if (!status)
        return 0;
    push_result_dispose(result);
    return error_context(err, "pushing the image to %s", registry->shown);
}
