/* The step "build" of images: an engine is one more command, whose output is read as instructions. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/fs.h"
#include "core/mem.h"
#include "core/utf8.h"
#include "job/command.h"
#include "job/guard.h"
#include "job/image.h"
#include "job/secret_files.h"

#define BUNDLE_MAX ((size_t)8 << 20)
#define INSTRUCTIONS_MAX 1000 /* in the result; the log has them all */
#define SHOWN_MAX ((size_t)160)

struct building {
    struct job *job;
    struct engine_run *run;
    size_t index, total; /* of the instruction that runs */
};

/* ---- what the engine tells ---- */

/* For people, on a line; where it stands in the Dockerfile is said beside it. Caller frees. */
static char *shown(const struct dockerfile_instruction *instruction)
{
    size_t len = strlen(instruction->text);
    size_t cut = len <= SHOWN_MAX ? len : utf8_cut(view_of(instruction->text), SHOWN_MAX);

    return xasprintf("%.*s%s", (int)cut, instruction->text, cut < len ? "…" : "");
}

static void on_instruction(void *context, const struct dockerfile_instruction *instruction, size_t index, size_t total)
{
    struct building *building = context;
    struct log *log = building->job->options->log;
    CLEANUP_FREE char *text = shown(instruction);

    building->index = index;
    building->total = total;
    log_output_flush(log);
    log_info(log, "[%zu/%zu] %s", index, total, text);
}

static void keep_instruction(struct result_image *image, const struct dockerfile_instruction *instruction,
                             int64_t duration_ms, bool cached)
{
    if (image->instructions_len == INSTRUCTIONS_MAX)
        return;
    image->instructions = xrealloc(image->instructions, image->instructions_len + 1, sizeof *image->instructions);
    image->instructions[image->instructions_len++] =
        (struct result_instruction){shown(instruction), instruction->line, duration_ms, cached};
}

static void on_instruction_end(void *context, const struct dockerfile_instruction *instruction, int64_t duration_ms,
                               bool cached)
{
    const struct building *building = context;
    struct log *log = building->job->options->log;
    size_t percent = building->total ? building->index * 100 / building->total : 0;
    char time[CLOCK_TEXT_SIZE];

    duration_format(duration_ms, time);
    log_output_flush(log);
    log_info(log, "[%zu/%zu] %s in %s (%zu %%)", building->index, building->total, cached ? "cached" : "done", time,
             percent);
    log_progress(log, "%zu of %zu instructions, %zu %%", building->index, building->total, percent);
    keep_instruction(&building->job->result->image, instruction, duration_ms, cached);
}

static void on_output(void *context, bool is_stderr, const char *data, size_t len)
{
    const struct building *building = context;

    log_output(building->job->options->log, is_stderr, data, len);
}

static void on_noise(void *context, const char *line, size_t len)
{
    const struct building *building = context;

    log_debug(building->job->options->log, "%s: %.*s", engine_name(building->job->engine), (int)len, line);
}

static void on_bytes(void *context, bool is_stderr, const char *data, size_t len)
{
    const struct building *building = context;

    engine_run_feed(building->run, is_stderr, data, len);
}

/* ---- where it works ---- */

/* Anew: what an earlier attempt left would be in the way. */
static int make_folders(const struct job *job, struct error *err)
{
    CLEANUP_FREE char *image = NULL, *scratch = NULL;
    int code = fs_remove_tree_at(job->workspace_fd, IMAGE_FOLDER);

    if (code && code != -ENOENT)
        return error_set_errno(err, CLASS_INTERNAL, "workspace-failed", -code, "emptying %s/" IMAGE_FOLDER,
                               job->workspace);
    if (job_build_folder(job, &image, IMAGE_FOLDER, err))
        return -1;
    return job_build_folder(job, &scratch, IMAGE_FOLDER "/" IMAGE_SCRATCH, err);
}

