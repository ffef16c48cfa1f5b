#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/mem.h"
#include "job/cancel_channel.h"
#include "job/control.h"
#include "job/guard.h"
#include "job/image.h"
#include "job/job.h"
#include "job/redact_result.h"
#include "job/saved_files.h"
#include "job/task_metadata.h"
#include "net/retry.h"

static int cancel_cause(const struct job *job, struct error *err)
{
    const char *by = job->cancelled_by, *reason = job->cancel_reason;

    if (!job->cancel_requested)
        return error_set(err, CLASS_CANCELLED, "cancelled", "cancelled by SIGINT");
    return error_set(err, CLASS_CANCELLED, "cancelled", "cancelled%s%s%s%s",
                     by       ? " by "
                     : reason ? ""
                              : " on request",
                     by ? by : "", reason ? ": " : "", reason ? reason : "");
}

/* What stopped the job, without what it left behind. */
static int stop_cause(const struct job *job, struct error *err)
{
    char limit[CLOCK_TEXT_SIZE];

    switch (job->stop) {
    case STOP_TIME_LIMIT:
        duration_format(job->spec.timeout_ms, limit);
        error_set(err, CLASS_TIME_LIMIT, "job-timeout", "the job reached its time limit of %s", limit);
        return error_hint(err, "raise `timeout`, or see in the log which step took the time");
    case STOP_CANCELLED: return cancel_cause(job, err);
    default:
        error_set(err, CLASS_INTERRUPTED, "interrupted", "stopped by SIGTERM from outside");
        return error_retryable(err, 0);
    }
}

static int stop_error(const struct job *job, struct error *err)
{
    size_t published = job->result->artifacts_len;
    struct error cause;

    stop_cause(job, &cause);
    *err = cause;
    if (job->committing) {
        error_set(err, cause.class, "publish-incomplete",
                  "%s while publishing, past the point of no return: some %s are new, some old", cause.message,
                  job->committing_tags ? "tags" : "files");
        error_hint(err, "run the same job again: it completes the publish");
        return error_retryable(err, 0);
    }
    if (job->result->image.published)
        snprintf(err->message, sizeof err->message, "%.1000s; the image was published, %zu of %zu artifacts too",
                 cause.message, published, job->spec.artifacts_len);
    else if (published)
        snprintf(err->message, sizeof err->message, "%.1000s; %zu of %zu artifacts were published", cause.message,
                 published, job->spec.artifacts_len);
    else
        snprintf(err->message, sizeof err->message, "%.1000s; nothing was published", cause.message);
    return -1;
}

static void stop_executors(const struct job *job, int64_t deadline_ms)
{
    if (!job->options->executor) /* it never began */
        return;
    executor_stop(job->options->executor, deadline_ms);
    if (job->options->workers != job->options->executor)
        executor_stop(job->options->workers, deadline_ms);
}

void job_stop(struct job *job, enum stop_kind kind)
{
    int64_t now = clock_monotonic_ms();

    if (job->stopping) {
        /* Asked twice: a person who presses Ctrl-C again means now. */
        if (kind == STOP_CANCELLED)
            stop_executors(job, now);
        return;
    }
    job->stop = kind;
    job->stopping = true;
    job->stop_deadline_ms = now + job->options->stop_budget_ms;
    /* A quarter of the budget is kept for the result and the log, and of that a quarter for the last lines. */
    job->deliver_deadline_ms = now + job->options->stop_budget_ms * 15 / 16;
    job->store_deadline_ms = now + job->options->stop_budget_ms * (job->spec.notify_len ? 27 : 30) / 32;
    job->tell_deadline_ms = now + job->options->stop_budget_ms * 29 / 32;
    stop_executors(job, now + job->options->stop_budget_ms * 3 / 4);
}

/* All that people will see is there. */
static bool is_published(const struct job *job)
{
    bool image = image_wanted(job) && job->spec.image.repository;

    return job->spec.type == JOB_BUILD && (image || job->spec.artifacts_len) &&
           (!image || job->result->image.published) && job->result->artifacts_len == job->spec.artifacts_len;
}

