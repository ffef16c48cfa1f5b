/*
 * Before anything of the build's is published it must be over, and the build may not be the one to say so. In this
 * order, all within one time: the sandbox has killed and reaped everything (its word); its end of the connection is
 * closed (the kernel's word: nobody over there holds it); its container has stopped (the word of those who run it).
 */
#include <string.h>

#include "core/clock.h"
#include "core/protection.h"
#include "proc/sandbox.h"

static void on_limit(void *context)
{
    *(bool *)context = true;
}

/* The sandbox's own words and its end of the connection. */
static int await_end(struct sandbox *sandbox, struct error *err)
{
    const struct executor_options *options = &sandbox->executor->options;
    bool late = false;
    struct loop_timer *limit = loop_timer_start(options->loop, options->sandbox_timeout_ms, on_limit, &late);
    char time[CLOCK_TEXT_SIZE];

    sandbox->finishing = true;
    sandbox_channel_send(sandbox->channel, SANDBOX_FINISH, 0, 0, (struct view){"", 0});
    while (!sandbox->closed && !late && sandbox->state == SANDBOX_READY && !sandbox->executor->stopping)
        loop_run_once(options->loop, -1);
    if (!late)
        loop_timer_stop(limit);
    if (sandbox->closed)
        return 0;
    if (sandbox->state == SANDBOX_LOST)
        return sandbox_lost(sandbox, err);
    if (!late)
        return error_set(err, CLASS_INTERRUPTED, "stopping", "the job is being stopped while the sandbox ends");
    duration_format(options->sandbox_timeout_ms, time);
    if (sandbox->reaped)
        sandbox_lose(sandbox, "sandbox-held-open", NULL, "%s after its last word its connection is still open", time);
    else
        sandbox_lose(sandbox, "sandbox-overdue", NULL, "it did not end everything within %s", time);
    return sandbox_lost(sandbox, err);
}

static int await_stopped(struct sandbox *sandbox, int64_t deadline_ms, struct error *err)
{
    const struct executor_options *options = &sandbox->executor->options;
    struct container_end end = {.exit_code = -1};
    struct error why;

    if (!PROTECTED(SANDBOX_STOPPED))
        return 0;
    if (options->sandbox_stopped(options->sandbox_context, deadline_ms, &sandbox->executor->stopping, &end, &why) == 0)
        return 0;
    if (sandbox->executor->stopping)
        return error_set(err, CLASS_INTERRUPTED, "stopping", "the job is being stopped while the sandbox ends");
    sandbox_lose(sandbox, "sandbox-not-stopped",
                 "nothing was published, because the build might still be running; the job can be run again",
                 "nobody confirms that its container has stopped: %s", why.message);
    return sandbox_lost(sandbox, err);
}

static int prove(struct sandbox *sandbox, struct error *err)
{
    int64_t deadline_ms = clock_monotonic_ms() + sandbox->executor->options.sandbox_timeout_ms;

    /* Only what we send is run there. */
    if (sandbox->number == 0)
        return 0;
    if (sandbox->state != SANDBOX_READY)
        return sandbox_lost(sandbox, err);
    return await_end(sandbox, err) || await_stopped(sandbox, deadline_ms, err) ? -1 : 0;
}

int sandbox_finish(struct executor *executor, struct error *err)
{
    struct sandbox *sandbox = executor->sandbox;
    struct error *kept = &sandbox->finish_error;

    if (!sandbox->finish_done) {
        memset(kept, 0, sizeof *kept);
        prove(sandbox, kept);
        sandbox->finish_done = true;
        sandbox_link_drop(sandbox);
        sandbox->state = SANDBOX_FINISHED;
    }
    if (kept->class == CLASS_SUCCEEDED)
        return 0;
    if (err)
        *err = *kept;
    return -1;
}
