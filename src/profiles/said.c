#include "profiles/said.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/sign.h"
#include "core/json.h"
#include "core/mem.h"

enum outcome outcome_of(const struct event *event)
{
    const char *status = json_text(event->result, "status", "");

    if (strcmp(status, "succeeded") == 0 || strcmp(status, "skipped") == 0)
        return OUTCOME_SUCCESS;
    return strcmp(status, "cancelled") == 0 ? OUTCOME_CANCELLED : OUTCOME_FAILURE;
}

const char *outcome_message(const struct event *event)
{
    return json_text(event->result, "message", json_text(event->result, "status", "failed"));
}

char *said_artifact(const struct event *event)
{
    const json_t *artifact = json_array_get(json_object_get(event->result, "artifacts"), 0);
    const char *url = json_text(artifact, "url", NULL);
    size_t len = url ? strlen(url) : 0;

    while (len && url[len - 1] == '/')
        len--;
    return url ? xstrndup(url, len) : NULL;
}

char *said_image(const struct event *event)
{
    const json_t *image = json_object_get(event->result, "image");
    const char *repository = json_text(image, "repository", NULL);
    const char *tag = json_string_value(json_array_get(json_object_get(image, "tags"), 0));

    if (!repository || !tag || !(json_flag(image, "published", false) || json_flag(image, "existed", false)))
        return NULL;
    return xasprintf("%s:%s", repository, tag);
}

char *said_line(const struct event_line *line)
{
    return xasprintf("%s%s", line->kind == RECORD_COMMAND ? "$ " : "", line->text);
}

const char *said_level(const struct event_line *line)
{
    switch (line->kind) {
    case RECORD_ERROR: return "ERROR";
    case RECORD_WARNING:
    case RECORD_GAP: return "WARN";
    default: return "INFO";
    }
}

const char *said_stage(const struct event_line *line)
{
    return *line->step ? line->step : "job";
}

/* RFC 9562, 5.8: what is in it is ours to say; version 8, variant 10. */
void said_uuid(const char *id, char out[SAID_UUID_SIZE])
{
    char hex[SHA256_HEX_SIZE];

    sha256_hex(id, strlen(id), hex);
    hex[12] = '8';
    hex[16] = "89ab"[hex[16] % 4];
    snprintf(out, SAID_UUID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

void said_put_time(json_t *object, const char *key, int64_t wall_ms)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format(wall_ms, text);
    json_put_text(object, key, text);
}

struct message *said_add(struct outbox *out, const struct event_job *job, const struct event *event, json_t *body)
{
    struct message *message = outbox_add(out, job, event);

    message_json(message, body);
    return message;
}
