#include "proc/sandbox_server.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/mem.h"
#include "core/protection.h"
#include "proc/processes.h"
#include "proc/sandbox_channel.h"

/* How long what is killed may take to be gone. */
#define END_LIMIT_MS 10000
#define LOOK_MS 2
/* How long the runner may take to read our last word. */
#define LAST_WORD_MS 5000

struct session {
    const struct sandbox_server *server;
    struct sandbox_channel *channel;
    int listener;
    bool connected, greeted, running, cancelled, finish;
    bool over; /* nothing more is to be done: `error` says why, unless `finish` */
    struct error error;
    uint32_t number; /* of the command that is being sent, or runs */
    struct buf command;
    bool whole; /* it can be run */
    bool one_stream;
    bool stopped;
    struct loop_timer *patience, *absence;
};

static const struct view nothing = {"", 0};

static void say(const struct session *session, const char *line)
{
    session->server->say(session->server->context, line);
}

/* The first reason stays. What runs now is killed. */
static void finish_with(struct session *session, enum error_class class, const char *reason, const char *message)
{
    if (session->over)
        return;
    session->over = true;
    error_set(&session->error, class, reason, "%s", message);
    executor_stop(session->server->executor, clock_monotonic_ms());
    executor_kill(session->server->executor);
}

/* ---- what the runner says ---- */

static const char *on_hello(struct session *session, struct view payload)
{
    struct sandbox_hello hello, ours = {SANDBOX_VERSION, (uint32_t)session->server->build_uid};
    const char *wrong = sandbox_hello_decode(payload, &hello);
    struct buf out;

    if (wrong || session->greeted)
        return wrong ? wrong : "a second greeting";
    session->greeted = true;
    buf_init(&out, 64);
    sandbox_hello_encode(&ours, &out);
    sandbox_channel_send(session->channel, SANDBOX_HELLO, 0, 0, (struct view){out.data, out.len});
    buf_dispose(&out);
    if (hello.version != SANDBOX_VERSION)
        finish_with(
            session, CLASS_SANDBOX_LOST, "runner-version",
            "the runner speaks another version of the protocol: use the same release of caisson in both images");
    return NULL;
}

static const char *on_command(struct session *session, const struct sandbox_message *message)
{
    bool first = session->command.len == 0;

    if (session->running || session->whole ||
        (first ? message->number <= session->number : message->number != session->number))
        return "a command out of turn";
    session->number = message->number;
    if (buf_add(&session->command, message->payload.data, message->payload.len))
        return "a command that is too large";
    session->whole = message->flags & SANDBOX_LAST;
    session->one_stream = message->flags & SANDBOX_ONE_STREAM;
    return NULL;
}

/* Of a command that has just ended these may still come: our word and the runner's have crossed. */
static const char *on_cancel(struct session *session, const struct sandbox_message *message)
{
    uint32_t within_ms;
    const char *wrong = sandbox_number_decode(message->payload, &within_ms);

    if (wrong || message->number > session->number)
        return wrong ? wrong : "a word about a command that it has not sent";
    if (message->number == session->number && (session->running || session->whole)) {
        session->cancelled = true;
        executor_stop(session->server->executor, clock_monotonic_ms() + within_ms);
    }
    return NULL;
}

static const char *on_kill(struct session *session, const struct sandbox_message *message)
{
    if (message->number > session->number)
        return "a word about a command that it has not sent";
    if (message->number == session->number && session->running)
        executor_kill(session->server->executor);
    return NULL;
}

static const char *on_finish(struct session *session)
{
    if (session->running || session->whole)
        return "an end before the end of a command";
    session->finish = session->over = true;
    return NULL;
}

static const char *take(struct session *session, const struct sandbox_message *message)
{
    if (message->type == SANDBOX_HELLO)
        return on_hello(session, message->payload);
    if (!session->greeted)
        return "a message before the greeting";
    switch (message->type) {
    case SANDBOX_COMMAND: return on_command(session, message);
    case SANDBOX_CANCEL: return on_cancel(session, message);
    case SANDBOX_KILL: return on_kill(session, message);
    case SANDBOX_PING: sandbox_channel_send(session->channel, SANDBOX_PONG, 0, 0, nothing); return NULL;
    case SANDBOX_FINISH: return on_finish(session);
    default: return "a message out of turn";
    }
}

static void on_message(void *context, const struct sandbox_message *message)
{
    struct session *session = context;
    const char *wrong = session->over ? NULL : take(session, message);

    if (wrong)
        sandbox_channel_refuse(session->channel, wrong);
}

