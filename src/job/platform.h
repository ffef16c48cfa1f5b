/*
 * What surrounds the job: region, endpoint, proxy, CA bundle, credentials, the ECS task. Drawn once from the captured
 * environment and the operator's file. Under a profile the environment is the tenant's, so nothing in it may steer us:
 * only region and credentials of the system are taken, and the container endpoint that ECS itself sets.
 */
#ifndef CAISSON_JOB_PLATFORM_H
#define CAISSON_JOB_PLATFORM_H

#include "aws/credentials.h"
#include "core/strings.h"
#include "spec/spec.h"

struct platform {
    char *region;                          /* NULL: not known */
    char *endpoint;                        /* S3 endpoint for everything that names none; NULL: AWS's own */
    char *ssm_endpoint, *secrets_endpoint; /* of the Parameter Store and the Secrets Manager; NULL: AWS's own */
    char *ecr_endpoint;                    /* of ECR's API; NULL: AWS's own */
    char *sts_endpoint;                    /* of the Security Token Service; NULL: AWS's own */
    char *sns_endpoint, *sqs_endpoint, *events_endpoint, *logs_endpoint; /* of those; NULL: AWS's own */
    char *github_endpoint;                                               /* NULL: GitHub's own */
    bool path_style;
    char *ca_bundle;                     /* each NULL: none */
    char *proxy, *http_proxy, *no_proxy; /* for https:// and for http:// */
    char *task_metadata;                 /* ECS_CONTAINER_METADATA_URI_V4 */
    struct credentials_source credentials;
};

/* env and operator_file (may be NULL) are borrowed. */
void platform_init(struct platform *platform, const struct strings *env, const struct operator_file *operator_file,
                   bool profile);
void platform_dispose(struct platform *platform);
/* The proxy for a URL's scheme, borrowed; NULL: none. */
const char *platform_proxy_for(const struct platform *platform, const char *url);

#endif
