#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "cli/build_user.h"
#include "cli/commands.h"
#include "cli/executors.h"
#include "cli/hidden_folders.h"
#include "core/clock.h"
#include "proc/sandbox_server.h"

#define DEFAULT_WAIT_MS (5 * 60 * 1000)
#define DEFAULT_STOP_BUDGET_MS (25 * 1000)

/* All that lives as long as the sandbox. */
struct sandbox_command {
    struct sandbox_server server;
    struct executor_options options;
    struct strings hidden; /* from commands, where the kernel can */
};

static int parse_time(const struct cli_call *call, const char *option, int64_t missing_ms, int64_t *ms,
                      struct error *err)
{
    const char *text = cli_value(call, option);

    *ms = missing_ms;
    if (!text || duration_parse(text, ms) == 0)
        return 0;
    error_set(err, CLASS_USAGE, "bad-duration", "--%s cannot be %s: a duration such as 25s or 5m", option, text);
    return error_hint(err, "caisson help sandbox");
}

/* The log of this container is its own; the job's has the output of the commands. */
static void say(void *context, const char *line)
{
    (void)context;
    printf("caisson sandbox: %s\n", line);
    fflush(stdout);
}

static int prepare(struct sandbox_command *sandbox, const struct cli_call *call, struct error *err)
{
    struct sandbox_server *server = &sandbox->server;
    struct executor_options *options = &sandbox->options;
    /* Kaniko makes the files of any user, and runs nothing but Dockerfiles. */
    const char *missing = build_user_image_is_kaniko() ? "0" : NULL;
    const char *build_uid = cli_value(call, "build-uid") ? cli_value(call, "build-uid") : missing;

    options->self_fd = -1;
    if (parse_time(call, "wait", DEFAULT_WAIT_MS, &server->wait_ms, err) ||
        parse_time(call, "stop-budget", DEFAULT_STOP_BUDGET_MS, &server->stop_budget_ms, err) ||
        build_user_choose(build_uid, &options->build_uid, &options->build_gid, err))
        return -1;
    server->socket = cli_value(call, "socket") ? cli_value(call, "socket") : SANDBOX_SOCKET;
    if (!sandbox_path_is_good(server->socket)) {
        error_set(err, CLASS_USAGE, "bad-sandbox-socket",
                  "--socket cannot be %s: an absolute path of at most 100 characters", server->socket);
        return error_hint(err, "caisson help sandbox");
    }
    options->loop = server->loop = loop_new();
    if (reaper_new(&server->reaper, server->loop, err))
        return -1;
    options->reaper = server->reaper;
    options->pid1 = server->pid1 = getpid() == 1;
    server->build_uid = options->build_uid;
    server->say = say;
    hidden_folders_of_container(&sandbox->hidden);
    options->hidden = &sandbox->hidden;
    options->self_fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
    if (options->self_fd < 0)
        return error_set_errno(err, CLASS_INTERNAL, "no-proc", errno, "opening our own binary in /proc/self/exe");
    return executor_new(&server->executor, "local", options, err);
}

static void dispose(struct sandbox_command *sandbox)
{
    if (sandbox->server.executor)
        executor_free(sandbox->server.executor);
    /* What comes now must not change the exit code that was decided on. */
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    reaper_free(sandbox->server.reaper);
    loop_free(sandbox->server.loop);
    if (sandbox->options.self_fd >= 0)
        close(sandbox->options.self_fd);
    strings_dispose(&sandbox->hidden);
}

static int run(const struct cli_call *call)
{
    struct sandbox_command sandbox = {0};
    struct error err;
    struct buf line;
    int status = prepare(&sandbox, call, &err);

    if (status == 0) {
        buf_init(&line, 4096);
        executor_describe(sandbox.server.executor, &line);
        say(NULL, buf_text(&line));
        buf_dispose(&line);
        status = sandbox_serve(&sandbox.server, &err);
    }
    if (status)
        status = cli_fail(&err, false);
    dispose(&sandbox);
    return status;
}

static const struct cli_option options[] = {
    {"socket", "PATH", "Where the runner finds us, on the volume that both share (default " SANDBOX_SOCKET ").", NULL},
    {"wait", "TIME", "How long to wait for the runner (default 5m).", NULL},
    {"build-uid", "UID",
     "The user who builds, when we are root (default: the user node, else 1000, and root in the kaniko image; 0: "
     "root).",
     NULL},
    {"stop-budget", "TIME", "How long the runner has after a stop signal until we end by ourselves (default 25s).",
     NULL},
    {0},
};

static const char *const examples[] = {
    "caisson sandbox",
    "as PID 1 of the task's second container; the first is caisson run --executor sandbox",
    NULL,
};

const struct cli_command cmd_sandbox = {
    .name = "sandbox",
    .summary = "run a job's commands in a container of their own",
    .description =
        "The other half of `caisson run --executor sandbox`: PID 1 of a second container of the task, which holds no\n"
        "credential. It takes one connection on a volume that both containers have at the same path, runs the "
        "commands\n"
        "that come by it as the build's user, and ends when the runner says so or is gone. It obeys its command line\n"
        "only: its environment is wiped, and commands bring their own. Exit codes: 0 when the runner let it go, 52 "
        "when\n"
        "the runner did not come or was lost, 143 after a stop signal.",
    .examples = examples,
    .options = options,
    .without_environment = true,
    .run = run,
};
