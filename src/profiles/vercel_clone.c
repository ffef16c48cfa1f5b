/*
 * The "Vercel clone" family: an API server starts one ECS task a build, by RunTask, with the variables below. The
 * spellings are those of the public code of these systems, the odd ones too.
 */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/mem.h"
#include "profiles/profile_internal.h"
#include "profiles/vercel_clone.h"

#define STATUS_TOPIC "deployment-status"

static const char *const repository[] = {"GIT_REPOSITORY__URL", "GIT_REPOSITORY_URL", "USER_GIT_REPOSITORY_URL", NULL};
static const char *const project[] = {"PROJECT_ID", NULL};
static const char *const deployment[] = {"DEPLOYMENT_ID", "DEPLOYEMENT_ID", "DEPLOYMENTID", NULL};
static const char *const branch[] = {"BRANCH", NULL};
static const char *const token[] = {"GITHUB_TOKEN", NULL};
static const char *const directory[] = {"ROOT_DIR", "ROOT_DIRECTORY", "ROOT_PROJECT_DIR", "BUILD_ROOT", NULL};
static const char *const install[] = {"INSTALL_CMD", NULL};
static const char *const build[] = {"BUILD_CMD", NULL};
static const char *const output[] = {"OUTPUT_DIR", NULL};
static const char *const user_json[] = {"ENV_VARIABLES", "ENVVARS", NULL};
static const char *const bucket[] = {"S3_BUCKET",    "BUCKET_NAME",       "BUCKET", "R2_BUCKET", "R2_BUCKET_NAME",
                                     "MINIO_BUCKET", "MINIO_BUCKET_NAME", NULL};
static const char *const domain[] = {"SUB_DOMAIN", NULL};
static const char *const task[] = {"TASK", NULL};
static const char *const redis_url[] = {"REDIS_URL", "REDIS_URI", NULL};
static const char *const redis_host[] = {"REDIS_HOST", NULL};
static const char *const redis_port[] = {"REDIS_PORT", NULL};
static const char *const redis_user[] = {"REDIS_USERNAME", NULL};
static const char *const redis_password[] = {"REDIS_PASSWORD", NULL};
static const char *const kafka[] = {"KAFKA_BROKER", "KAFKA_URL", "BROKER1", NULL};
static const char *const kafka_user[] = {"KAFKA_USERNAME", NULL};
static const char *const kafka_password[] = {"KAFKA_PASSWORD", NULL};
static const char *const callback[] = {"API_SERVER_URL", NULL};
static const char *const callback_token[] = {"JWT_TOKEN", NULL};

static const struct profile_role roles[] = {
    {.key = "repository", .names = repository, .path = "source.repository", .required = true},
    {.key = "project", .names = project, .path = "project", .required = true},
    {.key = "deployment", .names = deployment, .path = "id"},
    {.key = "branch", .names = branch, .path = "source.ref", .fallback = "main"},
    {.key = "token", .names = token, .path = "source.auth.token", .secret = true},
    {.key = "directory", .names = directory, .path = "source.directory"},
    {.key = "install", .names = install, .path = "build.install"},
    {.key = "build", .names = build, .path = "build.command"},
    {.key = "output", .names = output, .path = "build.output"},
    {.key = "domain", .names = domain, .path = "labels.sub_domain"},
    {.key = "task", .names = task, .path = "labels.task"},
    {.key = "user", .names = user_json},
    {.key = "bucket", .names = bucket},
    {.key = "redis url", .names = redis_url},
    {.key = "redis host", .names = redis_host},
    {.key = "redis port", .names = redis_port},
    {.key = "redis user", .names = redis_user},
    {.key = "redis password", .names = redis_password},
    {.key = "kafka", .names = kafka},
    {.key = "kafka user", .names = kafka_user},
    {.key = "kafka password", .names = kafka_password},
    {.key = "callback", .names = callback},
    {.key = "callback token", .names = callback_token},
    {0},
};

static const char *const prefixes[] = {"R2_", "MINIO_", NULL};

static const char *first(const struct profile_draft *draft, const char *a, const char *b)
{
    const char *value = profile_variable(draft, a);

    return value ? value : profile_variable(draft, b);
}

