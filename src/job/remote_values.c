#include "job/remote_values.h"

#include <stdlib.h>
#include <string.h>

#include "aws/secrets_manager.h"
#include "aws/ssm.h"
#include "core/arn.h"
#include "core/mem.h"

/* One parameter or secret. */
struct item {
    struct remote_values *values;
    struct item *next;
    int kind;                          /* VALUE_SSM or VALUE_SECRET */
    struct secret_reference reference; /* of a parameter: its name as the id alone */
    struct ssm_get *ssm;               /* under way: at most one of these two */
    struct secret_get *secret;
    bool done;
    char *text; /* NULL: failed */
    struct error error;
};

struct remote_values {
    struct http_client *client;
    struct credentials_provider *credentials;
    const struct platform *platform;
    struct item *items;
    size_t waiting;
    bool idle; /* nothing is waited for */
};

struct remote_values *remote_values_new(struct http_client *client, struct credentials_provider *credentials,
                                        const struct platform *platform)
{
    struct remote_values *values = xcalloc(1, sizeof *values);

    values->client = client;
    values->credentials = credentials;
    values->platform = platform;
    return values;
}

static void free_item(struct item *item)
{
    ssm_get_cancel(item->ssm);
    secret_get_cancel(item->secret);
    secret_reference_dispose(&item->reference);
    secret_free(item->text);
    free(item);
}

void remote_values_free(struct remote_values *values)
{
    struct item *item, *next;

    if (!values)
        return;
    for (item = values->items; item; item = next) {
        next = item->next;
        free_item(item);
    }
    free(values);
}

/* ---- what is asked for ---- */

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* The key is of no account: it is taken out of what comes. */
static struct item *find(const struct remote_values *values, int kind, const struct secret_reference *reference)
{
    struct item *item;

    for (item = values->items; item; item = item->next)
        if (item->kind == kind && same(item->reference.id, reference->id) &&
            same(item->reference.stage, reference->stage) && same(item->reference.version, reference->version))
            return item;
    return NULL;
}

static int refer(const struct value_source *source, struct secret_reference *reference, struct error *err)
{
    *reference = (struct secret_reference){0};
    if (source->kind == VALUE_SECRET)
        return secret_reference_parse(source->text, reference, err);
    reference->id = xstrdup(source->text);
    return 0;
}

void remote_values_add(struct remote_values *values, const struct value_source *source)
{
    struct secret_reference reference;
    struct item *item;

    if ((source->kind != VALUE_SSM && source->kind != VALUE_SECRET) || refer(source, &reference, NULL))
        return;
    if (find(values, source->kind, &reference)) {
        secret_reference_dispose(&reference);
        return;
    }
    item = xcalloc(1, sizeof *item);
    item->values = values;
    item->kind = source->kind;
    item->reference = reference;
    item->next = values->items;
    values->items = item;
}

/* ---- getting it ---- */

static void end(struct item *item, const char *text, const struct error *error)
{
    item->done = true;
    item->ssm = NULL;
    item->secret = NULL;
    item->text = secret_dup(text);
    if (error)
        item->error = *error;
    if (--item->values->waiting == 0)
        item->values->idle = true;
}

static void on_value(void *context, const char *text, const struct error *error)
{
    end(context, text, error);
}

static void start(struct item *item)
{
    const struct platform *platform = item->values->platform;
    struct json_service service = {
        .client = item->values->client,
        .provider = item->values->credentials,
        .region = platform->region,
        .endpoint = item->kind == VALUE_SSM ? platform->ssm_endpoint : platform->secrets_endpoint,
    };
    struct error err;

    item->values->waiting++;
    if (!arn_looks_like(item->reference.id) && (!platform->region || !json_service_region(platform->region))) {
        error_set(&err, CLASS_SECRET_UNAVAILABLE, "region-unknown", "nothing says in which region it is");
        error_hint(&err, "set AWS_REGION, or name it by its ARN");
        end(item, NULL, &err);
    } else if (item->kind == VALUE_SSM) {
        item->ssm = ssm_get_start(&service, item->reference.id, on_value, item);
    } else {
        item->secret = secret_get_start(&service, &item->reference, on_value, item);
    }
}

void remote_values_fetch(struct remote_values *values, const bool *stop)
{
    struct item *item;

    for (item = values->items; item; item = item->next)
        start(item);
    values->idle = values->waiting == 0;
    while (!values->idle && !*stop)
        loop_run_once(http_client_loop(values->client), -1);
}

int remote_values_get(const struct remote_values *values, const struct value_source *source, char **value,
                      struct error *err)
{
    struct secret_reference reference;
    const struct item *item;
    int status;

    if (refer(source, &reference, err))
        return -1;
    item = find(values, source->kind, &reference);
    if (!item || !item->done) {
        status = error_set(err, CLASS_INTERRUPTED, "interrupted", "stopped while %s was awaited", reference.id);
    } else if (!item->text) {
        *err = item->error;
        status = error_context(err, "%s", reference.id);
    } else {
        status = secret_pick(item->text, reference.key, value, err);
        if (status)
            error_context(err, "%s", reference.id);
    }
    secret_reference_dispose(&reference);
    return status;
}
