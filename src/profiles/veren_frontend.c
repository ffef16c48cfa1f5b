/* Veren's frontend builder, both generations: its worker starts one ECS task a build with these variables. */
#include "core/mem.h"
#include "profiles/veren.h"

#define BUCKET "veren-v2"
#define REGION "ap-south-1"

static const char *const repository[] = {"GIT_REPOSITORY__URL", "GIT_REPOSITORY_URL", "USER_GIT_REPOSITORY_URL", NULL};
static const char *const project[] = {"PROJECT_ID", NULL};
static const char *const deployment[] = {"DEPLOYMENTID", "DEPLOYEMENT_ID", "DEPLOYMENT_ID", NULL};
static const char *const directory[] = {"FRONTENDPATH", NULL};
static const char *const install[] = {"INSTALLCOMMAND", NULL};
static const char *const build[] = {"BUILDCOMMAND", NULL};
static const char *const output[] = {"FRONTENDOUTPUTDIR", "OUTDIR", NULL};
static const char *const backend[] = {"BACKEND_PATH", "ECR_URI", NULL};

static const struct profile_role roles[] = {
    {.key = "repository", .names = repository, .message = "url", .path = "source.repository", .required = true},
    {.key = "project", .names = project, .message = "projectId", .path = "project", .required = true},
    {.key = "deployment", .names = deployment, .message = "deploymentId", .path = "id", .required = true},
    {.key = "directory", .names = directory, .message = "frontendConfig.frontendDir", .path = "source.directory"},
    {.key = "install", .names = install, .message = "frontendConfig.frontendInstallCommand", .path = "build.install"},
    {.key = "build", .names = build, .message = "frontendConfig.frontendBuildCommand", .path = "build.command"},
    {.key = "output", .names = output, .message = "frontendConfig.outDir", .path = "build.output"},
    {.key = "node", .message = "frontendConfig.buildVersion"},
    VEREN_TOLD_ROLES,
    {.key = "backend", .names = backend, .unused = true},
    {0},
};

static const char *const message_env[] = {"frontendConfig.frontendEnv", NULL};

static const struct event_format *const formats[] = {&format_veren_frontend, &format_veren_frontend_older,
                                                     &format_veren_frontend_logs, NULL};

static void finish(struct profile_draft *draft)
{
    const char *variable = NULL;
    const char *version = profile_text(draft, "node", &variable);
    bool region = profile_variable(draft, "AWS_REGION") || profile_variable(draft, "AWS_DEFAULT_REGION");

    /* Their builder gives up after ten minutes with exit code 124, and the worker counts on it. */
    profile_put(draft, "timeout", json_string("10m"), NULL);
    profile_put_artifact(draft, BUCKET, NULL, NULL, region ? NULL : REGION);
    /* A message asks for a version; in an environment the image that was started is the answer to that. */
    if (version && profile_has_message(draft))
        profile_put(draft, "build.node", json_string(version), variable);
    veren_notify(draft, "veren-frontend", "veren-frontend-logs", "frontend-builder-logs");
}

const struct profile profile_veren_frontend = {
    .name = "veren-frontend",
    .summary = "the variables that Veren's worker sends to its frontend builder",
    .roles = roles,
    .formats = formats,
    .message_env = message_env,
    .takes = MESSAGE_MAY,
    .finish = finish,
};
