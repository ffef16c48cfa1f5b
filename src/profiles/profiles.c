#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/mem.h"
#include "profiles/table.h"

static const struct profile *const profiles[] = {&profile_vercel_clone, &profile_veren_frontend};

/* What a container runtime or a shell sets, and nobody means for the build. */
static const char *const noise[] = {"HOSTNAME", "TERM", "SHLVL", "container", "_", "DEBIAN_FRONTEND", "INIT_CWD"};

#define MESSAGE_MAX 1500

const struct profile *profile_find(const char *name)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(profiles); i++)
        if (strcmp(profiles[i]->name, name) == 0)
            return profiles[i];
    return NULL;
}

const struct profile *profile_at(size_t index)
{
    return index < ARRAY_LEN(profiles) ? profiles[index] : NULL;
}

const char *profile_name(const struct profile *profile)
{
    return profile->name;
}

const char *profile_summary(const struct profile *profile)
{
    return profile->summary;
}

/* Whether a name is one of a variable's spellings; "R2_*" stands for all that begin so. */
static bool spelled(const struct profile_variable *variable, const char *name)
{
    size_t i;

    for (i = 0; i < SPELLINGS_MAX && variable->names[i]; i++) {
        size_t len = strlen(variable->names[i]);

        if (variable->names[i][len - 1] == '*' ? strncmp(name, variable->names[i], len - 1) == 0
                                               : strcmp(name, variable->names[i]) == 0)
            return true;
    }
    return false;
}

static const struct profile_variable *variable_of(const struct profile *profile, const char *name)
{
    const struct profile_variable *variable;

    for (variable = profile->variables; variable->names[0]; variable++)
        if (spelled(variable, name))
            return variable;
    return NULL;
}

const char *profile_value(const struct strings *env, const char *const *names, const char **name)
{
    size_t i;

    for (i = 0; i < SPELLINGS_MAX + 2 && names[i]; i++) {
        const char *value = env_get(env, names[i]);

        if (!value || !*value)
            continue;
        if (name)
            *name = names[i];
        return value;
    }
    return NULL;
}

/* The object that holds the last part of a dotted path, made on the way; *last is that part. */
static json_t *parent_of(json_t *document, const char *path, const char **last)
{
    const char *dot;

    while ((dot = strchr(path, '.')) != NULL) {
        CLEANUP_FREE char *key = xstrndup(path, (size_t)(dot - path));
        json_t *child = json_object_get(document, key);

        if (!child) {
            child = json_object();
            json_object_set_new(document, key, child);
        }
        document = child;
        path = dot + 1;
    }
    *last = path;
    return document;
}

static void put_json(struct profile_job *job, const char *path, json_t *value, const char *origin)
{
    const char *last;
    json_t *parent = parent_of(job->document, path, &last);

    json_object_set_new(parent, last, value);
    json_put_text(job->origins, path, origin);
}

void profile_put(struct profile_job *job, const char *path, const char *value, const char *origin)
{
    const char *last;
    json_t *parent = parent_of(job->document, path, &last);

    json_put_text(parent, last, value);
    json_put_text(job->origins, path, origin);
}

void profile_put_target(struct profile_job *job, const char *bucket, const char *origin)
{
    CLEANUP_FREE char *to = xasprintf("s3://%s/__outputs/${project}/", bucket);

    json_object_set_new(job->document, "artifacts", json_pack("[{s:s, s:s}]", "to", to, "mode", "add"));
    json_put_text(job->origins, "artifacts[0].to", origin);
    json_put_text(job->origins, "artifacts[0].mode", "default of the profile");
}

/* "./frontend/" and "/frontend" as workers send them: "frontend". */
static char *folder_form(const char *value)
{
    size_t len;

    while (*value == '/' || (value[0] == '.' && (value[1] == '/' || value[1] == '\0')))
        value++;
    len = strlen(value);
    while (len && value[len - 1] == '/')
        len--;
    return len ? xstrndup(value, len) : xstrdup(".");
}

/* A user's variable: reserved names are left out and named. */
static void put_user(struct profile_job *job, const char *name, const char *value, const char *origin,
                     struct strings *refused)
{
    json_t *env = json_object_get(job->document, "env");
    CLEANUP_FREE char *path = xasprintf("env.%s", name);

    if (!env_name_valid(name) || env_name_reserved(name)) {
        strings_add(refused, name);
        return;
    }
    json_put_text(env, name, value);
    json_put_text(job->origins, path, origin);
}

static const char *as_text(const json_t *value, char **owned)
{
    if (json_is_string(value))
        return json_string_value(value);
    *owned = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    return *owned;
}

static int put_env_json(struct profile_job *job, const char *name, const char *text, struct strings *refused,
                        struct error *err)
{
    CLEANUP_JSON json_t *document = json_parse(text, strlen(text), CLASS_SPEC_INVALID, name, err);
    CLEANUP_FREE char *origin = xasprintf("variable %s", name);
    const char *key;
    json_t *value;
    size_t i;

    if (!document)
        return -1;
    json_object_foreach(document, key, value) {
        CLEANUP_FREE char *owned = NULL;

        put_user(job, key, as_text(value, &owned), origin, refused);
    }
    json_array_foreach(document, i, value) {
        CLEANUP_FREE char *owned = NULL;
        const char *item = json_text(value, "key", json_text(value, "name", NULL));

        if (!item)
            return error_set(err, CLASS_SPEC_INVALID, "bad-variable", "%s: entry %zu has no key", name, i + 1);
        put_user(job, item, as_text(json_object_get(value, "value"), &owned), origin, refused);
    }
    return 0;
}

