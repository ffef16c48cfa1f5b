#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/doctor.h"
#include "cli/executors.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/mem.h"

#define OUTPUT_MAX ((size_t)1 << 20)

/* In the order in which they run and are told: what explains others comes first, the spec before
 * all. A new one is a line here, and a word in
 * CHECK_NAMES. */
static const struct check {
    const char *name;
    void (*run)(struct doctor *doctor);
    const char *hint; /* where an error brings none */
} checks[] = {
    {"spec", doctor_check_spec, "caisson validate checks a spec by itself"},
    {"task", doctor_check_task, "let nothing stand between the task and its agent at 169.254.170.2"},
    {"log", doctor_check_log, "compare the container's logConfiguration with that of taskdefs/"},
    {"exec", doctor_check_exec, "start tasks without enableExecuteCommand"},
    {"process", doctor_check_process, "compare the container's definition with that of taskdefs/"},
    {"kernel", doctor_check_kernel, "docs/security.md says what stands in the place of what is missing"},
    {"memory", doctor_check_memory, "give the task or the container a memory limit"},
    {"workspace", doctor_check_workspace, "mount a volume there, or name another folder by --workspace"},
    {"programs", doctor_check_programs, "use one of the builder images"},
    {"sandbox", doctor_check_sandbox, "compare the task definition with taskdefs/kaniko.json"},
    {"ca", doctor_check_ca, "install ca-certificates in the image"},
    {"region", doctor_check_region, "set AWS_REGION"},
    {"clock", doctor_check_clock, "let the task reach that server, by a VPC endpoint, a NAT or a proxy"},
    {"credentials", doctor_check_credentials, "give the task a role, and see that its trust policy names ecs-tasks"},
    {"endpoints", doctor_check_endpoints, "let the task reach it, by a VPC endpoint, a NAT or a proxy"},
    {"secrets", doctor_check_secrets, "check the name, and what the task's role may read"},
    {"source", doctor_check_source, "check source.repository and source.auth, and that the task can reach the server"},
    {"registry", doctor_check_registry,
     "check image.repository and its login, and that the task can reach the registry"},
    {"bucket", doctor_check_bucket, "check bucket, region and endpoint, and what the task's role may do there"},
    {"notify", doctor_check_notify, "check its name and login, and that the task can reach it and may send there"},
    {"cancel", doctor_check_cancel, "check its name, login and ACL, and that the task can reach it"},
};
#define CHECK_NAMES                                                                                                    \
    "spec task log exec process kernel memory workspace programs sandbox ca region clock credentials endpoints "       \
    "secrets source registry bucket notify cancel"

/* ---- the spec ---- */

/* One row for each mistake. */
static void tell_problems(struct doctor *doctor, const struct problems *problems)
{
    size_t i;

    for (i = 0; i < problems->len; i++) {
        const struct problem *problem = &problems->items[i];
        CLEANUP_FREE char *subject =
            problem->at.line ? xasprintf("%s:%d:%d", doctor->spec_name, problem->at.line, problem->at.column)
                             : xstrdup(doctor->spec_name);
        struct error err;

        error_set(&err, CLASS_SPEC_INVALID, "spec-invalid", "%s: %s", problem->path, problem->message);
        error_hint(&err, "%s", problem->hint ? problem->hint : "caisson validate checks a spec by itself");
        doctor_fail(doctor, subject, &err);
    }
}

/* Without one what any task needs is looked at. */
static bool is_given(const struct doctor *doctor)
{
    const char *job = env_get(&doctor->setup.env, "CAISSON_JOB");

    return doctor->setup.profile || doctor->setup.call->operands_len || (job && *job);
}

/* Whatever else is looked at, the spec says where. */
void doctor_check_spec(struct doctor *doctor)
{
    struct problems problems = {0};
    struct strings warnings = {0};
    struct error err;
    size_t i;

    if (!is_given(doctor)) {
        doctor_skip(doctor, "no job", "no file, CAISSON_JOB or --profile names one: what any job needs is looked at");
        return;
    }
    if (setup_spec(&doctor->setup, &doctor->spec, &problems, &doctor->spec_name, &warnings, &err) == 0) {
        doctor->has_spec = true;
        doctor_ok(doctor, doctor->spec_name, "%sproject %s, %s", doctor->spec.type == JOB_TEST ? "a test, " : "",
                  doctor->spec.project ? doctor->spec.project : "without a name",
                  builder_name(doctor->spec.build.builder));
    } else if (problems.len) {
        tell_problems(doctor, &problems);
    } else {
        doctor_fail(doctor, doctor->spec_name ? doctor->spec_name : "the job", &err);
    }
    for (i = 0; i < warnings.len; i++) {
        error_set(&err, CLASS_SPEC_INVALID, "spec-warning", "%s", warnings.items[i]);
        error_hint(&err, "caisson plan prints what becomes of each variable");
        doctor_warn(doctor, doctor->spec_name, &err);
    }
    problems_dispose(&problems);
    strings_dispose(&warnings);
}

/* ---- all of them ---- */

struct time_limit {
    struct doctor *doctor;
    struct loop_timer *timer;
};

static void on_time(void *context)
{
    struct time_limit *limit = context;

    limit->timer = NULL;
    limit->doctor->stop = true;
}

/* One after the other: few wait for the network, and those ask all that they ask at once. */
static void run_check(struct doctor *doctor, const struct check *check)
{
    int64_t left_ms = doctor->deadline_ms - clock_monotonic_ms();
    struct time_limit limit = {.doctor = doctor};

    doctor->check = check->name;
    doctor->hint = check->hint;
    if (doctor->stopped || left_ms <= 0) {
        doctor_skip(doctor, "not looked at",
                    doctor->stopped ? "a stop signal came" : "the time for all checks is over");
        return;
    }
    doctor->stop = false;
    limit.timer =
        loop_timer_start(doctor->setup.loop, left_ms < DOCTOR_CHECK_MS ? left_ms : DOCTOR_CHECK_MS, on_time, &limit);
    check->run(doctor);
    loop_timer_stop(limit.timer);
}

