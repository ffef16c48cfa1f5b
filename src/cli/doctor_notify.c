/* Whom the job would tell: the servers that it names, and with --write a message to each of them. */
#include <stdlib.h>
#include <string.h>

#include "cli/doctor.h"
#include "core/clock.h"
#include "core/mem.h"
#include "job/notify.h"
#include "net/stream.h"
#include "spec/names.h"

#define PROBES_MAX 32
#define CONNECT_MS 8000
#define VALUES 5 /* secret, token, api_key, username, password */

/* What stands behind a URL's authority may be a credential. Caller frees. */
static char *subject_of(const struct spec_notify *entry, const char *server)
{
    CLEANUP_FREE char *target = url_without_userinfo(server ? server : entry->target);
    char *authority = strstr(target, "://");

    if (authority)
        authority[3 + strcspn(authority + 3, "/?#")] = '\0';
    return xasprintf("%s %s", entry->type, target);
}

/* ---- servers: whether they can be reached, and are who they should be ---- */

struct probe {
    char *subject;
    struct stream *stream;
    bool tls, done, failed;
    struct error error;
    size_t *waiting;
};

struct probes {
    struct probe items[PROBES_MAX];
    size_t len, waiting;
};

static void settle(struct probe *probe, const struct error *error)
{
    if (probe->done)
        return;
    probe->done = true;
    probe->failed = error != NULL;
    if (error)
        probe->error = *error;
    (*probe->waiting)--;
}

static void on_connected(void *context)
{
    settle(context, NULL);
}

static void on_received(void *context, struct view bytes)
{
    (void)context;
    (void)bytes;
}

static void on_ended(void *context, const struct error *error)
{
    settle(context, error);
}

static const struct stream_events probe_events = {
    .connected = on_connected, .received = on_received, .ended = on_ended};

/* server: "host:port". */
static void begin_probe(struct doctor *doctor, struct probes *probes, const struct spec_notify *entry,
                        const char *server, bool tls)
{
    const char *colon = strrchr(server, ':');
    CLEANUP_FREE char *host = xstrndup(server, (size_t)(colon - server));
    struct probe *probe = &probes->items[probes->len];
    struct stream_options options = {.what = entry->type,
                                     .host = host,
                                     .port = (int)strtol(colon + 1, NULL, 10),
                                     .tls = tls,
                                     .ca_bundle = entry->ca_bundle ? entry->ca_bundle
                                                                   : http_client_ca_bundle(doctor->setup.client),
                                     .refuse_own = strcmp(entry->type, "http") != 0 && !entry->plain,
                                     .connect_timeout_ms = CONNECT_MS};

    if (probes->len == PROBES_MAX)
        return;
    *probe = (struct probe){.subject = subject_of(entry, server), .tls = tls, .waiting = &probes->waiting};
    probes->len++;
    probes->waiting++;
    probe->stream = stream_open(doctor->setup.loop, &options, &probe_events, probe);
}

static void begin_probes(struct doctor *doctor, struct probes *probes, const struct spec_notify *entry)
{
    const char *at = entry->target;
    bool tls = !scheme_is_plain(entry->target);

    while (at && *at) {
        CLEANUP_FREE char *server = next_server(&at);

        if (*server && strrchr(server, ':'))
            begin_probe(doctor, probes, entry, server, tls);
    }
}

static void end_probes(struct doctor *doctor, struct probes *probes)
{
    size_t i;

    while (probes->waiting && !doctor->stop)
        loop_run_once(doctor->setup.loop, -1);
    for (i = 0; i < probes->len; i++) {
        struct probe *probe = &probes->items[i];

        if (!probe->done) {
            probe->failed = true;
            error_set(&probe->error, CLASS_INTERRUPTED, "interrupted", "stopped before there was a connection");
        }
        stream_close(probe->stream);
        if (probe->failed)
            doctor_fail(doctor, probe->subject, &probe->error);
        else
            doctor_ok(doctor, probe->subject, "takes connections%s", probe->tls ? ", its certificate is good" : "");
        free(probe->subject);
    }
}

static bool has_server(const struct spec_notify *entry)
{
    static const char *const types[] = {"http", "redis", "amqp", "kafka"};
    size_t i;

    for (i = 0; i < ARRAY_LEN(types); i++)
        if (strcmp(entry->type, types[i]) == 0)
            return true;
    return false;
}

static void look_at_servers(struct doctor *doctor)
{
    const struct spec *spec = &doctor->spec;
    struct probes probes = {0};
    size_t i;

    for (i = 0; i < spec->notify_len; i++) {
        const struct spec_notify *entry = &spec->notify[i];
        CLEANUP_FREE char *subject = subject_of(entry, NULL);

        if (!has_server(entry)) {
            if (!doctor->write)
                doctor_skip(doctor, subject, "whether it takes messages only a message shows: caisson doctor --write");
        } else if (strcmp(entry->type, "http") == 0 && platform_proxy_for(&doctor->setup.platform, entry->target)) {
            doctor_skip(doctor, subject, "it is reached through the proxy, which only a message shows");
        } else {
            begin_probes(doctor, &probes, entry);
        }
    }
    end_probes(doctor, &probes);
}

/* ---- a message: a heartbeat of a job that does not exist ---- */

struct told {
    char *values[VALUES];
    struct strings headers;
};

static void told_dispose(struct told *told)
{
    size_t i;

    for (i = 0; i < VALUES; i++)
        wipe_free(told->values[i]);
    strings_wipe(&told->headers);
}

