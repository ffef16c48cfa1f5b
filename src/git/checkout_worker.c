#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/mem.h"
#include "git/checkout.h"

/* Texts of a request as they travel by the pipe. */
static const struct {
    const char *name;
    size_t offset;
} texts[] = {
    {"repository", offsetof(struct checkout_request, repository)},
    {"ref", offsetof(struct checkout_request, ref)},
    {"commit", offsetof(struct checkout_request, commit)},
    {"directory", offsetof(struct checkout_request, directory)},
    {"username", offsetof(struct checkout_request, username)},
    {"password", offsetof(struct checkout_request, password)},
    {"ca_bundle", offsetof(struct checkout_request, ca_bundle)},
    {"proxy", offsetof(struct checkout_request, proxy)},
    {"no_proxy", offsetof(struct checkout_request, no_proxy)},
};

static json_t *request_to_json(const struct checkout_request *request)
{
    json_t *json = json_object();
    size_t i;

    for (i = 0; i < ARRAY_LEN(texts); i++)
        json_put_text(json, texts[i].name, *(char *const *)(const void *)((const char *)request + texts[i].offset));
    json_object_set_new(json, "connect_timeout_ms", json_integer(request->connect_timeout_ms));
    json_object_set_new(json, "max_bytes", json_integer(request->max_bytes));
    return json;
}

static int request_from_json(struct checkout_request *request, const json_t *json, struct error *err)
{
    size_t i;

    *request = (struct checkout_request){.repository = NULL};
    for (i = 0; i < ARRAY_LEN(texts); i++)
        *(char **)(void *)((char *)request + texts[i].offset) = xstrdup(json_text(json, texts[i].name, NULL));
    request->connect_timeout_ms = json_int(json, "connect_timeout_ms", 0);
    request->max_bytes = json_int(json, "max_bytes", 0);
    if (request->repository && request->directory)
        return 0;
    checkout_request_dispose(request);
    return error_set(err, CLASS_INTERNAL, "bad-request", "the checkout's request names no repository or folder");
}

static json_t *result_to_json(const struct checkout_result *result)
{
    json_t *json = json_object();

    json_put_text(json, "commit", result->commit);
    json_put_text(json, "ref", result->ref);
    json_put_text(json, "named_ref", result->named_ref);
    json_put_text(json, "default_ref", result->default_ref);
    json_put_text(json, "subject", result->subject);
    json_object_set_new(json, "commit_time_ms", json_integer(result->commit_time_ms));
    json_object_set_new(json, "files", json_integer(result->files));
    json_object_set_new(json, "bytes_received", json_integer(result->bytes_received));
    json_object_set_new(json, "objects", json_integer(result->objects));
    json_object_set_new(json, "duration_ms", json_integer(result->duration_ms));
    return json;
}

/* A child that was taken over by a hostile pack may say anything: only a commit id passes for one. */
static int result_from_json(struct checkout_result *result, const json_t *json, struct error *err)
{
    const char *commit = json_text(json, "commit", "");
    size_t len = strlen(commit);

    *result = (struct checkout_result){.ref = NULL};
    if ((len != 40 && len != 64) || strspn(commit, "0123456789abcdef") != len)
        return error_set(err, CLASS_INTERNAL, "bad-answer", "the checkout's answer names no commit");
    memcpy(result->commit, commit, len + 1);
    result->ref = xstrdup(json_text(json, "ref", NULL));
    result->named_ref = xstrdup(json_text(json, "named_ref", NULL));
    result->default_ref = xstrdup(json_text(json, "default_ref", NULL));
    result->subject = xstrdup(json_text(json, "subject", NULL));
    result->commit_time_ms = json_int(json, "commit_time_ms", 0);
    result->files = json_int(json, "files", 0);
    result->bytes_received = json_int(json, "bytes_received", 0);
    result->objects = json_int(json, "objects", 0);
    result->duration_ms = json_int(json, "duration_ms", 0);
    return 0;
}

static json_t *run(struct worker *worker, const json_t *json, struct error *err)
{
    struct checkout_request request;
    struct checkout_result result;
    json_t *answer = NULL;

    if (request_from_json(&request, json, err))
        return NULL;
    if (checkout(worker, &request, &result, err) == 0) {
        answer = result_to_json(&result);
        checkout_result_dispose(&result);
    }
    checkout_request_dispose(&request);
    return answer;
}

const struct worker_entry checkout_worker = {.name = "checkout", .run = run};

int checkout_run(struct executor *executor, struct log *log, const struct checkout_request *request, int64_t timeout_ms,
                 struct checkout_result *result, struct error *err)
{
    json_t *json = request_to_json(request);
    struct worker_call call = {
        .name = checkout_worker.name,
        .what = "checkout",
        .request = json,
        .user = COMMAND_AS_BUILD,
        .timeout_ms = timeout_ms,
        .crash_class = CLASS_CONTENT_REFUSED,
    };
    struct outcome outcome;
    json_t *value = NULL;
    int status;

    *result = (struct checkout_result){.ref = NULL};
    status = worker_run(executor, log, &call, &value, &outcome, err);
    json_decref(json);
    if (status == 0)
        status = result_from_json(result, value, err);
    json_decref(value);
    return status;
}
