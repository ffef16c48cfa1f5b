#include "job/platform.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

static char *first_of(const struct strings *env, const char *const *names)
{
    for (; *names; names++) {
        const char *value = env_get(env, *names);

        if (value && *value)
            return xstrdup(value);
    }
    return NULL;
}

/* Each service's address by its own variable, or by the one for all; and the operator's pin. */
static const struct {
    size_t slot, pin;
    const char *variable;
} services[] = {
#define SERVICE(slot, pin, variable)                                                                                   \
    {                                                                                                                  \
        offsetof(struct platform, slot), offsetof(struct operator_file, pin), variable                                 \
    }
    SERVICE(endpoint, pin_endpoint, "AWS_ENDPOINT_URL_S3"),
    SERVICE(ssm_endpoint, pin_ssm_endpoint, "AWS_ENDPOINT_URL_SSM"),
    SERVICE(secrets_endpoint, pin_secrets_endpoint, "AWS_ENDPOINT_URL_SECRETS_MANAGER"),
    SERVICE(ecr_endpoint, pin_ecr_endpoint, "AWS_ENDPOINT_URL_ECR"),
    SERVICE(sts_endpoint, pin_sts_endpoint, "AWS_ENDPOINT_URL_STS"),
    SERVICE(sns_endpoint, pin_sns_endpoint, "AWS_ENDPOINT_URL_SNS"),
    SERVICE(sqs_endpoint, pin_sqs_endpoint, "AWS_ENDPOINT_URL_SQS"),
    SERVICE(events_endpoint, pin_events_endpoint, "AWS_ENDPOINT_URL_EVENTBRIDGE"),
    SERVICE(logs_endpoint, pin_logs_endpoint, "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"),
#undef SERVICE
};

static char **slot_of(struct platform *platform, size_t index)
{
    return (char **)(void *)((char *)platform + services[index].slot);
}

static void from_environment(struct platform *platform, const struct strings *env)
{
    static const char *const bundles[] = {"CAISSON_CA_BUNDLE", "AWS_CA_BUNDLE", "SSL_CERT_FILE", NULL};
    /* An upper-case HTTP_PROXY is left out on purpose: under CGI it is a request header (httpoxy). */
    static const char *const proxies[] = {"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", NULL};
    static const char *const http_proxies[] = {"http_proxy", "ALL_PROXY", "all_proxy", NULL};
    static const char *const exceptions[] = {"NO_PROXY", "no_proxy", NULL};
    size_t i;

    for (i = 0; i < ARRAY_LEN(services); i++) {
        const char *const names[] = {services[i].variable, "AWS_ENDPOINT_URL", NULL};

        *slot_of(platform, i) = first_of(env, names);
    }
    platform->ca_bundle = first_of(env, bundles);
    platform->proxy = first_of(env, proxies);
    platform->http_proxy = first_of(env, http_proxies);
    platform->no_proxy = first_of(env, exceptions);
}

static void pin(char **slot, const char *value)
{
    if (!value)
        return;
    free(*slot);
    *slot = xstrdup(value);
}

static bool is_task_metadata(const char *url)
{
    /* ECS sets it after the tenant's variables, yet a name repeated by the tenant could win: only the link-local
     * address of the agent is ever asked. */
    static const char prefix[] = "http://169.254.170.2/";

    return url && strncmp(url, prefix, sizeof prefix - 1) == 0;
}

void platform_init(struct platform *platform, const struct strings *env, const struct operator_file *operator_file,
                   bool profile)
{
    static const char *const regions[] = {"AWS_REGION", "AWS_DEFAULT_REGION", NULL};
    struct strings system = {0};
    const char *metadata = env_get(env, "ECS_CONTAINER_METADATA_URI_V4");
    size_t i;

    memset(platform, 0, sizeof *platform);
    platform->region = first_of(env, regions);
    if (is_task_metadata(metadata))
        platform->task_metadata = xstrdup(metadata);
    if (!profile)
        from_environment(platform, env);
    if (operator_file) {
        pin(&platform->region, operator_file->pin_region);
        for (i = 0; i < ARRAY_LEN(services); i++)
            pin(slot_of(platform, i), *(char *const *)(const void *)((const char *)operator_file + services[i].pin));
        pin(&platform->github_endpoint, operator_file->pin_github_endpoint);
        pin(&platform->ca_bundle, operator_file->pin_ca_bundle);
        pin(&platform->proxy, operator_file->pin_proxy);
        pin(&platform->http_proxy, operator_file->pin_proxy);
        pin(&platform->no_proxy, operator_file->pin_no_proxy);
    }
    strings_copy(&system, env);
    if (profile) {
        env_unset(&system, "HOME");
        env_unset(&system, "AWS_PROFILE");
        env_unset(&system, "AWS_SHARED_CREDENTIALS_FILE");
        env_unset(&system, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
        env_unset(&system, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    }
    credentials_source_find(&platform->credentials, &system, !profile);
    strings_wipe(&system);
    /* A custom endpoint is MinIO, R2, a test server: bucket names do not resolve below it unless said otherwise. */
    platform->path_style = platform->endpoint != NULL;
}

const char *platform_proxy_for(const struct platform *platform, const char *url)
{
    return url && strncmp(url, "http://", 7) == 0 ? platform->http_proxy : platform->proxy;
}

void platform_dispose(struct platform *platform)
{
    size_t i;

    free(platform->region);
    for (i = 0; i < ARRAY_LEN(services); i++)
        free(*slot_of(platform, i));
    free(platform->github_endpoint);
    free(platform->ca_bundle);
    wipe_free(platform->proxy); /* they may hold a password */
    wipe_free(platform->http_proxy);
    free(platform->no_proxy);
    free(platform->task_metadata);
    credentials_source_dispose(&platform->credentials);
}
