#include "job/gather.h"

#include <stdlib.h>
#include <string.h>

#include "core/fs.h"
#include "core/mem.h"

#define SECRET_MAX (64 * 1024)
#define MISSING_MAX 1500 /* of an error's message, which holds 2,048 bytes */
#define HINTS_MAX 700

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

char *gather_value(struct gathering *gathering, const struct value_source *source, const char *name)
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

void gather_begin(struct gathering *gathering, struct job *job)
{
    *gathering = (struct gathering){.job = job};
    buf_init(&gathering->missing, MISSING_MAX);
    buf_init(&gathering->hints, HINTS_MAX);
    gathering->remote = remote_values_new(job->options->client, job->options->credentials, job->options->platform);
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

int gather_end(struct gathering *gathering, struct error *err)
{
    int status = gathering->failed ? tell(gathering, err) : 0;

    remote_values_free(gathering->remote);
    buf_dispose(&gathering->missing);
    buf_dispose(&gathering->hints);
    return status;
}

void job_hide(const struct job *job, const char *value, const char *name)
{
    if (value && !redactor_add_named(job->options->redactor, name, value, strlen(value)))
        log_warning(job->options->log, "%s is shorter than %d characters: it is not hidden in the log", name,
                    REDACT_MIN_LENGTH);
}
