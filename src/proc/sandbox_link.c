/* The runner's connection to the sandbox: there in time, alive, and what its loss means. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/mem.h"
#include "proc/sandbox.h"

#define CONNECT_EVERY_MS 50
#define PING_MOST_MS 10000
/* For the answer that waits behind our own work, should we have been busy ourselves. */
#define REMINDER_MS 200
/* How long a loss may wait for its cause: the container's end is reported by others, a little later. */
#define CAUSE_MS 10000

#define HINT_LOG "the log of the sandbox's container may say more; the job can be run again"

void sandbox_lose(struct sandbox *sandbox, const char *reason, const char *hint, const char *format, ...)
{
    char words[1024];
    va_list args;

    if (sandbox->state == SANDBOX_LOST || sandbox->state == SANDBOX_FINISHED)
        return;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    sandbox->state = SANDBOX_LOST;
    error_set(&sandbox->error, CLASS_SANDBOX_LOST, reason, "the sandbox is lost: %s", words);
    error_hint(&sandbox->error, "%s", hint ? hint : HINT_LOG);
    error_retryable(&sandbox->error, 0);
}

static void stop_timer(struct loop_timer **timer)
{
    loop_timer_stop(*timer);
    *timer = NULL;
}

void sandbox_link_drop(struct sandbox *sandbox)
{
    stop_timer(&sandbox->connect);
    stop_timer(&sandbox->give_up);
    stop_timer(&sandbox->ping);
    stop_timer(&sandbox->overdue);
    sandbox_channel_free(sandbox->channel);
    sandbox->channel = NULL;
}

/* ---- why it went away ---- */

static void blame_memory(struct error *error, const struct container_end *end)
{
    if (end->out_of_memory) {
        error_set(error, CLASS_OUT_OF_MEMORY, "out-of-memory",
                  "memory ran out in the sandbox and its container was killed%s",
                  end->exit_code == 137 ? " (exit code 137)" : "");
        error_hint(error, "give the sandbox's container more memory, or the build less to do at once");
        return;
    }
    error_set(error, CLASS_OUT_OF_MEMORY, "out-of-memory",
              "the sandbox's container was killed (exit code 137), most likely because memory ran out");
    error_hint(error, "give the sandbox's container more memory, or the build less to do at once; if somebody killed "
                      "the container, run the job again");
}

static void ask_for_cause(struct sandbox *sandbox)
{
    const struct executor_options *options = &sandbox->executor->options;
    int64_t patience_ms = options->sandbox_timeout_ms < CAUSE_MS ? options->sandbox_timeout_ms : CAUSE_MS;
    struct container_end end = {.exit_code = -1};
    struct error ignored;
    size_t len;

    sandbox->asked = true;
    if (options->sandbox_stopped(options->sandbox_context, clock_monotonic_ms() + patience_ms,
                                 &sandbox->executor->stopping, &end, &ignored))
        return;
    /* Nothing in a container can kill its PID 1 by SIGKILL: that is the kernel's doing, or somebody's from outside. */
    if (end.out_of_memory || end.exit_code == 137) {
        blame_memory(&sandbox->error, &end);
        return;
    }
    len = strlen(sandbox->error.message);
    if (end.exit_code >= 0)
        snprintf(sandbox->error.message + len, sizeof sandbox->error.message - len,
                 "; its container ended with exit code %d", end.exit_code);
}

int sandbox_lost(struct sandbox *sandbox, struct error *err)
{
    sandbox_link_drop(sandbox);
    if (sandbox->by_peer && !sandbox->asked && !sandbox->executor->stopping)
        ask_for_cause(sandbox);
    if (err)
        *err = sandbox->error;
    return -1;
}

/* ---- alive ---- */

static int64_t ping_every_ms(const struct sandbox *sandbox)
{
    int64_t quarter_ms = sandbox->executor->options.sandbox_timeout_ms / 4;

    return quarter_ms < PING_MOST_MS ? quarter_ms : PING_MOST_MS;
}

static void on_ping(void *context)
{
    struct sandbox *sandbox = context;
    int64_t now_ms = clock_monotonic_ms(), next_ms = ping_every_ms(sandbox);
    char time[CLOCK_TEXT_SIZE];

    sandbox->ping = NULL;
    if (sandbox->state != SANDBOX_READY || sandbox->finishing)
        return;
    if (!sandbox->pinged_ms) {
        sandbox->pinged_ms = now_ms;
        sandbox->reminded = false;
        sandbox_channel_send(sandbox->channel, SANDBOX_PING, 0, 0, (struct view){"", 0});
    } else if (now_ms - sandbox->pinged_ms >= sandbox->executor->options.sandbox_timeout_ms) {
        if (sandbox->reminded) {
            duration_format(now_ms - sandbox->pinged_ms, time);
            sandbox_lose(sandbox, "sandbox-silent", NULL, "it has not answered for %s", time);
            return;
        }
        sandbox->reminded = true;
        next_ms = REMINDER_MS;
    }
    sandbox->ping = loop_timer_start(sandbox->executor->options.loop, next_ms, on_ping, sandbox);
}

