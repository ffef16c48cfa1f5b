#include "job/publish_worker.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <unistd.h>

#include "core/json.h"
#include "core/mem.h"
#include "job/worker_loop.h"

/* ---- the child ---- */

static void on_info(void *context, const char *text)
{
    worker_info(context, "%s", text);
}

static void on_warning(void *context, const char *text)
{
    worker_warning(context, "%s", text);
}

static void on_progress(void *context, const char *text)
{
    worker_progress(context, "%s", text);
}

static void on_committing(void *context)
{
    worker_mark(context, json_pack("{s:s}", "mark", "committing"));
}

/* Files are opened with the build's fsuid and fsgid, but the groups that root was given would count beside them. */
static int leave_groups(struct error *err)
{
    if (geteuid() == 0 && getgroups(0, NULL) > 0 && setgroups(0, NULL))
        return error_set_errno(err, CLASS_INTERNAL, "setgroups-failed", errno, "the publisher cannot leave its groups");
    return 0;
}

static json_t *run(struct worker *worker, const json_t *document, struct error *err)
{
    struct publish_reporter reporter = {on_info, on_warning, on_progress, on_committing, worker};
    struct publish_request request;
    struct publish_result result = {0};
    struct worker_loop loop;
    json_t *value = NULL;
    int status = worker_loop_init(&loop, err);

    publish_request_init(&request);
    if (status == 0 && leave_groups(err) == 0 && publish_request_from_json(&request, document, err) == 0 &&
        publish(loop.loop, &request, &reporter, &loop.stop, &result, err) == 0)
        value = publish_result_to_json(&result);
    publish_result_dispose(&result);
    publish_request_dispose(&request);
    worker_loop_dispose(&loop);
    return value;
}

const struct worker_entry publish_worker = {"publish", run};

/* ---- the parent ---- */

static void on_mark(void *context, const json_t *message)
{
    struct job *job = context;

    if (strcmp(json_text(message, "mark", ""), "committing") == 0)
        job->committing = true;
}

int publish_run(struct job *job, const struct publish_request *request, struct publish_result *result,
                struct error *err)
{
    CLEANUP_JSON json_t *document = publish_request_to_json(request);
    CLEANUP_JSON json_t *value = NULL;
    struct worker_call call = {
        .name = publish_worker.name,
        .what = "publish",
        .request = document,
        .user = COMMAND_AS_SELF,
        .timeout_ms = job->spec.timeouts.publish_ms,
        /* It stops where it is safe, by itself; the stop budget's end is the executor's deadline. */
        .grace_ms = job->options->stop_budget_ms,
        .crash_class = CLASS_UPLOAD_FAILED,
        .on_mark = on_mark,
        .context = job,
    };
    struct outcome outcome;

    if (worker_run(job->options->workers, job->options->log, &call, &value, &outcome, err))
        return -1;
    return publish_result_from_json(result, value, err);
}
