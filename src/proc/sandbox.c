/*
 * The executor that runs commands in another container of the task: the runner's end. Whatever is over there may have
 * been taken over by the build, so nothing that it says is believed but what its own commands did: their output, how they
 * ended and what they used. Who lies about those fakes the success, or the failure, of a build of his own. That nothing
 * of it is left, others must say (sandbox_finish.c).
 */
#include "proc/sandbox.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "proc/sandbox_server.h"

#define DEFAULT_GRACE_MS 10000
/* What its clearing up may take after the end of a command. */
#define CLEAR_MS 15000
/* The sandbox is told to be a little earlier than it must be. */
#define EARLY_MS 500
#define LATE_MS 250

static const struct view nothing = {"", 0};

static int sandbox_open(struct executor *executor, struct error *err)
{
    const struct executor_options *options = &executor->options;

    if (!options->sandbox_socket || !sandbox_path_is_good(options->sandbox_socket)) {
        error_set(err, CLASS_USAGE, "bad-sandbox-socket",
                  "the sandbox's socket cannot be %s: an absolute path of at most 100 characters",
                  options->sandbox_socket ? options->sandbox_socket : "nowhere");
        return error_hint(err, "name it with --sandbox-socket");
    }
    if (!options->sandbox_stopped) {
        error_set(err, CLASS_USAGE, "sandbox-unobserved",
                  "the sandbox's end must be confirmed by the task's metadata, and there is none here");
        return error_hint(err, "run it in an ECS task, or use the local executor");
    }
    executor->sandbox = xcalloc(1, sizeof *executor->sandbox);
    executor->sandbox->executor = executor;
    sandbox_link_start(executor->sandbox);
    return 0;
}

static void sandbox_close(struct executor *executor)
{
    sandbox_link_drop(executor->sandbox);
    free(executor->sandbox);
}

/* ---- what it says about a command ---- */

/* What a command is ended for must be what the runner asked for. */
static bool is_wanted(const struct sandbox *sandbox, enum outcome_kind kind)
{
    const struct command *command = sandbox->command;

    switch (kind) {
    case OUTCOME_TIMED_OUT: return command->timeout_ms > 0;
    case OUTCOME_IDLE: return command->idle_ms > 0;
    case OUTCOME_STOPPED: return sandbox->asked_to_stop;
    case OUTCOME_MEMORY: return command->memory.bytes > 0 || command->memory.percent > 0;
    default: return true;
    }
}

static const char *on_exit_message(struct sandbox *sandbox, struct view payload)
{
    struct outcome outcome;
    const char *wrong = sandbox_exit_decode(payload, &outcome);

    if (wrong)
        return wrong;
    if (!is_wanted(sandbox, outcome.kind))
        return "an end of a command that nobody asked for";
    *sandbox->outcome = outcome;
    sandbox->answered = true;
    return NULL;
}

static const char *on_output(const struct sandbox *sandbox, const struct sandbox_message *message)
{
    const struct command *command = sandbox->command;

    if (command->on_output)
        command->on_output(command->context, message->flags & SANDBOX_STDERR, message->payload.data,
                           message->payload.len);
    return NULL;
}

static const char *on_reaped(struct sandbox *sandbox)
{
    if (!sandbox->finishing)
        return "an end that nobody asked for";
    sandbox->reaped = true;
    return NULL;
}

const char *sandbox_on_message(struct sandbox *sandbox, const struct sandbox_message *message)
{
    const char *wrong;

    if (message->type == SANDBOX_REAPED)
        return on_reaped(sandbox);
    if (!sandbox->command || sandbox->answered || message->number != sandbox->number)
        return "a message about a command that does not run";
    switch (message->type) {
    case SANDBOX_OUTPUT: return on_output(sandbox, message);
    case SANDBOX_EXIT: return on_exit_message(sandbox, message->payload);
    case SANDBOX_FAILED:
        wrong = sandbox_failed_decode(message->payload, &sandbox->failure);
        sandbox->answered = sandbox->failed = !wrong;
        return wrong;
    default: return "a message out of turn";
    }
}

/* ---- running one ---- */

static void on_overdue(void *context)
{
    struct sandbox *sandbox = context;

    sandbox->overdue = NULL;
    sandbox_lose(sandbox, "sandbox-overdue", NULL, "it did not end %s in time", sandbox->command->name);
}

static void expect_end(struct sandbox *sandbox, int64_t within_ms)
{
    loop_timer_stop(sandbox->overdue);
    sandbox->overdue = loop_timer_start(sandbox->executor->options.loop, within_ms, on_overdue, sandbox);
}

static void cancel(struct sandbox *sandbox, int64_t deadline_ms)
{
    int64_t left_ms = deadline_ms - clock_monotonic_ms();
    int64_t told_ms = left_ms > EARLY_MS ? left_ms - EARLY_MS : 0;
    struct buf payload;

    buf_init(&payload, 16);
    sandbox_number_encode(told_ms < UINT32_MAX ? (uint32_t)told_ms : UINT32_MAX, &payload);
    sandbox_channel_send(sandbox->channel, SANDBOX_CANCEL, 0, sandbox->number,
                         (struct view){payload.data, payload.len});
    buf_dispose(&payload);
    sandbox->asked_to_stop = true;
    expect_end(sandbox, (left_ms > 0 ? left_ms : 0) + LATE_MS);
}