static int get_values(struct doctor *doctor, const struct spec_notify *entry, struct told *told, struct error *err)
{
    const struct value_source *const sources[VALUES] = {&entry->secret, &entry->token, &entry->api_key,
                                                        &entry->username, &entry->password};
    size_t i;

    *told = (struct told){0};
    doctor_fetch_values(doctor);
    for (i = 0; i < VALUES; i++) {
        told->values[i] = doctor_value(doctor, sources[i], err);
        if (!told->values[i] && sources[i]->kind != VALUE_NONE)
            return -1;
    }
    for (i = 0; i < entry->headers.len; i++)
        strings_addf(&told->headers, "%s: %s", entry->headers.items[i].name, entry->headers.items[i].value);
    return 0;
}

struct sending {
    bool done;
    size_t delivered;
    struct error error;
    bool failed;
};

static void on_sent(void *context, size_t delivered, const struct error *error)
{
    struct sending *sending = context;

    sending->done = true;
    sending->delivered = delivered;
    sending->failed = error != NULL;
    if (error)
        sending->error = *error;
}

static int send_messages(struct doctor *doctor, const struct sink_type *type, struct sink *sink,
                         const struct outbox *outbox, struct error *err)
{
    struct sending sending = {0};

    type->send(sink, outbox->items, outbox->len, on_sent, &sending);
    while (!sending.done && !doctor->stop)
        loop_run_once(doctor->setup.loop, -1);
    if (!sending.done) {
        type->cancel(sink);
        return error_set(err, CLASS_INTERRUPTED, "interrupted", "stopped before it was taken");
    }
    if (sending.failed)
        *err = sending.error;
    else if (sending.delivered < outbox->len)
        error_set(err, CLASS_PLATFORM, "not-taken", "it was not taken, and nothing was said why");
    else
        return 0;
    return -1;
}

static int open_sink(struct doctor *doctor, const struct spec_notify *entry, const struct told *told,
                     struct sink **sink, struct error *err)
{
    const struct platform *platform = &doctor->setup.platform;
    const struct sink_context context = {.loop = doctor->setup.loop,
                                         .client = doctor->setup.client,
                                         .credentials = doctor->setup.credentials,
                                         .region = platform->region,
                                         .sns_endpoint = platform->sns_endpoint,
                                         .sqs_endpoint = platform->sqs_endpoint,
                                         .events_endpoint = platform->events_endpoint,
                                         .logs_endpoint = platform->logs_endpoint,
                                         .github_endpoint = platform->github_endpoint};
    struct sink_settings settings = notify_settings(entry);

    settings.secret = told->values[0];
    settings.token = told->values[1];
    settings.api_key = told->values[2];
    settings.username = told->values[3];
    settings.password = told->values[4];
    settings.headers = &told->headers;
    return sink_type_find(entry->type)->open(sink, &context, &settings, err);
}

/* Consumers know heartbeats, and none of them begins or ends anything. */
static void write_heartbeat(const struct doctor *doctor, const struct spec_notify *entry,
                            const struct event_format *format, struct outbox *outbox)
{
    const struct sink_type *type = sink_type_find(entry->type);
    const struct format_options options = {
        .max_body = type->max_body, .binary = entry->binary, .line_wise = type->line_wise};
    CLEANUP_FREE char *id = xasprintf("doctor-%s", doctor->setup.run_id);
    const struct event_job job = {.run = doctor->setup.run_id,
                                  .source = "urn:caisson:doctor",
                                  .id = id,
                                  .project = doctor->spec.project,
                                  .type = "build",
                                  .started_ms = clock_wall_ms()};
    struct event event = {
        .kind = EVENT_HEARTBEAT, .first = 1, .last = 1, .wall_ms = clock_wall_ms(), .step = "", .percent = -1};

    event_identify(&event, &job);
    format->encode(&options, &job, &event, outbox);
}

static void try_to_tell(struct doctor *doctor, const struct spec_notify *entry, const char *subject)
{
    const struct event_format *format = format_find(entry->format);
    struct outbox outbox = {0};
    struct sink *sink = NULL;
    struct told told;
    struct error err;

    if (!format)
        format = profile_format(entry->format);
    if (!format || !(format->kinds & EVENT_BIT(EVENT_HEARTBEAT)) || strcmp(entry->type, "github") == 0) {
        doctor_skip(doctor, subject, "not tried: there is no message that would mean nothing to its readers");
        return;
    }
    if (get_values(doctor, entry, &told, &err) || open_sink(doctor, entry, &told, &sink, &err)) {
        doctor_fail(doctor, subject, &err);
        told_dispose(&told);
        return;
    }
    write_heartbeat(doctor, entry, format, &outbox);
    if (send_messages(doctor, sink_type_find(entry->type), sink, &outbox, &err))
        doctor_fail(doctor, subject, &err);
    else
        doctor_ok(doctor, subject, "has taken a message, a heartbeat of the job doctor-%s", doctor->setup.run_id);
    sink_type_find(entry->type)->close(sink);
    outbox_dispose(&outbox);
    told_dispose(&told);
}

/* ---- the check ---- */

void doctor_check_notify(struct doctor *doctor)
{
    const struct spec *spec = &doctor->spec;
    size_t i;

    if (!doctor->has_spec || !spec->notify_len) {
        doctor_skip(doctor, "notify", doctor->has_spec ? "the spec names nobody" : "no spec names anybody");
        return;
    }
    look_at_servers(doctor);
    for (i = 0; doctor->write && i < spec->notify_len; i++) {
        CLEANUP_FREE char *subject = subject_of(&spec->notify[i], NULL);

        if (doctor->stop)
            doctor_skip(doctor, subject, "not tried: the time of this check is over");
        else
            try_to_tell(doctor, &spec->notify[i], subject);
    }
}
