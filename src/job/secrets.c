#include <stdlib.h>
#include <string.h>

#include "core/fs.h"
#include "core/json.h"
#include "core/mem.h"
#include "core/protection.h"
#include "job/job.h"
#include "job/remote_values.h"

#define SECRET_MAX (64 * 1024)
#define MISSING_MAX 1500 /* of an error's message, which holds 2,048 bytes */
#define HINTS_MAX 700

/* What could not be had, all of it. */
struct gathering {
    struct job *job;
    struct remote_values *remote;
    struct buf missing, hints;
    size_t untold;      /* that did not fit */
    bool failed, mixed; /* mixed: for several reasons */
    struct error worst; /* one that no second attempt mends, if there is one */
};

static void add_hint(struct gathering *gathering, const char *hint)
{
    if (*hint && !strstr(buf_text(&gathering->hints), hint))
        buf_addf(&gathering->hints, "%s%s", gathering->hints.len ? "; " : "", hint);
}

static void note_missing(struct gathering *gathering, const char *name, const struct error *err)
{
    bool passing = err->class != CLASS_SECRET_UNAVAILABLE;

    if (buf_addf(&gathering->missing, "%s%s: %s", gathering->missing.len ? "; " : "", name, err->message))
        gathering->untold++;
    add_hint(gathering, err->hint);
    gathering->mixed |= gathering->failed && strcmp(gathering->worst.reason, err->reason) != 0;
    if (!gathering->failed || (!passing && gathering->worst.class != CLASS_SECRET_UNAVAILABLE))
        gathering->worst = *err;
    gathering->failed = true;
}

static int unavailable(struct error *err, const char *what, const char *text, const char *why)
{
    error_set(err, CLASS_SECRET_UNAVAILABLE, "secret-unavailable", "%s %s%s%s", what, text, *why ? ": " : "", why);
    return error_hint(err, "give the variable or the file to the container, or take the entry out of the spec");
}

static char *read_file(const char *path, struct error *err)
{
    struct buf text;
    int code;

    buf_init(&text, SECRET_MAX);
    code = fs_read_file(path, SECRET_MAX, &text);
    if (code) {
        buf_wipe(&text);
        unavailable(err, "cannot read", path, strerror(-code));
        return NULL;
    }
    /* Files of secrets end in a newline that is not part of the value (Docker's and Kubernetes' habit). */
    while (text.len && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
        text.data[--text.len] = '\0';
    return text.data ? buf_take(&text) : xstrdup("");
}

/* Moves a text into memory for secrets. */
static char *hide(char *text)
{
    char *hidden = secret_dup(text);

    wipe_free(text);
    return hidden;
}

/* The value of a source; NULL: it cannot be had, which is noted. Caller frees with secret_free. */
static char *resolve(struct gathering *gathering, const struct value_source *source, const char *name)
{
    const char *variable;
    char *value = NULL;
    struct error err = {0};

    switch (source->kind) {
    case VALUE_NONE: return NULL;
    case VALUE_TEXT: return secret_dup(source->text);
    case VALUE_ENV:
        variable = env_get(gathering->job->options->env, source->text);
        if (variable)
            return secret_dup(variable);
        unavailable(&err, "the environment has no variable", source->text, "");
        break;
    case VALUE_FILE: value = read_file(source->text, &err); break;
    case VALUE_SSM:
    case VALUE_SECRET: remote_values_get(gathering->remote, source, &value, &err); break;
    }
    if (!value)
        note_missing(gathering, name, &err);
    return hide(value);
}

/* ---- what is hidden ---- */

static void redact_value(const struct job *job, const char *value, const char *name)
{
    if (value && !redactor_add_named(job->options->redactor, name, value, strlen(value)))
        log_warning(job->options->log, "%s is shorter than %d characters: it is not hidden in the log", name,
                    REDACT_MIN_LENGTH);
}

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
    redact_value(job, url.password, "the proxy's password");
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
    for (i = 0; i < spec->secrets_len; i++)
        if (is_needed(spec, &spec->secrets[i]))
            remote_values_add(gathering->remote, &spec->secrets[i].source);
    remote_values_fetch(gathering->remote, &gathering->job->stopping);
}

static void resolve_git(struct gathering *gathering)
{
    struct job *job = gathering->job;

    job->git_password = resolve(gathering, &job->spec.source.auth.token, "source.auth.token");
    redact_value(job, job->git_password, "source.auth.token");
    if (!job->git_password) {
        job->git_password = resolve(gathering, &job->spec.source.auth.password, "source.auth.password");
        redact_value(job, job->git_password, "source.auth.password");
    }
    /* A user name is no secret, and a common word would punch holes into the log. */
    job->git_username = resolve(gathering, &job->spec.source.auth.username, "source.auth.username");
}

static void resolve_registries(struct gathering *gathering)
{
    struct job *job = gathering->job;
    const struct spec *spec = &job->spec;

    job->image_username = resolve(gathering, &spec->image.auth.username, "image.auth.username");
    job->image_password = resolve(gathering, &spec->image.auth.password, "image.auth.password");
    redact_value(job, job->image_password, "image.auth.password");
    job->pull_username = resolve(gathering, &spec->image.pull_auth.username, "image.pull_auth.username");
    job->pull_password = resolve(gathering, &spec->image.pull_auth.password, "image.pull_auth.password");
    redact_value(job, job->pull_password, "image.pull_auth.password");
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
        value = resolve(gathering, &secret->source, secret->name);
        if (!value)
            continue;
        job->secrets.items[job->secrets.len++] = (struct spec_pair){xstrdup(secret->name), value};
        redact_value(job, value, secret->name);
        redact_parts(job, secret, value);
    }
}

static int tell(const struct gathering *gathering, struct error *err)
{
    const struct error *worst = &gathering->worst;
    bool final = worst->class == CLASS_SECRET_UNAVAILABLE;

    error_set(err, worst->class, final && gathering->mixed ? "secret-unavailable" : worst->reason, "%s",
              buf_text(&gathering->missing));
    if (gathering->untold)
        snprintf(err->message + strlen(err->message), sizeof err->message - strlen(err->message), "; and %zu more",
                 gathering->untold);
    if (gathering->hints.len)
        error_hint(err, "%s", buf_text(&gathering->hints));
    return worst->retryable ? error_retryable(err, worst->retry_after_ms) : -1;
}

int job_secrets(struct job *job, struct error *err)
{
    struct gathering gathering = {.job = job};
    int status = 0;

    buf_init(&gathering.missing, MISSING_MAX);
    buf_init(&gathering.hints, HINTS_MAX);
    gathering.remote = remote_values_new(job->options->client, job->options->credentials, job->options->platform);
    redact_proxies(job);
    fetch(&gathering);
    resolve_git(&gathering);
    resolve_registries(&gathering);
    resolve_secrets(&gathering);
    remote_values_free(gathering.remote);
    if (gathering.failed)
        status = tell(&gathering, err);
    buf_dispose(&gathering.missing);
    buf_dispose(&gathering.hints);
    return status ? -1 : job_pull_login(job, err);
}

void job_secrets_forget(struct job *job)
{
    char **const values[] = {&job->git_username,   &job->git_password,  &job->image_username,
                             &job->image_password, &job->pull_username, &job->pull_password};
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
