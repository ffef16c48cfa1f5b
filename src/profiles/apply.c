/* From an environment to a spec document by a profile's table. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "core/utf8.h"
#include "profiles/draft.h"

#define PROBLEMS_MAX_BYTES 1800 /* an error's message holds 2,048 */

/* What the container's runtime and shell put there. */
static const char *const runtime_names[] = {"HOSTNAME", "TERM", "SHLVL", "_", "container", "INIT_CWD", NULL};

/* names: NULL-terminated; NULL: none. */
static bool has_name(const char *const *names, const char *name)
{
    for (; names && *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

/* Names that nobody's user may have. */
static bool is_platform(const char *name)
{
    /* Such a system's own names for repository and token begin like git's, and one more generation may know another. */
    return has_name(runtime_names, name) || strncmp(name, "GIT_", 4) == 0 || strcmp(name, "ENV") == 0 ||
           env_name_reserved(name);
}

/* Whether a name is the system's or the platform's, so that a user may not have it in the same environment. */
static bool is_system(const struct profile *profile, const char *name)
{
    const struct profile_role *role;
    size_t i;

    for (role = profile->roles; role->key; role++)
        if (has_name(role->names, name))
            return true;
    for (i = 0; profile->prefixes && profile->prefixes[i]; i++)
        if (strncmp(name, profile->prefixes[i], strlen(profile->prefixes[i])) == 0)
            return true;
    return is_platform(name);
}

void profile_problem(struct profile_draft *draft, const char *reason, const char *format, ...)
{
    CLEANUP_FREE char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    if (!draft->reason)
        draft->reason = reason;
    draft->ambiguous |= strcmp(reason, "reserved-name-repeated") == 0;
    buf_addf(&draft->problems, "%s%s", draft->problems.len ? "; " : "", text ? text : "out of memory");
}

const struct operator_file *profile_operator(const struct profile_draft *draft)
{
    return draft->operator_file;
}

bool profile_operator_names_repository(const struct profile_draft *draft)
{
    const struct operator_file *file = draft->operator_file;

    return file && (json_object_get(json_object_get(file->pins, "image"), "repository") ||
                    json_object_get(json_object_get(file->defaults, "image"), "repository"));
}

const char *profile_variable(const struct profile_draft *draft, const char *name)
{
    const char *value = env_get(draft->env, name);

    return value && *value ? value : NULL;
}

static const char *role_text(const struct profile_draft *draft, const struct profile_role *role, const char **name)
{
    size_t i;

    if (draft->message && role->message) {
        const char *value = json_string_value(json_object_get(draft->fields, role->message));

        if (name)
            *name = value ? role->message : NULL;
        return value;
    }
    for (i = 0; role->names && role->names[i]; i++) {
        const char *value = profile_variable(draft, role->names[i]);

        if (name)
            *name = value ? role->names[i] : NULL;
        if (value)
            return value;
    }
    return NULL;
}

const char *profile_text(const struct profile_draft *draft, const char *key, const char **name)
{
    const struct profile_role *role;

    for (role = draft->profile->roles; role->key; role++)
        if (strcmp(role->key, key) == 0)
            return role_text(draft, role, name);
    return NULL;
}

/* ---- the document ---- */

static json_t *object_of(json_t *into, const char *name, size_t len)
{
    json_t *object = json_object_getn(into, name, len);

    if (!object) {
        object = json_object();
        json_object_setn_new(into, name, len, object);
    }
    return object;
}

static char *origin_of(const struct profile_draft *draft, const char *variable)
{
    if (!variable)
        return xasprintf("profile %s", draft->profile->name);
    if (draft->fields && json_object_get(draft->fields, variable))
        return xasprintf("profile message %s", variable);
    return xasprintf("profile variable %s", variable);
}

void profile_note(struct profile_draft *draft, const char *path, const char *variable)
{
    CLEANUP_FREE char *origin = origin_of(draft, variable);

    json_object_set_new(draft->job->origins, path, json_string(origin));
}

void profile_put(struct profile_draft *draft, const char *path, json_t *value, const char *variable)
{
    json_t *object = draft->job->document;
    const char *key = path;
    const char *dot;

    while ((dot = strchr(key, '.'))) {
        object = object_of(object, key, (size_t)(dot - key));
        key = dot + 1;
    }
    json_object_set_new(object, key, value);
    profile_note(draft, path, variable);
}

void profile_put_artifact(struct profile_draft *draft, const char *bucket, const char *bucket_variable,
                          const char *endpoint, const char *region)
{
    CLEANUP_FREE char *to = xasprintf("s3://%s/__outputs/${project}/", bucket);
    json_t *artifact = json_pack("{s:s, s:s}", "to", to, "mode", "add");
    json_t *s3 = json_object();

    if (endpoint)
        json_object_set_new(s3, "endpoint", json_string(endpoint));
    if (region)
        json_object_set_new(s3, "region", json_string(region));
    if (json_object_size(s3))
        json_object_set(artifact, "s3", s3);
    json_decref(s3);
    json_object_set_new(draft->job->document, "artifacts", json_pack("[o]", artifact));
    profile_note(draft, "artifacts[0].to", bucket_variable);
    profile_note(draft, "artifacts[0].mode", NULL);
}

void profile_system(struct profile_draft *draft, const char *name, const char *value)
{
    strings_addf(&draft->job->system, "%s=%s", name, value);
}

/* ---- the system's variables ---- */

static bool is_text(struct profile_draft *draft, const char *name, const char *value)
{
    if (utf8_is_valid(view_of(value)))
        return true;
    profile_problem(draft, "profile-variable-invalid", "%s is not UTF-8", name);
    return false;
}

static void check_agreement(struct profile_draft *draft, const struct profile_role *role, const char *name,
                            const char *value)
{
    size_t i;

    for (i = 0; role->names && role->names[i]; i++) {
        const char *other = profile_variable(draft, role->names[i]);

        if (other && strcmp(other, value) != 0)
            profile_problem(draft, "reserved-name-repeated",
                            "%s and %s mean the same and differ: one of them is not the system's", name,
                            role->names[i]);
    }
}

static void miss(struct profile_draft *draft, const struct profile_role *role)
{
    if (draft->message && role->message)
        profile_problem(draft, "profile-variable-missing", "the message has no %s", role->message);
    else
        profile_problem(draft, "profile-variable-missing", "%s is not set", role->names[0]);
}

static void apply_role(struct profile_draft *draft, const struct profile_role *role)
{
    const char *name = NULL;
    const char *value = role_text(draft, role, &name);

    if (role->unused)
        return;
    if (!value) {
        if (role->required)
            miss(draft, role);
        if (role->fallback)
            profile_put(draft, role->path, json_string(role->fallback), NULL);
        return;
    }
    if (!draft->message || !role->message)
        check_agreement(draft, role, name, value);
    if (!role->path || !is_text(draft, name, value))
        return;
    if (role->secret && !(draft->message && role->message))
        profile_put(draft, role->path, json_pack("{s:s}", "env", name), name);
    else
        profile_put(draft, role->path, json_string(value), name);
}

/* Both reach us only where nothing merges them: the order in which a platform does is not ours to know. */
static void check_repeated(struct profile_draft *draft)
{
    json_t *seen = json_object();
    size_t i;

    for (i = 0; i < draft->env->len; i++) {
        size_t len = strcspn(draft->env->items[i], "=");
        CLEANUP_FREE char *name = xstrndup(draft->env->items[i], len);

        if (!env_name_valid(name) || !is_system(draft->profile, name))
            continue;
        if (json_object_get(seen, name))
            profile_problem(draft, "reserved-name-repeated", "%s stands twice in the environment", name);
        json_object_set_new(seen, name, json_true());
    }
    json_decref(seen);
}

static void warn_unused(struct profile_draft *draft)
{
    const struct profile_role *role;
    struct buf names;
    size_t i;

    buf_init(&names, 2000);
    for (role = draft->profile->roles; role->key; role++)
        for (i = 0; role->unused && role->names && role->names[i]; i++)
            if (env_get(draft->env, role->names[i]))
                buf_addf(&names, "%s%s", names.len ? ", " : "", role->names[i]);
    if (names.len)
        strings_addf(&draft->job->warnings, "%s: what this builder has no use for; kept from the build",
                     buf_text(&names));
    buf_dispose(&names);
}

/* ---- the user's variables ---- */

static void drop_user(struct profile_draft *draft, const char *name, const char *path)
{
    json_object_del(json_object_get(draft->job->document, "env"), name);
    json_object_del(draft->job->origins, path);
    json_object_set_new_nocheck(draft->dropped, name, json_true());
}

/* The last value of a name counts, and one that is dropped once is dropped for good. */
static void put_user(struct profile_draft *draft, const char *name, const char *value, const char *variable)
{
    CLEANUP_FREE char *path = xasprintf("env.%s", name);
    /* In a message the user's variables stand apart from the system's. */
    bool taken = draft->message ? is_platform(name) : is_system(draft->profile, name);

    if (!env_name_valid(name) || taken || !utf8_is_valid(view_of(value)) || json_object_get(draft->dropped, name)) {
        drop_user(draft, name, path);
        return;
    }
    json_object_set_new(object_of(draft->job->document, "env", 3), name, json_string(value));
    profile_note(draft, path, variable);
}

char *json_as_text(const json_t *value)
{
    if (json_is_string(value))
        return xstrdup(json_string_value(value));
    if (json_is_object(value) || json_is_array(value) || json_is_null(value))
        return NULL;
    return json_dumps(value, JSON_ENCODE_ANY);
}

static void put_user_json(struct profile_draft *draft, const char *name, const json_t *value, const char *variable)
{
    char *text = json_as_text(value);

    if (text && name)
        put_user(draft, name, text, variable);
    else if (!json_is_null(value))
        profile_problem(draft, "profile-variable-invalid", "%s holds a value that is no text", variable);
    wipe_free(text);
}

void profile_user_list(struct profile_draft *draft, json_t *json, const char *name)
{
    const char *key;
    json_t *value;
    size_t i;

    if (json_is_object(json)) {
        json_object_foreach(json, key, value) put_user_json(draft, key, value, name);
    } else if (json_is_array(json)) {
        json_array_foreach(json, i, value) put_user_json(draft, json_string_value(json_object_get(value, "key")),
                                                         json_object_get(value, "value"), name);
    } else {
        profile_problem(draft, "profile-variable-invalid",
                        "%s is no JSON object of variables, and no list of {key, value}", name);
    }
}

void profile_user_json(struct profile_draft *draft, const char *text, const char *name)
{
    json_error_t where;
    json_t *json = json_loads(text, 0, &where);

    profile_user_list(draft, json, name);
    json_decref(json);
}

/* What the system did not name is the user's own. */
static void put_user_variables(struct profile_draft *draft)
{
    size_t i;

    for (i = 0; i < draft->env->len; i++) {
        const char *equals = strchr(draft->env->items[i], '=');
        CLEANUP_FREE char *name = NULL;

        if (!equals)
            continue;
        name = xstrndup(draft->env->items[i], (size_t)(equals - draft->env->items[i]));
        /* Beside a message the environment is that of whoever took it from the queue. */
        if (!draft->message && !is_system(draft->profile, name))
            put_user(draft, name, equals + 1, name);
        else if (!strings_has(&draft->job->withheld, name))
            strings_add(&draft->job->withheld, name);
    }
}

static void warn_dropped(struct profile_draft *draft)
{
    const char *name;
    json_t *value;
    struct buf names;

    if (json_object_size(draft->dropped) == 0)
        return;
    buf_init(&names, 2000);
    json_object_foreach(draft->dropped, name, value)
    {
        /* A name from JSON may hold anything: what is no name is not repeated. */
        bool shown = env_name_valid(name);

        buf_addf(&names, "%s%s", names.len ? ", " : "", shown ? name : "(not a name)");
        if (shown && !strings_has(&draft->job->withheld, name))
            strings_add(&draft->job->withheld, name);
    }
    strings_addf(&draft->job->warnings,
                 "the user's variables %s do not reach the build: reserved, or no text for an environment",
                 buf_text(&names));
    buf_dispose(&names);
}

/* ---- all of it ---- */

static void draft_document(struct profile_draft *draft)
{
    const struct profile_role *role;

    profile_note(draft, "", NULL);
    check_repeated(draft);
    message_read(draft);
    for (role = draft->profile->roles; role->key; role++)
        apply_role(draft, role);
    put_user_variables(draft);
    if (draft->profile->finish)
        draft->profile->finish(draft);
    warn_unused(draft);
    warn_dropped(draft);
    strings_sort(&draft->job->withheld);
}

/* Texts of a document may be tokens and the user's secrets. */
static void wipe_json(json_t *json)
{
    const char *key;
    json_t *value;
    size_t i;

    if (json_is_string(json))
        wipe((char *)json_string_value(json), json_string_length(json));
    else if (json_is_object(json))
        json_object_foreach(json, key, value) wipe_json(value);
    else if (json_is_array(json))
        json_array_foreach(json, i, value) wipe_json(value);
}

static int complain(const struct profile_draft *draft, struct error *err)
{
    error_set(err, CLASS_SPEC_INVALID, draft->reason, "profile %s: %s", draft->profile->name,
              buf_text(&draft->problems));
    if (draft->message)
        return error_hint(err, "`caisson plan --profile %s FILE` shows what a message means", draft->profile->name);
    return error_hint(err, "`caisson plan --profile %s --env-file FILE` shows what an environment means",
                      draft->profile->name);
}

static bool lacks(const struct profile_draft *draft, const char *path)
{
    const struct profile_role *role;

    for (role = draft->profile->roles; role->key; role++)
        if (role->path && strcmp(role->path, path) == 0)
            return role->required && !json_object_get(draft->job->document, path);
    return false;
}

/* A job that is refused is told all the same, but nobody is told of a job that may be another's: by a name that the
 * system has not given, or that somebody else has given too. */
static void keep_what_is_sure(struct profile_draft *draft)
{
    if (!draft->ambiguous && !lacks(draft, "id") && !lacks(draft, "project"))
        return;
    json_object_clear(draft->job->document);
    json_object_set_new(draft->job->document, "version", json_integer(1));
    json_object_clear(draft->job->origins);
    strings_wipe(&draft->job->system);
}

int profile_apply(const struct profile *profile, const struct profile_input *input, struct profile_job *job,
                  struct error *err)
{
    struct profile_draft draft = {
        .profile = profile, .env = input->env, .operator_file = input->operator_file, .job = job};
    int status;

    if (!profile)
        return error_set(err, CLASS_USAGE, "unknown-profile", "no such profile");
    job->document = json_pack("{s:i}", "version", 1);
    job->origins = json_object();
    status = message_parse(&draft, input, err);
    if (status == 0) {
        buf_init(&draft.problems, PROBLEMS_MAX_BYTES);
        draft.fields = json_object();
        draft.dropped = json_object();
        draft_document(&draft);
        if (draft.problems.len || draft.problems.overflow) {
            status = complain(&draft, err);
            keep_what_is_sure(&draft);
        }
        buf_dispose(&draft.problems);
    }
    json_decref(draft.fields);
    json_decref(draft.dropped);
    wipe_json(draft.message);
    json_decref(draft.message);
    return status;
}

void profile_job_dispose(struct profile_job *job)
{
    wipe_json(job->document);
    json_decref(job->document);
    json_decref(job->origins);
    strings_wipe(&job->system);
    strings_dispose(&job->withheld);
    strings_dispose(&job->warnings);
    *job = (struct profile_job){0};
}