static void on_ended(void *context, enum sandbox_end end, const char *why)
{
    char message[256];

    snprintf(message, sizeof message, "the runner %s: %s",
             end == SANDBOX_NONSENSE ? "does not keep to the protocol" : "is gone", why);
    finish_with(context, CLASS_SANDBOX_LOST, end == SANDBOX_NONSENSE ? "runner-nonsense" : "runner-gone", message);
}

/* ---- running a command ---- */

static void on_output(void *context, bool is_stderr, const char *data, size_t len)
{
    struct session *session = context;
    size_t at, piece;

    for (at = 0; at < len; at += piece) {
        piece = len - at < SANDBOX_PAYLOAD_MAX ? len - at : SANDBOX_PAYLOAD_MAX;
        sandbox_channel_send(session->channel, SANDBOX_OUTPUT, is_stderr ? SANDBOX_STDERR : 0, session->number,
                             (struct view){data + at, piece});
    }
    /* A runner that is slower than the command makes the command wait. */
    if (sandbox_channel_is_full(session->channel))
        executor_hold(session->server->executor, true);
}

static void on_drained(void *context)
{
    executor_hold(((struct session *)context)->server->executor, false);
}

static void answer(struct session *session, const struct outcome *outcome, const struct error *failure)
{
    struct buf out;

    buf_init(&out, 8192);
    if (failure)
        sandbox_failed_encode(failure, &out);
    else
        sandbox_exit_encode(outcome, &out);
    sandbox_channel_send(session->channel, failure ? SANDBOX_FAILED : SANDBOX_EXIT, 0, session->number,
                         (struct view){out.data, out.len});
    buf_dispose(&out);
}

static void run_command(struct session *session)
{
    struct executor *executor = session->server->executor;
    struct sandbox_command sent;
    struct outcome outcome;
    struct error err;
    const char *wrong = sandbox_command_decode((struct view){session->command.data, session->command.len}, &sent);

    buf_wipe(&session->command);
    buf_init(&session->command, SANDBOX_COMMAND_MAX);
    session->whole = false;
    if (wrong) {
        sandbox_channel_refuse(session->channel, wrong);
        return;
    }
    sent.command.one_stream = session->one_stream;
    sent.command.on_output = on_output;
    sent.command.context = session;
    session->running = true;
    if (executor_run(executor, &sent.command, &outcome, &err) == 0) {
        if (!session->over) /* else it is our own doing: the end of the connection says so */
            answer(session, &outcome, NULL);
    } else if (err.class == CLASS_INTERRUPTED) {
        outcome = (struct outcome){.kind = OUTCOME_STOPPED};
        answer(session, &outcome, NULL);
    } else {
        answer(session, NULL, &err);
    }
    session->running = false;
    if (session->cancelled && !session->over)
        executor_resume(executor);
    session->cancelled = false;
    sandbox_command_dispose(&sent);
}

/* ---- beginning and end ---- */

/* The runner gets the same signal, and decides what becomes of what runs here; we wait for its word. */
static void on_patience_end(void *context)
{
    struct session *session = context;

    session->patience = NULL;
    finish_with(session, CLASS_INTERRUPTED, "interrupted", "stopped by a signal from outside");
}

static void on_stop(void *context, int signal_number, bool genuine, pid_t sender)
{
    struct session *session = context;
    char line[128];

    if (!genuine) {
        snprintf(line, sizeof line, "ignored signal %d sent by process %d of the build", signal_number, (int)sender);
        say(session, line);
        return;
    }
    if (session->stopped)
        return;
    session->stopped = true;
    say(session, session->connected ? "a stop signal: the runner has the word" : "a stop signal");
    session->patience = loop_timer_start(
        session->server->loop, session->connected ? session->server->stop_budget_ms : 0, on_patience_end, session);
}

static void on_no_runner(void *context)
{
    struct session *session = context;
    char time[CLOCK_TEXT_SIZE], message[128];

    session->absence = NULL;
    duration_format(session->server->wait_ms, time);
    snprintf(message, sizeof message, "no runner came within %s", time);
    finish_with(session, CLASS_SANDBOX_LOST, "runner-absent", message);
}

static void connected(struct session *session, int fd)
{
    const struct sandbox_calls calls = {
        .message = on_message, .ended = on_ended, .drained = on_drained, .context = session};

    session->connected = true;
    session->channel = sandbox_channel_new(session->server->loop, fd, SANDBOX_BUILD, &calls);
}

