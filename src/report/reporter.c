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
    struct strings plain; /* names of servers without TLS that have been warned of */
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
    strings_dispose(&reporter->plain);
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

/* Of what the operator has allowed, each server once: whom the build, which shares our network, may listen to or stand
 * in for. */
static void warn_of_plain(struct reporter *reporter, const struct sink_settings *settings, const char *name)
{
    static const char *const schemes[] = {"redis://", "amqp://", "kafka://", "http://"};
    size_t i;

    for (i = 0; i < ARRAY_LEN(schemes); i++)
        if (strncasecmp(settings->target, schemes[i], strlen(schemes[i])) == 0 &&
            !strings_has(&reporter->plain, name)) {
            log_warning(reporter->options.log,
                        "%s is spoken to without TLS: who is in this network, the build too, can "
                        "read and forge what it is told",
                        name);
            strings_add(&reporter->plain, name);
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

/* How long somebody waits at the end. Half of the time is for what waits, the rest for the end alone. */
struct patience {
    int64_t began_ms, half_ms, limit_ms;
};

static struct patience patience_until(int64_t deadline_ms, int64_t extra_ms)
{
    int64_t now_ms = clock_monotonic_ms();

    return (struct patience){now_ms, (deadline_ms - now_ms) / 2, deadline_ms + extra_ms};
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Until when something is to be done about the queue; 0: it is over. */
static int64_t attend(struct queue *queue, const struct patience *patience)
{
    int64_t now_ms = clock_monotonic_ms(), heard_ms = queue_heard_ms(queue);
    int64_t since_ms = heard_ms > patience->began_ms ? heard_ms : patience->began_ms;
    int64_t skip_ms = least(since_ms + patience->half_ms, patience->limit_ms - patience->half_ms);
    int64_t end_ms = least(since_ms + 2 * patience->half_ms, patience->limit_ms);

    if (now_ms >= skip_ms)
        queue_skip(queue);
    if (queue_done(queue) || now_ms >= end_ms)
        return 0;
    return now_ms < skip_ms ? skip_ms : end_ms;
}

/* The same for all; 0: all are over. */
static int64_t attend_all(struct reporter *reporter, const struct patience *patience)
{
    int64_t next_ms = 0, at_ms;
    size_t i;

    for (i = 0; i < reporter->len; i++)
        if ((at_ms = attend(reporter->queues[i], patience)) && (!next_ms || at_ms < next_ms))
            next_ms = at_ms;
    return next_ms;
}

void reporter_finish(struct reporter *reporter, const json_t *result, const int64_t *deadline_ms, int64_t extra_ms,
                     struct strings *undelivered)
{
    int64_t known_ms = *deadline_ms, next_ms;
    struct patience patience = patience_until(known_ms, extra_ms);
    size_t i;

    for (i = 0; i < reporter->len; i++)
        queue_finish(reporter->queues[i], result);
    while ((next_ms = attend_all(reporter, &patience))) {
        int64_t left_ms = next_ms - clock_monotonic_ms();

        loop_run_once(reporter->options.context.loop, left_ms > 0 ? left_ms : 0);
        if (*deadline_ms == known_ms)
            continue;
        known_ms = *deadline_ms;
        patience = patience_until(known_ms, 0);
    }
    list_undelivered(reporter, undelivered);
}
