/* Secrets, and whatever else of the spec is a value that lies elsewhere: fetched as the job would, and wiped. */
#include <stdlib.h>
#include <string.h>

#include "cli/doctor.h"
#include "core/fs.h"
#include "core/mem.h"

#define VALUE_MAX ((size_t)64 << 10)

struct named_source {
    const char *name;
    const struct value_source *source;
};

/* Those that have one place in the spec. */
#define FIXED 9
static void fixed_sources(const struct spec *spec, struct named_source sources[FIXED])
{
    const struct named_source all[FIXED] = {{"source.auth.token", &spec->source.auth.token},
                                            {"source.auth.username", &spec->source.auth.username},
                                            {"source.auth.password", &spec->source.auth.password},
                                            {"image.auth.username", &spec->image.auth.username},
                                            {"image.auth.password", &spec->image.auth.password},
                                            {"image.pull_auth.username", &spec->image.pull_auth.username},
                                            {"image.pull_auth.password", &spec->image.pull_auth.password},
                                            {"cancel.username", &spec->cancel.username},
                                            {"cancel.password", &spec->cancel.password}};

    memcpy(sources, all, sizeof all);
}

#define OF_NOTIFY 5
static void sources_of_notify(const struct spec_notify *entry, struct named_source sources[OF_NOTIFY])
{
    const struct named_source all[OF_NOTIFY] = {{"secret", &entry->secret},
                                                {"token", &entry->token},
                                                {"api_key", &entry->api_key},
                                                {"username", &entry->username},
                                                {"password", &entry->password}};

    memcpy(sources, all, sizeof all);
}

bool doctor_uses(const struct spec *spec, int kind)
{
    struct named_source fixed[FIXED], sources[OF_NOTIFY];
    size_t i, j;

    fixed_sources(spec, fixed);
    for (i = 0; i < FIXED; i++)
        if ((int)fixed[i].source->kind == kind)
            return true;
    for (i = 0; i < spec->secrets_len; i++)
        if ((int)spec->secrets[i].source.kind == kind)
            return true;
    for (i = 0; i < spec->notify_len; i++) {
        sources_of_notify(&spec->notify[i], sources);
        for (j = 0; j < OF_NOTIFY; j++)
            if ((int)sources[j].source->kind == kind)
                return true;
    }
    return false;
}

static void add_values_of_notify(const struct doctor *doctor)
{
    struct named_source sources[OF_NOTIFY];
    size_t i, j;

    for (i = 0; i < doctor->spec.notify_len; i++) {
        sources_of_notify(&doctor->spec.notify[i], sources);
        for (j = 0; j < OF_NOTIFY; j++)
            remote_values_add(doctor->remote, sources[j].source);
    }
}

void doctor_fetch_values(struct doctor *doctor)
{
    struct named_source fixed[FIXED];
    size_t i;

    if (doctor->remote || !doctor->has_spec || doctor->no_credentials)
        return;
    doctor->remote = remote_values_new(doctor->setup.client, doctor->setup.credentials, &doctor->setup.platform);
    fixed_sources(&doctor->spec, fixed);
    for (i = 0; i < FIXED; i++)
        remote_values_add(doctor->remote, fixed[i].source);
    for (i = 0; i < doctor->spec.secrets_len; i++)
        remote_values_add(doctor->remote, &doctor->spec.secrets[i].source);
    add_values_of_notify(doctor);
    remote_values_fetch(doctor->remote, &doctor->stop);
}

static char *read_file(const char *path, struct error *err)
{
    struct buf text;
    int code;

    buf_init(&text, VALUE_MAX);
    code = fs_read_file(path, VALUE_MAX, &text);
    if (code) {
        buf_wipe(&text);
        error_set_errno(err, CLASS_SECRET_UNAVAILABLE, "secret-unavailable", -code, "cannot read %s", path);
        error_hint(err, "give the file to the container, or take the entry out of the spec");
        return NULL;
    }
    while (text.len && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
        text.data[--text.len] = '\0';
    return text.data ? buf_take(&text) : xstrdup("");
}

char *doctor_value(const struct doctor *doctor, const struct value_source *source, struct error *err)
{
    const char *variable;
    char *value = NULL;

    switch (source->kind) {
    case VALUE_NONE: return NULL;
    case VALUE_TEXT: return xstrdup(source->text);
    case VALUE_FILE: return read_file(source->text, err);
    case VALUE_ENV:
        variable = env_get(&doctor->setup.env, source->text);
        if (variable)
            return xstrdup(variable);
        error_set(err, CLASS_SECRET_UNAVAILABLE, "secret-unavailable", "the environment has no variable %s",
                  source->text);
        error_hint(err, "give the variable to the container, or take the entry out of the spec");
        return NULL;
    case VALUE_SSM:
    case VALUE_SECRET:
        if (!doctor->remote)
            error_set(err, CLASS_CREDENTIALS, "no-credentials", "without credentials it cannot be had");
        else
            remote_values_get(doctor->remote, source, &value, err);
        break;
    }
    return value;
}

static void look_at(struct doctor *doctor, const char *name, const struct value_source *source)
{
    struct error err = {0};
    char *value;

    if (source->kind == VALUE_NONE || source->kind == VALUE_TEXT)
        return;
    value = doctor_value(doctor, source, &err);
    if (value && *value) {
        doctor_ok(doctor, name, "there: %s", source->text);
    } else if (value) {
        error_set(&err, CLASS_SECRET_UNAVAILABLE, "secret-empty", "there, but empty: %s", source->text);
        error_hint(&err, "put a value there, or take the entry out of the spec");
        doctor_warn(doctor, name, &err);
    } else if (!doctor->remote && err.class == CLASS_CREDENTIALS) {
        doctor_skip(doctor, name, "without credentials nothing can be asked");
    } else {
        doctor_fail(doctor, name, &err);
    }
    wipe_free(value);
}

static void look_at_values_of_notify(struct doctor *doctor, size_t index)
{
    struct named_source sources[OF_NOTIFY];
    size_t i;

    sources_of_notify(&doctor->spec.notify[index], sources);
    for (i = 0; i < OF_NOTIFY; i++) {
        CLEANUP_FREE char *name = xasprintf("notify[%zu].%s", index, sources[i].name);

        look_at(doctor, name, sources[i].source);
    }
}

void doctor_check_secrets(struct doctor *doctor)
{
    struct named_source fixed[FIXED];
    size_t i, before = doctor->rows_len;

    if (!doctor->has_spec) {
        doctor_skip(doctor, "secrets", "no spec names one");
        return;
    }
    doctor_fetch_values(doctor);
    fixed_sources(&doctor->spec, fixed);
    for (i = 0; i < FIXED; i++)
        look_at(doctor, fixed[i].name, fixed[i].source);
    for (i = 0; i < doctor->spec.secrets_len; i++) {
        CLEANUP_FREE char *name = xasprintf("secrets.%s", doctor->spec.secrets[i].name);

        look_at(doctor, name, &doctor->spec.secrets[i].source);
    }
    for (i = 0; i < doctor->spec.notify_len; i++)
        look_at_values_of_notify(doctor, i);
    if (doctor->rows_len == before)
        doctor_skip(doctor, "secrets", "the spec names none");
}
