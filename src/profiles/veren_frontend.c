/* Veren's front-end builder: what its build-worker puts into containerOverrides, both generations. */
#include "profiles/table.h"

#define DEFAULT_BUCKET "veren-v2"
#define DEFAULT_REGION "ap-south-1"
#define STEP_LIMIT "10m" /* theirs: ten minutes, then exit code 124 */

static const struct profile_variable variables[] = {
    {{"GIT_REPOSITORY__URL", "GIT_REPOSITORY_URL"}, USE_TEXT, "source.repository", NULL, true},
    {{"PROJECT_ID"}, USE_TEXT, "project", NULL, true},
    {{"DEPLOYMENTID", "DEPLOYMENT_ID"}, USE_TEXT, "id", NULL, true},
    {{"FRONTENDPATH"}, USE_FOLDER, "source.directory", ".", false},
    {{"INSTALLCOMMAND"}, USE_TEXT, "build.install", NULL, false},
    {{"BUILDCOMMAND"}, USE_TEXT, "build.command", NULL, false},
    {{"FRONTENDOUTPUTDIR", "OUTDIR"}, USE_FOLDER, "build.output", NULL, false},
    {{"BACKEND_PATH", "ECR_URI"}, USE_WITHHELD, NULL, NULL, false},
    {{"DOMAIN_EVENTS_TOPIC_ARN", "KAFKA_*"}, USE_LATER, NULL, NULL, false},
    {{NULL}, USE_WITHHELD, NULL, NULL, false},
};

static int finish(const struct strings *env, const struct operator_file *operator_file, struct profile_job *job,
                  struct error *err)
{
    bool pinned = operator_file && operator_file->pin_bucket;
    json_t *artifact;

    (void)err;
    profile_put_target(job, pinned ? operator_file->pin_bucket : DEFAULT_BUCKET,
                       pinned ? "operator's file" : "default of the profile");
    if (!env_get(env, "AWS_REGION") && !env_get(env, "AWS_DEFAULT_REGION")) {
        artifact = json_array_get(json_object_get(job->document, "artifacts"), 0);
        json_object_set_new(artifact, "s3", json_pack("{s:s}", "region", DEFAULT_REGION));
    }
    profile_put(job, "timeouts.install", STEP_LIMIT, "default of the profile");
    profile_put(job, "timeouts.build", STEP_LIMIT, "default of the profile");
    return 0;
}

const struct profile profile_veren_frontend = {
    .name = "veren-frontend",
    .summary = "Veren's front-end builds: GIT_REPOSITORY__URL, PROJECT_ID, DEPLOYMENTID, FRONTENDPATH",
    .variables = variables,
    .finish = finish,
};
