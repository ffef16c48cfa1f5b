#include "report/sink_bus.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

int bus_port(const struct url *url)
{
    return url->port ? (int)strtol(url->port, NULL, 10) : 0;
}

const char *bus_ca_bundle(const struct sink_context *context, const struct sink_settings *settings)
{
    return settings->ca_bundle ? settings->ca_bundle : http_client_ca_bundle(context->client);
}

void bus_batch_begin(struct bus_batch *batch, size_t len, size_t per_message, sink_done *done, void *context)
{
    size_t i;

    *batch = (struct bus_batch){
        .requests = len * per_message, .len = len, .first_failed = len, .done = done, .context = context};
    batch->places = xcalloc(batch->requests, sizeof *batch->places);
    for (i = 0; i < batch->requests; i++)
        batch->places[i] = (struct bus_place){batch, i / per_message};
}

void *bus_batch_place(struct bus_batch *batch, size_t request)
{
    return &batch->places[request];
}

/* A message that is wrong is left out; all else may be mended, by time or by somebody. */
static void judge(struct error *err)
{
    if (strcmp(err->reason, "own-address") == 0)
        error_hint(err, "the operator's file can allow it (allow: [plain-brokers])");
    if (err->class != CLASS_CREDENTIALS && strcmp(err->reason, "message-too-large") != 0 &&
        strcmp(err->reason, "broker-refused") != 0)
        error_retryable(err, err->retry_after_ms);
}

void bus_batch_settle(void *place, const struct error *error)
{
    const struct bus_place *settled = place;
    struct bus_batch *batch = settled->batch;
    struct bus_batch ended;

    if (error && settled->index < batch->first_failed) {
        batch->first_failed = settled->index;
        batch->error = *error;
        judge(&batch->error);
    }
    if (++batch->settled < batch->requests)
        return;
    ended = *batch;
    bus_batch_forget(batch);
    /* What came after the first that failed is sent again, with the ids that it had. */
    ended.done(ended.context, ended.first_failed, ended.first_failed < ended.len ? &ended.error : NULL);
}

char *bus_header(const char *line, const char *prefix, const char **value)
{
    size_t len = message_header(line, value);

    if (strncmp(line, "ce-", 3) == 0)
        return xasprintf("%s%.*s", prefix, (int)len - 3, line + 3);
    return xstrndup(line, len);
}

bool bus_batch_waits(const struct bus_batch *batch)
{
    return batch->places != NULL;
}

void bus_batch_forget(struct bus_batch *batch)
{
    free(batch->places);
    *batch = (struct bus_batch){0};
}