/* Another check alone needs the spec too, and says nothing of it but what is wrong. */
static void load_quietly(struct doctor *doctor)
{
    run_check(doctor, &checks[0]);
    if (doctor_verdict(doctor) == CLASS_SUCCEEDED)
        doctor_rows_dispose(doctor);
}

static void run_checks(struct doctor *doctor, const char *only)
{
    size_t i;

    if (only && strcmp(only, checks[0].name) != 0)
        load_quietly(doctor);
    for (i = 0; i < ARRAY_LEN(checks); i++)
        if (!only || strcmp(only, checks[i].name) == 0)
            run_check(doctor, &checks[i]);
}

/* ---- PID 1 is stopped by what it hears itself ---- */

struct ear {
    int fd;
    struct loop_watch *watch;
    struct doctor *doctor;
};

static void on_signal(void *context, int events)
{
    struct ear *ear = context;
    struct signalfd_siginfo info;

    (void)events;
    if (read(ear->fd, &info, sizeof info) == (ssize_t)sizeof info)
        ear->doctor->stopped = ear->doctor->stop = true;
}

static void listen_to_signals(struct ear *ear, struct doctor *doctor)
{
    sigset_t mask;

    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    *ear = (struct ear){.fd = -1, .doctor = doctor};
    if (!doctor->setup.pid1 || sigprocmask(SIG_BLOCK, &mask, NULL))
        return;
    ear->fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (ear->fd >= 0)
        ear->watch = loop_watch(doctor->setup.loop, ear->fd, LOOP_READ, on_signal, ear);
}

static void stop_listening(struct ear *ear)
{
    loop_unwatch(ear->watch);
    if (ear->fd >= 0)
        close(ear->fd);
}

/* ---- the command ---- */

static void print(const struct doctor *doctor, bool json)
{
    json_t *document;
    struct buf out;

    if (json) {
        document = doctor_document(doctor);
        json_dumpf(document, stdout, JSON_INDENT(2));
        fputc('\n', stdout);
        json_decref(document);
        return;
    }
    buf_init(&out, OUTPUT_MAX);
    doctor_print(doctor, isatty(STDOUT_FILENO) != 0, &out);
    fputs(buf_text(&out), stdout);
    buf_dispose(&out);
}

static void dispose(struct doctor *doctor)
{
    remote_values_free(doctor->remote);
    json_decref(doctor->task);
    json_decref(doctor->container);
    spec_dispose(&doctor->spec);
    free(doctor->spec_name);
    doctor_rows_dispose(doctor);
    setup_dispose(&doctor->setup);
}

static int run(const struct cli_call *call)
{
    bool json = cli_flag(call, "json");
    struct doctor doctor = {.write = cli_flag(call, "write")};
    struct error err;
    struct ear ear;
    int status;

    if (setup_init(&doctor.setup, call, cli_value(call, "env-file"), &err)) {
        status = cli_fail(&err, json);
        dispose(&doctor);
        return status;
    }
    doctor.in_task = doctor.setup.platform.task_metadata != NULL;
    doctor.contained = doctor.in_task || doctor.setup.pid1;
    doctor.deadline_ms = clock_monotonic_ms() + DOCTOR_ALL_MS;
    doctor.setup.stop = &doctor.stop;
    listen_to_signals(&ear, &doctor);
    run_checks(&doctor, cli_value(call, "only"));
    stop_listening(&ear);
    print(&doctor, json);
    status = doctor.stopped ? CLASS_INTERRUPTED : (int)doctor_verdict(&doctor);
    dispose(&doctor);
    return status;
}

static const struct cli_option options[] = {
    SETUP_OPTIONS,
    {"env-file", "FILE", "A captured environment instead of ours: a JSON list of name and value, or NAME=value lines.",
     NULL},
    {"only", "NAME", "One check, not all.", CHECK_NAMES},
    {"write", NULL,
     "Also put a small object beneath each place in S3 and remove it, and send a heartbeat to whom notify names.",
     NULL},
    {"executor", "NAME", "As caisson run is given it: where commands will run.", "local sandbox"},
    EXECUTORS_OPTIONS,
    {"workspace", "DIR", "As caisson run is given it: where the workspace will be made.", NULL},
    {"json", NULL, "Print one JSON document (caisson schema doctor).", NULL},
    {0},
};

static const char *const examples[] = {
    "caisson doctor",
    "as the command of a task (RunTask's override), what any job needs there",
    "caisson doctor --executor sandbox --profile veren-backend --write",
    "the same for the job that the task's variables mean, with a try to write to its places",
    "caisson doctor job.yaml --only bucket",
    "one check",
    NULL,
};

const struct cli_command cmd_doctor = {
    .name = "doctor",
    .arguments = "[FILE|-]",
    .summary = "check what a job needs, and say what to fix",
    .description =
        "Checks what a job needs: credentials, buckets, registry, secrets, source, receivers, log mode, endpoints,\n"
        "clock, kernel protections, the workspace. With a spec (FILE, CAISSON_JOB, or a profile's environment) the "
        "places that it\n"
        "names, without one what any task needs. Nothing is changed, unless --write. Each row is ok, warning, failed "
        "or\n"
        "skipped, with what to do. Exit code: 0 when nothing failed, else the class of the first failure. It takes at\n"
        "most a minute.",
    .examples = examples,
    .options = options,
    .max_operands = 1,
    .run = run,
};
