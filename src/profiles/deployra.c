/*
 * Deployra's builder: a service that takes messages of Redis' list `builder-queue`, one image a message. Its own settings
 * are in the environment, the job is the message.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/json.h"
#include "core/mem.h"
#include "profiles/deployra.h"
#include "profiles/profile_internal.h"

static const char *const api[] = {"API_URL", NULL};
static const char *const api_key[] = {"API_KEY", NULL};
static const char *const registry[] = {"ECR_REGISTRY", NULL};
static const char *const account[] = {"AWS_ACCOUNT_ID", NULL};
static const char *const region[] = {"AWS_REGION", "AWS_DEFAULT_REGION", NULL};
static const char *const redis_host[] = {"REDIS_HOST", NULL};
static const char *const redis_port[] = {"REDIS_PORT", NULL};
static const char *const redis_user[] = {"REDIS_USERNAME", NULL};
static const char *const redis_password[] = {"REDIS_PASSWORD", NULL};
static const char *const cancel_channel[] = {"REDIS_CANCEL_CHANNEL_NAME", NULL};
static const char *const service[] = {"REDIS_QUEUE_NAME", "WORK_DIR", "LOG_LEVEL", NULL};

static const struct profile_role roles[] = {
    {.key = "deployment", .message = "deploymentId", .path = "id", .required = true},
    {.key = "service", .message = "serviceId", .path = "project", .required = true},
    {.key = "commit", .message = "commitSha", .path = "source.commit"},
    {.key = "branch", .message = "branch", .path = "source.ref"},
    {.key = "repository", .message = "repositoryName"},
    {.key = "dockerfile", .message = "runtimeFilePath"},
    {.key = "provider", .message = "gitProvider.type"},
    {.key = "owner", .message = "gitProvider.githubAccount.username"},
    {.key = "token", .message = "gitProvider.githubAccount.accessToken"},
    {.key = "url", .message = "gitProvider.url"},
    {.key = "username", .message = "gitProvider.username"},
    {.key = "password", .message = "gitProvider.password"},
    {.key = "api", .names = api},
    {.key = "api key", .names = api_key},
    {.key = "registry", .names = registry},
    {.key = "account", .names = account},
    {.key = "region", .names = region},
    {.key = "redis host", .names = redis_host},
    {.key = "redis port", .names = redis_port},
    {.key = "redis user", .names = redis_user},
    {.key = "redis password", .names = redis_password},
    {.key = "cancel channel", .names = cancel_channel},
    {.key = "own", .names = service},
    {0},
};

static const char *const message_env[] = {"environmentVariables", NULL};
static const struct event_format *const formats[] = {&format_deployra, &format_deployra_logs, NULL};

static void put_login(struct profile_draft *draft, const char *key, const char *path)
{
    const char *variable = NULL;
    const char *text = profile_text(draft, key, &variable);

    if (text)
        profile_put(draft, path, json_string(text), variable);
}

static bool ends_in(const char *text, size_t len, const char *end)
{
    size_t end_len = strlen(end);

    return len >= end_len && strncasecmp(text + len - end_len, end, end_len) == 0;
}

/* "https://git.example.com" and "team/app"; one that names the repository already is taken as it is. */
static char *custom_url(const char *url, const char *name)
{
    size_t len = strlen(url);
    CLEANUP_FREE char *path = name ? xasprintf("/%s", name) : NULL;

    while (len && url[len - 1] == '/')
        len--;
    if (!path || ends_in(url, len, ".git") || ends_in(url, len, path))
        return xstrdup(url);
    return xasprintf("%.*s%s%s", (int)len, url, path, ends_in(path, strlen(path), ".git") ? "" : ".git");
}

/* A server of their own, with the user and the password beside its URL. */
static void put_custom_source(struct profile_draft *draft)
{
    const char *variable = NULL;
    const char *server = profile_text(draft, "url", &variable);
    CLEANUP_FREE char *url = NULL;

    if (!server) {
        profile_problem(draft, "profile-variable-missing", "the message has no gitProvider.url");
        return;
    }
    url = custom_url(server, profile_text(draft, "repository", NULL));
    profile_put(draft, "source.repository", json_string(url), variable);
    put_login(draft, "username", "source.auth.username");
    put_login(draft, "password", "source.auth.password");
}

/* "owner/name", or the name alone beside the account that has it. */
static void put_github_source(struct profile_draft *draft)
{
    const char *variable = NULL;
    const char *name = profile_text(draft, "repository", &variable);
    const char *owner = profile_text(draft, "owner", NULL);
    CLEANUP_FREE char *url = NULL;

    if (!name) {
        profile_problem(draft, "profile-variable-missing", "the message has no repositoryName");
        return;
    }
    if (strstr(name, "://"))
        url = xstrdup(name);
    else if (strchr(name, '/') || !owner)
        url = xasprintf("https://github.com/%s", name);
    else
        url = xasprintf("https://github.com/%s/%s", owner, name);
    profile_put(draft, "source.repository", json_string(url), variable);
    put_login(draft, "token", "source.auth.token");
}

