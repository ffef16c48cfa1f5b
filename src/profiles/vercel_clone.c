/*
 * The "Vercel clone" family: public builders that are started by RunTask with GIT_REPOSITORY__URL and PROJECT_ID and
 * write to s3://BUCKET/__outputs/PROJECT_ID/. Their spellings differ; all that are in use are taken.
 */
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "profiles/table.h"

static const struct profile_variable variables[] = {
    {{"GIT_REPOSITORY__URL", "GIT_REPOSITORY_URL", "USER_GIT_REPOSITORY_URL"}, USE_TEXT, "source.repository", NULL, true},
    {{"PROJECT_ID"}, USE_TEXT, "project", NULL, true},
    {{"DEPLOYEMENT_ID", "DEPLOYMENT_ID", "DEPLOYMENTID"}, USE_TEXT, "id", NULL, false},
    {{"BRANCH"}, USE_TEXT, "source.ref", "main", false},
    {{"ROOT_DIR", "ROOT_DIRECTORY", "ROOT_PROJECT_DIR", "BUILD_ROOT"}, USE_FOLDER, "source.directory", NULL, false},
    {{"INSTALL_CMD"}, USE_TEXT, "build.install", NULL, false},
    {{"BUILD_CMD"}, USE_TEXT, "build.command", NULL, false},
    {{"OUTPUT_DIR"}, USE_FOLDER, "build.output", NULL, false},
    {{"GITHUB_TOKEN"}, USE_SECRET, "source.auth.token", NULL, false},
    {{"ENV_VARIABLES", "ENVVARS"}, USE_ENV_JSON, "env", NULL, false},
    {{"R2_ACCESS_KEY_ID", "MINIO_ACCESS_KEY", "MINIO_ROOT_USER"}, USE_SYSTEM, "AWS_ACCESS_KEY_ID", NULL, false},
    {{"R2_SECRET_ACCESS_KEY", "MINIO_SECRET_KEY", "MINIO_ROOT_PASSWORD"}, USE_SYSTEM, "AWS_SECRET_ACCESS_KEY", NULL,
     false},
    {{"S3_BUCKET", "BUCKET_NAME", "BUCKET", "R2_*", "MINIO_*"}, USE_WITHHELD, NULL, NULL, false},
    {{"SUB_DOMAIN", "TASK"}, USE_WITHHELD, NULL, NULL, false},
    {{"REDIS_URL", "REDIS_URI", "REDIS_HOST", "REDIS_PORT", "REDIS_USERNAME", "REDIS_PASSWORD"}, USE_LATER, NULL, NULL,
     false},
    {{"KAFKA_*", "BROKER1"}, USE_LATER, NULL, NULL, false},
    {{"API_SERVER_URL", "JWT_TOKEN"}, USE_LATER, NULL, NULL, false},
    {{NULL}, USE_WITHHELD, NULL, NULL, false},
};

static char *endpoint_of(const struct strings *env, const char **name)
{
    static const char *const endpoints[] = {"R2_ENDPOINT", "R2_ENDPOINT_URL", "MINIO_ENDPOINT", "MINIO_URL", NULL};
    static const char *const accounts[] = {"R2_ACCOUNT_ID", NULL};
    const char *value = profile_value(env, endpoints, name);

    if (value && strstr(value, "://"))
        return xstrdup(value);
    if (value)
        return xasprintf("https://%s", value);
    value = profile_value(env, accounts, name);
    return value ? xasprintf("https://%s.r2.cloudflarestorage.com", value) : NULL;
}

static int finish(const struct strings *env, const struct operator_file *operator_file, struct profile_job *job,
                  struct error *err)
{
    static const char *const buckets[] = {"S3_BUCKET",    "BUCKET_NAME",       "BUCKET", "R2_BUCKET",
                                          "R2_BUCKET_NAME", "MINIO_BUCKET", "MINIO_BUCKET_NAME", NULL};
    const char *name = "operator's file", *bucket = profile_value(env, buckets, &name);
    CLEANUP_FREE char *endpoint = NULL;
    CLEANUP_FREE char *origin = NULL;
    json_t *artifact;

    if (operator_file && operator_file->pin_bucket)
        bucket = operator_file->pin_bucket;
    if (!bucket) {
        error_set(err, CLASS_SPEC_INVALID, "profile-variable-missing", "no bucket: none of S3_BUCKET, BUCKET_NAME, BUCKET, "
                                                                       "R2_BUCKET, MINIO_BUCKET is set");
        return error_hint(err, "set S3_BUCKET in the task definition, or pins.bucket in the operator's file");
    }
    origin = xasprintf("variable %s", name);
    profile_put_target(job, bucket, origin);
    endpoint = endpoint_of(env, &name);
    if (endpoint) {
        artifact = json_array_get(json_object_get(job->document, "artifacts"), 0);
        json_object_set_new(artifact, "s3",
                            json_pack("{s:s, s:s, s:b}", "endpoint", endpoint, "region", "auto", "path_style", 1));
    }
    return 0;
}

const struct profile profile_vercel_clone = {
    .name = "vercel-clone",
    .summary = "the family of Vercel clones: GIT_REPOSITORY__URL, PROJECT_ID, S3_BUCKET",
    .variables = variables,
    .finish = finish,
};