static int apply_variable(const struct profile_variable *variable, const struct strings *env, struct profile_job *job,
                          struct strings *refused, struct error *err)
{
    const char *name = NULL, *value = profile_value(env, variable->names, &name);
    CLEANUP_FREE char *origin = name ? xasprintf("variable %s", name) : xstrdup("default of the profile");
    CLEANUP_FREE char *folder = NULL;

    if (!value)
        value = variable->missing;
    if (!value)
        return 0;
    switch (variable->use) {
    case USE_TEXT:
        profile_put(job, variable->path, value, origin);
        return 0;
    case USE_FOLDER:
        folder = folder_form(value);
        profile_put(job, variable->path, folder, origin);
        return 0;
    case USE_SECRET:
        put_json(job, variable->path, json_pack("{s:s}", "env", name), origin);
        return 0;
    case USE_ENV_JSON:
        return put_env_json(job, name, value, refused, err);
    case USE_SYSTEM:
        if (!env_get(env, variable->path))
            env_set(&job->system, variable->path, value);
        return 0;
    default:
        return 0;
    }
}

static size_t count_name(const struct strings *env, const char *name)
{
    size_t len = strlen(name), count = 0, i;

    for (i = 0; i < env->len; i++)
        count += strncmp(env->items[i], name, len) == 0 && env->items[i][len] == '=';
    return count;
}

static void add_name(struct buf *list, const char *name)
{
    buf_addf(list, "%s%s", list->len ? ", " : "", name);
}

/*
 * A tenant's variables come after the system's in the same list: a name of the system that stands twice is an attempt,
 * or an accident that would end the same way.
 */
static int check_names(const struct profile *profile, const struct strings *env, struct error *err)
{
    const struct profile_variable *variable;
    struct buf repeated, missing;
    struct strings seen = {0};
    size_t i;
    int status = 0;

    buf_init(&repeated, MESSAGE_MAX / 2);
    buf_init(&missing, MESSAGE_MAX / 2);
    for (i = 0; i < env->len; i++) {
        CLEANUP_FREE char *name = xstrndup(env->items[i], strcspn(env->items[i], "="));

        if ((variable_of(profile, name) || env_name_reserved(name)) && !strings_has(&seen, name) &&
            count_name(env, name) > 1) {
            strings_add(&seen, name);
            add_name(&repeated, name);
        }
    }
    for (variable = profile->variables; variable->names[0]; variable++)
        if (variable->required && !profile_value(env, variable->names, NULL))
            add_name(&missing, variable->names[0]);
    if (repeated.len) {
        status = error_set(err, CLASS_SPEC_INVALID, "reserved-name-repeated",
                           "profile %s: set twice in the environment: %s%s%s", profile->name, buf_text(&repeated),
                           missing.len ? "; not set: " : "", buf_text(&missing));
        error_hint(err, "a user's variable uses a name of the system: filter it before RunTask");
    } else if (missing.len) {
        status = error_set(err, CLASS_SPEC_INVALID, "profile-variable-missing", "profile %s: not set: %s", profile->name,
                           buf_text(&missing));
        error_hint(err, "the worker's containerOverrides set them");
    }
    buf_dispose(&repeated);
    buf_dispose(&missing);
    strings_dispose(&seen);
    return status;
}

static bool is_noise(const char *name)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(noise); i++)
        if (strcmp(noise[i], name) == 0)
            return true;
    return false;
}

/* Whatever is not the system's is the user's own, and for the build. */
static void take_user_variables(const struct profile *profile, const struct strings *env, struct profile_job *job)
{
    struct buf later;
    size_t i;

    buf_init(&later, MESSAGE_MAX);
    for (i = 0; i < env->len; i++) {
        size_t len = strcspn(env->items[i], "=");
        CLEANUP_FREE char *name = xstrndup(env->items[i], len);
        const struct profile_variable *variable = variable_of(profile, name);

        if (is_noise(name))
            continue;
        if (variable || env_name_reserved(name) || !env_name_valid(name)) {
            strings_add(&job->withheld, name);
            if (variable && variable->use == USE_LATER)
                add_name(&later, name);
            continue;
        }
        put_user(job, name, env->items[i] + len + 1, "variable of the user", &job->withheld);
    }
    strings_sort(&job->withheld);
    if (later.len)
        strings_addf(&job->warnings, "not used by this version, and kept from the build: %s", buf_text(&later));
    buf_dispose(&later);
}

static void warn_refused(const struct strings *refused, struct profile_job *job)
{
    struct buf names;
    size_t i;

    buf_init(&names, MESSAGE_MAX);
    for (i = 0; i < refused->len; i++)
        add_name(&names, refused->items[i]);
    if (names.len)
        strings_addf(&job->warnings, "variables of the user with reserved names, kept from the build: %s",
                     buf_text(&names));
    buf_dispose(&names);
}

int profile_apply(const struct profile *profile, const struct strings *env, const struct operator_file *operator_file,
                  struct profile_job *job, struct error *err)
{
    const struct profile_variable *variable;
    struct strings refused = {0};
    int status = 0;

    job->document = json_pack("{s:i, s:{}}", "version", 1, "env");
    job->origins = json_object();
    if (check_names(profile, env, err))
        return -1;
    take_user_variables(profile, env, job);
    for (variable = profile->variables; variable->names[0] && status == 0; variable++)
        status = apply_variable(variable, env, job, &refused, err);
    if (status == 0)
        status = profile->finish(env, operator_file, job, err);
    warn_refused(&refused, job);
    strings_dispose(&refused);
    return status;
}

void profile_job_dispose(struct profile_job *job)
{
    json_decref(job->document);
    json_decref(job->origins);
    strings_wipe(&job->system);
    strings_dispose(&job->withheld);
    strings_dispose(&job->warnings);
    *job = (struct profile_job){0};
}
