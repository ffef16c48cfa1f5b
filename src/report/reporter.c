#include "report/reporter.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/clock.h"
#include "core/mem.h"

struct reporter {
    struct reporter_options options;
    struct queue **queues;
    size_t len;
    bool warned; /* of what the operator has allowed */
};

static void on_append(void *context)
{
    struct reporter *reporter = context;
    size_t i;

    for (i = 0; i < reporter->len; i++)
        queue_wake(reporter->queues[i]);
}

struct reporter *reporter_new(const struct reporter_options *options)
{
    struct reporter *reporter = xcalloc(1, sizeof *reporter);

    reporter->options = *options;
    spool_on_append(options->spool, on_append, reporter);
    return reporter;
}

void reporter_free(struct reporter *reporter)
{
    size_t i;

    if (!reporter)
        return;
    spool_forget(reporter->options.spool, on_append, reporter);
    for (i = 0; i < reporter->len; i++)
        queue_free(reporter->queues[i]);
    free(reporter->queues);
    free(reporter);
}

/* For messages. What stands behind the host of a URL may be a secret, as with some chat services. */
static char *name_of(const struct sink_settings *settings)
{
    CLEANUP_FREE char *target = url_without_userinfo(settings->target);
    const char *authority = strstr(target, "://");

    if (authority)
        target[strcspn(authority + 3, "/?#") + (size_t)(authority + 3 - target)] = '\0';
    return xasprintf("%s %s", settings->type, target);
}

/* Of what the operator has allowed, once: whom the build, which shares our network, may listen to or stand in for. */
static void warn_of_plain(struct reporter *reporter, const struct sink_settings *settings, const char *name)
{
    static const char *const schemes[] = {"redis://", "amqp://", "kafka://", "http://"};
    size_t i;

    for (i = 0; i < ARRAY_LEN(schemes) && !reporter->warned; i++)
        if (strncasecmp(settings->target, schemes[i], strlen(schemes[i])) == 0) {
            log_warning(reporter->options.log,
                        "%s is spoken to without TLS: who is in this network, the build too, can "
                        "read and forge what it is told",
                        name);
            reporter->warned = true;
        }
}

int reporter_add(struct reporter *reporter, const struct sink_settings *settings, const struct event_format *format,
                 bool binary, unsigned kinds, struct error *err)
{
    const struct reporter_options *options = &reporter->options;
    CLEANUP_FREE char *name = name_of(settings);
    struct queue_options queue = {.loop = options->context.loop,
                                  .spool = options->spool,
                                  .log = options->log,
                                  .job = &options->job,
                                  .type = sink_type_find(settings->type),
                                  .format = format,
                                  .binary = binary,
                                  .kinds = kinds,
                                  .name = name};

    if (!queue.type)
        return error_set(err, CLASS_SPEC_INVALID, "sink-unknown", "this program knows no sink %s", settings->type);
    if (queue.type->open(&queue.sink, &options->context, settings, err))
        return error_context(err, "%s", name);
    reporter->queues = xrealloc(reporter->queues, reporter->len + 1, sizeof *reporter->queues);
    reporter->queues[reporter->len++] = queue_new(&queue);
    warn_of_plain(reporter, settings, name);
    return 0;
}

static bool all_done(const struct reporter *reporter)
{
    size_t i;

    for (i = 0; i < reporter->len; i++)
        if (!queue_done(reporter->queues[i]))
            return false;
    return true;
}

static void list_undelivered(const struct reporter *reporter, struct strings *undelivered)
{
    struct error error = {0};
    size_t i;

    for (i = 0; i < reporter->len; i++) {
        const struct queue *queue = reporter->queues[i];

        if (!queue_told(queue, &error))
            strings_addf(undelivered, "%s: the end was not told: %s", queue_name(queue),
                         *error.message ? error.message : "there was no time left");
        else if (queue_lost(queue))
            strings_addf(undelivered, "%s: %llu lines or events were left out", queue_name(queue),
                         (unsigned long long)queue_lost(queue));
    }
}

void reporter_finish(struct reporter *reporter, const json_t *result, const int64_t *deadline_ms,
                     struct strings *undelivered)
{
    int64_t now_ms = clock_monotonic_ms();
    size_t i;

    /* Half of the time is for what waits, the rest for the end alone. */
    for (i = 0; i < reporter->len; i++)
        queue_finish(reporter->queues[i], result, now_ms + (*deadline_ms - now_ms) / 2);
    while (!all_done(reporter)) {
        int64_t left = *deadline_ms - clock_monotonic_ms();

        if (left <= 0)
            break;
        loop_run_once(reporter->options.context.loop, left);
    }
    list_undelivered(reporter, undelivered);
}
