/* Veren's frontend builder, both generations: its worker starts one ECS task a build with these variables. */
#include "core/mem.h"
#include "profiles/profile_internal.h"

#define BUCKET "veren-v2"
#define REGION "ap-south-1"

static const char *const repository[] = {"GIT_REPOSITORY__URL", "GIT_REPOSITORY_URL", "USER_GIT_REPOSITORY_URL", NULL};
static const char *const project[] = {"PROJECT_ID", NULL};
static const char *const deployment[] = {"DEPLOYMENTID", "DEPLOYEMENT_ID", "DEPLOYMENT_ID", NULL};
static const char *const directory[] = {"FRONTENDPATH", NULL};
static const char *const install[] = {"INSTALLCOMMAND", NULL};
static const char *const build[] = {"BUILDCOMMAND", NULL};
static const char *const output[] = {"FRONTENDOUTPUTDIR", "OUTDIR", NULL};
static const char *const kafka[] = {"KAFKA_CLIENT_ID",     "KAFKA_BROKER1", "KAFKA_SASL_USERNAME",
                                    "KAFKA_SASL_PASSWORD", "KAFKA_CA_PATH", NULL};
static const char *const topic[] = {"DOMAIN_EVENTS_TOPIC_ARN", NULL};
static const char *const backend[] = {"BACKEND_PATH", "ECR_URI", NULL};

static const struct profile_role roles[] = {
    {.key = "repository", .names = repository, .path = "source.repository", .required = true},
    {.key = "project", .names = project, .path = "project", .required = true},
    {.key = "deployment", .names = deployment, .path = "id", .required = true},
    {.key = "directory", .names = directory, .path = "source.directory"},
    {.key = "install", .names = install, .path = "build.install"},
    {.key = "build", .names = build, .path = "build.command"},
    {.key = "output", .names = output, .path = "build.output"},
    {.key = "kafka", .names = kafka, .unused = true},
    {.key = "topic", .names = topic, .unused = true},
    {.key = "backend", .names = backend, .unused = true},
    {0},
};

static void finish(struct profile_draft *draft)
{
    bool region = profile_variable(draft, "AWS_REGION") || profile_variable(draft, "AWS_DEFAULT_REGION");

    /* Their builder gives up after ten minutes with exit code 124, and the worker counts on it. */
    profile_put(draft, "timeout", json_string("10m"), NULL);
    profile_put_artifact(draft, BUCKET, NULL, NULL, region ? NULL : REGION);
}

const struct profile profile_veren_frontend = {
    .name = "veren-frontend",
    .summary = "the variables that Veren's worker sends to its frontend builder",
    .roles = roles,
    .finish = finish,
};
