/* Whom a job is told to: from `notify` of the spec to the sinks of report/. */
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "job/gather.h"
#include "job/notify.h"
#include "job/redact_result.h"
#include "job/task_metadata.h"
#include "profiles/profile.h"
#include "report/reporter.h"

#define HEARTBEAT_MS (30 * 1000)
#define METADATA_WAIT_MS 2000 /* for the task's ARN, which events have for their source */

/* The values of one entry, as they are now. */
struct told {
    char *secret, *token, *api_key, *username, *password;
    struct strings headers;
};

struct notify {
    struct job *job;
    struct http_client *client; /* its own: receivers that do not answer must not keep the result waiting */
    struct reporter *reporter;
    struct told *told;
    struct strings unopened; /* who cannot be told, and why */
    char *source;
    struct loop_timer *heartbeat;
};

static void on_heartbeat(void *context)
{
    struct notify *notify = context;

    log_heartbeat(notify->job->options->log, clock_monotonic_ms() - notify->job->result->began_ms);
    notify->heartbeat = loop_timer_start(notify->job->options->loop, HEARTBEAT_MS, on_heartbeat, notify);
}

static char *value_of(struct gathering *gathering, const struct value_source *source, size_t index, const char *key)
{
    CLEANUP_FREE char *name = xasprintf("notify[%zu].%s", index, key);
    char *value = gather_value(gathering, source, name);

    job_hide(gathering->job, value, name);
    return value;
}

static int gather_values(struct notify *notify, struct error *err)
{
    struct job *job = notify->job;
    struct gathering gathering;
    size_t i;

    gather_begin(&gathering, job);
    for (i = 0; i < job->spec.notify_len; i++) {
        const struct spec_notify *entry = &job->spec.notify[i];

        remote_values_add(gathering.remote, &entry->secret);
        remote_values_add(gathering.remote, &entry->token);
        remote_values_add(gathering.remote, &entry->api_key);
        remote_values_add(gathering.remote, &entry->username);
        remote_values_add(gathering.remote, &entry->password);
    }
    remote_values_fetch(gathering.remote, &job->stopping);
    for (i = 0; i < job->spec.notify_len; i++) {
        const struct spec_notify *entry = &job->spec.notify[i];
        struct told *told = &notify->told[i];

        told->secret = value_of(&gathering, &entry->secret, entry->index, "secret");
        told->token = value_of(&gathering, &entry->token, entry->index, "token");
        told->api_key = value_of(&gathering, &entry->api_key, entry->index, "api_key");
        told->password = value_of(&gathering, &entry->password, entry->index, "password");
        /* A user name is no secret, and a common word would punch holes into the log. */
        told->username = gather_value(&gathering, &entry->username, "notify.username");
    }
    return gather_end(&gathering, err);
}

/* Whether a value that it names is missing: without it the message would be refused, or taken for another's. */
static bool lacks(const struct value_source *source, const char *value)
{
    return source->kind != VALUE_NONE && !value;
}

static const struct event_format *format_of(const char *name)
{
    const struct event_format *format = format_find(name);

    return format ? format : profile_format(name);
}

struct sink_settings notify_settings(const struct spec_notify *entry)
{
    return (struct sink_settings){.type = entry->type,
                                  .target = entry->target,
                                  .channel = entry->channel,
                                  .stream = entry->stream,
                                  .exchange = entry->exchange,
                                  .routing_key = entry->routing_key,
                                  .topic = entry->topic,
                                  .key = entry->key,
                                  .sasl = entry->sasl,
                                  .context = entry->context,
                                  .link = entry->link,
                                  .ca_bundle = entry->ca_bundle,
                                  .plain = entry->plain,
                                  .private_http = entry->private_http};
}

static int add(const struct notify *notify, const struct spec_notify *entry, struct told *told, struct error *err)
{
    const struct event_format *format = format_of(entry->format);
    struct sink_settings settings = notify_settings(entry);
    unsigned kinds = 0;
    size_t i;

    if (!format)
        return error_set(err, CLASS_SPEC_INVALID, "format-unknown", "there is no format %s of events", entry->format);
    for (i = 0; i < entry->headers.len; i++)
        strings_addf(&told->headers, "%s: %s", entry->headers.items[i].name, entry->headers.items[i].value);
    for (i = 0; i < entry->events.len; i++)
        kinds |= event_bits(entry->events.items[i]);
    settings.username = told->username;
    settings.password = told->password;
    settings.token = told->token;
    settings.api_key = told->api_key;
    settings.secret = told->secret;
    settings.commit = notify->job->result->commit;
    settings.headers = &told->headers;
    return reporter_add(notify->reporter, &settings, format, entry->binary, kinds, err);
}

