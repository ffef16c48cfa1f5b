#include <stdlib.h>
#include <string.h>

#include "core/fs.h"
#include "core/mem.h"
#include "job/job.h"

#define SECRET_MAX (64 * 1024)

/* The value of a source, or NULL with the reason added to `missing`. Caller frees with wipe_free. */
static char *resolve(const struct job *job, const struct value_source *source, const char *name, struct buf *missing)
{
    const char *value;
    struct buf text;
    int code;

    if (source->kind == VALUE_TEXT)
        return xstrdup(source->text);
    if (source->kind == VALUE_ENV) {
        value = env_get(job->options->env, source->text);
        if (!value)
            buf_addf(missing, "%s%s: the environment has no variable %s", missing->len ? "; " : "", name, source->text);
        return xstrdup(value);
    }
    if (source->kind != VALUE_FILE) {
        buf_addf(missing, "%s%s: cannot be fetched", missing->len ? "; " : "", name);
        return NULL;
    }
    buf_init(&text, SECRET_MAX);
    code = fs_read_file(source->text, SECRET_MAX, &text);
    if (code) {
        buf_addf(missing, "%s%s: cannot read %s: %s", missing->len ? "; " : "", name, source->text, strerror(-code));
        buf_wipe(&text);
        return NULL;
    }
    /* Files of secrets end in a newline that is not part of the value (Docker's and Kubernetes' habit). */
    while (text.len && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
        text.data[--text.len] = '\0';
    return buf_take(&text);
}

static void redact_value(const struct job *job, const char *value, const char *name)
{
    if (value && !redactor_add(job->options->redactor, value, strlen(value)))
        log_warning(job->options->log, "%s is shorter than %d characters: it is not hidden in the log", name,
                    REDACT_MIN_LENGTH);
}

static char *resolve_auth(const struct job *job, const struct value_source *source, const char *name,
                          struct buf *missing)
{
    char *value = source->kind == VALUE_NONE ? NULL : resolve(job, source, name, missing);

    redact_value(job, value, name);
    return value;
}

static void resolve_git(struct job *job, struct buf *missing)
{
    const struct value_source *username = &job->spec.source.auth.username;

    job->git_password = resolve_auth(job, &job->spec.source.auth.token, "source.auth.token", missing);
    if (!job->git_password)
        job->git_password = resolve_auth(job, &job->spec.source.auth.password, "source.auth.password", missing);
    /* A user name is no secret, and a common word would punch holes into the log. */
    if (username->kind != VALUE_NONE)
        job->git_username = resolve(job, username, "source.auth.username", missing);
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

int job_secrets(struct job *job, struct error *err)
{
    const struct spec *spec = &job->spec;
    struct buf missing;
    size_t i;
    int status = 0;

    buf_init(&missing, 1500);
    resolve_git(job, &missing);
    redact_proxies(job);
    job->secrets.items = xcalloc(spec->secrets_len, sizeof *job->secrets.items);
    for (i = 0; i < spec->secrets_len; i++) {
        struct spec_pair *pair = &job->secrets.items[job->secrets.len];

        pair->value = resolve(job, &spec->secrets[i].source, spec->secrets[i].name, &missing);
        if (!pair->value)
            continue;
        pair->name = xstrdup(spec->secrets[i].name);
        job->secrets.len++;
        redact_value(job, pair->value, pair->name);
    }
    if (missing.len || missing.overflow) {
        status = error_set(err, CLASS_SECRET_UNAVAILABLE, "secret-unavailable", "%s", buf_text(&missing));
        error_hint(err, "give the variable or the file to the container, or take the entry out of the spec");
    }
    buf_dispose(&missing);
    return status;
}
