#include "aws/ecr_pull.h"

#include <stdlib.h>
#include <string.h>

#include "aws/json_call.h"
#include "aws/sts.h"
#include "core/mem.h"

char *ecr_pull_policy(const struct ecr_host *host)
{
    CLEANUP_FREE char *repositories =
        xasprintf("arn:%s:ecr:%s:%s:repository/*", json_service_partition(host->region), host->region, host->account);
    json_t *policy =
        json_pack("{s:s, s:[{s:s, s:s, s:s}, {s:s, s:[s, s, s, s, s, s], s:s}]}", "Version", "2012-10-17", "Statement",
                  "Effect", "Allow", "Action", "ecr:GetAuthorizationToken", "Resource", "*", "Effect", "Allow",
                  "Action", "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer",
                  "ecr:BatchImportUpstreamImage", "ecr:CreateRepository", "ecr:TagResource", "Resource", repositories);
    char *text = json_dumps(policy, JSON_COMPACT);

    json_decref(policy);
    return text;
}

static int assume(const struct ecr_pull_options *options, const struct ecr_host *host, struct credentials *credentials,
                  struct error *err)
{
    char session[STS_SESSION_NAME_SIZE];
    CLEANUP_FREE char *policy = ecr_pull_policy(host);
    const struct sts_options sts = {
        .client = options->client,
        .provider = options->provider,
        .region = options->region && json_service_region(options->region) ? options->region : host->region,
        .endpoint = options->sts_endpoint,
        .stop = options->stop,
    };
    const struct sts_assume_role request = {.role = options->role, .session = session, .policy = policy};

    sts_session_name(options->id, session);
    return sts_assume_role(&sts, &request, credentials, err);
}

static int login(const struct ecr_pull_options *options, struct credentials_provider *provider, char **username,
                 char **password, struct error *err)
{
    const struct ecr_options of_ecr = {
        .client = options->client,
        .provider = provider,
        .host = options->host,
        .endpoint = options->ecr_endpoint,
        .role = options->role,
        .stop = options->stop,
    };
    struct ecr *ecr;
    int64_t expires_ms;
    int status;

    if (ecr_new(&ecr, &of_ecr, err))
        return -1;
    status = ecr_login(ecr, username, password, &expires_ms, err);
    ecr_free(ecr);
    return status;
}

int ecr_pull_login(const struct ecr_pull_options *options, char **username, char **password, struct error *err)
{
    struct credentials_source source = {.kind = CREDENTIALS_STATIC, .name = xstrdup(options->role)};
    struct credentials_provider *provider;
    struct ecr_host host;
    int status = -1;

    if (!ecr_host_parse(options->host, &host)) {
        error_set(err, CLASS_PLATFORM, "not-ecr", "%.255s is no registry of ECR", options->host);
    } else if (assume(options, &host, &source.fixed, err) == 0) {
        provider = credentials_provider_new(&source, options->client);
        if (options->secret)
            credentials_on_secret(provider, options->secret, options->context);
        status = login(options, provider, username, password, err);
        credentials_provider_free(provider);
    }
    credentials_source_dispose(&source);
    if (status == 0)
        return 0;
    if (strcmp(err->reason, "access-denied") == 0)
        err->class = CLASS_BASE_IMAGE;
    else if (err->class == CLASS_PUSH_FAILED)
        err->class = CLASS_PLATFORM;
    return error_context(err, "logging in to %s for base images", options->host);
}