static void on_knock(void *context, int events)
{
    struct session *session = context;
    int fd = session->connected ? -1 : sandbox_accept(session->listener);

    (void)events;
    if (fd >= 0)
        connected(session, fd);
}

/* One connection, and the way to another gone before anything runs that could want one. */
static int await_runner(struct session *session)
{
    const struct sandbox_server *server = session->server;
    struct loop_watch *watch;

    session->listener = sandbox_listen(server->socket, &session->error);
    if (session->listener < 0) {
        session->over = true;
        return -1;
    }
    say(session, "waiting for the runner");
    session->absence = loop_timer_start(server->loop, server->wait_ms, on_no_runner, session);
    watch = loop_watch(server->loop, session->listener, LOOP_READ, on_knock, session);
    while (!session->connected && !session->over)
        loop_run_once(server->loop, -1);
    loop_timer_stop(session->absence);
    loop_unwatch(watch);
    if (!PROTECTED(SANDBOX_ONCE) && !session->over)
        return 0;
    close(session->listener);
    session->listener = -1;
    if (unlink(server->socket) && errno != ENOENT && !session->over) {
        session->over = true;
        return error_set_errno(&session->error, CLASS_INTERNAL, "no-socket", errno, "removing %s", server->socket);
    }
    return session->over ? -1 : 0;
}

/* How many live beside us; -1: cannot be known. */
static int count_others(const struct session *session)
{
    struct processes all, mine = {0}, none = {0};
    const struct processes *list = &all;
    int count = 0;
    size_t i;

    if (processes_read(&all))
        return -1;
    if (!session->server->pid1) {
        processes_descendants(&all, getpid(), &none, &mine);
        list = &mine;
    }
    for (i = 0; i < list->len; i++)
        count += !process_is_dead(&list->items[i]) && list->items[i].pid != getpid();
    processes_dispose(&mine);
    processes_dispose(&all);
    return count;
}

/* Everything but us, whatever its user: after each command the executor has cleared up already, so this finds what that
 * could not know of. 0: nothing is left. */
static int end_everything(struct session *session)
{
    int64_t limit_ms = clock_monotonic_ms() + END_LIMIT_MS;
    int left;

    if (!PROTECTED(SWEEP))
        return 0;
    do {
        if (session->server->pid1)
            kill(-1, SIGKILL);
        loop_run_once(session->server->loop, LOOK_MS);
        reaper_collect(session->server->reaper);
        left = count_others(session);
    } while (left != 0 && clock_monotonic_ms() < limit_ms);
    return left == 0 ? 0 : -1;
}

static void on_late(void *context)
{
    *(bool *)context = true;
}

static void last_word(struct session *session)
{
    bool late = false;
    struct loop_timer *limit = loop_timer_start(session->server->loop, LAST_WORD_MS, on_late, &late);
    struct buf out;

    buf_init(&out, 16);
    sandbox_number_encode(0, &out);
    sandbox_channel_send(session->channel, SANDBOX_REAPED, 0, 0, (struct view){out.data, out.len});
    buf_dispose(&out);
    while (sandbox_channel_is_full(session->channel) && !late)
        loop_run_once(session->server->loop, -1);
    if (!late)
        loop_timer_stop(limit);
}

static void serve(struct session *session)
{
    while (!session->over) {
        if (session->whole)
            run_command(session);
        else
            loop_run_once(session->server->loop, -1);
    }
}

int sandbox_serve(const struct sandbox_server *server, struct error *err)
{
    struct session session = {.server = server, .listener = -1};
    int cleared;

    buf_init(&session.command, SANDBOX_COMMAND_MAX);
    reaper_on_stop(server->reaper, on_stop, &session);
    if (!server->socket)
        connected(&session, server->connection_fd);
    if (!server->socket || await_runner(&session) == 0) {
        say(&session, "a runner is connected");
        serve(&session);
    }
    cleared = end_everything(&session);
    if (session.finish && cleared == 0) {
        last_word(&session);
        say(&session, "everything has ended");
    } else if (cleared) {
        session.finish = false;
        error_set(&session.error, CLASS_INTERNAL, "left-over-processes", "something of the build does not end");
    }
    sandbox_channel_free(session.channel);
    if (session.listener >= 0)
        close(session.listener);
    loop_timer_stop(session.patience);
    reaper_on_stop(server->reaper, NULL, NULL);
    buf_wipe(&session.command);
    if (session.finish)
        return 0;
    if (err)
        *err = session.error;
    return -1;
}
