#include "cli/executors.h"

#include <string.h>

#include "cli/build_user.h"
#include "core/clock.h"

#define DEFAULT_TIMEOUT_MS (60 * 1000)
#define LEAST_TIMEOUT_MS 1000

/* NULL: nobody named one. */
static const char *named_socket(const struct setup *setup)
{
    const char *option = cli_value(setup->call, "sandbox-socket");
    const char *variable = setup->profile ? NULL : env_get(&setup->env, "CAISSON_SANDBOX_SOCKET");

    return option ? option : variable && *variable ? variable : NULL;
}

const char *executors_socket(const struct setup *setup)
{
    const char *named = named_socket(setup);

    return named ? named : SANDBOX_SOCKET;
}

const char *executors_workspace(const struct setup *setup)
{
    const char *named = cli_value(setup->call, "workspace");
    const char *temp = setup->profile ? NULL : env_get(&setup->env, "TMPDIR");

    if (!named && executors_want_sandbox(setup))
        return SANDBOX_VOLUME;
    /* What lies elsewhere goes when Kaniko makes room for a base image. */
    if (!named && setup->pid1 && build_user_image_is_kaniko())
        return KANIKO_FOLDER "/work";
    return named ? named : temp && *temp ? temp : "/tmp";
}

bool executors_want_sandbox(const struct setup *setup)
{
    const char *name = cli_value(setup->call, "executor");

    return name ? strcmp(name, "sandbox") == 0 : named_socket(setup) != NULL;
}

const char *executors_build_container(const struct setup *setup)
{
    const char *name = cli_value(setup->call, "sandbox-container");

    return !executors_want_sandbox(setup) ? NULL : name ? name : "sandbox";
}

static int parse_timeout(const struct setup *setup, int64_t *timeout_ms, struct error *err)
{
    const char *text = cli_value(setup->call, "sandbox-timeout");

    *timeout_ms = DEFAULT_TIMEOUT_MS;
    if (!text || (duration_parse(text, timeout_ms) == 0 && *timeout_ms >= LEAST_TIMEOUT_MS))
        return 0;
    error_set(err, CLASS_USAGE, "bad-sandbox-timeout",
              "--sandbox-timeout cannot be %s: a duration of at least 1s, such as 60s", text);
    return error_hint(err, "caisson help run");
}

static int make_sandbox(struct executors *executors, const struct setup *setup, const struct executor_options *base,
                        struct error *err)
{
    struct executor_options options = *base;

    if (parse_timeout(setup, &options.sandbox_timeout_ms, err))
        return -1;
    options.sandbox_socket = executors_socket(setup);
    if (setup->platform.task_metadata) {
        executors->container =
            sandbox_container_new(setup->loop, setup->platform.task_metadata, executors_build_container(setup));
        options.sandbox_stopped = sandbox_container_stopped;
        options.sandbox_context = executors->container;
    }
    return executor_new(&executors->commands, "sandbox", &options, err);
}

int executors_make(struct executors *executors, const struct setup *setup, const struct executor_options *base,
                   uid_t worker_uid, gid_t worker_gid, struct error *err)
{
    struct executor_options options = *base;

    options.build_uid = worker_uid;
    options.build_gid = worker_gid;
    if (executor_new(&executors->workers, "local", &options, err))
        return -1;
    if (executors_want_sandbox(setup))
        return make_sandbox(executors, setup, base, err);
    if (worker_uid != base->build_uid)
        return executor_new(&executors->commands, "local", base, err);
    executors->commands = executors->workers;
    return 0;
}

void executors_dispose(struct executors *executors)
{
    if (executors->commands && executors->commands != executors->workers)
        executor_free(executors->commands);
    if (executors->workers)
        executor_free(executors->workers);
    sandbox_container_free(executors->container);
    *executors = (struct executors){0};
}
