#include "aws/secrets_manager.h"

#include <stdlib.h>
#include <string.h>

#include "aws/secret_answer.h"
#include "core/arn.h"
#include "core/json.h"
#include "core/mem.h"

/* ---- names ---- */

static char *part(const char *text, size_t len)
{
    return len ? xstrndup(text, len) : NULL;
}

/* Of an ARN with more behind the secret's name: key, stage and version, each of which may be empty. */
static int take_ecs_parts(const char *rest, struct secret_reference *reference)
{
    size_t key = strcspn(rest, ":");
    size_t stage, version;

    if (rest[key] != ':')
        return -1;
    stage = strcspn(rest + key + 1, ":");
    if (rest[key + 1 + stage] != ':')
        return -1;
    version = strlen(rest + key + stage + 2);
    if (memchr(rest + key + stage + 2, ':', version))
        return -1;
    reference->key = part(rest, key);
    reference->stage = part(rest + key + 1, stage);
    reference->version = part(rest + key + stage + 2, version);
    return 0;
}

int secret_reference_parse(const char *text, struct secret_reference *reference, struct error *err)
{
    const char *hash = strchr(text, '#');
    size_t len = hash ? (size_t)(hash - text) : strlen(text);
    struct arn arn;
    size_t id = len;
    int status = len ? 0 : -1;

    *reference = (struct secret_reference){0};
    if (arn_looks_like(text)) {
        if (!arn_parse(text, &arn) || strncmp(arn.resource, "secret:", 7) != 0)
            status = -1;
        else
            id = (size_t)(arn.resource - text) + 7 + strcspn(arn.resource + 7, ":#");
        if (status == 0 && text[id] == ':')
            status = hash ? -1 : take_ecs_parts(text + id + 1, reference);
    }
    if (hash)
        reference->key = part(hash + 1, strlen(hash + 1));
    if (status == 0) {
        reference->id = xstrndup(text, id);
        return 0;
    }
    secret_reference_dispose(reference);
    error_set(err, CLASS_SPEC_INVALID, "bad-secret-name", "\"%.300s\" is no name and no ARN of a secret", text);
    return error_hint(err, "NAME#KEY, ARN#KEY or ARN:KEY:STAGE:VERSION");
}

void secret_reference_dispose(struct secret_reference *reference)
{
    free(reference->id);
    free(reference->key);
    free(reference->stage);
    free(reference->version);
    *reference = (struct secret_reference){0};
}

/* ---- the call ---- */

struct secret_get {
    struct json_service service;
    char *id;
    char region[ARN_REGION_SIZE];
    struct json_call *call;
    void (*done)(void *context, const char *text, const struct error *error);
    void *context;
};

static void free_get(struct secret_get *get)
{
    free(get->id);
    free(get);
}

void secret_get_cancel(struct secret_get *get)
{
    if (!get)
        return;
    json_call_cancel(get->call);
    free_get(get);
}

int secret_answer_parse(struct view answer, char **text, struct error *err)
{
    json_t *document = secret_document(answer, err);
    const char *string;
    int status = 0;

    if (!document)
        return -1;
    string = json_string_value(json_object_get(document, "SecretString"));
    if (string && strlen(string) > SECRET_VALUE_MAX) {
        status = secret_unreadable(err, "the secret is longer than %zu KiB", SECRET_VALUE_MAX >> 10);
    } else if (string) {
        *text = xstrdup(string);
    } else if (json_object_get(document, "SecretBinary")) {
        error_set(err, CLASS_SECRET_UNAVAILABLE, "secret-binary", "the secret is binary, and a value is a text");
        status = error_hint(err, "store it as SecretString, encoded in Base64 where it must be binary");
    } else {
        status = secret_unreadable(err, "the answer holds no secret");
    }
    secret_document_free(document);
    return status;
}

static void on_answer(void *context, struct view answer, const struct json_failure *failure, const struct error *error)
{
    struct secret_get *get = context;
    CLEANUP_FREE char *arn = arn_looks_like(get->id)
                                 ? xstrdup(get->id)
                                 : xasprintf("arn:%s:secretsmanager:%s:*:secret:%s-??????",
                                             json_service_partition(get->region), get->region, get->id);
    struct error err;
    char *text = NULL;

    get->call = NULL;
    if (error) {
        err = *error;
        secret_failure(failure, "secretsmanager:GetSecretValue", arn, &err);
    } else if (secret_answer_parse(answer, &text, &err)) {
        error_context(&err, "GetSecretValue");
    }
    get->done(get->context, text, text ? NULL : &err);
    wipe_free(text);
    free_get(get);
}

struct secret_get *secret_get_start(const struct json_service *service, const struct secret_reference *reference,
                                    void (*done)(void *context, const char *text, const struct error *error),
                                    void *context)
{
    struct secret_get *get = xcalloc(1, sizeof *get);
    json_t *request = json_pack("{s:s, s:s*, s:s*}", "SecretId", reference->id, "VersionStage", reference->stage,
                                "VersionId", reference->version);
    char *body = json_dumps(request, JSON_COMPACT);
    struct arn arn;

    json_decref(request);
    get->service = *service;
    get->service.name = "secretsmanager";
    get->id = xstrdup(reference->id);
    snprintf(get->region, sizeof get->region, "%s", arn_parse(get->id, &arn) ? arn.region : service->region);
    get->service.region = get->region;
    get->done = done;
    get->context = context;
    get->call = json_call_start(&get->service, "secretsmanager.GetSecretValue", view_of(body), on_answer, get);
    free(body);
    return get;
}

/* ---- what is in it ---- */

static int unusable(struct error *err, const char *reason, const char *key, const char *what)
{
    return error_set(err, CLASS_SECRET_UNAVAILABLE, reason, "#%.200s: %s", key, what);
}

int secret_pick(const char *text, const char *key, char **value, struct error *err)
{
    struct error ignored;
    const json_t *found;
    json_t *document;
    int status = 0;

    if (!key) {
        *value = xstrdup(text);
        return 0;
    }
    document = json_parse(text, strlen(text), CLASS_SECRET_UNAVAILABLE, "", &ignored);
    found = json_object_get(document, key);
    if (!json_is_object(document)) {
        unusable(err, "secret-not-json", key, "the secret is no JSON object");
        status = error_hint(err, "leave #KEY out to take the whole text");
    } else if (!found) {
        unusable(err, "secret-key-missing", key, "the secret has no such key");
        status = error_hint(err, "keys are case-sensitive, and only those of the top level can be named");
    } else if (json_is_string(found)) {
        *value = xstrdup(json_string_value(found));
    } else if (json_is_number(found) || json_is_boolean(found)) {
        *value = json_dumps(found, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    } else {
        status = unusable(err, "secret-key-unusable", key, "is a list, an object or null, not a text");
    }
    secret_document_free(document);
    return status;
}
