#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/mem.h"
#include "core/protection.h"
#include "job/gather.h"

/* ---- what is hidden ---- */

static void redact_part(const struct job *job, const char *name, const char *text, size_t len)
{
    if (len >= REDACT_LINE_MIN)
        redactor_add_named(job->options->redactor, name, text, len);
}

/* A document's values and the tokens of an .npmrc are secrets of their own: a build prints them without the rest. */
static void redact_parts(const struct job *job, const struct spec_secret *secret, const char *value)
{
    struct error ignored;
    json_t *document = *value == '{' ? json_parse(value, strlen(value), CLASS_INTERNAL, "", &ignored) : NULL;
    const char *key, *line, *equals;
    json_t *item;

    json_object_foreach(document, key, item)
    {
        if (json_is_string(item))
            redact_part(job, secret->name, json_string_value(item), json_string_length(item));
    }
    json_decref(document);
    for (line = secret->as == SECRET_AS_NPMRC ? value : NULL; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        equals = line + strcspn(line, "=\n");
        if (*equals != '=' || !memmem(line, (size_t)(equals - line), "_", 1))
            continue;
        equals += 1 + strspn(equals + 1, " \t\"");
        redact_part(job, secret->name, equals, strcspn(equals, " \t\"\r\n"));
    }
}

static void redact_proxy(const struct job *job, const char *proxy)
{
    CLEANUP_FREE char *full = proxy && !strstr(proxy, "://") ? xasprintf("http://%s", proxy) : xstrdup(proxy);
    struct url url;

    if (!full || url_parse(full, &url, NULL))
        return;
    job_hide(job, url.password, "the proxy's password");
    url_dispose(&url);
}

/* The build is given the proxies, and what a build prints of its environment is in the log. */
static void redact_proxies(const struct job *job)
{
    static const char *const names[] = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY",
                                        "http_proxy", "https_proxy", "all_proxy"};
    size_t i;

    for (i = 0; i < ARRAY_LEN(names); i++)
        redact_proxy(job, env_get(job->options->env, names[i]));
    redact_proxy(job, job->options->platform->proxy);
    redact_proxy(job, job->options->platform->http_proxy);
}

/* ---- who gets what ---- */

/* As far as the spec tells: what is detected later can only leave a step out. */
static bool step_may_run(const struct spec *spec, const char *step)
{
    enum builder builder = spec->build.builder;

    if (strcmp(step, "test") == 0)
        return spec->build.test != NULL;
    if (builder == BUILDER_NONE)
        return false;
    if (strcmp(step, "install") == 0)
        return builder != BUILDER_COMMANDS && spec->build.install.kind != COMMAND_SKIP;
    return builder == BUILDER_COMMANDS || spec->build.command.kind != COMMAND_SKIP;
}

/* Without `steps` a secret is for the user's commands, and not for what we try out ourselves (step "detect"). */
static bool is_for(const struct spec_secret *secret, const char *step)
{
    if (!PROTECTED(SECRET_STEPS))
        return true;
    if (secret->steps.len == 0)
        return strcmp(step, "detect") != 0;
    return strings_has(&secret->steps, step);
}

static bool is_needed(const struct spec *spec, const struct spec_secret *secret)
{
    static const char *const steps[] = {"install", "build", "test"};
    size_t i;

    /* A Dockerfile's RUN sees those that build.secrets names, and there is no other command. */
    if (spec->build.builder == BUILDER_DOCKERFILE)
        return strings_has(&spec->build.secrets, secret->name) && is_for(secret, "build");

    for (i = 0; i < ARRAY_LEN(steps); i++)
        if (is_for(secret, steps[i]) && step_may_run(spec, steps[i]))
            return true;
    return false;
}

const char *job_secret_for(const struct job *job, const struct spec_secret *secret, const char *step)
{
    size_t i;

    for (i = 0; is_for(secret, step) && i < job->secrets.len; i++)
        if (strcmp(job->secrets.items[i].name, secret->name) == 0)
            return job->secrets.items[i].value;
    return NULL;
}

/* ---- all of them ---- */

static bool is_remote(const struct value_source *source)
{
    return source->kind == VALUE_SSM || source->kind == VALUE_SECRET;
}