static int open_all(struct notify *notify, struct error *err)
{
    const struct job *job = notify->job;
    struct error one;
    int status = 0;
    size_t i;

    for (i = 0; i < job->spec.notify_len; i++) {
        const struct spec_notify *entry = &job->spec.notify[i];
        struct told *told = &notify->told[i];

        if (lacks(&entry->secret, told->secret) || lacks(&entry->token, told->token) ||
            lacks(&entry->api_key, told->api_key) || lacks(&entry->username, told->username) ||
            lacks(&entry->password, told->password)) {
            strings_addf(&notify->unopened, "notify[%zu]: a value that it names is not available", entry->index);
            continue;
        }
        if (add(notify, entry, told, &one) == 0)
            continue;
        error_context(&one, "notify[%zu]", entry->index);
        strings_add(&notify->unopened, one.message);
        log_error(job->options->log, "%s", one.message);
        if (status == 0)
            *err = one;
        status = -1;
    }
    return status;
}

/* The task's ARN where we are in one. */
static char *source_of(const struct job *job)
{
    int64_t until_ms = clock_monotonic_ms() + METADATA_WAIT_MS;
    const char *arn;

    while (task_metadata_waits(job->metadata) && clock_monotonic_ms() < until_ms && !job->stopping)
        loop_run_once(job->options->loop, 50);
    arn = task_metadata_arn(job->metadata);
    return arn ? xstrdup(arn) : xasprintf("urn:caisson:%s", job->options->run_id);
}

static struct reporter *make_reporter(const struct notify *notify)
{
    const struct job *job = notify->job;
    const struct platform *platform = job->options->platform;
    const struct result *result = job->result;
    const struct reporter_options options = {
        .context = {.loop = job->options->loop,
                    .client = notify->client,
                    .credentials = job->options->credentials,
                    .region = platform->region,
                    .sns_endpoint = platform->sns_endpoint,
                    .sqs_endpoint = platform->sqs_endpoint,
                    .events_endpoint = platform->events_endpoint,
                    .logs_endpoint = platform->logs_endpoint,
                    .github_endpoint = platform->github_endpoint},
        .spool = job->options->spool,
        .log = job->options->log,
        .job = {.run = job->options->run_id,
                .source = notify->source,
                .id = result->id,
                .project = result->project,
                .type = result->type,
                .labels = result->labels,
                .repository = result->repository,
                .ref = job->spec.source.ref,
                .commit = job->spec.source.commit,
                .directory = job->spec.source.directory,
                .log_url = job->spec.log,
                .result_url = job->spec.result,
                .created_at_ms = result->created_at_ms,
                .started_ms = result->started_ms},
    };

    return reporter_new(&options);
}

int job_notify(struct job *job, struct error *err)
{
    struct notify *notify;
    struct error open_error;
    int status;

    if (job->notify || !job->spec.notify_len)
        return 0;
    notify = job->notify = xcalloc(1, sizeof *notify);
    notify->job = job;
    notify->told = xcalloc(job->spec.notify_len, sizeof *notify->told);
    status = gather_values(notify, err);
    if (status && job->result->error.class != CLASS_SUCCEEDED) /* else it becomes the job's own */
        log_error(job->options->log, "%s", err->message);
    /* Now that its secrets are known; the end does it again. */
    redact_result(job->options->redactor, job->result);
    notify->source = source_of(job);
    notify->client = http_client_like(job->options->client, NULL, (int)job->spec.notify_len);
    notify->reporter = make_reporter(notify);
    if (open_all(notify, &open_error) && status == 0) {
        *err = open_error;
        status = -1;
    }
    notify->heartbeat = loop_timer_start(job->options->loop, HEARTBEAT_MS, on_heartbeat, notify);
    return status;
}

void job_notify_finish(struct job *job, const int64_t *deadline_ms, int64_t extra_ms, struct strings *undelivered)
{
    struct notify *notify = job->notify;
    json_t *document;

    if (!notify)
        return;
    loop_timer_stop(notify->heartbeat);
    notify->heartbeat = NULL;
    strings_copy(undelivered, &notify->unopened);
    document = result_to_json(job->result);
    reporter_finish(notify->reporter, document, deadline_ms, extra_ms, undelivered);
    /* It holds a reference to the document until it is gone. */
    reporter_free(notify->reporter);
    notify->reporter = NULL;
    json_decref(document);
}

void job_notify_free(struct job *job)
{
    struct notify *notify = job->notify;
    size_t i;

    if (!notify)
        return;
    loop_timer_stop(notify->heartbeat);
    reporter_free(notify->reporter);
    http_client_free(notify->client);
    for (i = 0; i < job->spec.notify_len; i++) {
        struct told *told = &notify->told[i];

        secret_free(told->secret);
        secret_free(told->token);
        secret_free(told->api_key);
        secret_free(told->username);
        secret_free(told->password);
        strings_wipe(&told->headers);
    }
    strings_dispose(&notify->unopened);
    free(notify->told);
    free(notify->source);
    free(notify);
    job->notify = NULL;
}
