#include "engine/context.h"

#include <stdlib.h>
#include <string.h>

#include "core/fs.h"
#include "core/json.h"
#include "core/mem.h"
#include "engine/template.h"

#define TIMEOUT_MS (60 * 1000)

static json_t *request_to_json(const struct build_context_request *request)
{
    json_t *json = json_object();

    json_put_text(json, "source", request->source);
    json_put_text(json, "directory", request->directory);
    json_put_text(json, "context", request->context);
    json_put_text(json, "dockerfile", request->dockerfile);
    json_put_text(json, "template", request->template);
    json_put_text(json, "target", request->target);
    json_object_set_new(json, "always", json_boolean(request->template_always));
    json_object_set_new(json, "dotenv", json_boolean(request->dotenv));
    return json;
}

/* A child that the tree has taken over may say anything: paths that leave the repository do not pass. */
static int check_answer(const struct build_context_request *request, const json_t *json, struct error *err)
{
    const char *dockerfile = json_text(json, "dockerfile", NULL);
    const char *template = json_text(json, "template", NULL);
    bool good =
        fs_is_confined(json_text(json, "folder", ""), true) && fs_is_confined(json_text(json, "ignore", ""), false);

    if (template)
        good = good && !dockerfile && request->template && strcmp(template, request->template) == 0;
    else
        good = good && dockerfile && fs_is_confined(dockerfile, false);
    return good ? 0 : error_set(err, CLASS_INTERNAL, "bad-answer", "the answer names no context");
}

static char *absolute(const char *source, const char *path)
{
    return strcmp(path, ".") == 0 ? xstrdup(source) : xasprintf("%s/%s", source, path);
}

static int write_template(const struct build_context_request *request, struct build_context *context, struct error *err)
{
    struct view text = {0};
    int status;

    if (build_template_find(context->template, &text))
        return error_set(err, CLASS_INTERNAL, "bad-answer", "there is no template %s", context->template);
    context->dockerfile_path = xasprintf("%s/Dockerfile", request->scratch);
    status = fs_write_file(context->dockerfile_path, text.data, text.len, 0644);
    if (status)
        return error_set_errno(err, CLASS_INTERNAL, "template-failed", -status, "writing the template's %s",
                               context->dockerfile_path);
    return 0;
}

static int take_answer(const struct build_context_request *request, const json_t *json, struct build_context *context,
                       struct error *err)
{
    if (check_answer(request, json, err) ||
        dockerfile_from_json(&context->parsed, json_object_get(json, "parsed"), err))
        return -1;
    context->folder = xstrdup(json_text(json, "folder", NULL));
    context->dockerfile = xstrdup(json_text(json, "dockerfile", NULL));
    context->template = xstrdup(json_text(json, "template", NULL));
    context->folder_path = absolute(request->source, context->folder);
    context->ignore_path = absolute(request->source, json_text(json, "ignore", NULL));
    context->ignore_written = json_flag(json, "ignore_written", false);
    if (context->template)
        return write_template(request, context, err);
    context->dockerfile_path = absolute(request->source, context->dockerfile);
    return 0;
}

int build_context_prepare(struct executor *executor, struct log *log, const struct build_context_request *request,
                          struct build_context *context, struct error *err)
{
    CLEANUP_JSON json_t *json = request_to_json(request);
    CLEANUP_JSON json_t *value = NULL;
    struct worker_call call = {
        .name = build_context_worker.name,
        .what = "context",
        .request = json,
        .user = COMMAND_AS_BUILD,
        .timeout_ms = TIMEOUT_MS,
        .crash_class = CLASS_CONTENT_REFUSED,
    };
    struct outcome outcome;

    *context = (struct build_context){.folder = NULL};
    if (worker_run(executor, log, &call, &value, &outcome, err))
        return -1;
    if (take_answer(request, value, context, err) == 0)
        return 0;
    build_context_dispose(context);
    return -1;
}

void build_context_dispose(struct build_context *context)
{
    free(context->folder);
    free(context->dockerfile);
    free(context->template);
    free(context->folder_path);
    free(context->dockerfile_path);
    free(context->ignore_path);
    dockerfile_dispose(&context->parsed);
    *context = (struct build_context){.folder = NULL};
}
