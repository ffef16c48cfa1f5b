/*
 * Blacktree's worker: it takes messages of RabbitMQ's `execute.queue`, one image a message, and answers with one at the
 * key `api.result`, on which the API deploys.
 */
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/mem.h"
#include "profiles/profile_internal.h"
#include "profiles/said.h"

static const char *const registry[] = {"REGISTRY", "ECR_REGISTRY", NULL};
static const char *const broker[] = {"RABBITMQ_URL", "RABBITMQ_URI", "AMQP_URL", "MQ_URL", NULL};
static const char *const broker_user[] = {"RABBITMQ_USERNAME", "RABBITMQ_USER", NULL};
static const char *const broker_password[] = {"RABBITMQ_PASSWORD", "RABBITMQ_PASS", NULL};

static const struct profile_role roles[] = {
    {.key = "deployment", .message = "deploymentId", .path = "id", .required = true},
    {.key = "repository", .message = "repository", .required = true},
    {.key = "token", .message = "token", .path = "source.auth.token"},
    {.key = "branch", .message = "branch", .path = "source.ref"},
    {.key = "dockerfile", .message = "dockerFilePath"},
    {.key = "context", .message = "contextDir"},
    {.key = "created", .message = "createdAt"},
    {.key = "type", .message = "type"},
    {.key = "registry", .names = registry},
    {.key = "broker", .names = broker},
    {.key = "broker user", .names = broker_user},
    {.key = "broker password", .names = broker_password},
    {0},
};

/* ---- how it ends ---- */

/* The API deploys on success: without an image there is nothing to say. `logs` becomes the link to the log. */
static void encode(const struct format_options *options, const struct event_job *job, const struct event *event,
                   struct outbox *out)
{
    bool success = outcome_of(event) == OUTCOME_SUCCESS;
    CLEANUP_FREE char *image = success ? said_image(event) : NULL;

    (void)options;
    if (success && !image)
        return;
    said_add(out, job, event,
             json_pack("{s:s, s:s, s:b, s:s, s:s}", "deploymentId", job->id, "imageUrl", image ? image : "", "success",
                       success, "logs", json_text(event->result, "log_url", ""), "error",
                       success ? "" : outcome_message(event)));
}

static const struct event_format format_blacktree = {"blacktree", EVENT_BIT(EVENT_FINISHED), encode};
static const struct event_format *const formats[] = {&format_blacktree, NULL};

/* ---- the job ---- */

/* "test" ends before the push; what else its messages ask for is no build. */
static void put_type(struct profile_draft *draft)
{
    const char *variable = NULL;
    const char *type = profile_text(draft, "type", &variable);

    if (!type || strcmp(type, "build") == 0)
        return;
    if (strcmp(type, "test") == 0)
        profile_put(draft, "type", json_string(type), variable);
    else
        profile_problem(draft, "profile-variable-invalid",
                        "type of the message is %.40s: this runs build and test, nothing is deployed or stopped", type);
}

/* It orders and tells, no more: a clock that is ahead, or a text that is no time, is no reason to refuse a build. */
static void put_created_at(struct profile_draft *draft)
{
    const char *variable = NULL;
    const char *text = profile_text(draft, "created", &variable);
    int64_t wall_ms = 0;

    if (text && clock_parse(text, &wall_ms) == 0 && wall_ms <= clock_wall_ms())
        profile_put(draft, "created_at", json_string(text), variable);
}

static void put_source(struct profile_draft *draft)
{
    const char *variable = NULL;
    const char *name = profile_text(draft, "repository", &variable);
    CLEANUP_FREE char *url = NULL;

    if (!name)
        return;
    url = strstr(name, "://") ? xstrdup(name) : xasprintf("https://github.com/%s", name);
    profile_put(draft, "source.repository", json_string(url), variable);
}

/* Both are paths of the repository, however they begin. */
static void put_path(struct profile_draft *draft, const char *key, const char *path)
{
    const char *variable = NULL;
    const char *text = profile_text(draft, key, &variable);

    while (text && (*text == '/' || strncmp(text, "./", 2) == 0))
        text += *text == '/' ? 1 : 2;
    if (text && *text && strcmp(text, ".") != 0)
        profile_put(draft, path, json_string(text), variable);
}

static void put_image(struct profile_draft *draft)
{
    const struct operator_file *file = profile_operator(draft);
    const char *variable = NULL;
    const char *host = profile_text(draft, "registry", &variable);
    CLEANUP_FREE char *repository = NULL;

    if (file && file->pin_registry && !strchr(file->pin_registry, '/')) {
        host = file->pin_registry;
        variable = NULL;
    }
    repository = host ? xasprintf("%s/blacktree", host) : NULL;
    if (repository)
        profile_put(draft, "image.repository", json_string(repository), variable);
    else if (!profile_operator_names_repository(draft))
        profile_problem(draft, "profile-variable-missing", "REGISTRY is not set");
    profile_put(draft, "image.tags", json_pack("[s, s]", "${id}", "latest"), NULL);
}

static void tell(struct profile_draft *draft)
{
    const char *variable = NULL;
    const char *url = profile_text(draft, "broker", &variable);
    struct profile_server server;
    json_t *entry;

    if (!url)
        return;
    profile_server_init(&server, url);
    entry = profile_notify(draft, "amqp", server.url, variable, "blacktree", "finished");
    json_put_text(entry, "exchange", "blacktree.direct");
    json_put_text(entry, "routing_key", "api.result");
    profile_server_login(&server, entry);
    if (!server.password) {
        profile_notify_value(draft, entry, "username", "broker user");
        profile_notify_value(draft, entry, "password", "broker password");
    }
    profile_server_dispose(&server);
}

static void finish(struct profile_draft *draft)
{
    put_type(draft);
    put_created_at(draft);
    put_source(draft);
    profile_put(draft, "build.builder", json_string("dockerfile"), NULL);
    put_path(draft, "dockerfile", "build.dockerfile");
    put_path(draft, "context", "build.context");
    put_image(draft);
    tell(draft);
}

const struct profile profile_blacktree = {
    .name = "blacktree",
    .summary = "a message of Blacktree's execute.queue",
    .roles = roles,
    .formats = formats,
    .takes = MESSAGE_ONLY,
    .finish = finish,
};