static void on_give_up(void *context)
{
    struct sandbox *sandbox = context;
    const struct executor_options *options = &sandbox->executor->options;
    char time[CLOCK_TEXT_SIZE];

    sandbox->give_up = NULL;
    duration_format(options->sandbox_timeout_ms, time);
    if (sandbox->state == SANDBOX_GREETING)
        sandbox_lose(sandbox, "sandbox-silent", NULL, "it did not greet us within %s", time);
    else
        sandbox_lose(
            sandbox, "sandbox-absent",
            "a second container of the task must run `caisson sandbox` on the same volume; its log says why it "
            "does not",
            "it was not there within %s: %s", time, sandbox->error.message);
}

/* ---- what comes ---- */

static const char *on_hello(struct sandbox *sandbox, struct view payload)
{
    const struct executor_options *options = &sandbox->executor->options;
    struct sandbox_hello hello;
    const char *wrong = sandbox_hello_decode(payload, &hello);

    if (wrong || sandbox->state != SANDBOX_GREETING)
        return wrong ? wrong : "a second greeting";
    if (hello.version != SANDBOX_VERSION) {
        sandbox_lose(sandbox, "sandbox-version", "use the same release of caisson in both images",
                     "it speaks version %u of the protocol, and we speak version %u", (unsigned)hello.version,
                     SANDBOX_VERSION);
        sandbox->error.retryable = false;
        return NULL;
    }
    /* We publish only what belongs to the build's user, and it is over there that files get their owner. */
    if (geteuid() == 0 && hello.build_uid != options->build_uid) {
        sandbox_lose(sandbox, "sandbox-build-uid", "give both the same --build-uid",
                     "it builds as user %u, and we publish the files of user %u", (unsigned)hello.build_uid,
                     (unsigned)options->build_uid);
        sandbox->error.retryable = false;
        return NULL;
    }
    sandbox->state = SANDBOX_READY;
    stop_timer(&sandbox->give_up);
    sandbox->ping = loop_timer_start(options->loop, ping_every_ms(sandbox), on_ping, sandbox);
    return NULL;
}

static void on_message(void *context, const struct sandbox_message *message)
{
    struct sandbox *sandbox = context;
    const char *wrong = NULL;

    if (sandbox->state == SANDBOX_LOST)
        return;
    if (message->type == SANDBOX_HELLO)
        wrong = on_hello(sandbox, message->payload);
    else if (sandbox->state != SANDBOX_READY || sandbox->reaped)
        wrong = "a message out of turn";
    else if (message->type == SANDBOX_PONG && !sandbox->pinged_ms)
        wrong = "an answer that nobody asked for";
    else if (message->type == SANDBOX_PONG)
        sandbox->pinged_ms = 0;
    else
        wrong = sandbox_on_message(sandbox, message);
    if (wrong)
        sandbox_channel_refuse(sandbox->channel, wrong);
}

static void on_ended(void *context, enum sandbox_end end, const char *why)
{
    struct sandbox *sandbox = context;

    if (end == SANDBOX_CLOSED && sandbox->reaped) {
        sandbox->closed = true;
        return;
    }
    sandbox->by_peer = end == SANDBOX_CLOSED;
    if (end == SANDBOX_NONSENSE)
        sandbox_lose(sandbox, "sandbox-nonsense", NULL, "it does not keep to the protocol (%s)", why);
    else
        sandbox_lose(sandbox, "sandbox-gone", NULL, "%s", why);
}

/* ---- the beginning ---- */

static void greet(struct sandbox *sandbox, int fd)
{
    const struct sandbox_calls calls = {.message = on_message, .ended = on_ended, .context = sandbox};
    const struct sandbox_hello hello = {SANDBOX_VERSION, (uint32_t)sandbox->executor->options.build_uid};
    struct buf payload;

    sandbox->state = SANDBOX_GREETING;
    sandbox->channel = sandbox_channel_new(sandbox->executor->options.loop, fd, SANDBOX_RUNNER, &calls);
    buf_init(&payload, 64);
    sandbox_hello_encode(&hello, &payload);
    sandbox_channel_send(sandbox->channel, SANDBOX_HELLO, 0, 0, (struct view){payload.data, payload.len});
    buf_dispose(&payload);
}

static void on_connect(void *context)
{
    struct sandbox *sandbox = context;
    const struct executor_options *options = &sandbox->executor->options;
    int fd;

    sandbox->connect = NULL;
    if (sandbox->state != SANDBOX_CONNECTING)
        return;
    fd = sandbox_connect(options->sandbox_socket, &sandbox->error);
    if (fd >= 0)
        greet(sandbox, fd);
    else if (sandbox->error.retryable)
        sandbox->connect = loop_timer_start(options->loop, CONNECT_EVERY_MS, on_connect, sandbox);
    else
        sandbox->state = SANDBOX_LOST;
}

void sandbox_link_start(struct sandbox *sandbox)
{
    const struct executor_options *options = &sandbox->executor->options;

    sandbox->give_up = loop_timer_start(options->loop, options->sandbox_timeout_ms, on_give_up, sandbox);
    sandbox->connect = loop_timer_start(options->loop, 0, on_connect, sandbox);
}
