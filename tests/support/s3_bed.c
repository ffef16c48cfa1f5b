#include "support/s3_bed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

static void note(const struct loop_request *request, const char *name, char *value, size_t size)
{
    if (!loop_request_header(request, name, value, size))
        value[0] = '\0';
}

static void answer(void *context, const struct loop_request *request, struct buf *out)
{
    struct s3_bed *bed = context;
    const struct s3_answer *answer = bed->script;
    int at = bed->asked < 7 ? bed->asked : 7;
    int i;

    for (i = 0; i < bed->asked && answer[1].status + answer[1].close; i++)
        answer++;
    snprintf(bed->targets[at], sizeof bed->targets[at], "%s %s", request->method, request->target);
    note(request, "X-Amz-Date", bed->dates[at], sizeof bed->dates[at]);
    note(request, "Authorization", bed->authorizations[at], sizeof bed->authorizations[at]);
    note(request, "Expect", bed->expects[at], sizeof bed->expects[at]);
    note(request, "If-None-Match", bed->conditions[at], sizeof bed->conditions[at]);
    snprintf(bed->last_body, sizeof bed->last_body, "%.*s", (int)request->body.len, request->body.data);
    bed->asked++;
    if (!answer->close)
        loop_answer(out, answer->status, answer->headers ? answer->headers : "", answer->body ? answer->body : "");
}

static void give_credentials(void *context, const struct loop_request *request, struct buf *out)
{
    struct s3_bed *bed = context;
    CLEANUP_FREE char *body = NULL;
    int number = bed->stuck_credentials ? 1 : bed->renewed + 1;

    (void)request;
    bed->renewed++;
    body = xasprintf("{\"AccessKeyId\":\"AK%d\",\"SecretAccessKey\":\"SK\",\"Token\":\"T\",\"Expiration\":"
                     "\"2099-01-01T00:00:00Z\"}",
                     number);
    loop_answer(out, 200, "", body);
}

void s3_bed_patience(struct s3_bed *bed, int64_t patience_ms)
{
    CLEANUP_FREE char *endpoint = xasprintf("http://127.0.0.1:%d", loop_server_port(bed->server));
    struct s3_options options = {.bucket = "bucket", .endpoint = endpoint, .patience_ms = patience_ms};

    s3_free(bed->s3);
    if (s3_new(&bed->s3, bed->client, bed->provider, &options, NULL))
        abort();
}

int s3_bed_setup(void **state)
{
    struct s3_bed *bed = xcalloc(1, sizeof *bed);
    struct strings env = {0};

    bed->loop = loop_new();
    bed->client = http_client_new(bed->loop, &(struct http_options){.max_connections = 64});
    bed->server = loop_server_start(bed->loop, answer, bed);
    bed->endpoint = loop_server_start(bed->loop, give_credentials, bed);
    strings_addf(&env, "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:%d/c", loop_server_port(bed->endpoint));
    credentials_source_find(&bed->source, &env, true);
    strings_dispose(&env);
    bed->provider = credentials_provider_new(&bed->source, bed->client);
    s3_bed_patience(bed, 0);
    *state = bed;
    return 0;
}

int s3_bed_teardown(void **state)
{
    struct s3_bed *bed = *state;

    s3_free(bed->s3);
    credentials_provider_free(bed->provider);
    credentials_source_dispose(&bed->source);
    loop_server_stop(bed->server);
    loop_server_stop(bed->endpoint);
    http_client_free(bed->client);
    loop_free(bed->loop);
    free(bed);
    return 0;
}

const char *s3_bed_perform(struct s3_bed *bed, const char *method, const struct s3_answer *script, struct error *err)
{
    struct s3_call call;

    s3_call_init(&call, method, "a b/ü.txt");
    bed->script = script;
    bed->asked = 0;
    if (strcmp(method, "PUT") == 0) {
        strings_add(&call.headers, "If-None-Match: *");
        call.body = view_of("content");
    }
    memset(err, 0, sizeof *err);
    s3_perform(bed->s3, &call, err);
    s3_call_dispose(&call);
    return err->reason;
}
