#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/protection.h"
#include "job/guard.h"
#include "job/job.h"
#include "job/secret_files.h"

/*
 * What of our own environment a build gets when no profile is in play: where the network is, nothing that is a
 * credential. Everything else is made here or comes from the spec.
 */
static const char *const passed_on[] = {
    "HTTP_PROXY", "HTTPS_PROXY",   "NO_PROXY",     "ALL_PROXY",           "http_proxy", "https_proxy", "no_proxy",
    "all_proxy",  "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "LANG",       "LC_ALL",      "TZ",
};

static void pass_network(const struct job *job, struct strings *env)
{
    const struct platform *platform = job->options->platform;
    size_t i;

    if (!job->options->profile)
        for (i = 0; i < ARRAY_LEN(passed_on); i++) {
            const char *value = env_get(job->options->env, passed_on[i]);

            if (value)
                env_set(env, passed_on[i], value);
        }
    if (platform->ca_bundle) {
        env_set(env, "SSL_CERT_FILE", platform->ca_bundle);
        env_set(env, "NODE_EXTRA_CA_CERTS", platform->ca_bundle);
    }
    if (platform->proxy)
        env_set(env, "HTTPS_PROXY", platform->proxy);
    if (platform->http_proxy)
        env_set(env, "HTTP_PROXY", platform->http_proxy);
    if (platform->no_proxy)
        env_set(env, "NO_PROXY", platform->no_proxy);
}

static void set_path(const struct job *job, struct strings *env)
{
    /* As PID 1 the image's PATH is its maker's word (an operator's, also under a profile the image sets it, but a
     * tenant's variable may have replaced it); elsewhere the developer's own tools are meant. */
    const char *path = job->options->profile ? NULL : env_get(job->options->env, "PATH");
    CLEANUP_FREE char *with_shims = NULL;

    if (!path || !*path)
        path = COMMAND_DEFAULT_PATH;
    if (job->package_bin) {
        with_shims = xasprintf("%s:%s", job->package_bin, path);
        path = with_shims;
    }
    env_set(env, "PATH", path);
}

static void set_metadata(const struct job *job, struct strings *env)
{
    const struct result *result = job->result;

    env_set(env, "CAISSON", "true");
    env_set(env, "CAISSON_JOB_ID", job->spec.id);
    if (job->spec.project)
        env_set(env, "CAISSON_PROJECT", job->spec.project);
    if (*result->commit)
        env_set(env, "CAISSON_COMMIT", result->commit);
    if (result->ref)
        env_set(env, "CAISSON_REF", result->ref);
}

static void set_secrets(const struct job *job, const char *step, struct strings *env)
{
    size_t i;

    for (i = 0; i < job->spec.secrets_len; i++) {
        const struct spec_secret *secret = &job->spec.secrets[i];
        const char *value = job_secret_for(job, secret, step);
        CLEANUP_FREE char *path = secret_file_path(job, secret->name);

        if (!value)
            continue;
        if (secret->as == SECRET_AS_NPMRC)
            env_set(env, "npm_config_userconfig", path);
        else
            env_set(env, secret->name, secret->as == SECRET_AS_FILE ? path : value);
    }
}

void job_environment(const struct job *job, const char *step, struct strings *env)
{
    const struct spec *spec = &job->spec;
    size_t i;

    if (!PROTECTED(CLEAN_ENVIRON))
        strings_copy(env, job->options->env);
    env_set(env, "LANG", "C.UTF-8");
    pass_network(job, env);
    set_path(job, env);
    env_set(env, "HOME", job->home);
    env_set(env, "TMPDIR", job->temp);
    env_set(env, "USER", "build");
    env_set(env, "LOGNAME", "build");
    env_set(env, "SHELL", "/bin/sh");
    env_set(env, "CI", "true"); /* a build that knew none may want it false: warnings are no errors then */
    env_set(env, "COREPACK_ENABLE_DOWNLOAD_PROMPT", "0");
    env_set(env, "npm_config_update_notifier", "false");
    env_set(env, "npm_config_fund", "false");
    for (i = 0; i < spec->env.len; i++)
        env_set(env, spec->env.items[i].name, spec->env.items[i].value);
    set_secrets(job, step, env);
    guard_node_heap(job, env);
    set_metadata(job, env);
}
