#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/mem.h"
#include "job/detect_worker.h"
#include "job/dotenv.h"
#include "job/image.h"
#include "job/job.h"

#define PROBE_TIMEOUT_MS (20 * 1000)

static void tell(const struct job *job, const char *what, const struct conclusion *conclusion)
{
    if (conclusion->value)
        log_info(job->options->log, "%s: %s (%s)", what, conclusion->value,
                 conclusion->from ? conclusion->from : "default");
}

static void tell_all(const struct job *job)
{
    const struct detection *detection = &job->detection;
    size_t i;

    tell(job, "package manager", &detection->package_manager);
    tell(job, "node", &detection->node);
    tell(job, "framework", &detection->framework);
    for (i = 0; i < detection->warnings.len; i++)
        log_warning(job->options->log, "%s", detection->warnings.items[i]);
}

static void on_probe_output(void *context, bool is_stderr, const char *data, size_t len)
{
    struct buf *line = context;
    size_t room = line->max - line->len;

    if (!is_stderr)
        buf_add(line, data, len < room ? len : room);
}

/* The first line that a command prints in the build's environment. 0; 1 when it fails, whatever the reason; -1 when no
 * command can be run any more, which is not the project's doing. */
static int probe(const struct job *job, const char *command_line, struct buf *line, struct error *err)
{
    struct command command;
    struct outcome outcome;
    struct error failure;
    int status;

    command_init(&command, command_line);
    strings_add(&command.argv, "/bin/sh");
    strings_add(&command.argv, "-c");
    strings_add(&command.argv, command_line);
    job_environment(job, "detect", &command.env);
    command.directory = job->home;
    command.workspace = job->workspace;
    command.limits = job_limits(job);
    command.timeout_ms = PROBE_TIMEOUT_MS;
    command.on_output = on_probe_output;
    command.context = line;
    if (executor_run(job->options->executor, &command, &outcome, &failure) == 0)
        status = outcome_ok(&outcome) ? 0 : 1;
    else
        status = failure.class == CLASS_INTERNAL ? 1 : -1;
    command_dispose(&command);
    if (line->data)
        line->data[strcspn(line->data, "\r\n")] = '\0';
    if (status < 0)
        *err = failure;
    return status;
}

static int judge_node(const struct job *job, const char *version, struct error *err)
{
    const struct detection *detection = &job->detection;
    const char *wanted = detection->node.value;

    if (!*version) {
        error_set(err, CLASS_BUILD_FAILED, "node-missing",
                  "the project needs Node, and this image has none on its PATH");
        return error_hint(err, "run the job in the builder image node:%s",
                          detection->node_major.value ? detection->node_major.value : "20");
    }
    /* A default is nobody's wish: whatever Node is here will do. */
    if (wanted && strcmp(detection->node.from ? detection->node.from : "default", "default") != 0 &&
        !node_major_satisfies(version, wanted)) {
        error_set(err, CLASS_BUILD_FAILED, "node-version-mismatch",
                  "the project wants Node %s (%s), and this image has %s", wanted, detection->node.from, version);
        return error_hint(err, "run the job in the builder image node:%s, or change the wish in %s",
                          detection->node_major.value ? detection->node_major.value : wanted, detection->node.from);
    }
    log_info(job->options->log, "node %s is here", version);
    if (wanted && !node_version_satisfies(version, wanted))
        log_warning(job->options->log, "the project wants exactly Node %s (%s); %s is of the same major version",
                    wanted, detection->node.from, version);
    return 0;
}

static int check_node(const struct job *job, struct error *err)
{
    struct buf line;
    int status;

    buf_init(&line, 64);
    status = probe(job, "node --version", &line, err);
    if (status >= 0)
        status = judge_node(job, status == 0 ? buf_text(&line) + (*buf_text(&line) == 'v') : "", err);
    buf_dispose(&line);
    return status;
}

/* Yarn, pnpm and bun through corepack where the image has them only there. */
static int provide_manager(struct job *job, struct error *err)
{
    const char *manager = job->detection.package_manager.value;
    const char *program = strcmp(manager, "yarn-berry") == 0 ? "yarn" : manager;
    CLEANUP_FREE char *look = xasprintf("command -v %s", program);
    CLEANUP_FREE char *shims = xasprintf("%s/bin", job->home);
    CLEANUP_FREE char *enable =
        xasprintf("mkdir -p '%s' && corepack enable --install-directory '%s' %s", shims, shims, program);
    struct buf line;
    int status;

    buf_init(&line, 64 * 1024);
    status = probe(job, look, &line, err);
    if (status > 0 && strcmp(program, "bun") != 0 && (status = probe(job, enable, &line, err)) == 0) {
        job->package_bin = xstrdup(shims);
        log_info(job->options->log, "%s comes through corepack", program);
    }
    buf_dispose(&line);
    if (status <= 0)
        return status;
    error_set(err, CLASS_INSTALL_FAILED, "package-manager-missing", "the project uses %s (%s), and this image has none",
              program, job->detection.package_manager.from);
    return error_hint(err, "use a builder image with corepack or %s, or set build.install", program);
}

static bool uses_node(const struct job *job)
{
    return job->detection.package_manager.value && strcmp(job->detection.package_manager.value, "none") != 0;
}

static int find_project(struct job *job, struct error *err)
{
    const char *directory = job->spec.source.directory;
    struct stat status;

    free(job->project);
    job->project =
        directory && strcmp(directory, ".") != 0 ? xasprintf("%s/%s", job->source, directory) : xstrdup(job->source);
    if (stat(job->project, &status) == 0 && S_ISDIR(status.st_mode))
        return 0;
    error_set(err, CLASS_REF_NOT_FOUND, "directory-not-found", "the repository has no folder %s at %.12s", directory,
              job->result->commit);
    return error_hint(err, "check source.directory: it is relative to the repository");
}

int step_detect(struct job *job, struct error *err)
{
    const struct spec *spec = &job->spec;
    struct detect_hints hints = {.node = spec->build.node, .framework = spec->build.framework};

    if (find_project(job, err))
        return -1;
    if (image_wanted(job))
        return image_detect(job, err);
    if (job_dotenv(job, err))
        return -1;
    if (spec->build.builder == BUILDER_NONE || spec->build.builder == BUILDER_COMMANDS)
        return 0;
    if (detect_run(job->options->workers, job->options->log, job->source,
                   spec->source.directory ? spec->source.directory : ".", &hints, &job->detection, err))
        return -1;
    tell_all(job);
    if (spec->build.builder == BUILDER_NODE && !uses_node(job)) {
        error_set(err, CLASS_BUILD_FAILED, "no-package-json", "builder node needs a package.json in %s",
                  spec->source.directory ? spec->source.directory : "the repository");
        return error_hint(err, "set source.directory to its folder, or build.builder to commands or none");
    }
    if (!uses_node(job))
        return 0;
    if (check_node(job, err))
        return -1;
    return spec->build.install.kind == COMMAND_SKIP ? 0 : provide_manager(job, err);
}
