#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/build_user.h"
#include "cli/commands.h"
#include "cli/executors.h"
#include "cli/hidden_folders.h"
#include "cli/setup.h"
#include "core/clock.h"
#include "core/mem.h"
#include "job/job.h"
#include "report/console.h"
#include "report/links.h"
#include "report/metrics.h"

#define DEFAULT_STOP_BUDGET_MS (25 * 1000)
#define DEFAULT_LOG_BYTES (64 * 1024 * 1024)
#define DRAIN_MS (5 * 1000)
#define WARNINGS_MAX 50 /* in the result; the log has them all */

/* Everything that lives as long as the run. */
struct run {
    struct setup setup;
    struct reaper *reaper;
    struct executors executors;
    struct redactor *redactor;
    struct spool *spool;
    struct log *log;
    struct console *console;
    struct spec told; /* of a spec with mistakes: what of it is known all the same */
    struct result result;
    int64_t stop_budget_ms;
    int64_t end_by_ms; /* of a job that was stopped: the end of its budget; 0: not stopped */
    uid_t build_uid;
    gid_t build_gid;
    uid_t worker_uid; /* of our children that read what is hostile: the same, unless that is root */
    gid_t worker_gid;
    struct strings hidden; /* from commands, where the kernel can */
    int self_fd;
    bool stopped;   /* before the job began */
    int stopped_by; /* by this signal */
};

/* A root build is the operator's wish; that hostile repositories are read as root is nobody's. */
static int choose_users(struct run *run, const char *wanted, struct error *err)
{
    if (build_user_choose(wanted, &run->build_uid, &run->build_gid, err))
        return -1;
    run->worker_uid = run->build_uid;
    run->worker_gid = run->build_gid;
    return run->build_uid == 0 ? build_user_choose(NULL, &run->worker_uid, &run->worker_gid, err) : 0;
}

static int parse_budget(struct run *run, const struct cli_call *call, struct error *err)
{
    const char *text = cli_value(call, "stop-budget");

    run->stop_budget_ms = DEFAULT_STOP_BUDGET_MS;
    if (!text || duration_parse(text, &run->stop_budget_ms) == 0)
        return 0;
    error_set(err, CLASS_USAGE, "bad-stop-budget", "--stop-budget cannot be %s: a duration such as 25s or 110s", text);
    return error_hint(err, "keep it below the task definition's stopTimeout");
}

static int check_metrics(const char *name_space, struct error *err)
{
    if (!name_space || metrics_namespace_valid(name_space))
        return 0;
    error_set(err, CLASS_USAGE, "bad-metrics", "--metrics cannot be %.300s: a namespace of CloudWatch", name_space);
    return error_hint(err, "use letters, digits and . - _ / # :, up to 255, and not AWS/ at the beginning");
}

static void on_early_stop(void *context, int signal_number, bool genuine, pid_t sender)
{
    struct run *run = context;

    (void)sender;
    if (!genuine || run->stopped)
        return;
    run->stopped = true;
    run->stopped_by = signal_number;
}

static void on_warning(void *context, const char *text)
{
    struct run *run = context;

    if (run->result.warnings.len < WARNINGS_MAX)
        strings_add(&run->result.warnings, text);
}

static bool is_set(const struct setup *setup, const char *name, const char *value)
{
    const char *found = env_get(&setup->env, name);

    return found && (value ? strcmp(found, value) == 0 : *found != '\0');
}

/* What GitHub Actions folds and marks, where they run us by hand; in a task, and beneath a profile, the variable is the
 * job's and says nothing. A terminal that obeys nothing, or shall have no colours (https://no-color.org), is none. */
static enum log_format choose_format(const struct setup *setup, const char *name)
{
    enum log_format format = LOG_AUTO;

    if (name)
        log_format_parse(name, &format);
    if (format != LOG_AUTO)
        return format;
    if (!setup->pid1 && !setup->profile && !setup->platform.task_metadata && is_set(setup, "GITHUB_ACTIONS", "true"))
        return LOG_GITHUB;
    return is_set(setup, "TERM", "dumb") || is_set(setup, "NO_COLOR", NULL) ? LOG_PLAIN : LOG_AUTO;
}