static void sandbox_stop(struct executor *executor, int64_t deadline_ms)
{
    struct sandbox *sandbox = executor->sandbox;

    if (sandbox->state == SANDBOX_READY && sandbox->command && !sandbox->answered)
        cancel(sandbox, deadline_ms);
}

static void sandbox_kill(struct executor *executor)
{
    struct sandbox *sandbox = executor->sandbox;

    if (sandbox->state != SANDBOX_READY || !sandbox->command || sandbox->answered)
        return;
    sandbox_channel_send(sandbox->channel, SANDBOX_KILL, 0, sandbox->number, nothing);
    expect_end(sandbox, CLEAR_MS);
}

static int send_command(struct sandbox *sandbox, const struct command *command, struct error *err)
{
    unsigned last = SANDBOX_LAST | (command->one_stream ? SANDBOX_ONE_STREAM : 0);
    struct buf whole;
    size_t at;

    buf_init(&whole, SANDBOX_COMMAND_MAX);
    if (sandbox_command_encode(command, &whole)) {
        buf_wipe(&whole);
        error_set(err, CLASS_INTERNAL, "command-too-large", "%s: the command and its environment exceed %d MiB",
                  command->name, SANDBOX_COMMAND_MAX >> 20);
        return error_hint(err, "put large values into files");
    }
    sandbox->number++;
    for (at = 0; at < whole.len; at += SANDBOX_PAYLOAD_MAX) {
        size_t left = whole.len - at, len = left < SANDBOX_PAYLOAD_MAX ? left : SANDBOX_PAYLOAD_MAX;

        sandbox_channel_send(sandbox->channel, SANDBOX_COMMAND, len == left ? last : 0, sandbox->number,
                             (struct view){whole.data + at, len});
    }
    buf_wipe(&whole);
    return 0;
}

static int await_ready(struct sandbox *sandbox, const char *name, struct error *err)
{
    const struct executor *executor = sandbox->executor;

    while (sandbox->state < SANDBOX_READY && !executor->stopping)
        loop_run_once(executor->options.loop, -1);
    if (executor->stopping)
        return error_set(err, CLASS_INTERRUPTED, "stopping", "%s: not started, because the job is being stopped", name);
    if (sandbox->state == SANDBOX_FINISHED)
        return error_set(err, CLASS_INTERNAL, "sandbox-finished", "%s: not started, because the sandbox has ended",
                         name);
    return sandbox->state == SANDBOX_LOST ? sandbox_lost(sandbox, err) : 0;
}

static int sandbox_run(struct executor *executor, const struct command *command, struct outcome *outcome,
                       struct error *err)
{
    struct sandbox *sandbox = executor->sandbox;
    int64_t started_ms = clock_monotonic_ms();
    int64_t grace_ms = command->grace_ms > 0 ? command->grace_ms : DEFAULT_GRACE_MS;

    if (command->self || command->user != COMMAND_AS_BUILD)
        return error_set(err, CLASS_INTERNAL, "not-for-sandbox", "%s: not a command of the build", command->name);
    if (command->contains_itself) {
        error_set(err, CLASS_USAGE, "cannot-contain-itself",
                  "%s makes containers of its own, and the sandbox lets no command do that", command->name);
        return error_hint(err, "use the engine kaniko in the sandbox");
    }
    if (sandbox->command)
        return error_set(err, CLASS_INTERNAL, "executor-busy", "%s: not started, because another command still runs",
                         command->name);
    if (await_ready(sandbox, command->name, err) || send_command(sandbox, command, err))
        return -1;
    sandbox->command = command;
    sandbox->outcome = outcome;
    sandbox->answered = sandbox->failed = sandbox->asked_to_stop = false;
    if (command->timeout_ms > 0)
        expect_end(sandbox, command->timeout_ms + grace_ms + CLEAR_MS + executor->options.sandbox_timeout_ms);
    while (!sandbox->answered && sandbox->state == SANDBOX_READY)
        loop_run_once(executor->options.loop, -1);
    loop_timer_stop(sandbox->overdue);
    sandbox->overdue = NULL;
    sandbox->command = NULL;
    outcome->duration_ms = clock_monotonic_ms() - started_ms;
    if (!sandbox->answered)
        return sandbox_lost(sandbox, err);
    if (sandbox->failed && err)
        *err = sandbox->failure;
    return sandbox->failed ? -1 : 0;
}

static void sandbox_describe(const struct executor *executor, struct buf *out)
{
    buf_addf(out,
             "sandbox executor: commands run in another container of the task, over %s, which must have stopped before "
             "anything is published and whose own log lists what protects there",
             executor->options.sandbox_socket);
}

const struct executor_kind executor_sandbox = {
    .name = "sandbox",
    .open = sandbox_open,
    .close = sandbox_close,
    .run = sandbox_run,
    .stop = sandbox_stop,
    .kill = sandbox_kill,
    .finish = sandbox_finish,
    .describe = sandbox_describe,
};
