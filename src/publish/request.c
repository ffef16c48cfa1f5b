/* The request as JSON, for the pipe to the child that publishes. */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/mem.h"
#include "publish/publish.h"

void publish_request_init(struct publish_request *request)
{
    memset(request, 0, sizeof *request);
    request->build_uid = (uid_t)-1;
    request->reader_uid = (uid_t)-1;
    request->reader_gid = (gid_t)-1;
}

void publish_request_dispose(struct publish_request *request)
{
    char *texts[] = {request->from,     request->root,   request->to,        request->job_id,
                     request->endpoint, request->region, request->ca_bundle, request->no_proxy};
    size_t i;

    for (i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    wipe_free(request->proxy); /* may hold a password */
    for (i = 0; i < request->headers_len; i++) {
        free(request->headers[i].match);
        free(request->headers[i].cache_control);
        free(request->headers[i].content_type);
        free(request->headers[i].content_disposition);
        free(request->headers[i].content_language);
    }
    free(request->headers);
    strings_dispose(&request->include);
    strings_dispose(&request->exclude);
    strings_wipe(&request->secrets);
    strings_dispose(&request->secret_names);
    credentials_source_dispose(&request->credentials);
    publish_request_init(request);
}

static json_t *rules_to_json(const struct publish_request *request)
{
    json_t *array = json_array(), *rule;
    size_t i;

    for (i = 0; i < request->headers_len; i++) {
        rule = json_object();
        json_put_text(rule, "match", request->headers[i].match);
        json_put_text(rule, "cache_control", request->headers[i].cache_control);
        json_put_text(rule, "content_type", request->headers[i].content_type);
        json_put_text(rule, "content_disposition", request->headers[i].content_disposition);
        json_put_text(rule, "content_language", request->headers[i].content_language);
        json_array_append_new(array, rule);
    }
    return array;
}

/* Secrets may be any bytes, JSON only holds UTF-8: each byte becomes the character of its number. */
static json_t *secrets_to_json(const struct publish_request *request)
{
    json_t *array = json_array(), *bytes;
    const unsigned char *p;
    size_t i;

    for (i = 0; i < request->secrets.len; i++) {
        json_t *secret = json_object();

        bytes = json_array();
        for (p = (const unsigned char *)request->secrets.items[i]; *p; p++)
            json_array_append_new(bytes, json_integer(*p));
        json_object_set_new(secret, "bytes", bytes);
        if (i < request->secret_names.len)
            json_put_text(secret, "name", request->secret_names.items[i]);
        json_array_append_new(array, secret);
    }
    return array;
}

static json_t *id_to_json(unsigned id)
{
    return json_integer(id == (unsigned)-1 ? -1 : (json_int_t)id);
}

json_t *publish_request_to_json(const struct publish_request *request)
{
    json_t *json = json_object();

    json_put_text(json, "from", request->from);
    json_put_text(json, "root", request->root);
    json_put_text(json, "to", request->to);
    json_put_text(json, "mode", request->mode == PUBLISH_MIRROR ? "mirror" : "add");
    json_object_set_new(json, "adopt", json_boolean(request->adopt));
    json_object_set_new(json, "include", json_of_strings(&request->include));
    json_object_set_new(json, "exclude", json_of_strings(&request->exclude));
    json_object_set_new(json, "headers", rules_to_json(request));
    json_put_text(json, "job_id", request->job_id);
    json_object_set_new(json, "created_at_ms", json_integer(request->created_at_ms));
    json_object_set_new(json, "began_ms", json_integer(request->began_ms));
    json_put_text(json, "endpoint", request->endpoint);
    json_put_text(json, "region", request->region);
    json_object_set_new(json, "path_style", json_boolean(request->path_style));
    json_put_text(json, "ca_bundle", request->ca_bundle);
    json_put_text(json, "proxy", request->proxy);
    json_put_text(json, "no_proxy", request->no_proxy);
    json_object_set_new(json, "credentials", credentials_source_to_json(&request->credentials));
    json_object_set_new(json, "root_device", json_integer((json_int_t)request->root_device));
    json_object_set_new(json, "root_inode", json_integer((json_int_t)request->root_inode));
    json_object_set_new(json, "build_uid", id_to_json(request->build_uid));
    json_object_set_new(json, "reader_uid", id_to_json(request->reader_uid));
    json_object_set_new(json, "reader_gid", id_to_json(request->reader_gid));
    json_object_set_new(json, "max_bytes", json_integer(request->max_bytes));
    json_object_set_new(json, "secrets", secrets_to_json(request));
    return json;
}

static void list_from_json(struct strings *list, const json_t *array)
{
    size_t i;

    for (i = 0; i < json_array_size(array); i++)
        if (json_is_string(json_array_get(array, i)))
            strings_add(list, json_string_value(json_array_get(array, i)));
}

static void secrets_from_json(struct publish_request *request, const json_t *array)
{
    size_t i, j, len;
    char *text;

    for (i = 0; i < json_array_size(array); i++) {
        const json_t *secret = json_array_get(array, i), *bytes = json_object_get(secret, "bytes");

        len = json_array_size(bytes);
        text = xcalloc(len + 1, 1);
        for (j = 0; j < len; j++)
            text[j] = (char)json_integer_value(json_array_get(bytes, j));
        strings_take(&request->secrets, text);
        strings_add(&request->secret_names, json_text(secret, "name", ""));
    }
}

static void rules_from_json(struct publish_request *request, const json_t *array)
{
    size_t i;

    request->headers_len = json_array_size(array);
    request->headers = xcalloc(request->headers_len + 1, sizeof *request->headers);
    for (i = 0; i < request->headers_len; i++) {
        const json_t *rule = json_array_get(array, i);

        request->headers[i].match = xstrdup(json_text(rule, "match", NULL));
        request->headers[i].cache_control = xstrdup(json_text(rule, "cache_control", NULL));
        request->headers[i].content_type = xstrdup(json_text(rule, "content_type", NULL));
        request->headers[i].content_disposition = xstrdup(json_text(rule, "content_disposition", NULL));
        request->headers[i].content_language = xstrdup(json_text(rule, "content_language", NULL));
    }
}

int publish_request_from_json(struct publish_request *request, const json_t *json, struct error *err)
{
    publish_request_init(request);
    request->from = xstrdup(json_text(json, "from", NULL));
    request->root = xstrdup(json_text(json, "root", NULL));
    request->to = xstrdup(json_text(json, "to", NULL));
    request->mode = strcmp(json_text(json, "mode", ""), "mirror") == 0 ? PUBLISH_MIRROR : PUBLISH_ADD;
    request->adopt = json_flag(json, "adopt", false);
    list_from_json(&request->include, json_object_get(json, "include"));
    list_from_json(&request->exclude, json_object_get(json, "exclude"));
    rules_from_json(request, json_object_get(json, "headers"));
    request->job_id = xstrdup(json_text(json, "job_id", NULL));
    request->created_at_ms = json_int(json, "created_at_ms", 0);
    request->began_ms = json_int(json, "began_ms", 0);
    request->endpoint = xstrdup(json_text(json, "endpoint", NULL));
    request->region = xstrdup(json_text(json, "region", NULL));
    request->path_style = json_flag(json, "path_style", false);
    request->ca_bundle = xstrdup(json_text(json, "ca_bundle", NULL));
    request->proxy = xstrdup(json_text(json, "proxy", NULL));
    request->no_proxy = xstrdup(json_text(json, "no_proxy", NULL));
    request->build_uid = (uid_t)json_int(json, "build_uid", -1);
    request->reader_uid = (uid_t)json_int(json, "reader_uid", -1);
    request->reader_gid = (gid_t)json_int(json, "reader_gid", -1);
    request->root_device = (dev_t)json_int(json, "root_device", 0);
    request->root_inode = (ino_t)json_int(json, "root_inode", 0);
    request->max_bytes = json_int(json, "max_bytes", 0);
    secrets_from_json(request, json_object_get(json, "secrets"));
    if (request->from && request->root && request->to && request->job_id &&
        credentials_source_from_json(&request->credentials, json_object_get(json, "credentials"), err) == 0)
        return 0;
    if (!request->from || !request->root || !request->to || !request->job_id)
        error_set(err, CLASS_INTERNAL, "bad-request", "the publish request lacks from, root, to or the job's id");
    publish_request_dispose(request);
    return -1;
}

/* ---- the result ---- */

void publish_result_dispose(struct publish_result *result)
{
    free(result->url);
    memset(result, 0, sizeof *result);
}

json_t *publish_result_to_json(const struct publish_result *result)
{
    json_t *json = json_object();

    json_object_set_new(json, "files", json_integer(result->files));
    json_object_set_new(json, "bytes", json_integer(result->bytes));
    json_object_set_new(json, "written", json_integer(result->written));
    json_object_set_new(json, "unchanged", json_integer(result->unchanged));
    json_object_set_new(json, "removed", json_integer(result->removed));
    json_object_set_new(json, "requests", json_integer(result->requests));
    json_object_set_new(json, "retries", json_integer(result->retries));
    json_object_set_new(json, "duration_ms", json_integer(result->duration_ms));
    json_object_set_new(json, "ordered", json_boolean(result->ordered));
    json_put_text(json, "digest", result->digest);
    json_put_text(json, "url", result->url);
    return json;
}

int publish_result_from_json(struct publish_result *result, const json_t *json, struct error *err)
{
    const char *digest = json_text(json, "digest", ""), *url = json_text(json, "url", NULL);

    memset(result, 0, sizeof *result);
    if (!url || strlen(digest) >= sizeof result->digest)
        return error_set(err, CLASS_INTERNAL, "bad-result", "the publisher's result lacks its url or digest");
    result->files = json_int(json, "files", 0);
    result->bytes = json_int(json, "bytes", 0);
    result->written = json_int(json, "written", 0);
    result->unchanged = json_int(json, "unchanged", 0);
    result->removed = json_int(json, "removed", 0);
    result->requests = json_int(json, "requests", 0);
    result->retries = json_int(json, "retries", 0);
    result->duration_ms = json_int(json, "duration_ms", 0);
    result->ordered = json_flag(json, "ordered", false);
    memcpy(result->digest, digest, strlen(digest) + 1);
    result->url = xstrdup(url);
    return 0;
}
