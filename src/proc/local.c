#include "proc/local.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/mem.h"
#include "proc/confinement.h"
#include "proc/memory_watch.h"

#define READ_SIZE 65536
#define DEFAULT_GRACE_MS 10000
/* What may still stand in the pipes when the main process ends (a child can enlarge a pipe to 1 MiB); what its own
 * children go on writing does not count. */
#define DRAIN_MAX (1024 * 1024)

struct local_run {
    struct executor *executor;     /* borrowed */
    const struct command *command; /* borrowed */
    struct outcome *outcome;       /* borrowed */
    struct spawned spawned;        /* pid 0 once it was reaped: the number may be another's now */
    size_t input_sent;
    struct loop_watch *input, *output, *error;
    struct loop_timer *time_limit, *idle, *kill;
    struct memory_watch *memory;
    int64_t kill_at_ms; /* 0: not asked to end */
    int64_t last_output_ms;
    int status;
    bool ended, held;
    char *buffer;
};

/* ---- ending it ---- */

/* The group, for a shell and what it waits for; SIGCONT, for what was stopped. Only before the main process is reaped:
 * until then nobody else can have its number. */
static void signal_run(const struct local_run *run, int number)
{
    if (run->spawned.pid <= 0)
        return;
    kill(-run->spawned.pid, number);
    kill(run->spawned.pid, number);
    kill(-run->spawned.pid, SIGCONT);
}

static void on_kill_time(void *context)
{
    struct local_run *run = context;

    run->kill = NULL;
    signal_run(run, SIGKILL);
}

/* Asks it to end, by `deadline_ms` (monotonic) at the latest. The first reason stays; an earlier deadline counts. */
static void ask_to_end(struct local_run *run, enum outcome_kind kind, int64_t deadline_ms)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t grace_ms = run->command->grace_ms > 0 ? run->command->grace_ms : DEFAULT_GRACE_MS;
    int64_t kill_at_ms = now_ms + grace_ms < deadline_ms ? now_ms + grace_ms : deadline_ms;

    if (run->ended)
        return;
    if (!run->kill_at_ms)
        run->outcome->kind = kind;
    else if (kill_at_ms >= run->kill_at_ms)
        return;
    loop_timer_stop(run->kill);
    run->kill = loop_timer_start(run->executor->options.loop, kill_at_ms - now_ms, on_kill_time, run);
    if (!run->kill_at_ms)
        signal_run(run, SIGTERM);
    run->kill_at_ms = kill_at_ms;
}

static void on_time_limit(void *context)
{
    struct local_run *run = context;

    run->time_limit = NULL;
    ask_to_end(run, OUTCOME_TIMED_OUT, INT64_MAX);
}

static void on_idle(void *context)
{
    struct local_run *run = context;
    int64_t quiet_ms = run->held ? 0 : clock_monotonic_ms() - run->last_output_ms;

    run->idle = NULL;
    if (quiet_ms >= run->command->idle_ms)
        ask_to_end(run, OUTCOME_IDLE, INT64_MAX);
    else
        run->idle = loop_timer_start(run->executor->options.loop, run->command->idle_ms - quiet_ms, on_idle, run);
}

static void local_stop(struct executor *executor, int64_t deadline_ms)
{
    ask_to_end(executor->run, OUTCOME_STOPPED, deadline_ms);
}

static void local_kill(struct executor *executor)
{
    signal_run(executor->run, SIGKILL);
}

/* Before the kernel has to: it would take whom it likes. */
static void on_memory_over(void *context, const struct processes *processes)
{
    struct local_run *run = context;
    size_t i;

    if (run->ended)
        return;
    if (!run->kill_at_ms) {
        run->outcome->kind = OUTCOME_MEMORY;
        run->kill_at_ms = clock_monotonic_ms();
    }
    for (i = 0; i < processes->len; i++)
        kill(processes->items[i].pid, SIGKILL);
    signal_run(run, SIGKILL);
}

static void on_exit_of_main(void *context, int status, const struct rusage *usage)
{
    struct local_run *run = context;

    run->spawned.pid = 0;
    run->status = status;
    run->outcome->peak_rss_bytes = (int64_t)usage->ru_maxrss * 1024;
    run->ended = true;
}

/* ---- its streams ---- */

