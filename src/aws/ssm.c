#include "aws/ssm.h"

#include <stdlib.h>
#include <string.h>

#include "aws/secret_answer.h"
#include "core/arn.h"
#include "core/mem.h"

struct ssm_get {
    struct json_service service;
    char *name;
    char region[ARN_REGION_SIZE];
    struct json_call *call;
    void (*done)(void *context, const char *value, const struct error *error);
    void *context;
};

static void free_get(struct ssm_get *get)
{
    free(get->name);
    free(get);
}

void ssm_get_cancel(struct ssm_get *get)
{
    if (!get)
        return;
    json_call_cancel(get->call);
    free_get(get);
}

int ssm_answer_parse(struct view answer, char **value, struct error *err)
{
    json_t *document = secret_document(answer, err);
    const char *text;
    int status = 0;

    if (!document)
        return -1;
    text = json_string_value(json_object_get(json_object_get(document, "Parameter"), "Value"));
    if (!text)
        status = secret_unreadable(err, "the answer holds no parameter");
    else if (strlen(text) > SECRET_VALUE_MAX)
        status = secret_unreadable(err, "the value is longer than %zu KiB", SECRET_VALUE_MAX >> 10);
    else
        *value = xstrdup(text);
    secret_document_free(document);
    return status;
}

/* What a policy would name: without version or label, and with any account where the name tells none. */
static void describe_arn(const struct ssm_get *get, struct buf *out)
{
    bool is_arn = arn_looks_like(get->name);
    const char *name = is_arn ? get->name : get->name + (*get->name == '/');
    const char *resource = is_arn ? strstr(name, ":parameter/") : NULL;
    size_t prefix = resource ? (size_t)(resource - name) + 1 : 0;

    if (!is_arn)
        buf_addf(out, "arn:%s:ssm:%s:*:parameter/", json_service_partition(get->region), get->region);
    buf_addf(out, "%.*s", (int)(prefix + strcspn(name + prefix, ":")), name);
}

static void on_answer(void *context, struct view answer, const struct json_failure *failure, const struct error *error)
{
    struct ssm_get *get = context;
    struct error err;
    struct buf arn;
    char *value = NULL;

    get->call = NULL;
    if (error) {
        err = *error;
        buf_init(&arn, 600);
        describe_arn(get, &arn);
        secret_failure(failure, "ssm:GetParameter", buf_text(&arn), &err);
        buf_dispose(&arn);
    } else if (ssm_answer_parse(answer, &value, &err)) {
        error_context(&err, "GetParameter");
    }
    get->done(get->context, value, value ? NULL : &err);
    wipe_free(value);
    free_get(get);
}

struct ssm_get *ssm_get_start(const struct json_service *service, const char *name,
                              void (*done)(void *context, const char *value, const struct error *error), void *context)
{
    struct ssm_get *get = xcalloc(1, sizeof *get);
    json_t *request = json_pack("{s:s, s:b}", "Name", name, "WithDecryption", 1);
    char *body = json_dumps(request, JSON_COMPACT);
    struct arn arn;

    json_decref(request);
    get->service = *service;
    get->service.name = "ssm";
    get->name = xstrdup(name);
    snprintf(get->region, sizeof get->region, "%s", arn_parse(name, &arn) ? arn.region : service->region);
    get->service.region = get->region;
    get->done = done;
    get->context = context;
    get->call = json_call_start(&get->service, "AmazonSSM.GetParameter", view_of(body), on_answer, get);
    free(body);
    return get;
}
