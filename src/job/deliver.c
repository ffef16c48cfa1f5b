#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "job/job.h"
#include "job/redact_result.h"
#include "job/storage.h"
#include "report/deliver.h"

#define DELIVER_LIMIT_MS (120 * 1000) /* result and log together */
#define STORE_LIMIT_MS (80 * 1000)    /* for the first time */
#define TELL_LIMIT_MS (30 * 1000)     /* then, whom `notify` names: a dead receiver does not keep a task for long */
#define TELL_EXTRA_MS (270 * 1000)    /* … a slow one that takes what it is told may, so that no line is lost */
#define LAST_LIMIT_MS (40 * 1000)     /* for the result, after that */

/* The S3 of a bucket that an artifact names is the artifact's; else what surrounds the job. */
static void choose_s3(const struct job *job, const char *to, struct deliver *deliver)
{
    const char *key = strncmp(to, "s3://", 5) == 0 ? strchr(to + 5, '/') : NULL;
    size_t i;

    for (i = 0; key && i < job->spec.artifacts_len; i++) {
        const struct spec_artifact *artifact = &job->spec.artifacts[i];

        if (!artifact->s3.endpoint || strncmp(artifact->to, to, (size_t)(key - to + 1)) != 0)
            continue;
        deliver->endpoint = artifact->s3.endpoint;
        deliver->path_style = artifact->s3.path_style;
        if (artifact->s3.region)
            deliver->region = artifact->s3.region;
        return;
    }
}

struct deliver job_storage(const struct job *job, const char *place)
{
    const struct platform *platform = job->options->platform;
    struct deliver deliver = {
        .client = job->options->client,
        .credentials = job->options->credentials,
        .region = platform->region,
        .endpoint = platform->endpoint,
        .path_style = platform->path_style,
        .max_attempts = 8, /* some 10 s of an S3 that is busy */
        .deadline_ms = &job->deliver_deadline_ms,
    };

    choose_s3(job, place, &deliver);
    return deliver;
}

/* last: nobody tries again. */
static bool deliver_result(struct job *job, bool last)
{
    struct deliver deliver = job_storage(job, job->spec.result);
    json_t *document = result_to_json(job->result);
    char *text = json_dumps(document, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
    struct error err;
    int status;

    json_decref(document);
    if (!last)
        deliver.deadline_ms = &job->store_deadline_ms;
    status = deliver_data(&deliver, job->spec.result, view_of(text), "application/json", &err);
    if (status && last)
        log_error(job->options->log, "the result document was not written to %s: %s", job->spec.result, err.message);
    else if (status)
        log_warning(job->options->log, "the result document was not written to %s yet: %s", job->spec.result,
                    err.message);
    free(text);
    return status == 0;
}

static bool deliver_log_copy(struct job *job)
{
    struct deliver deliver = job_storage(job, job->spec.log);
    struct error err;

    deliver.deadline_ms = &job->store_deadline_ms;
    if (deliver_log(&deliver, job->spec.log, job->options->spool, &err) == 0)
        return true;
    log_warning(job->options->log, "the log was not written to %s: %s", job->spec.log, err.message);
    free(job->result->log_url);
    job->result->log_url = NULL;
    return false;
}

static void tell_end(struct job *job)
{
    int64_t extra_ms = job->stopping ? 0 : TELL_EXTRA_MS;
    struct error err;
    size_t i;

    /* One that is stopped meanwhile has times of its own. */
    if (!job->stopping)
        job->tell_deadline_ms = clock_monotonic_ms() + TELL_LIMIT_MS;
    /* A job that ended before it began: whoever can be told is. What is wrong with the others has been said. */
    (void)job_notify(job, &err);
    job_notify_finish(job, &job->tell_deadline_ms, extra_ms, &job->result->undelivered);
    if (!job->stopping && job->deliver_deadline_ms < clock_monotonic_ms() + LAST_LIMIT_MS)
        job->deliver_deadline_ms = clock_monotonic_ms() + LAST_LIMIT_MS;
    for (i = 0; i < job->result->undelivered.len; i++)
        log_warning(job->options->log, "not told: %s", job->result->undelivered.items[i]);
}

void job_deliver(struct job *job)
{
    bool told = job->spec.notify_len > 0, stored = true, written = true;

    if (!job->stopping) {
        job->deliver_deadline_ms = clock_monotonic_ms() + DELIVER_LIMIT_MS;
        job->store_deadline_ms = clock_monotonic_ms() + (told ? STORE_LIMIT_MS : DELIVER_LIMIT_MS);
    }
    if (job->spec.log)
        job->result->log_url = xstrdup(job->spec.log);
    redact_in_place(job->options->redactor, job->result->log_url);
    /* The result goes first: it is what someone waits for, and the budget may end. And last, where it has changed, or
     * could not be written before. */
    if (job->spec.result)
        written = deliver_result(job, !told);
    if (job->spec.log)
        stored = deliver_log_copy(job);
    tell_end(job);
    if (job->spec.result && ((told && !written) || !stored || job->result->undelivered.len))
        deliver_result(job, true);
}
