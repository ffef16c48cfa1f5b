#include "aws/credentials.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/json.h"
#include "core/mem.h"

#define CONTAINER_HOST "http://169.254.170.2"

void credentials_dispose(struct credentials *credentials)
{
    secret_free(credentials->access_key);
    secret_free(credentials->secret_key);
    secret_free(credentials->session_token);
    *credentials = (struct credentials){0};
}

void credentials_source_dispose(struct credentials_source *source)
{
    credentials_dispose(&source->fixed);
    wipe_free(source->endpoint);
    wipe_free(source->endpoint_token);
    free(source->endpoint_token_file);
    free(source->file);
    free(source->profile);
    free(source->name);
    *source = (struct credentials_source){0};
}

/* NULL for a variable that is empty too: task definitions and shells set such to mean "unset". */
static const char *variable(const struct strings *env, const char *name)
{
    const char *value = env_get(env, name);

    return value && *value ? value : NULL;
}

static bool find_static(struct credentials_source *source, const struct strings *env)
{
    const char *access_key = variable(env, "AWS_ACCESS_KEY_ID");
    const char *secret_key = variable(env, "AWS_SECRET_ACCESS_KEY");

    if (!access_key || !secret_key)
        return false;
    source->kind = CREDENTIALS_STATIC;
    source->fixed.access_key = secret_dup(access_key);
    source->fixed.secret_key = secret_dup(secret_key);
    source->fixed.session_token = secret_dup(variable(env, "AWS_SESSION_TOKEN"));
    source->name = xstrdup("AWS_ACCESS_KEY_ID");
    return true;
}

static bool find_endpoint(struct credentials_source *source, const struct strings *env, bool allow_full_uri)
{
    const char *relative = variable(env, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = allow_full_uri ? variable(env, "AWS_CONTAINER_CREDENTIALS_FULL_URI") : NULL;

    if (!relative && !full)
        return false;
    source->kind = CREDENTIALS_ENDPOINT;
    if (relative) {
        /* Without the slash the text would become part of the host name: "…170.2" + ".evil.example/". */
        source->endpoint = xasprintf(CONTAINER_HOST "%s%s", *relative == '/' ? "" : "/", relative);
        source->name = xstrdup("the ECS container endpoint");
        return true;
    }
    source->endpoint = xstrdup(full);
    source->endpoint_token = xstrdup(variable(env, "AWS_CONTAINER_AUTHORIZATION_TOKEN"));
    source->endpoint_token_file = xstrdup(variable(env, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"));
    source->name = xstrdup("the endpoint of AWS_CONTAINER_CREDENTIALS_FULL_URI");
    return true;
}

static void find_file(struct credentials_source *source, const struct strings *env)
{
    const char *named = variable(env, "AWS_SHARED_CREDENTIALS_FILE");
    const char *profile = variable(env, "AWS_PROFILE");
    const char *home = variable(env, "HOME");
    CLEANUP_FREE char *file = named || !home ? xstrdup(named) : xasprintf("%s/.aws/credentials", home);

    /* A file that nobody named and that is not there is no source. */
    if (!file || (!named && !profile && access(file, F_OK) != 0))
        return;
    source->kind = CREDENTIALS_FILE;
    source->file = xstrdup(file);
    source->profile = xstrdup(profile ? profile : "default");
    source->name = xasprintf("profile %s of %s", source->profile, named ? named : "~/.aws/credentials");
}

void credentials_source_find(struct credentials_source *source, const struct strings *env, bool allow_full_uri)
{
    *source = (struct credentials_source){.kind = CREDENTIALS_NONE};
    if (!find_static(source, env) && !find_endpoint(source, env, allow_full_uri))
        find_file(source, env);
}

const char *credentials_source_name(const struct credentials_source *source)
{
    return source->kind == CREDENTIALS_NONE || !source->name ? "nothing" : source->name;
}

/* ---- JSON, for a worker's request ---- */

static const char *const kinds[] = {
    [CREDENTIALS_NONE] = "none",
    [CREDENTIALS_STATIC] = "static",
    [CREDENTIALS_ENDPOINT] = "endpoint",
    [CREDENTIALS_FILE] = "file",
};

/* One table for both directions. */
struct field {
    const char *key;
    char **value;
};
#define FIELDS 9
#define SECRET_FIELDS 3 /* the first so many are secrets, in memory of their own */

static void list_fields(struct credentials_source *source, struct field fields[FIELDS])
{
    const struct field list[FIELDS] = {
        {"access_key", &source->fixed.access_key},
        {"secret_key", &source->fixed.secret_key},
        {"session_token", &source->fixed.session_token},
        {"endpoint", &source->endpoint},
        {"endpoint_token", &source->endpoint_token},
        {"endpoint_token_file", &source->endpoint_token_file},
        {"file", &source->file},
        {"profile", &source->profile},
        {"name", &source->name},
    };

    memcpy(fields, list, sizeof list);
}

json_t *credentials_source_to_json(const struct credentials_source *source)
{
    struct credentials_source shallow = *source;
    struct field fields[FIELDS];
    json_t *json = json_object();
    size_t i;

    list_fields(&shallow, fields);
    json_put_text(json, "kind", kinds[source->kind]);
    for (i = 0; i < FIELDS; i++)
        json_put_text(json, fields[i].key, *fields[i].value);
    if (source->fixed.expires_ms)
        json_object_set_new(json, "expires_ms", json_integer(source->fixed.expires_ms));
    return json;
}

static bool is_complete(const struct credentials_source *source)
{
    switch (source->kind) {
    case CREDENTIALS_NONE: return true;
    case CREDENTIALS_STATIC: return source->fixed.access_key && source->fixed.secret_key;
    case CREDENTIALS_ENDPOINT: return source->endpoint;
    case CREDENTIALS_FILE: return source->file && source->profile;
    }
    return false;
}

int credentials_source_from_json(struct credentials_source *source, const json_t *json, struct error *err)
{
    const char *kind = json_text(json, "kind", "");
    struct field fields[FIELDS];
    size_t i;

    *source = (struct credentials_source){.kind = CREDENTIALS_NONE};
    for (i = 0; i < ARRAY_LEN(kinds) && strcmp(kinds[i], kind) != 0; i++)
        ;
    if (i == ARRAY_LEN(kinds))
        return error_set(err, CLASS_INTERNAL, "bad-request", "credentials: \"%.32s\" is no kind of source", kind);
    source->kind = (__typeof__(source->kind))i;
    list_fields(source, fields);
    for (i = 0; i < FIELDS; i++)
        *fields[i].value = i < SECRET_FIELDS ? secret_dup(json_text(json, fields[i].key, NULL))
                                             : xstrdup(json_text(json, fields[i].key, NULL));
    source->fixed.expires_ms = json_int(json, "expires_ms", 0);
    if (is_complete(source))
        return 0;
    credentials_source_dispose(source);
    return error_set(err, CLASS_INTERNAL, "bad-request", "credentials: a source of kind %s lacks its values", kind);
}