static void put_source(struct profile_draft *draft)
{
    const char *type = profile_text(draft, "provider", NULL);

    if (!type || strcasecmp(type, "GITHUB") == 0)
        put_github_source(draft);
    else if (strcasecmp(type, "CUSTOM") == 0)
        put_custom_source(draft);
    else
        profile_problem(draft, "profile-variable-invalid",
                        "gitProvider.type of the message is neither GITHUB nor CUSTOM");
}

/* Theirs asks STS for the account; ours is told the registry. */
static char *registry_of(struct profile_draft *draft)
{
    const struct operator_file *file = profile_operator(draft);
    const char *named = profile_text(draft, "registry", NULL);
    const char *number = profile_text(draft, "account", NULL);
    const char *where = profile_text(draft, "region", NULL);

    if (file && file->pin_registry && !strchr(file->pin_registry, '/'))
        return xstrdup(file->pin_registry);
    if (named)
        return xstrdup(named);
    if (number && where)
        return xasprintf("%s.dkr.ecr.%s.amazonaws.com", number, where);
    if (!profile_operator_names_repository(draft))
        profile_problem(draft, "profile-variable-missing",
                        "ECR_REGISTRY is not set, nor AWS_ACCOUNT_ID with AWS_REGION");
    return NULL;
}

/* One repository a service, which keeps one image. Theirs has the tag latest and no other. */
static void put_image(struct profile_draft *draft)
{
    CLEANUP_FREE char *host = registry_of(draft);
    CLEANUP_FREE char *repository = host ? xasprintf("%s/deployra/${project}", host) : NULL;
    const char *variable = NULL;
    const char *dockerfile = profile_text(draft, "dockerfile", &variable);

    if (repository)
        profile_put(draft, "image.repository", json_string(repository), NULL);
    profile_put(draft, "image.tags", json_pack("[s, s]", "${id}", "latest"), NULL);
    profile_put(draft, "image.create.keep", json_integer(1), NULL);
    profile_put(draft, "build.builder", json_string("dockerfile"), NULL);
    profile_put(draft, "build.dotenv", json_true(), NULL);
    if (dockerfile)
        profile_put(draft, "build.dockerfile", json_string(dockerfile), variable);
}

static void tell(struct profile_draft *draft)
{
    const char *variable = NULL;
    const char *url = profile_text(draft, "api", &variable);
    size_t len = url ? strlen(url) : 0;
    CLEANUP_FREE char *status = NULL;
    CLEANUP_FREE char *logs = NULL;

    if (!url)
        return;
    while (len && url[len - 1] == '/')
        len--;
    status = xasprintf("%.*s/webhooks/deployments/${id}/status", (int)len, url);
    logs = xasprintf("%.*s/webhooks/deployments/${id}/logs", (int)len, url);
    profile_notify_value(draft, profile_notify(draft, "http", status, variable, "deployra", "started"), "api_key",
                         "api key");
    profile_notify_value(draft, profile_notify(draft, "http", logs, variable, "deployra-logs", "log"), "api_key",
                         "api key");
}

/* Its dashboard publishes { deploymentId }, without TLS; a server that wants TLS is named as rediss://host. */
static void hear_cancels(struct profile_draft *draft)
{
    const char *variable = NULL;
    const char *host = profile_text(draft, "redis host", &variable);
    const char *port = profile_text(draft, "redis port", NULL);
    const char *name = profile_text(draft, "cancel channel", NULL);
    CLEANUP_FREE char *url = NULL;
    json_t *entry;

    if (!host)
        return;
    url = xasprintf("%s%s:%s", strstr(host, "://") ? "" : "redis://", host, port ? port : "6379");
    entry =
        json_pack("{s:s, s:s, s:s}", "redis", url, "channel", name ? name : "builder:cancel", "member", "deploymentId");
    profile_notify_value(draft, entry, "username", "redis user");
    profile_notify_value(draft, entry, "password", "redis password");
    profile_put(draft, "cancel", json_pack("[o]", entry), NULL);
    profile_note(draft, "cancel[0].redis", variable);
}

static void finish(struct profile_draft *draft)
{
    put_source(draft);
    put_image(draft);
    tell(draft);
    hear_cancels(draft);
}

const struct profile profile_deployra = {
    .name = "deployra",
    .summary = "a message of Deployra's builder-queue",
    .roles = roles,
    .formats = formats,
    .message_env = message_env,
    .takes = MESSAGE_ONLY,
    .finish = finish,
};
