#include "cli/setup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "cli/env_file.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/mem.h"
#include "job/load.h"

static int load_operator_file(struct setup *setup, struct error *err)
{
    const char *named = cli_value(setup->call, "operator");
    const char *path = named ? named : OPERATOR_FILE;
    struct buf text;
    int code, status;

    buf_init(&text, SPEC_TEXT_MAX);
    code = fs_read_file(path, SPEC_TEXT_MAX, &text);
    if (code == -ENOENT && !named) {
        buf_dispose(&text);
        return 0;
    }
    if (code) {
        buf_dispose(&text);
        return error_set_errno(err, CLASS_SPEC_INVALID, "operator-file-unreadable", -code,
                               "reading the operator's file %s", path);
    }
    status = operator_file_load(&setup->operator_file, (struct view){text.data, text.len}, path, err);
    setup->has_operator_file = status == 0;
    buf_dispose(&text);
    return status;
}

static int load_environment(struct setup *setup, const char *path, struct error *err)
{
    if (path)
        return env_file_load(path, &setup->env, err);
    strings_copy(&setup->env, setup->call->env);
    return 0;
}

/*
 * The ECS task's id: the agent's metadata URI ends in "<task id>-<number>". NULL elsewhere.
 * https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate.html
 */
static char *task_id(const struct platform *platform)
{
    const char *slash = platform->task_metadata ? strrchr(platform->task_metadata, '/') : NULL;
    size_t len = slash ? strspn(slash + 1, "0123456789abcdef") : 0;

    return len >= 16 && len <= 64 ? xstrndup(slash + 1, len) : NULL;
}

/* The run is the task's, or gets a random id; a job that names no id has the task's, or a short one to type. */
static void make_ids(struct setup *setup)
{
    uint64_t random[2] = {0};

    setup->run_id = task_id(&setup->platform);
    if (setup->run_id) {
        setup->default_id = xstrdup(setup->run_id);
        return;
    }
    if (getrandom(random, sizeof random, 0) != sizeof random)
        random[0] = (uint64_t)clock_wall_ms();
    setup->run_id = xasprintf("%016llx%016llx", (unsigned long long)random[0], (unsigned long long)random[1]);
    setup->default_id = xasprintf("local-%.8s", setup->run_id);
}

/* A message of the system's queue: the operand, or the variable that --message-env names. */
static int load_message(const struct setup *setup, struct buf *text, char **name, struct error *err)
{
    const char *path = setup->call->operands_len ? setup->call->operands[0] : NULL;
    const char *variable = cli_value(setup->call, "message-env");
    const char *value = variable ? env_get(&setup->env, variable) : NULL;

    if (path && variable)
        return error_set(err, CLASS_USAGE, "two-messages",
                         "a message is expected in %.200s or in the variable %.200s, "
                         "not in both",
                         path, variable);
    if (path)
        return load_local(path, setup->loop, setup->stop, text, name, err);
    *name = xasprintf("variable %s", variable);
    if (!value || !*value)
        return error_set(err, CLASS_SPEC_NOT_FOUND, "spec-not-found",
                         "the variable %.200s, which --message-env names, is not set", variable);
    if (buf_adds(text, value))
        return error_set(err, CLASS_SPEC_INVALID, "spec-too-large", "the variable %.200s is too long", variable);
    return 0;
}

/* Keys of a storage of its own stand for all of ours: a session token beside them would belong to others. */
static void take_system(struct setup *setup)
{
    size_t i;

    if (setup->profile_job.system.len)
        env_unset(&setup->env, "AWS_SESSION_TOKEN");
    for (i = 0; i < setup->profile_job.system.len; i++) {
        const char *entry = setup->profile_job.system.items[i];
        size_t len = strcspn(entry, "=");
        CLEANUP_FREE char *name = xstrndup(entry, len);

        env_set(&setup->env, name, entry + len + 1);
    }
}

/* The profile comes before the surroundings: it may name the credentials in its system's own words. */
static int apply_profile(struct setup *setup, struct error *err)
{
    struct profile_input input = {.env = &setup->env,
                                  .operator_file = setup->has_operator_file ? &setup->operator_file : NULL};
    CLEANUP_FREE char *name = NULL;
    struct buf text;
    int status = 0;

    if (!setup->profile) {
        if (!cli_value(setup->call, "message-env"))
            return 0;
        error_set(err, CLASS_USAGE, "no-profile", "--message-env is for the queue message of a profile");
        return error_hint(err, "name the profile: --profile deployra");
    }
    buf_init(&text, SPEC_TEXT_MAX);
    if (setup->call->operands_len || cli_value(setup->call, "message-env")) {
        status = load_message(setup, &text, &name, err);
        input.message = buf_text(&text);
        input.message_name = name;
    }
    if (status == 0)
        status = profile_apply(profile_find(setup->profile), &input, &setup->profile_job, err);
    buf_wipe(&text);
    take_system(setup);
    return status;
}