/*
 * Keys of the storage by its own names; the credential chain knows AWS's only. A tenant can send an endpoint: requests
 * to one that the operator does not pin are never signed by the task's role, whose session token would go there.
 */
static void put_credentials(struct profile_draft *draft, const char *id, const char *secret)
{
    const struct operator_file *file = profile_operator(draft);

    if (id && secret) {
        profile_system(draft, "AWS_ACCESS_KEY_ID", id);
        profile_system(draft, "AWS_SECRET_ACCESS_KEY", secret);
    } else if (!profile_variable(draft, "AWS_ACCESS_KEY_ID") && !(file && file->pin_endpoint)) {
        profile_problem(
            draft, "profile-variable-missing",
            "R2_* or MINIO_* name an endpoint without keys of its own (R2_ACCESS_KEY_ID, MINIO_ACCESS_KEY): "
            "the task's role does not sign for it");
    }
}

static char *r2_endpoint(const struct profile_draft *draft)
{
    const char *endpoint = first(draft, "R2_ENDPOINT", "R2_ENDPOINT_URL");
    const char *account = profile_variable(draft, "R2_ACCOUNT_ID");

    if (endpoint)
        return xstrdup(endpoint);
    return account ? xasprintf("https://%s.r2.cloudflarestorage.com", account) : NULL;
}

/* A URL, or a host with the port and the scheme in variables of their own, as MinIO's client takes them. */
static char *minio_endpoint(const struct profile_draft *draft)
{
    const char *endpoint = first(draft, "MINIO_ENDPOINT", "MINIO_URL");
    const char *port = profile_variable(draft, "MINIO_PORT");
    const char *ssl = profile_variable(draft, "MINIO_USE_SSL");
    bool has_port;

    if (!endpoint)
        return NULL;
    if (strstr(endpoint, "://"))
        return xstrdup(endpoint);
    has_port = strchr(endpoint, ':') != NULL || !port;
    return xasprintf("%s://%s%s%s", ssl && strcmp(ssl, "true") == 0 ? "https" : "http", endpoint, has_port ? "" : ":",
                     has_port ? "" : port);
}

static void put_storage(struct profile_draft *draft)
{
    const struct operator_file *file = profile_operator(draft);
    const char *variable = NULL;
    const char *name = profile_text(draft, "bucket", &variable);
    CLEANUP_FREE char *r2 = r2_endpoint(draft);
    CLEANUP_FREE char *minio = minio_endpoint(draft);
    const char *region = profile_variable(draft, "MINIO_REGION");

    if (!name && file)
        name = file->pin_bucket;
    if (!name) {
        profile_problem(draft, "profile-variable-missing", "S3_BUCKET is not set");
        return;
    }
    if (r2 && minio) {
        profile_problem(draft, "profile-variable-invalid", "R2_* and MINIO_* both say where the storage is");
        return;
    }
    if (r2)
        put_credentials(draft, profile_variable(draft, "R2_ACCESS_KEY_ID"),
                        profile_variable(draft, "R2_SECRET_ACCESS_KEY"));
    if (minio)
        put_credentials(draft, first(draft, "MINIO_ACCESS_KEY", "MINIO_ROOT_USER"),
                        first(draft, "MINIO_SECRET_KEY", "MINIO_ROOT_PASSWORD"));
    if (r2)
        region = "auto";
    else if (!minio)
        region = NULL;
    else if (!region)
        region = "us-east-1";
    profile_put_artifact(draft, name, variable, r2 ? r2 : minio, region);
}

/* ---- whom it tells ---- */

static const struct event_format *const formats[] = {
    &format_vercel_clone,      &format_vercel_clone_complete,   &format_vercel_clone_kafka,
    &format_vercel_clone_logs, &format_vercel_clone_logs_kafka, NULL};

static void tell_redis_channel(struct profile_draft *draft, const struct profile_server *server, const char *variable,
                               const char *channel, const char *format, const char *event)
{
    json_t *entry = profile_notify(draft, "redis", server->url, variable, format, event);

    json_put_text(entry, "channel", channel);
    profile_server_login(server, entry);
    if (!server->password) {
        profile_notify_value(draft, entry, "username", "redis user");
        profile_notify_value(draft, entry, "password", "redis password");
    }
}