void job_cancel(struct job *job, const char *by, const char *reason)
{
    bool late = job->committing || is_published(job);

    if (job->cancel_requested || job->cancel_came_late || job->stopping)
        return;
    log_warning(job->options->log, "cancel requested%s%s%s%s", by ? " by " : "", by ? by : "", reason ? ": " : "",
                reason ? reason : "");
    if (late) {
        job->cancel_came_late = true;
        log_warning(job->options->log, "the request comes too late: what the job publishes can be seen already, so it "
                                       "goes on to its end");
        return;
    }
    job->cancel_requested = true;
    job->cancelled_by = xstrdup(by);
    job->cancel_reason = xstrdup(reason);
    job_stop(job, STOP_CANCELLED);
}

static void on_signal(void *context, int signal_number, bool genuine, pid_t sender)
{
    struct job *job = context;

    if (!genuine) {
        job_stop_attempt(job, signal_number, sender);
        return;
    }
    log_warning(job->options->log, "received %s: stopping",
                signal_number == SIGINT   ? "SIGINT"
                : signal_number == SIGHUP ? "SIGHUP"
                                          : "SIGTERM");
    job_stop(job, signal_number == SIGINT ? STOP_CANCELLED : STOP_TERMINATED);
}

static void on_time_limit(void *context)
{
    struct job *job = context;

    job->limit = NULL;
    log_error(job->options->log, "the job reached its time limit");
    job_stop(job, STOP_TIME_LIMIT);
}

static int run_once(struct job *job, const struct step *step, struct error *err)
{
    int status = step->run(job, err);
    struct error problem;

    if (job_files_restore(job, &problem) == 0)
        return status;
    *err = problem;
    return -1;
}

/* One attempt after another, until it works, may not be repeated, or the job is stopped. */
static int run_attempts(struct job *job, const struct step *step, struct result_step *record, struct error *err)
{
    struct retry retry = {
        .max_attempts = job->spec.retry.max_attempts, .base_ms = job->spec.retry.backoff_ms, .cap_ms = 60 * 1000};
    struct error attempt;
    char text[CLOCK_TEXT_SIZE];
    int64_t wait_ms;

    for (;;) {
        record->attempts++;
        job->disk_passed = false; /* what it ended before may have ended well all the same */
        if (run_once(job, step, &attempt) == 0)
            return 0;
        if (job->disk_passed) {
            guard_disk_error(job, "disk-limit", step->name, err);
            return -1;
        }
        /* What is lost does not come back within this task: that may be repeated as a whole. */
        if (job->stopping || attempt.class == CLASS_SANDBOX_LOST)
            break;
        wait_ms = retry_next(&retry, &attempt);
        if (wait_ms < 0)
            break;
        duration_format(wait_ms, text);
        log_warning(job->options->log, "%s; trying again in %s (attempt %d of %d)", attempt.message, text,
                    record->attempts + 1, retry.max_attempts);
        loop_sleep(job->options->loop, wait_ms, &job->stopping);
        if (job->stopping)
            break;
    }
    if (job->stopping)
        return stop_error(job, err);
    *err = attempt;
    return -1;
}

static int run_step(struct job *job, const struct step *step, struct error *err)
{
    struct result_step *record = result_step_begin(job->result, step->name);
    int64_t started_ms = clock_monotonic_ms();

    if (step->wanted && !step->wanted(job)) {
        record->skipped = true;
        return 0;
    }
    /* A publisher that was past the point of no return when it heard of a cancel has finished: so has the job. */
    if (job->cancel_requested && is_published(job)) {
        record->skipped = true;
        return 0;
    }
    if (job->stopping)
        return stop_error(job, err);
    log_step_begin(job->options->log, step->name);
    record->ok = run_attempts(job, step, record, err) == 0;
    record->duration_ms = clock_monotonic_ms() - started_ms;
    if (!record->ok)
        log_error(job->options->log, "%s", err->message);
    log_step_end(job->options->log, record->ok, record->attempts, record->duration_ms);
    return record->ok ? 0 : -1;
}