int setup_init(struct setup *setup, const struct cli_call *call, const char *env_file, struct error *err)
{
    struct http_options options;
    int status;
    bool known;

    memset(setup, 0, sizeof *setup);
    setup->call = call;
    setup->pid1 = getpid() == 1;
    setup->profile = cli_value(call, "profile");
    setup->loop = loop_new();
    known = load_environment(setup, env_file, err) == 0 && load_operator_file(setup, err) == 0;
    status = known ? apply_profile(setup, err) : -1;
    platform_init(&setup->platform, &setup->env, setup->has_operator_file ? &setup->operator_file : NULL,
                  setup->profile != NULL);
    /* Also of a job that cannot begin: its result names it. */
    make_ids(setup);
    if (!known)
        return -1;
    options = (struct http_options){.ca_bundle = setup->platform.ca_bundle,
                                    .proxy = setup->platform.proxy,
                                    .http_proxy = setup->platform.http_proxy,
                                    .no_proxy = setup->platform.no_proxy};
    setup->client = http_client_new(setup->loop, &options);
    setup->credentials = credentials_provider_new(&setup->platform.credentials, setup->client);
    return status;
}

void setup_dispose(struct setup *setup)
{
    credentials_provider_free(setup->credentials);
    http_client_free(setup->client);
    if (setup->loop)
        loop_free(setup->loop);
    platform_dispose(&setup->platform);
    operator_file_dispose(&setup->operator_file);
    profile_job_dispose(&setup->profile_job);
    strings_wipe(&setup->env);
    free(setup->default_id);
    free(setup->run_id);
}

static const char *format_at(size_t index)
{
    const struct event_format *format = index ? NULL : &format_cloudevents;

    if (index == 1)
        format = &format_plain;
    if (index > 1)
        format = profile_format_at(index - 2);
    return format ? format->name : NULL;
}

/* Whom the system may not be told at, is left out of the job. */
static int load_profile(struct profile_job *job, struct spec *spec, const struct spec_context *context,
                        struct problems *problems, struct strings *warnings, struct error *err)
{
    int status = spec_load_json(spec, job->document, job->origins, context, problems, err);

    while (status && profile_leave_out(job, problems)) {
        problems_dispose(problems);
        *problems = (struct problems){0};
        status = spec_load_json(spec, job->document, job->origins, context, problems, err);
    }
    if (status == 0)
        profile_warn_plain(job, spec);
    strings_copy(warnings, &job->warnings);
    return status;
}

static struct spec_context context_of(const struct setup *setup)
{
    return (struct spec_context){
        .operator_file = setup->has_operator_file ? &setup->operator_file : NULL,
        .default_id = setup->default_id,
        /* Where the task definition puts an init before us we are root in a container all the same. */
        .pid1 = setup->pid1 || setup->platform.task_metadata,
        .profile = setup->profile != NULL,
        .now_ms = clock_wall_ms(),
        .format_at = format_at,
        .told = setup->told,
    };
}

void setup_told(struct setup *setup, struct strings *warnings)
{
    struct spec_context context = context_of(setup);
    struct problems problems = {0};
    struct spec whole = {0};
    struct error err;

    context.name = "profile";
    /* Without the operator's file nobody knows who may be told. */
    if (!setup->client)
        return;
    if (!setup->profile_job.document)
        spec_told(&context);
    else if (load_profile(&setup->profile_job, &whole, &context, &problems, warnings, &err) == 0)
        *setup->told = whole;
    problems_dispose(&problems);
}

int setup_spec(struct setup *setup, struct spec *spec, struct problems *problems, char **name, struct strings *warnings,
               struct error *err)
{
    struct spec_context context = context_of(setup);
    struct load_source source = {
        .path = setup->call->operands_len ? setup->call->operands[0] : NULL,
        .job = env_get(&setup->env, "CAISSON_JOB"),
        .stop = setup->stop,
    };
    struct buf text;
    int status;

    if (setup->profile) {
        *name = xasprintf("profile %s", setup->profile);
        context.name = *name;
        return load_profile(&setup->profile_job, spec, &context, problems, warnings, err);
    }
    buf_init(&text, SPEC_TEXT_MAX);
    status = load_text(&source, &setup->platform, setup->client, setup->credentials, &text, name, err);
    context.name = *name;
    if (status)
        spec_told(&context);
    else
        status = spec_load(spec, (struct view){buf_text(&text), text.len}, &context, problems, err);
    buf_wipe(&text);
    return status;
}