/* Which of the two channels has the log differs; one that nobody listens to costs a word each. Where only the project has an
 * id, its status is asked for by that. */
static void tell_redis(struct profile_draft *draft)
{
    const char *variable = NULL;
    const char *url = profile_text(draft, "redis url", &variable);
    const char *host = url ? NULL : profile_text(draft, "redis host", &variable);
    const char *port = profile_text(draft, "redis port", NULL);
    CLEANUP_FREE char *made = host ? xasprintf("redis://%s:%s", host, port ? port : "6379") : NULL;
    struct profile_server server;

    if (!url && !made)
        return;
    profile_server_init(&server, url ? url : made);
    tell_redis_channel(draft, &server, variable, "logs:${project}", "vercel-clone-logs", "log");
    if (profile_text(draft, "deployment", NULL)) {
        tell_redis_channel(draft, &server, variable, "logs:${id}", "vercel-clone-logs", "log");
        tell_redis_channel(draft, &server, variable, "status:${id}", "vercel-clone", "started");
    } else {
        tell_redis_channel(draft, &server, variable, "status:${project}", "vercel-clone", "started");
    }
    profile_server_dispose(&server);
}

static json_t *tell_topic(struct profile_draft *draft, const char *target, const char *variable, const char *topic,
                          const char *format, const char *event)
{
    json_t *entry = profile_notify(draft, "kafka", target, variable, format, event);

    json_put_text(entry, "topic", topic);
    profile_notify_value(draft, entry, "username", "kafka user");
    profile_notify_value(draft, entry, "password", "kafka password");
    return entry;
}

/* Most have a topic for the log and none for the status, and writing to a topic that is not there costs the end of each
 * job its time: whether there is one says the operator's list of topics. */
static void tell_kafka(struct profile_draft *draft)
{
    const struct operator_file *file = profile_operator(draft);
    const char *variable = NULL;
    const char *broker = profile_text(draft, "kafka", &variable);
    bool plain = !profile_text(draft, "kafka user", NULL);
    CLEANUP_FREE char *target = NULL;

    if (!broker)
        return;
    target = xasprintf("%s%s", plain && !strstr(broker, "://") ? "kafka://" : "", broker);
    json_put_text(tell_topic(draft, target, variable, "container-logs", "vercel-clone-logs-kafka", "log"), "key",
                  "log");
    if (file && strings_has(&file->pin_topics, STATUS_TOPIC) && profile_text(draft, "deployment", NULL))
        tell_topic(draft, target, variable, STATUS_TOPIC, "vercel-clone-kafka", "started");
}

/* Those that send a token take each state; the others are told the end. */
static void tell_callback(struct profile_draft *draft)
{
    const char *variable = NULL;
    const char *server = profile_text(draft, "callback", &variable);
    bool with_token = profile_text(draft, "callback token", NULL) != NULL;
    size_t len = server ? strlen(server) : 0;
    CLEANUP_FREE char *url = NULL;
    json_t *entry;

    if (!server || !profile_text(draft, "deployment", NULL))
        return;
    while (len && server[len - 1] == '/')
        len--;
    url = xasprintf("%.*s%s", (int)len, server,
                    with_token ? "/api/v1/project/deploy/${id}" : "/deployments/${id}/complete");
    entry = profile_notify(draft, "http", url, variable, with_token ? "vercel-clone" : "vercel-clone-complete",
                           with_token ? "started" : "finished");
    profile_notify_value(draft, entry, "token", "callback token");
}

static void finish(struct profile_draft *draft)
{
    const char *variable = NULL;
    const char *json = profile_text(draft, "user", &variable);

    if (json)
        profile_user_json(draft, json, variable);
    put_storage(draft);
    tell_redis(draft);
    tell_kafka(draft);
    tell_callback(draft);
}

const struct profile profile_vercel_clone = {
    .name = "vercel-clone",
    .summary = "the variables that \"Vercel clone\" API servers send (GIT_REPOSITORY__URL, PROJECT_ID, …)",
    .roles = roles,
    .formats = formats,
    .prefixes = prefixes,
    .finish = finish,
};