/* Ours, unless an earlier attempt's root has put something else there. The descriptor, or -1. */
static int open_prepared(const struct job *job, struct error *err)
{
    int folder = openat(job->workspace_fd, PREPARED_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (folder < 0 && (errno == ENOTDIR || errno == ELOOP || errno == ENOENT))
        return error_set(err, CLASS_OUTPUT_REFUSED, "workspace-replaced",
                         "the build has put something else in the place of %s/" PREPARED_FOLDER, job->workspace);
    if (folder < 0)
        return error_set_errno(err, CLASS_INTERNAL, "workspace-failed", errno, "opening %s/" PREPARED_FOLDER,
                               job->workspace);
    return folder;
}

/* CAs for pulling base images. */
static int copy_bundle(const struct job *job, struct error *err)
{
    const char *bundle = job->options->platform->ca_bundle;
    CLEANUP_CLOSE int folder = -1;
    struct buf text;
    int code;

    if (!bundle)
        return 0;
    folder = open_prepared(job, err);
    if (folder < 0)
        return -1;
    buf_init(&text, BUNDLE_MAX);
    code = fs_read_file(bundle, BUNDLE_MAX, &text);
    if (code == 0)
        code = fs_write_at(folder, PREPARED_BUNDLE, buf_text(&text), text.len, 0644, (uid_t)-1, (gid_t)-1);
    buf_dispose(&text);
    return code ? error_set_errno(err, code == -ENOSPC ? CLASS_DISK_FULL : CLASS_INTERNAL, "ca-bundle-unreadable",
                                  -code, "giving the CA bundle %s to the engine", bundle)
                : 0;
}

/* ---- how it ended ---- */

static int judge(const struct building *building, const struct outcome *outcome, struct error *err)
{
    struct job *job = building->job;
    struct buf words;
    int child_exit, child_signal;

    if (job_command_ended(job, outcome, "build", job->spec.timeouts.build_ms, err))
        return -1;
    if (outcome_ok(outcome))
        return 0;
    engine_run_classify(building->run, outcome, err);
    child_exit = err->child_exit; /* the user's command's; the engine's is nobody's who reads the result */
    child_signal = err->child_signal;
    buf_init(&words, 2048);
    buf_adds(&words, err->message);
    if (outcome->out_of_memory || outcome->kind == OUTCOME_MEMORY)
        guard_memory_error(job, outcome, "build", buf_text(&words), err);
    else if (guard_disk_full(job))
        guard_disk_error(job, "disk-full", buf_text(&words), err);
    buf_dispose(&words);
    err->child_exit = child_exit;
    err->child_signal = child_signal;
    return -1;
}

static void keep_bases(const struct building *building)
{
    struct result_image *image = &building->job->result->image;
    const struct strings *bases = engine_run_bases(building->run);

    strings_dispose(&image->bases);
    if (bases)
        strings_copy(&image->bases, bases);
}

static int run(struct building *building, struct command *command, struct error *err)
{
    struct job *job = building->job;
    struct secret_texts texts;
    struct secret_files *files;
    struct outcome outcome;
    int status;

    image_secret_texts(&texts, job);
    status = secret_files_make_of(&files, job, texts.items, texts.len, err);
    image_secret_texts_dispose(&texts);
    if (status)
        return -1;
    status = executor_run(job->options->executor, command, &outcome, err);
    secret_files_remove(files);
    engine_run_end(building->run);
    log_output_flush(job->options->log);
    keep_bases(building);
    if (status)
        return -1;
    job_note_usage(job, &outcome);
    return judge(building, &outcome, err);
}

static void forget_instructions(struct result_image *image)
{
    size_t i;

    for (i = 0; i < image->instructions_len; i++)
        free(image->instructions[i].text);
    image->instructions_len = 0;
}

static int run_engine(struct job *job, const struct image_request *request, struct error *err)
{
    struct building building = {.job = job};
    const struct engine_listener listener = {on_instruction, on_instruction_end, on_output, on_noise, &building};
    struct command command;
    int status;

    command_init(&command, engine_name(job->engine));
    status = engine_command(job->engine, &request->engine, &command, err);
    if (status == 0) {
        command.limits = job_limits(job);
        command.timeout_ms = job->spec.timeouts.build_ms;
        command.idle_ms = job->spec.timeouts.idle_ms;
        command.memory = guard_memory(job);
        command.one_stream = true;
        command.on_output = on_bytes;
        command.context = &building;
        forget_instructions(&job->result->image);
        building.run = engine_run_new(job->engine, &job->context.parsed, job->spec.build.target, &listener);
        status = run(&building, &command, err);
        engine_run_free(building.run);
    }
    command_dispose(&command);
    return status;
}

int image_build(struct job *job, struct error *err)
{
    struct image_request request;
    int status;

    /* The worker that made the context ready has done its part. */
    if (job_source_give(job, err) || make_folders(job, err) || copy_bundle(job, err))
        return -1;
    image_request_init(&request, job);
    status = run_engine(job, &request, err);
    image_request_dispose(&request);
    return status;
}