/* Where the build is root beside us. */
static int save_files(struct job *job, struct error *err)
{
    const struct job_options *options = job->options;

    if (!options->pid1 || geteuid() != 0 || options->build_uid != 0 ||
        strcmp(executor_name(options->executor), "local") != 0)
        return 0;
    return saved_files_read(&job->saved_files, http_client_ca_bundle(options->client), err);
}

/* A job that publishes nothing still sends its result. */
static void end_build(struct job *job)
{
    struct error err;

    if (job->undeliverable || job_files_restore(job, &err) == 0)
        return;
    log_error(job->options->log, "%s", err.message);
    if (job->result->error.class == CLASS_SUCCEEDED)
        job->result->error = err;
}

static int run_steps(struct job *job, struct error *err)
{
    const struct step *step;
    struct error notify_error;
    int status;

    if (job->stopping)
        return stop_error(job, err);
    job_leftovers_remove(job);
    status = job_secrets(job, err);
    if (status == 0)
        job->channel = cancel_channel_start(job);
    /* Who waits is told in either case. */
    if (job_notify(job, &notify_error) && status == 0) {
        *err = notify_error;
        status = -1;
    }
    if (status)
        return job->stopping ? stop_error(job, err) : -1;
    if (job_workspace_make(job, err) || save_files(job, err))
        return -1;
    for (step = job_steps; step->name; step++)
        if (run_step(job, step, err))
            return -1;
    return 0;
}

static void describe_job(const struct job *job)
{
    struct result *result = job->result;
    const struct spec *spec = &job->spec;
    size_t i;

    strings_copy(&result->undelivered, &spec->untold);

    result->id = xstrdup(spec->id);
    result->project = xstrdup(spec->project);
    result->type = xstrdup(spec->type == JOB_TEST ? "test" : "build");
    result->created_at_ms = spec->created_at_ms;
    result->repository = spec->source.repository ? url_without_userinfo(spec->source.repository) : NULL;
    if (spec->labels.len) {
        result->labels = json_object();
        for (i = 0; i < spec->labels.len; i++)
            json_object_set_new(result->labels, spec->labels.items[i].name, json_string(spec->labels.items[i].value));
    }
}

static void announce(const struct job *job)
{
    struct buf line;

    buf_init(&line, 2048);
    if (image_wanted(job) && !job->options->pid1 && strcmp(executor_name(job->options->executor), "local") == 0)
        buf_adds(&line, "local executor: an engine that confines by itself what it builds");
    else
        executor_describe(job->options->executor, &line);
    if (job->options->workers != job->options->executor) {
        buf_adds(&line, "; checkout, detection and publishing run here: ");
        executor_describe(job->options->workers, &line);
    }
    log_info(job->options->log, "caisson " CAISSON_VERSION ", job %s%s%s", job->spec.id,
             job->spec.project ? ", project " : "", job->spec.project ? job->spec.project : "");
    log_info(job->options->log, "%s", buf_text(&line));
    buf_dispose(&line);
}

/* As data: one line. */
static void log_summary(const struct job *job)
{
    struct buf text;

    buf_init(&text, 64 * 1024);
    result_summary_json(job->result, SPOOL_LINE_MAX - 512, &text);
    log_result(job->options->log, buf_text(&text));
    buf_dispose(&text);
}

