#include "job/detect_worker.h"

#include "core/json.h"

#define DETECT_TIMEOUT_MS (30 * 1000)

static json_t *run(struct worker *worker, const json_t *request, struct error *err)
{
    struct detect_hints hints = {
        .node = json_text(request, "node", NULL),
        .framework = json_text(request, "framework", NULL),
        .node_default = json_text(request, "node_default", NULL),
    };
    struct detection detection = {0};
    json_t *value;

    (void)worker;
    if (detect_project(json_text(request, "root", "/"), json_text(request, "directory", "."), &hints, &detection, err))
        return NULL;
    value = detection_to_json(&detection);
    detection_dispose(&detection);
    return value;
}

const struct worker_entry detect_worker = {"detect", run};

int detect_run(struct executor *executor, struct log *log, const char *root, const char *directory,
               const struct detect_hints *hints, struct detection *detection, struct error *err)
{
    CLEANUP_JSON json_t *request = json_object();
    CLEANUP_JSON json_t *value = NULL;
    struct worker_call call = {
        .name = detect_worker.name,
        .what = "detect",
        .request = request,
        .user = COMMAND_AS_BUILD,
        .timeout_ms = DETECT_TIMEOUT_MS,
        .crash_class = CLASS_CONTENT_REFUSED,
    };
    struct outcome outcome;

    json_put_text(request, "root", root);
    json_put_text(request, "directory", directory);
    json_put_text(request, "node", hints->node);
    json_put_text(request, "framework", hints->framework);
    json_put_text(request, "node_default", hints->node_default);
    if (worker_run(executor, log, &call, &value, &outcome, err))
        return -1;
    return detection_from_json(detection, value, err);
}
