/* install, build and test: the user's commands, or the detected ones. */
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "job/image.h"
#include "job/npm_progress.h"

static const char *choose(const struct spec_command *command, const struct conclusion *detected)
{
    if (command->kind == COMMAND_SKIP)
        return NULL;
    return command->kind == COMMAND_TEXT ? command->text : detected->value;
}

static const char *install_command(const struct job *job)
{
    return choose(&job->spec.build.install, &job->detection.install);
}

static const char *build_command(const struct job *job)
{
    return choose(&job->spec.build.command, &job->detection.build);
}

static bool is_commands(const struct job *job)
{
    return job->spec.build.builder == BUILDER_COMMANDS;
}

bool step_install_wanted(const struct job *job)
{
    return !image_wanted(job) && job->spec.build.builder != BUILDER_NONE && install_command(job);
}

int step_install(struct job *job, struct error *err)
{
    struct npm_progress *progress = npm_progress_start(job);
    int status =
        job_command(job, "install", install_command(job), CLASS_INSTALL_FAILED, job->spec.timeouts.install_ms, err);

    npm_progress_stop(progress);
    return status;
}

bool step_build_wanted(const struct job *job)
{
    if (image_wanted(job))
        return !job->image_exists;
    if (is_commands(job))
        return job->spec.build.commands.len > 0;
    return job->spec.build.builder != BUILDER_NONE && build_command(job);
}

int step_build(struct job *job, struct error *err)
{
    struct buf script;
    size_t i;
    int status;

    if (image_wanted(job))
        return image_build(job, err);
    if (!is_commands(job))
        return job_command(job, "build", build_command(job), CLASS_BUILD_FAILED, job->spec.timeouts.build_ms, err);
    /* One shell for all, so that `cd` and variables carry over; the first failure ends it. */
    buf_init(&script, 256 * 1024);
    buf_adds(&script, "set -e");
    for (i = 0; i < job->spec.build.commands.len; i++)
        buf_addf(&script, "\n%s", job->spec.build.commands.items[i]);
    status = job_command(job, "build", buf_text(&script), CLASS_BUILD_FAILED, job->spec.timeouts.build_ms, err);
    buf_dispose(&script);
    return status;
}

bool step_test_wanted(const struct job *job)
{
    return job->spec.build.test != NULL;
}

int step_test(struct job *job, struct error *err)
{
    return job_command(job, "test", job->spec.build.test, CLASS_TEST_FAILED, job->spec.timeouts.test_ms, err);
}
