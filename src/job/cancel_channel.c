#include "job/cancel_channel.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bus/redis.h"
#include "core/mem.h"
#include "job/control.h"

#define PAUSE_MS 1000
#define PAUSE_MAX_MS (30 * 1000)
#define TOLERATED 3 /* failures in a row that pass by themselves, before anybody is told */

struct cancel_channel {
    struct job *job;
    struct redis *redis;
    char *shown; /* the server and the channel */
    struct loop_timer *timer;
    int failures;                /* in a row */
    bool begun, warned, misread; /* begun: at any time */
};

static void listen_in(struct cancel_channel *channel, int64_t delay_ms);

static void on_begun(void *context)
{
    struct cancel_channel *channel = context;

    if (channel->warned)
        log_info(channel->job->options->log, "cancel: %s is listened to now", channel->shown);
    channel->begun = true;
    channel->failures = 0;
}

static void on_message(void *context, struct view text)
{
    struct cancel_channel *channel = context;
    struct job *job = channel->job;
    CLEANUP_FREE char *by = NULL;
    CLEANUP_FREE char *reason = NULL;
    CLEANUP_FREE char *sender = xasprintf("Redis %s", job->spec.cancel.channel);
    struct error err;
    bool ours;

    if (control_read_message(text, job->spec.cancel.member, job->spec.id, &ours, &by, &reason, &err) == 0) {
        if (ours)
            job_cancel(job, by ? by : sender, reason);
        return;
    }
    if (!channel->misread)
        log_warning(job->options->log, "cancel: a message of %s is no request that is known: %s; %s", channel->shown,
                    err.message, err.hint);
    channel->misread = true;
}

static int64_t pause_ms(int failures)
{
    int64_t pause = PAUSE_MS;

    while (--failures > 0 && pause < PAUSE_MAX_MS)
        pause *= 2;
    return pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS;
}

/* Whom nobody lets in at first has a wrong password; who was let in once may be in a moment. */
static void on_ended(void *context, const struct error *error)
{
    struct cancel_channel *channel = context;

    channel->failures++;
    if (!channel->warned && (channel->failures >= TOLERATED || (!error->retryable && !channel->begun))) {
        log_warning(channel->job->options->log,
                    "cancel: %s cannot be listened to, so nobody can cancel the job by it: %s%s%s", channel->shown,
                    error->message, *error->hint ? "; " : "", error->hint);
        channel->warned = true;
    }
    listen_in(channel, pause_ms(channel->failures));
}

static void on_time(void *context)
{
    struct cancel_channel *channel = context;
    const struct redis_subscription subscription = {
        .begun = on_begun, .message = on_message, .ended = on_ended, .context = channel};

    channel->timer = NULL;
    if (!channel->job->stopping)
        redis_subscribe(channel->redis, channel->job->spec.cancel.channel, &subscription);
}

static void listen_in(struct cancel_channel *channel, int64_t delay_ms)
{
    channel->timer = loop_timer_start(channel->job->options->loop, delay_ms, on_time, channel);
}

static void open_redis(struct cancel_channel *channel, const struct url *url)
{
    const struct job *job = channel->job;
    const char *ca_bundle = job->spec.cancel.ca_bundle;
    struct redis_options options = {.host = url->host,
                                    .port = url->port ? (int)strtol(url->port, NULL, 10) : 0,
                                    .username = job->cancel_username,
                                    .password = job->cancel_password,
                                    .refuse_own = !job->spec.cancel.plain,
                                    .tls = strcmp(url->scheme, "rediss") == 0,
                                    .ca_bundle = ca_bundle ? ca_bundle : http_client_ca_bundle(job->options->client)};

    channel->redis = redis_new(job->options->loop, &options);
    channel->shown = xasprintf("%s of %s://%s%s%s", job->spec.cancel.channel, url->scheme, url->host,
                               url->port ? ":" : "", url->port ? url->port : "");
    if (!options.tls)
        log_warning(job->options->log,
                    "cancel: %s is spoken to without TLS: who is in this network, the build too, can cancel the job",
                    channel->shown);
}

struct cancel_channel *cancel_channel_start(struct job *job)
{
    struct cancel_channel *channel;
    struct error err;
    struct url url;

    if (!job->spec.cancel.redis)
        return NULL;
    if (url_parse(job->spec.cancel.redis, &url, &err)) {
        log_warning(job->options->log, "cancel: %s", err.message);
        return NULL;
    }
    channel = xcalloc(1, sizeof *channel);
    channel->job = job;
    open_redis(channel, &url);
    url_dispose(&url);
    listen_in(channel, 0);
    return channel;
}

void cancel_channel_stop(struct cancel_channel *channel)
{
    if (!channel)
        return;
    loop_timer_stop(channel->timer);
    redis_free(channel->redis);
    free(channel->shown);
    free(channel);
}
