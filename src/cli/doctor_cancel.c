/* Where the job would listen for a request to cancel: subscribed to as the job does it, and nothing is published. */
#include <stdlib.h>
#include <string.h>

#include "bus/redis.h"
#include "cli/doctor.h"
#include "core/mem.h"

struct listening {
    bool begun, ended;
    struct error error;
};

static void on_begun(void *context)
{
    ((struct listening *)context)->begun = true;
}

static void on_message(void *context, struct view payload)
{
    (void)context;
    (void)payload;
}

static void on_ended(void *context, const struct error *error)
{
    struct listening *listening = context;

    listening->ended = true;
    listening->error = *error;
}

static int try_to_listen(struct doctor *doctor, const struct url *url, const char *username, const char *password,
                         struct error *err)
{
    const struct spec *spec = &doctor->spec;
    struct redis_options options = {.host = url->host,
                                    .port = url->port ? (int)strtol(url->port, NULL, 10) : 0,
                                    .username = username,
                                    .password = password,
                                    .tls = strcmp(url->scheme, "rediss") == 0,
                                    .ca_bundle = spec->cancel.ca_bundle ? spec->cancel.ca_bundle
                                                                        : http_client_ca_bundle(doctor->setup.client),
                                    .refuse_own = !spec->cancel.plain};
    struct listening listening = {0};
    const struct redis_subscription subscription = {
        .begun = on_begun, .message = on_message, .ended = on_ended, .context = &listening};
    struct redis *redis = redis_new(doctor->setup.loop, &options);

    redis_subscribe(redis, spec->cancel.channel, &subscription);
    while (!listening.begun && !listening.ended && !doctor->stop)
        loop_run_once(doctor->setup.loop, -1);
    redis_free(redis);
    if (listening.begun)
        return 0;
    if (!listening.ended)
        return error_set(err, CLASS_INTERRUPTED, "interrupted", "stopped before it was listened to");
    *err = listening.error;
    return -1;
}

void doctor_check_cancel(struct doctor *doctor)
{
    const struct spec *spec = &doctor->spec;
    const struct value_source *user = &spec->cancel.username, *pass = &spec->cancel.password;
    CLEANUP_FREE char *subject = NULL;
    char *username = NULL, *password = NULL;
    struct error err;
    struct url url;

    if (!doctor->has_spec || !spec->cancel.redis) {
        doctor_skip(doctor, "cancel", doctor->has_spec ? "the spec names no channel" : "no spec names a channel");
        return;
    }
    subject = xasprintf("%s of %s", spec->cancel.channel, spec->cancel.redis);
    doctor_fetch_values(doctor);
    if (((username = doctor_value(doctor, user, &err)) || user->kind == VALUE_NONE) &&
        ((password = doctor_value(doctor, pass, &err)) || pass->kind == VALUE_NONE) &&
        url_parse(spec->cancel.redis, &url, &err) == 0) {
        if (try_to_listen(doctor, &url, username, password, &err) == 0)
            doctor_ok(doctor, subject, "can be listened to");
        else
            doctor_warn(doctor, subject, &err); /* the job would run without it */
        url_dispose(&url);
    } else {
        doctor_fail(doctor, subject, &err);
    }
    wipe_free(username);
    wipe_free(password);
}