static void close_stream(struct loop_watch **watch, int *fd)
{
    loop_unwatch(*watch);
    *watch = NULL;
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* One read; how many bytes came, 0 when there is nothing now. Closes the stream at its end. */
static size_t read_stream(struct local_run *run, bool is_stderr)
{
    struct loop_watch **watch = is_stderr ? &run->error : &run->output;
    int *fd = is_stderr ? &run->spawned.error : &run->spawned.output;
    ssize_t got;

    if (*fd < 0)
        return 0;
    got = read(*fd, run->buffer, READ_SIZE);
    if (got > 0) {
        run->last_output_ms = clock_monotonic_ms();
        run->command->on_output(run->command->context, is_stderr, run->buffer, (size_t)got);
        return (size_t)got;
    }
    if (got == 0 || (errno != EAGAIN && errno != EINTR))
        close_stream(watch, fd);
    return 0;
}

static void on_output(void *context, int events)
{
    (void)events;
    read_stream(context, false);
}

static void on_error_output(void *context, int events)
{
    (void)events;
    read_stream(context, true);
}

/* What is held waits in the pipes, and the command with it: a pause that we make is no silence of its own. */
static void local_hold(struct executor *executor, bool hold)
{
    struct local_run *run = executor->run;

    run->held = hold;
    if (run->output)
        loop_watch_events(run->output, hold ? 0 : LOOP_READ);
    if (run->error)
        loop_watch_events(run->error, hold ? 0 : LOOP_READ);
    if (!hold)
        run->last_output_ms = clock_monotonic_ms();
}

static void drain(struct local_run *run, bool is_stderr)
{
    size_t total = 0, got;

    while (total < DRAIN_MAX && (got = read_stream(run, is_stderr)) > 0)
        total += got;
}

static void on_input(void *context, int events)
{
    struct local_run *run = context;
    struct view input = run->command->input;
    ssize_t sent = write(run->spawned.input, input.data + run->input_sent, input.len - run->input_sent);

    (void)events;
    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (sent > 0)
        run->input_sent += (size_t)sent;
    /* A child that does not read on (EPIPE) has its reasons: its end tells. */
    if (sent < 0 || run->input_sent == input.len)
        close_stream(&run->input, &run->spawned.input);
}

/* ---- a run ---- */

static void watch_all(struct local_run *run)
{
    struct loop *loop = run->executor->options.loop;
    const struct command *command = run->command;

    reaper_watch(run->executor->options.reaper, run->spawned.pid, on_exit_of_main, run);
    if (run->spawned.input >= 0)
        run->input = loop_watch(loop, run->spawned.input, LOOP_WRITE, on_input, run);
    if (run->spawned.output >= 0)
        run->output = loop_watch(loop, run->spawned.output, LOOP_READ, on_output, run);
    if (run->spawned.error >= 0)
        run->error = loop_watch(loop, run->spawned.error, LOOP_READ, on_error_output, run);
    if (command->timeout_ms > 0)
        run->time_limit = loop_timer_start(loop, command->timeout_ms, on_time_limit, run);
    if (command->idle_ms > 0)
        run->idle = loop_timer_start(loop, command->idle_ms, on_idle, run);
}

static void unwatch_all(struct local_run *run)
{
    close_stream(&run->input, &run->spawned.input);
    close_stream(&run->output, &run->spawned.output);
    close_stream(&run->error, &run->spawned.error);
    loop_timer_stop(run->time_limit);
    loop_timer_stop(run->idle);
    loop_timer_stop(run->kill);
}

static void fill_outcome(const struct local_run *run)
{
    struct outcome *outcome = run->outcome;

    if (WIFEXITED(run->status)) {
        outcome->exit_code = WEXITSTATUS(run->status);
        return;
    }
    outcome->signal = WTERMSIG(run->status);
    outcome->core_dumped = WCOREDUMP(run->status);
    if (!run->kill_at_ms)
        outcome->kind = OUTCOME_SIGNALED;
}

/* The children that we have already are none of the command's. */
static void list_children(struct processes *children)
{
    struct processes all;

    processes_read(&all);
    processes_children(&all, getpid(), children);
    processes_dispose(&all);
}

/* A build that is root can make the kernel prefer others to us. What it may take back is taken back. */
static void keep_standing(struct executor *executor)
{
    if (!executor->standing.known)
        standing_read(&executor->standing);
    else if (PROTECTED(OOM_SCORE))
        standing_restore(&executor->standing);
}

static struct memory_watch *start_memory_watch(struct local_run *run, const struct processes *before)
{
    struct memory_watch_options options = {.loop = run->executor->options.loop,
                                           .before = before,
                                           .memory = run->command->memory,
                                           .alone = run->executor->options.pid1,
                                           .over = on_memory_over,
                                           .context = run};

    return memory_watch_start(&options);
}

static int local_run(struct executor *executor, const struct command *command, struct outcome *outcome,
                     struct error *err)
{
    struct local_run run = {.executor = executor, .command = command, .outcome = outcome};
    int64_t started_ms = clock_monotonic_ms();
    struct processes before;
    int result;

    outcome->kind = OUTCOME_EXITED;
    run.last_output_ms = started_ms;
    keep_standing(executor);
    list_children(&before);
    if (local_spawn(&executor->options, command, &run.spawned, err)) {
        processes_dispose(&before);
        return -1;
    }
    run.buffer = xmalloc(READ_SIZE);
    executor->run = &run;
    run.memory = start_memory_watch(&run, &before);
    watch_all(&run);
    loop_run_until(executor->options.loop, &run.ended);
    drain(&run, false);
    drain(&run, true);
    unwatch_all(&run);
    fill_outcome(&run);
    outcome->duration_ms = clock_monotonic_ms() - started_ms;
    result = local_sweep(&executor->options, command, &before, &outcome->left_over, err);
    keep_standing(executor);
    memory_watch_stop(run.memory, outcome);
    executor->run = NULL;
    processes_dispose(&before);
    free(run.buffer);
    return result;
}

static void local_describe(const struct executor *executor, struct buf *out)
{
    const struct executor_options *options = &executor->options;

    buf_adds(out, "local executor: ");
    confinement_describe(options, out);
    if (options->pid1)
        buf_adds(out, options->build_uid != 0 && geteuid() == 0 ? "; as PID 1 everything of that uid ends with its step"
                                                                : "; as PID 1 everything ends with its step");
    else
        buf_adds(out, "; not PID 1: only descendants are ended");
}

const struct executor_kind executor_local = {
    .name = "local",
    .run = local_run,
    .stop = local_stop,
    .kill = local_kill,
    .hold = local_hold,
    .describe = local_describe,
};
