/*
 * What Deployra's API reads. Status: it deploys on `BUILDED` (sic), shows `error` of `FAILED`, and answers 200 to any
 * other word. Of a cancelled job it knows already. Log: an empty text is a 400.
 */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/mem.h"
#include "profiles/deployra.h"
#include "profiles/said.h"

#define TEXT_MAX ((size_t)32 << 10) /* of one message, unless a line alone is longer */

static const char *registry_type(const char *image)
{
    size_t len = strcspn(image, "/");
    const char *ecr = strstr(image, ".dkr.ecr");

    if (len == strlen("ghcr.io") && strncmp(image, "ghcr.io", len) == 0)
        return "ghcr";
    return ecr && (size_t)(ecr - image) < len ? "ecr" : "docker";
}

static void encode_status(const struct format_options *options, const struct event_job *job, const struct event *event,
                          struct outbox *out)
{
    CLEANUP_FREE char *image = NULL;
    json_t *body;

    (void)options;
    if (event->kind != EVENT_FINISHED) {
        said_add(out, job, event, json_pack("{s:s}", "status", "BUILDING"));
        return;
    }
    if (outcome_of(event) == OUTCOME_CANCELLED)
        return;
    body = json_object();
    image = said_image(event);
    if (outcome_of(event) == OUTCOME_SUCCESS && image) {
        json_put_text(body, "status", "BUILDED");
        json_object_set_new(
            body, "data",
            json_pack("{s:s, s:s}", "containerImageUri", image, "containerRegistryType", registry_type(image)));
    } else {
        json_put_text(body, "status", "FAILED");
        json_put_text(body, "error",
                      outcome_of(event) == OUTCOME_SUCCESS ? "the job has pushed no image" : outcome_message(event));
    }
    said_add(out, job, event, body);
}

static const char *type_of(const struct event_line *line)
{
    switch (line->kind) {
    case RECORD_ERROR: return "ERROR";
    case RECORD_WARNING:
    case RECORD_GAP: return "WARNING";
    case RECORD_OUTPUT: return line->is_stderr ? "STDERR" : "STDOUT";
    default: return "INFO";
    }
}

static void say(const struct event_job *job, const struct event *event, const char *type, struct buf *text,
                struct outbox *out)
{
    if (text->len)
        said_add(out, job, event, json_pack("{s:s, s:s}", "text", buf_text(text), "type", type));
    buf_reset(text);
}

/* Lines of one type that follow each other are one request. */
static void encode_logs(const struct format_options *options, const struct event_job *job, const struct event *event,
                        struct outbox *out)
{
    const char *type = NULL;
    struct buf text;
    size_t i;

    (void)options;
    buf_init(&text, TEXT_MAX + SPOOL_LINE_MAX + 16);
    for (i = 0; i < event->lines_len; i++) {
        const struct event_line *line = &event->lines[i];
        CLEANUP_FREE char *shown = said_line(line);

        if (type && (strcmp(type, type_of(line)) != 0 || text.len + strlen(shown) > TEXT_MAX))
            say(job, event, type, &text, out);
        type = type_of(line);
        if (shown[strspn(shown, " \t\r\n")] != '\0')
            buf_addf(&text, "%s%s", text.len ? "\n" : "", shown);
    }
    if (type)
        say(job, event, type, &text, out);
    buf_dispose(&text);
}

const struct event_format format_deployra = {"deployra", EVENT_BIT(EVENT_STARTED) | EVENT_BIT(EVENT_FINISHED),
                                             encode_status};
const struct event_format format_deployra_logs = {"deployra-logs", EVENT_BIT(EVENT_LOG), encode_logs};
