/* image.pull_auth.role: a login of ECR that can pull and nothing else, because the build can read it. */
#include <string.h>

#include "aws/ecr_pull.h"
#include "core/mem.h"
#include "job/job.h"

static void hide(const struct job *job, const char *name, const char *value)
{
    redactor_add_named(job->options->redactor, name, value, strlen(value));
}

static void on_secret(void *context, const char *value)
{
    hide(context, "AWS credentials", value);
}

int job_pull_login(struct job *job, struct error *err)
{
    const struct platform *platform = job->options->platform;
    const struct ecr_pull_options options = {
        .client = job->options->client,
        .provider = job->options->credentials,
        .host = job->spec.image.pull_auth.registry,
        .role = job->spec.image.pull_auth.role,
        .id = job->spec.id,
        .region = platform->region,
        .sts_endpoint = platform->sts_endpoint,
        .ecr_endpoint = platform->ecr_endpoint,
        .stop = &job->stopping,
        .secret = on_secret,
        .context = job,
    };
    char *username, *password;

    if (!options.role)
        return 0;
    if (ecr_pull_login(&options, &username, &password, err))
        return error_context(err, "image.pull_auth");
    hide(job, "image.pull_auth", password);
    job->pull_username = secret_dup(username);
    job->pull_password = secret_dup(password);
    wipe_free(username);
    wipe_free(password);
    log_info(job->options->log, "base images of %s are pulled with a token of %s, which the build can read",
             options.host, options.role);
    return 0;
}
