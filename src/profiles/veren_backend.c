/*
 * Veren's backend builder, both generations: its worker starts one ECS task a build with these variables. Today's
 * builder puts a Dockerfile of its own, for the Node version that is asked for, in place of the project's, and pushes to
 * a repository that is there already.
 */
#include <string.h>

#include "core/mem.h"
#include "profiles/veren.h"

#define NODE "18"

static const char *const repository[] = {"GIT_REPOSITORY__URL", "GIT_REPOSITORY_URL", "USER_GIT_REPOSITORY_URL", NULL};
static const char *const project[] = {"PROJECT_ID", NULL};
static const char *const deployment[] = {"DEPLOYMENTID", "DEPLOYEMENT_ID", "DEPLOYMENT_ID", NULL};
static const char *const directory[] = {"BACKEND_PATH", NULL};
static const char *const node[] = {"NODE_VERSION", NULL};
static const char *const image[] = {"ECR_URI", NULL};
static const char *const frontend[] = {"FRONTENDPATH",      "INSTALLCOMMAND", "BUILDCOMMAND",
                                       "FRONTENDOUTPUTDIR", "OUTDIR",         NULL};

static const struct profile_role roles[] = {
    {.key = "repository", .names = repository, .message = "url", .path = "source.repository", .required = true},
    {.key = "project", .names = project, .message = "projectId", .path = "project", .required = true},
    {.key = "deployment", .names = deployment, .message = "deploymentId", .path = "id", .required = true},
    {.key = "directory",
     .names = directory,
     .message = "backendConfig.backendDir",
     .path = "source.directory",
     .fallback = "backend"},
    {.key = "node", .names = node, .message = "backendConfig.buildVersion"},
    {.key = "image", .names = image, .path = "image.repository"},
    VEREN_TOLD_ROLES,
    {.key = "frontend", .names = frontend, .unused = true},
    {0},
};

/* "20", "v20", "20.11.1", "20.x": the major version decides. */
static void put_template(struct profile_draft *draft)
{
    static const char *const majors[] = {"18", "20", "22", "24"};
    const char *variable = NULL;
    const char *text = profile_text(draft, "node", &variable);
    const char *version = text ? text + (*text == 'v') : NODE;
    size_t len = strcspn(version, ".");
    size_t i;

    for (i = 0; i < ARRAY_LEN(majors); i++) {
        CLEANUP_FREE char *name = xasprintf("node%s", majors[i]);

        if (strlen(majors[i]) != len || strncmp(version, majors[i], len) != 0)
            continue;
        profile_put(draft, "build.template.name", json_string(name), variable);
        profile_put(draft, "build.template.when", json_string("always"), NULL);
        return;
    }
    profile_problem(draft, "profile-variable-invalid",
                    "there is no template for the Node version that is asked for (%.20s); "
                    "18, 20, 22 and 24 are there",
                    version);
}

static const char *const message_env[] = {"backendConfig.backendEnv", NULL};

static const struct event_format *const formats[] = {&format_veren_backend, &format_veren_backend_logs, NULL};

static void finish(struct profile_draft *draft)
{
    profile_put(draft, "build.builder", json_string("dockerfile"), NULL);
    put_template(draft);
    if (!profile_text(draft, "image", NULL) && !profile_operator_names_repository(draft))
        profile_problem(draft, "profile-variable-missing", "ECR_URI is not set");
    profile_put(draft, "image.tags", json_pack("[s]", "${project}-${id}"), NULL);
    /* Roles of existing deployments may push, and neither describe nor create repositories. */
    profile_put(draft, "image.create", json_false(), NULL);
    veren_notify(draft, "veren-backend", "veren-backend-logs", "backend-builder-logs");
}

const struct profile profile_veren_backend = {
    .name = "veren-backend",
    .summary = "the variables that Veren's worker sends to its backend builder",
    .roles = roles,
    .formats = formats,
    .message_env = message_env,
    .takes = MESSAGE_MAY,
    .finish = finish,
};