static int start(struct run *run, const struct cli_call *call, struct error *err)
{
    const char *level = cli_value(call, "log-level");
    struct render render = {.format = choose_format(&run->setup, cli_value(call, "log")),
                            .debug = level && strcmp(level, "debug") == 0,
                            .links = links_shown(&run->setup.env, STDOUT_FILENO)};

    run->redactor = redactor_new();
    /* Where it cannot be made the job says so; until then the log is kept in memory. */
    (void)workspace_parent_make(executors_workspace(&run->setup));
    run->spool = spool_new(executors_workspace(&run->setup), DEFAULT_LOG_BYTES);
    run->log = log_new(run->spool, run->redactor);
    log_on_warning(run->log, on_warning, run);
    if (reaper_new(&run->reaper, run->setup.loop, err))
        return -1;
    reaper_on_stop(run->reaper, on_early_stop, run);
    run->console = console_new(run->setup.loop, run->spool, STDOUT_FILENO, &render);
    run->self_fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
    if (run->self_fd < 0)
        return error_set_errno(err, CLASS_INTERNAL, "no-proc", errno, "opening our own binary in /proc/self/exe");
    return 0;
}

/* What runs a Dockerfile is root wherever we are: it makes the files of any user. And a container in which nobody has
 * said that the build may have it is not given to one. */
static int prepare_image_build(struct run *run, const struct cli_call *call, struct error *err)
{
    if (run->setup.pid1 && !cli_value(call, "executor") && !executors_want_sandbox(&run->setup)) {
        error_set(
            err, CLASS_USAGE, "executor-unnamed",
            "a Dockerfile's build is root, and nothing says where it may run: in this container, or in a sandbox");
        return error_hint(err,
                          "use the task definition taskdefs/kaniko.json (two containers), or name --executor local "
                          "as taskdefs/kaniko-single.json does");
    }
    return cli_value(call, "build-uid") ? 0 : choose_users(run, "0", err);
}

/* The bundle of CAs is one file from now on, whatever a root build puts in the other usual places. */
static void hold_ca_bundle(const struct run *run, struct platform *platform)
{
    if (run->setup.pid1 && run->build_uid == 0 && !executors_want_sandbox(&run->setup) && !platform->ca_bundle)
        platform->ca_bundle = xstrdup(http_client_ca_bundle(run->setup.client));
}

static int make_executors(struct run *run, const struct cli_call *call, const struct spec *spec, struct error *err)
{
    struct executor_options options;

    if (spec->build.builder == BUILDER_DOCKERFILE && prepare_image_build(run, call, err))
        return -1;
    hold_ca_bundle(run, &run->setup.platform);
    hidden_folders(&run->setup, &run->hidden);
    options = (struct executor_options){.loop = run->setup.loop,
                                        .reaper = run->reaper,
                                        .build_uid = run->build_uid,
                                        .build_gid = run->build_gid,
                                        .self_fd = run->self_fd,
                                        .pid1 = run->setup.pid1,
                                        .hidden = &run->hidden};
    return executors_make(&run->executors, &run->setup, &options, run->worker_uid, run->worker_gid, err);
}

/* Secrets of ours that must not be seen, whatever prints them. */
static void on_secret(void *context, const char *value)
{
    redactor_add_named(context, "AWS credentials", value, strlen(value));
}

/* Each line an error of its own; takes the text apart. */
static void log_lines(const struct run *run, char *text)
{
    char *line, *rest;

    for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        log_error(run->log, "%s", line);
}

static void log_warnings(const struct run *run, const struct strings *warnings)
{
    size_t i;

    for (i = 0; i < warnings->len; i++)
        log_warning(run->log, "%s", warnings->items[i]);
}

