/*
 * What the "Vercel clone" family reads: states IN_PROGRESS, READY and FAIL, of which each variant has its own few fields,
 * and lines of the log. Some hand a callback's body to their database as it is: nothing is added to it.
 */
#include <stdlib.h>

#include "core/json.h"
#include "core/mem.h"
#include "profiles/said.h"
#include "profiles/vercel_clone.h"

static const char *state_of(const struct event *event)
{
    if (event->kind != EVENT_FINISHED)
        return "IN_PROGRESS";
    return outcome_of(event) == OUTCOME_SUCCESS ? "READY" : "FAIL";
}

static struct message *add(const struct event_job *job, const struct event *event, json_t *body, struct outbox *out)
{
    struct message *message = said_add(out, job, event, body);

    message->method = xstrdup("PUT"); /* of the callbacks; brokers have none */
    return message;
}

/* Redis, and PUT /api/v1/project/deploy/:id */
static void encode_status(const struct format_options *options, const struct event_job *job, const struct event *event,
                          struct outbox *out)
{
    (void)options;
    add(job, event, json_pack("{s:s}", "status", state_of(event)), out);
}

/* PUT /deployments/:id/complete */
static void encode_complete(const struct format_options *options, const struct event_job *job,
                            const struct event *event, struct outbox *out)
{
    json_t *body = json_pack("{s:s}", "status", state_of(event));

    (void)options;
    said_put_time(body, "finishedAt", event->wall_ms);
    add(job, event, body, out);
}

/* Topic deployment-status */
static void encode_kafka(const struct format_options *options, const struct event_job *job, const struct event *event,
                         struct outbox *out)
{
    json_t *body = json_object();
    struct message *message;

    (void)options;
    json_put_text(body, "DEPLOYMENT_ID", job->id);
    json_put_text(body, "status", state_of(event));
    said_put_time(body, "timestamp", event->wall_ms);
    message = add(job, event, body, out);
    message->key = xasprintf("status-%s", job->id);
}

static void encode_logs(const struct format_options *options, const struct event_job *job, const struct event *event,
                        struct outbox *out)
{
    size_t i;

    (void)options;
    for (i = 0; i < event->lines_len; i++) {
        const struct event_line *line = &event->lines[i];
        CLEANUP_FREE char *text = said_line(line);
        json_t *body = json_object();

        json_put_text(body, "log", text);
        json_put_text(body, "deploymentId", job->id);
        said_put_time(body, "timestamp", line->wall_ms);
        json_put_text(body, "level", said_level(line));
        json_put_text(body, "text", text);
        said_add(out, job, event, body)->wall_ms = line->wall_ms;
    }
}

/* Topic container-logs; DEPLOYEMENT_ID (sic) */
static void encode_logs_kafka(const struct format_options *options, const struct event_job *job,
                              const struct event *event, struct outbox *out)
{
    size_t i;

    (void)options;
    for (i = 0; i < event->lines_len; i++) {
        const struct event_line *line = &event->lines[i];
        CLEANUP_FREE char *text = said_line(line);
        json_t *body = json_object();

        json_put_text(body, "PROJECT_ID", job->project);
        json_put_text(body, "DEPLOYEMENT_ID", job->id);
        json_put_text(body, "log", text);
        said_add(out, job, event, body)->wall_ms = line->wall_ms;
    }
}

#define STATUS_KINDS (EVENT_BIT(EVENT_STARTED) | EVENT_BIT(EVENT_FINISHED))

const struct event_format format_vercel_clone = {"vercel-clone", STATUS_KINDS, encode_status};
const struct event_format format_vercel_clone_complete = {"vercel-clone-complete", EVENT_BIT(EVENT_FINISHED),
                                                          encode_complete};
const struct event_format format_vercel_clone_kafka = {"vercel-clone-kafka", STATUS_KINDS, encode_kafka};
const struct event_format format_vercel_clone_logs = {"vercel-clone-logs", EVENT_BIT(EVENT_LOG), encode_logs};
const struct event_format format_vercel_clone_logs_kafka = {"vercel-clone-logs-kafka", EVENT_BIT(EVENT_LOG),
                                                            encode_logs_kafka};
