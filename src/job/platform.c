#include "job/platform.h"

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

static void from_environment(struct platform *platform, const struct strings *env)
{
    static const char *const endpoints[] = {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", NULL};
    static const char *const ssm_endpoints[] = {"AWS_ENDPOINT_URL_SSM", "AWS_ENDPOINT_URL", NULL};
    static const char *const secrets_endpoints[] = {"AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL", NULL};
    static const char *const ecr_endpoints[] = {"AWS_ENDPOINT_URL_ECR", "AWS_ENDPOINT_URL", NULL};
    static const char *const sts_endpoints[] = {"AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL", NULL};
    static const char *const bundles[] = {"CAISSON_CA_BUNDLE", "AWS_CA_BUNDLE", "SSL_CERT_FILE", NULL};
    /* An upper-case HTTP_PROXY is left out on purpose: under CGI it is a request header (httpoxy). */
    static const char *const proxies[] = {"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", NULL};
    static const char *const http_proxies[] = {"http_proxy", "ALL_PROXY", "all_proxy", NULL};
    static const char *const exceptions[] = {"NO_PROXY", "no_proxy", NULL};

    platform->endpoint = first_of(env, endpoints);
    platform->ssm_endpoint = first_of(env, ssm_endpoints);
    platform->secrets_endpoint = first_of(env, secrets_endpoints);
    platform->ecr_endpoint = first_of(env, ecr_endpoints);
    platform->sts_endpoint = first_of(env, sts_endpoints);
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

    memset(platform, 0, sizeof *platform);
    platform->region = first_of(env, regions);
    if (is_task_metadata(metadata))
        platform->task_metadata = xstrdup(metadata);
    if (!profile)
        from_environment(platform, env);
    if (operator_file) {
        pin(&platform->region, operator_file->pin_region);
        pin(&platform->endpoint, operator_file->pin_endpoint);
        pin(&platform->ssm_endpoint, operator_file->pin_ssm_endpoint);
        pin(&platform->secrets_endpoint, operator_file->pin_secrets_endpoint);
        pin(&platform->ecr_endpoint, operator_file->pin_ecr_endpoint);
        pin(&platform->sts_endpoint, operator_file->pin_sts_endpoint);
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
    free(platform->region);
    free(platform->endpoint);
    free(platform->ssm_endpoint);
    free(platform->secrets_endpoint);
    free(platform->ecr_endpoint);
    free(platform->sts_endpoint);
    free(platform->ca_bundle);
    wipe_free(platform->proxy); /* they may hold a password */
    wipe_free(platform->http_proxy);
    free(platform->no_proxy);
    free(platform->task_metadata);
    credentials_source_dispose(&platform->credentials);
}
