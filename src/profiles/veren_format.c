/*
 * What Veren's consumers read. Status: a queue behind an SNS FIFO topic, whose consumer switches on `type` and ignores
 * what it does not know. Logs: a service behind Kafka, of which two generations are about; a line has the fields of both.
 */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/mem.h"
#include "profiles/said.h"
#include "profiles/veren.h"

struct words {
    const char *begun, *done, *failed; /* types of messages */
    const char *folder;                /* a key of `begun` */
};

static const struct words frontend = {"FRONTEND_PROCESSING", "FRONTEND_BUILD_SUCCESS", "FRONTEND_BUILD_FAILED",
                                      "frontendDir"};
static const struct words frontend_older = {"FRONTEND_PROCESSING", "FRONTEND_BUILT_SUCCESS", "FRONTEND_BUILT_FAILED",
                                            "frontendDir"};
static const struct words backend = {"BACKEND_PROCESSING", "BACKEND_BUILD_SUCCESS", "BACKEND_BUILD_FAILED",
                                     "backendDir"};

static json_t *body_of(const struct event_job *job, const struct event *event, const char *type, json_t *payload)
{
    json_t *body = json_object();

    json_put_text(body, "type", type);
    json_put_text(body, "projectId", job->project);
    json_put_text(body, "deploymentId", job->id);
    json_object_set_new(body, "payload", payload);
    said_put_time(body, "timestamp", event->wall_ms);
    return body;
}

static void say_end(const struct words *words, const struct event_job *job, const struct event *event,
                    struct outbox *out)
{
    bool success = outcome_of(event) == OUTCOME_SUCCESS;
    json_t *payload = json_object();
    json_t *body = body_of(job, event, success ? words->done : words->failed, payload);
    CLEANUP_FREE char *artifact = said_artifact(event);
    CLEANUP_FREE char *image = said_image(event);

    if (!success)
        json_put_text(payload, "msg", outcome_message(event));
    if (success && words != &backend) {
        json_put_text(body, "artifactUrl", artifact);
        json_put_text(payload, "output", artifact);
    }
    if (success && words == &backend)
        json_put_text(payload, "imageTag", image);
    said_add(out, job, event, body);
}

static void say_status(const struct words *words, const struct event_job *job, const struct event *event,
                       struct outbox *out)
{
    json_t *payload;

    if (event->kind == EVENT_FINISHED) {
        say_end(words, job, event, out);
        return;
    }
    payload = json_object();
    json_put_text(payload, words->folder, job->directory ? job->directory : ".");
    said_add(out, job, event, body_of(job, event, words->begun, payload));
}

/* ---- logs ---- */

static json_t *line_of(const struct event_job *job, const struct event_line *line, const char *text)
{
    json_t *body = json_object();

    json_put_text(body, "project_id", job->project);
    json_put_text(body, "deployment_id", job->id);
    json_put_text(body, "PROJECT_ID", job->project);
    json_put_text(body, "DEPLOYMENTID", job->id);
    json_put_text(body, "level", said_level(line));
    json_put_text(body, "stage", said_stage(line));
    json_put_text(body, "message", text);
    json_object_set_new(body, "ts", json_integer(line->wall_ms));
    return body;
}

static void say_lines(bool is_backend, const struct event_job *job, const struct event *event, struct outbox *out)
{
    size_t i;

    for (i = 0; i < event->lines_len; i++) {
        const struct event_line *line = &event->lines[i];
        CLEANUP_FREE char *text = said_line(line);
        CLEANUP_FREE char *marked = NULL;
        char time[CLOCK_TEXT_SIZE], uuid[SAID_UUID_SIZE];
        struct message *message = outbox_add(out, job, event);
        json_t *body = line_of(job, line, text);

        clock_format(line->wall_ms, time);
        marked = xasprintf("[%s] [%s] [%s] %s", time, said_level(line), said_stage(line), text);
        said_uuid(message->id, uuid);
        json_put_text(body, "event_id", uuid);
        json_put_text(body, "service", is_backend ? "backend-builder" : "frontend-builder");
        json_put_text(body, "log", is_backend ? marked : text);
        message->wall_ms = line->wall_ms;
        message_json(message, body);
    }
}

#define STATUS(name, words)                                                                                            \
    static void encode_##name(const struct format_options *options, const struct event_job *job,                       \
                              const struct event *event, struct outbox *out)                                           \
    {                                                                                                                  \
        (void)options;                                                                                                 \
        say_status(&(words), job, event, out);                                                                         \
    }
#define LOGS(name, is_backend)                                                                                         \
    static void encode_##name(const struct format_options *options, const struct event_job *job,                       \
                              const struct event *event, struct outbox *out)                                           \
    {                                                                                                                  \
        (void)options;                                                                                                 \
        say_lines((is_backend), job, event, out);                                                                      \
    }

STATUS(frontend, frontend)
STATUS(frontend_older, frontend_older)
STATUS(backend, backend)
LOGS(frontend_logs, false)
LOGS(backend_logs, true)

#define STATUS_KINDS (EVENT_BIT(EVENT_STARTED) | EVENT_BIT(EVENT_FINISHED))

const struct event_format format_veren_frontend = {"veren-frontend", STATUS_KINDS, encode_frontend};
const struct event_format format_veren_frontend_older = {"veren-frontend-older", STATUS_KINDS, encode_frontend_older};
const struct event_format format_veren_backend = {"veren-backend", STATUS_KINDS, encode_backend};
const struct event_format format_veren_frontend_logs = {"veren-frontend-logs", EVENT_BIT(EVENT_LOG),
                                                        encode_frontend_logs};
const struct event_format format_veren_backend_logs = {"veren-backend-logs", EVENT_BIT(EVENT_LOG), encode_backend_logs};
