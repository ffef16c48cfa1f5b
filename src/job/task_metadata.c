/*
 * What the ECS agent knows about our task and we do not: how long the image took to be pulled. Asked once, beside the
 * first steps, over a client without a proxy; a job never waits for the answer nor fails without it.
 * https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-response.html
 */
#include "job/task_metadata.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/mem.h"
#include "net/http.h"

#define METADATA_MAX (256 * 1024)
#define METADATA_TIMEOUT_MS 5000

struct task_metadata {
    struct http_client *client;
    struct http_request request;
    struct http_response response;
    struct http_transfer *transfer; /* NULL once it has ended */
    char *url;
    const char *uri, *container; /* borrowed */
    int64_t image_pull_ms;
    int64_t memory_bytes;
    char *arn;
};

static int64_t time_of(const json_t *document, const char *key)
{
    const char *text = json_text(document, key, NULL);
    int64_t wall_ms;

    return text && clock_parse(text, &wall_ms) == 0 ? wall_ms : 0;
}

#define MEMORY_MAX_MIB ((json_int_t)64 << 20)

/* In MiB. 0: there is none. */
static json_int_t limit_of(const json_t *object)
{
    const json_t *memory = json_object_get(json_object_get(object, "Limits"), "Memory");
    json_int_t mib = json_is_integer(memory) ? json_integer_value(memory) : 0;

    return mib > 0 && mib <= MEMORY_MAX_MIB ? mib : 0;
}

/* By its name, or as ours: on Fargate the last part of the URI is the container's id. */
static bool is_the_one(const struct task_metadata *metadata, const json_t *container)
{
    const char *slash = strrchr(metadata->uri, '/');

    if (metadata->container)
        return strcmp(json_text(container, "Name", ""), metadata->container) == 0;
    return slash && strcmp(json_text(container, "DockerId", ""), slash + 1) == 0;
}

static int64_t memory_of(const struct task_metadata *metadata, const json_t *task)
{
    const json_t *containers = json_object_get(task, "Containers"), *container;
    json_int_t mib = limit_of(task);
    size_t i;

    json_array_foreach(containers, i, container)
    {
        json_int_t own = limit_of(container);

        if (own && (mib == 0 || own < mib) && (json_array_size(containers) == 1 || is_the_one(metadata, container)))
            mib = own;
    }
    return (int64_t)mib << 20;
}

static void on_done(void *context, const struct error *error)
{
    struct task_metadata *metadata = context;
    CLEANUP_JSON json_t *document = NULL;
    int64_t from, to;

    metadata->transfer = NULL;
    if (error || metadata->response.status != 200)
        return;
    document = json_parse(buf_text(&metadata->response.body), metadata->response.body.len, CLASS_PLATFORM,
                          "task metadata", NULL);
    from = time_of(document, "PullStartedAt");
    to = time_of(document, "PullStoppedAt");
    if (from && to > from)
        metadata->image_pull_ms = to - from;
    metadata->memory_bytes = memory_of(metadata, document);
    metadata->arn = xstrdup(json_text(document, "TaskARN", NULL));
}

struct task_metadata *task_metadata_start(struct loop *loop, const char *uri, const char *container)
{
    static const struct http_options direct;
    struct task_metadata *metadata;

    if (!uri)
        return NULL;
    metadata = xcalloc(1, sizeof *metadata);
    metadata->client = http_client_new(loop, &direct);
    metadata->uri = uri;
    metadata->container = container;
    metadata->url = xasprintf("%s/task", uri);
    http_request_init(&metadata->request, "GET", metadata->url);
    metadata->request.timeout_ms = METADATA_TIMEOUT_MS;
    metadata->request.max_response = METADATA_MAX;
    http_response_init(&metadata->response);
    metadata->transfer = http_start(metadata->client, &metadata->request, &metadata->response, on_done, metadata);
    return metadata;
}

int64_t task_metadata_image_pull_ms(const struct task_metadata *metadata)
{
    return metadata ? metadata->image_pull_ms : 0;
}

int64_t task_metadata_memory_bytes(const struct task_metadata *metadata)
{
    return metadata ? metadata->memory_bytes : 0;
}

const char *task_metadata_arn(const struct task_metadata *metadata)
{
    return metadata ? metadata->arn : NULL;
}

bool task_metadata_waits(const struct task_metadata *metadata)
{
    return metadata && metadata->transfer;
}

void task_metadata_free(struct task_metadata *metadata)
{
    if (!metadata)
        return;
    http_cancel(metadata->transfer);
    http_request_dispose(&metadata->request);
    http_response_dispose(&metadata->response);
    http_client_free(metadata->client);
    free(metadata->url);
    free(metadata->arn);
    free(metadata);
}
