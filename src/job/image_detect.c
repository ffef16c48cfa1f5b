/* What is built, and by what: before anything of it is paid for. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "core/mem.h"
#include "job/dotenv.h"
#include "job/image.h"
#include "oci/reference.h"

bool image_wanted(const struct job *job)
{
    return job->spec.build.builder == BUILDER_DOCKERFILE;
}

const char *image_local_folder(const struct job *job)
{
    const char *repository = job->spec.image.repository;

    return repository && strncmp(repository, "oci:", 4) == 0 ? repository + 4 : NULL;
}

static const char *machine_platform(void)
{
    struct utsname name;

    if (uname(&name) != 0)
        return NULL;
    return strcmp(name.machine, "x86_64") == 0    ? "linux/amd64"
           : strcmp(name.machine, "aarch64") == 0 ? "linux/arm64"
                                                  : NULL;
}

/* Kaniko unpacks base images over its own file system and runs what is in them: of another machine nothing would run. */
static int check_platform(const struct job *job, struct error *err)
{
    const char *wanted = job->spec.build.platform, *here = machine_platform();
    size_t len = here ? strlen(here) : 0;

    /* A variant, linux/arm64/v8, is for the choice of base images. */
    if (!wanted || !here || (strncmp(wanted, here, len) == 0 && (wanted[len] == '\0' || wanted[len] == '/')) ||
        strcmp(engine_name(job->engine), "kaniko") != 0)
        return 0;
    error_set(err, CLASS_SPEC_INVALID, "platform-foreign", "build.platform is %s, and kaniko here builds for %s only",
              wanted, here);
    return error_hint(err, "run the job in a task of that architecture, or leave build.platform out");
}

static int choose_engine(struct job *job, struct error *err)
{
    const struct job_options *options = job->options;
    bool sandbox = strcmp(executor_name(options->executor), "sandbox") == 0;
    struct engine_place place = {
        .container = options->pid1 || sandbox,
        .sandbox = sandbox,
        .root = geteuid() == 0 && options->build_uid == 0,
        .path = options->profile ? NULL : env_get(options->env, "PATH"),
    };

    if (engine_choose(options->engine ? options->engine : "auto", &place, &job->engine, err) ||
        check_platform(job, err))
        return -1;
    job->result->image.engine = xstrdup(engine_name(job->engine));
    log_info(options->log, "engine: %s%s", engine_name(job->engine),
             sandbox         ? ", in the sandbox"
             : options->pid1 ? ", in this container"
                             : ", which confines by itself what it runs");
    return 0;
}

static int make_prepared_folder(const struct job *job, struct error *err)
{
    if (mkdirat(job->workspace_fd, PREPARED_FOLDER, 0755) == 0 || errno == EEXIST)
        return 0;
    return error_set_errno(err, errno == ENOSPC ? CLASS_DISK_FULL : CLASS_INTERNAL, "workspace-failed", errno,
                           "making the folder %s/" PREPARED_FOLDER, job->workspace);
}

static int find_context(struct job *job, struct error *err)
{
    CLEANUP_FREE char *scratch = xasprintf("%s/" PREPARED_FOLDER, job->workspace);
    const struct spec *spec = &job->spec;
    struct build_context_request request = {
        .source = job->source,
        .directory = spec->source.directory,
        .context = spec->build.context,
        .dockerfile = spec->build.dockerfile,
        .template = spec->build.template,
        .target = spec->build.target,
        .scratch = scratch,
        .template_always = spec->build.template_always,
        .dotenv = spec->build.dotenv,
    };

    if (make_prepared_folder(job, err))
        return -1;
    build_context_dispose(&job->context); /* of an earlier attempt */
    return build_context_prepare(job->options->workers, job->options->log, &request, &job->context, err);
}

static void tell(const struct job *job)
{
    const struct build_context *context = &job->context;
    const struct dockerfile *parsed = &context->parsed;

    log_info(job->options->log, "%s%s: %zu instruction%s, %zu stage%s", context->template ? "template " : "",
             context->template ? context->template : context->dockerfile, parsed->instructions_len,
             parsed->instructions_len == 1 ? "" : "s", parsed->stages_len, parsed->stages_len == 1 ? "" : "s");
    if (strcmp(context->folder, ".") != 0)
        log_info(job->options->log, "context: %s", context->folder);
}

int image_detect(struct job *job, struct error *err)
{
    struct result_image *image = &job->result->image;

    if (!image->repository && job->spec.image.repository) {
        image->repository = xstrdup(job->spec.image.repository);
        strings_copy(&image->tags, &job->spec.image.tags);
    }
    if ((!job->engine && choose_engine(job, err)) || find_context(job, err))
        return -1;
    tell(job);
    return job_dotenv(job, err);
}
