/*
 * A login of ECR that can pull and nothing else: the token of another role, whose session a policy of ours limits. "An
 * authentication token's permission scope matches that of the IAM principal used to retrieve" it:
 * https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html
 */
#ifndef CAISSON_AWS_ECR_PULL_H
#define CAISSON_AWS_ECR_PULL_H

#include <jansson.h>

#include "aws/ecr.h"

struct ecr_pull_options {
    struct http_client *client;                       /* borrowed */
    struct credentials_provider *provider;            /* borrowed: who assumes the role */
    const char *host;                                 /* of the registry */
    const char *role;                                 /* its ARN */
    const char *id;                                   /* of the job, for the session's name */
    const char *region;                               /* whose STS is asked; NULL: that of the registry */
    const char *sts_endpoint, *ecr_endpoint;          /* NULL: AWS's own */
    const bool *stop;                                 /* borrowed; NULL: never */
    void (*secret)(void *context, const char *value); /* is told what must never be seen; may be NULL */
    void *context;
};
/* Caller frees (wiping) user and password. Pumps the loop. CLASS_BASE_IMAGE "access-denied", CLASS_CREDENTIALS, and
 * CLASS_PLATFORM for everything else. */
int ecr_pull_login(const struct ecr_pull_options *options, char **username, char **password, struct error *err);

/* The policy of such a session: logging in, and pulling from that registry, also through its pull-through caches, which
 * make a repository for what they fetch first (and give it the tags that a creation template names).
 * https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html
 * Caller frees with free. */
char *ecr_pull_policy(const struct ecr_host *host);

#endif