static void fetch(struct gathering *gathering)
{
    const struct spec *spec = &gathering->job->spec;
    size_t i;

    remote_values_add(gathering->remote, &spec->source.auth.token);
    remote_values_add(gathering->remote, &spec->source.auth.password);
    remote_values_add(gathering->remote, &spec->source.auth.username);
    remote_values_add(gathering->remote, &spec->image.auth.username);
    remote_values_add(gathering->remote, &spec->image.auth.password);
    remote_values_add(gathering->remote, &spec->image.pull_auth.username);
    remote_values_add(gathering->remote, &spec->image.pull_auth.password);
    remote_values_add(gathering->remote, &spec->cancel.username);
    remote_values_add(gathering->remote, &spec->cancel.password);
    for (i = 0; i < spec->secrets_len; i++)
        if (is_needed(spec, &spec->secrets[i]))
            remote_values_add(gathering->remote, &spec->secrets[i].source);
    remote_values_fetch(gathering->remote, &gathering->job->stopping);
}

static void resolve_git(struct gathering *gathering)
{
    struct job *job = gathering->job;

    job->git_password = gather_value(gathering, &job->spec.source.auth.token, "source.auth.token");
    job_hide(job, job->git_password, "source.auth.token");
    if (!job->git_password) {
        job->git_password = gather_value(gathering, &job->spec.source.auth.password, "source.auth.password");
        job_hide(job, job->git_password, "source.auth.password");
    }
    /* A user name is no secret, and a common word would punch holes into the log. */
    job->git_username = gather_value(gathering, &job->spec.source.auth.username, "source.auth.username");
}

static void resolve_registries(struct gathering *gathering)
{
    struct job *job = gathering->job;
    const struct spec *spec = &job->spec;

    job->image_username = gather_value(gathering, &spec->image.auth.username, "image.auth.username");
    job->image_password = gather_value(gathering, &spec->image.auth.password, "image.auth.password");
    job_hide(job, job->image_password, "image.auth.password");
    job->pull_username = gather_value(gathering, &spec->image.pull_auth.username, "image.pull_auth.username");
    job->pull_password = gather_value(gathering, &spec->image.pull_auth.password, "image.pull_auth.password");
    job_hide(job, job->pull_password, "image.pull_auth.password");
}

static void resolve_channel(struct gathering *gathering)
{
    struct job *job = gathering->job;

    job->cancel_username = gather_value(gathering, &job->spec.cancel.username, "cancel.username");
    job->cancel_password = gather_value(gathering, &job->spec.cancel.password, "cancel.password");
    job_hide(job, job->cancel_password, "cancel.password");
}

static void resolve_secrets(struct gathering *gathering)
{
    struct job *job = gathering->job;
    size_t i;

    job->secrets.items = xcalloc(job->spec.secrets_len, sizeof *job->secrets.items);
    for (i = 0; i < job->spec.secrets_len; i++) {
        const struct spec_secret *secret = &job->spec.secrets[i];
        char *value;

        /* What no step gets is not asked for. */
        if (is_remote(&secret->source) && !is_needed(&job->spec, secret))
            continue;
        value = gather_value(gathering, &secret->source, secret->name);
        if (!value)
            continue;
        job->secrets.items[job->secrets.len++] = (struct spec_pair){xstrdup(secret->name), value};
        job_hide(job, value, secret->name);
        redact_parts(job, secret, value);
    }
}

int job_secrets(struct job *job, struct error *err)
{
    struct gathering gathering;

    gather_begin(&gathering, job);
    redact_proxies(job);
    fetch(&gathering);
    resolve_git(&gathering);
    resolve_registries(&gathering);
    resolve_channel(&gathering);
    resolve_secrets(&gathering);
    return gather_end(&gathering, err) ? -1 : job_pull_login(job, err);
}

void job_secrets_forget(struct job *job)
{
    char **const values[] = {&job->git_username,  &job->git_password,  &job->image_username,  &job->image_password,
                             &job->pull_username, &job->pull_password, &job->cancel_username, &job->cancel_password};
    size_t i;

    for (i = 0; i < job->secrets.len; i++) {
        free(job->secrets.items[i].name);
        secret_free(job->secrets.items[i].value);
    }
    free(job->secrets.items);
    job->secrets = (struct spec_pairs){0};
    for (i = 0; i < ARRAY_LEN(values); i++) {
        secret_free(*values[i]);
        *values[i] = NULL;
    }
}