static int load(struct run *run, struct spec *spec, bool *listed, struct error *err)
{
    struct problems problems = {0};
    struct strings warnings = {0};
    char *name = NULL;
    struct buf text;
    int status = setup_spec(&run->setup, spec, &problems, &name, &warnings, err);

    log_warnings(run, &warnings);
    *listed = problems.len > 0;
    if (problems.len) {
        buf_init(&text, 256 * 1024);
        problems_print(&problems, name, &text);
        log_lines(run, text.data);
        buf_dispose(&text);
    }
    if (status && run->stopped_by == SIGINT && err->class == CLASS_INTERRUPTED)
        error_set(err, CLASS_CANCELLED, "cancelled", "cancelled by SIGINT before the job began");
    problems_dispose(&problems);
    strings_dispose(&warnings);
    free(name);
    return status;
}

/* A result's message is one line. */
static void join_lines(char *text, size_t size)
{
    CLEANUP_FREE char *lines = xstrdup(text);
    char *line, *rest;
    struct buf joined;

    buf_init(&joined, size - 1);
    for (line = strtok_r(lines, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        buf_addf(&joined, "%s%s", !joined.len ? "" : joined.data[joined.len - 1] == ':' ? " " : "; ", line);
    snprintf(text, size, "%s", buf_text(&joined));
    buf_dispose(&joined);
}

/* Ends a job that never began: whoever can be told is. `listed`: the mistakes that the message lists have been logged one
 * by one. */
static void refuse(struct run *run, const struct job_options *options, struct spec *spec, const struct error *err,
                   bool listed)
{
    CLEANUP_FREE char *message = xstrdup(err->message);
    struct error joined = *err;

    join_lines(joined.message, sizeof joined.message);
    if (!spec->id)
        spec->id = xstrdup(run->setup.default_id);
    if (!listed)
        log_lines(run, message);
    if (*err->hint)
        log_error(run->log, "try: %s", err->hint);
    run->end_by_ms = job_refuse(options, spec, &joined, &run->result);
}

/* What surrounds the job is wrong: that has a result too. */
static void refuse_unfit(struct run *run, const struct job_options *options, const struct error *err)
{
    struct strings warnings = {0};

    setup_told(&run->setup, &warnings);
    log_warnings(run, &warnings);
    strings_dispose(&warnings);
    refuse(run, options, &run->told, err, false);
}

/* unfit: why it cannot begin; NULL: nothing is known to be wrong yet. */
static void run_job(struct run *run, const struct cli_call *call, const struct error *unfit)
{
    struct spec spec = {0};
    struct error err;
    bool listed;
    struct job_options options = {
        .loop = run->setup.loop,
        .reaper = run->reaper,
        .spool = run->spool,
        .log = run->log,
        .redactor = run->redactor,
        .client = run->setup.client,
        .credentials = run->setup.credentials,
        .platform = &run->setup.platform,
        .env = &run->setup.env,
        .workspace_parent = executors_workspace(&run->setup),
        .pid1 = run->setup.pid1,
        .run_id = run->setup.run_id,
        .engine = cli_value(call, "engine"),
        .profile = run->setup.profile != NULL,
        .stop_budget_ms = run->stop_budget_ms,
        .build_container = executors_build_container(&run->setup),
    };

    if (run->setup.credentials)
        credentials_on_secret(run->setup.credentials, on_secret, run->redactor);
    run->setup.told = &run->told;
    if (unfit) {
        refuse_unfit(run, &options, unfit);
        return;
    }
    if (load(run, &spec, &listed, &err)) {
        options.stop_signal = run->stopped_by;
        refuse(run, &options, &run->told, &err, listed);
        return;
    }
    if (make_executors(run, call, &spec, &err)) {
        options.stop_signal = run->stopped_by;
        refuse(run, &options, &spec, &err, listed);
        return;
    }
    options.executor = run->executors.commands;
    options.workers = run->executors.workers;
    options.build_uid = run->build_uid;
    options.build_gid = run->build_gid;
    options.worker_uid = run->worker_uid;
    options.worker_gid = run->worker_gid;
    options.stop_signal = run->stopped_by;
    run->end_by_ms = job_run(&options, &spec, &run->result);
}

/* A reader who does not read gets some time, but not more than the stop budget leaves. */
static int64_t drain_limit(const struct run *run)
{
    int64_t left = run->end_by_ms ? run->end_by_ms - clock_monotonic_ms() : DRAIN_MS;

    return left < 0 ? 0 : left < DRAIN_MS ? left : DRAIN_MS;
}

/* The log, and behind it the line of metrics, which is none of its records. */
static void drain(const struct run *run, const char *metrics)
{
    struct buf line;

    if (!console_drain(run->console, drain_limit(run)) || !metrics)
        return;
    buf_init(&line, METRICS_LINE_MAX);
    metrics_line(&run->result, metrics, &line);
    console_line(run->console, view_of(buf_text(&line)), drain_limit(run));
    buf_dispose(&line);
}

static void dispose(struct run *run)
{
    console_free(run->console);
    executors_dispose(&run->executors);
    /* The result is out: a signal that comes now, or waits since, must not give another exit code than it says. */
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    if (run->reaper)
        reaper_free(run->reaper);
    if (run->log)
        log_free(run->log);
    if (run->spool)
        spool_free(run->spool);
    if (run->redactor)
        redactor_free(run->redactor);
    if (run->self_fd >= 0)
        close(run->self_fd);
    spec_dispose(&run->told);
    result_dispose(&run->result);
    strings_dispose(&run->hidden);
    setup_dispose(&run->setup);
}

static int run_command(const struct cli_call *call)
{
    struct run run = {.self_fd = -1};
    struct error err, setup_err;
    bool unfit;
    int status;

    result_init(&run.result);
    unfit = setup_init(&run.setup, call, NULL, &setup_err) != 0;
    run.setup.stop = &run.stopped;
    if (choose_users(&run, cli_value(call, "build-uid"), &err) || parse_budget(&run, call, &err) ||
        check_metrics(cli_value(call, "metrics"), &err) || start(&run, call, &err)) {
        status = cli_fail(&err, false);
    } else {
        run_job(&run, call, unfit ? &setup_err : NULL);
        drain(&run, cli_value(call, "metrics"));
        status = result_exit_code(&run.result);
    }
    dispose(&run);
    return status;
}

static const struct cli_option options[] = {
    SETUP_OPTIONS,
    {"executor", "NAME", "Where commands run (default sandbox where its socket is named, else local).",
     "local sandbox"},
    EXECUTORS_OPTIONS,
    {"engine", "NAME", "What runs a Dockerfile (default auto: the first that can run here).", "auto kaniko buildah"},
    {"log", "FORMAT",
     "How standard output looks (default auto: live and with links on a terminal, folded in GitHub Actions, else "
     "plain).",
     "auto plain emoji json github"},
    {"log-level", "LEVEL", "What standard output shows (default info).", "info debug"},
    {"metrics", "NAMESPACE",
     "Ends standard output with a line of metrics (CloudWatch embedded metric format) in this namespace.", NULL},
    {"workspace", "DIR",
     "Where the workspace is made (default $TMPDIR or /tmp; with the sandbox " SANDBOX_VOLUME
     "; in the kaniko image " KANIKO_FOLDER "/work).",
     NULL},
    {"build-uid", "UID",
     "The user who builds, when we are root (default: the user node, else 1000, and root for a Dockerfile; 0: root).",
     NULL},
    {"stop-budget", "TIME", "How long everything after a stop signal may take (default 25s).", NULL},
    {0},
};

static const char *const examples[] = {
    "caisson run job.yaml",
    "run the job that the file describes",
    "caisson run --log json - < job.yaml",
    "read the spec from standard input, write one JSON object a line",
    "CAISSON_JOB=s3://bucket/jobs/abc.yaml caisson run",
    "as PID 1 of a task: the spec comes from S3",
    "caisson run --profile veren-frontend",
    "take the job from the variables that an existing worker sends",
    "caisson run --profile deployra - < message.json",
    "take the job from a message of an existing system's queue",
    NULL,
};

const struct cli_command cmd_run = {
    .name = "run",
    .arguments = "[FILE|-]",
    .summary = "run a job: clone, build, publish, report",
    .description =
        "Runs one job from its spec to its result. Without FILE the spec comes from CAISSON_JOB: its text, or an\n"
        "s3:// or https:// address. With --profile FILE is a message of the system's queue. The exit code says how it\n"
        "ended (caisson help).",
    .examples = examples,
    .options = options,
    .max_operands = 1,
    .run = run_command,
};