static void summarize(struct job *job)
{
    struct buf text;
    char *line, *rest;

    buf_init(&text, 64 * 1024);
    result_text(job->result, &text);
    for (line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (job->result->error.class == CLASS_SUCCEEDED)
            log_info(job->options->log, "%s", line);
        else
            log_error(job->options->log, "%s", line);
    buf_dispose(&text);
    log_summary(job);
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void dispose(struct job *job)
{
    job_secrets_forget(job);
    job_notify_free(job);
    task_metadata_free(job->metadata);
    detection_dispose(&job->detection);
    spec_dispose(&job->spec);
    close_fd(job->source_fd);
    close_fd(job->workspace_fd);
    close_fd(job->parent_fd);
    free(job->workspace);
    free(job->source);
    free(job->project);
    free(job->home);
    free(job->temp);
    free(job->package_bin);
    free(job->cache_folder);
    free(job->cancelled_by);
    free(job->cancel_reason);
    json_decref(job->cache_broken);
    free(job->named_ref);
    free(job->default_ref);
    build_context_dispose(&job->context);
    saved_files_free(job->saved_files);
}

/* That they cannot be had is the affair of whoever needs them. */
static void on_credentials(void *context, const struct credentials *credentials, const struct error *error)
{
    struct credentials_wait **wait = context;

    (void)credentials;
    (void)error;
    *wait = NULL;
}

/* Takes the spec. A signal that came before counts. */
static void begin(struct job *job, const struct job_options *options, struct spec *spec, struct result *result)
{
    *job = (struct job){.options = options,
                        .spec = *spec,
                        .result = result,
                        .workspace_lock = -1,
                        .parent_fd = -1,
                        .workspace_fd = -1,
                        .source_fd = -1};
    memset(spec, 0, sizeof *spec);
    job->metadata = task_metadata_start(options->loop, options->platform->task_metadata, options->build_container);
    describe_job(job);
    reaper_on_stop(options->reaper, on_signal, job);
}

int64_t job_refuse(const struct job_options *options, struct spec *spec, const struct error *err, struct result *result)
{
    struct job job;

    begin(&job, options, spec, result);
    if (options->stop_signal)
        job_stop(&job, options->stop_signal == SIGINT ? STOP_CANCELLED : STOP_TERMINATED);
    result->error = *err;
    result_finish(result);
    redact_result(options->redactor, result);
    log_summary(&job);
    job_deliver(&job);
    reaper_on_stop(options->reaper, NULL, NULL);
    dispose(&job);
    return job.stop_deadline_ms;
}

int64_t job_run(const struct job_options *options, struct spec *spec, struct result *result)
{
    struct job job;
    struct credentials_wait *wait = NULL;
    struct control *control;
    struct error err;

    begin(&job, options, spec, result);
    if (job.spec.timeout_ms)
        job.limit = loop_timer_start(options->loop, job.spec.timeout_ms, on_time_limit, &job);
    spool_limit(options->spool, job.spec.limits.log_bytes);
    /* Asked at once, so that they are known, and redacted, before the build can print them. */
    if (!credentials_now(options->credentials))
        wait = credentials_renew(options->credentials, on_credentials, &wait);
    announce(&job);
    if (options->stop_signal)
        job_stop(&job, options->stop_signal == SIGINT ? STOP_CANCELLED : STOP_TERMINATED);
    control = control_start(&job);
    if (run_steps(&job, &err))
        result->error = err;
    control_stop(control);
    cancel_channel_stop(job.channel);
    end_build(&job);
    credentials_cancel(wait);
    job_secrets_forget(&job);
    loop_timer_stop(job.limit);
    guard_disk_stop(&job);
    result->image_pull_ms = task_metadata_image_pull_ms(job.metadata);
    result_finish(result);
    redact_result(options->redactor, job.result);
    summarize(&job);
    guard_make_room(&job);
    if (job.undeliverable)
        log_error(options->log, "result and log are sent nowhere: the build has replaced what our connections go by");
    else
        job_deliver(&job);
    /* A container that is being stopped takes its files along: removing them would only cost the budget. */
    if (!(job.stopping && options->pid1))
        job_workspace_remove(&job);
    reaper_on_stop(options->reaper, NULL, NULL);
    dispose(&job);
    return job.stop_deadline_ms;
}
