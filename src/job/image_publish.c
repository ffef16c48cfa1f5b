/* The steps "lookup" and "publish" of images: the request to the child that does it, and what it answers. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/mem.h"
#include "job/image.h"
#include "job/image_worker.h"
#include "job/worker_request.h"
#include "oci/reference.h"

/* ---- the request ---- */

/* Where caisson was started is what a relative folder is relative to. */
static char *local_folder(const struct job *job)
{
    const char *folder = image_local_folder(job);
    char here[PATH_MAX];

    if (folder[0] == '/' || !getcwd(here, sizeof here))
        return xstrdup(folder);
    return xasprintf("%s/%s", here, folder);
}

/* Repositories of our registry that hold the base images: it has their layers already. */
static json_t *mount_from(const struct job *job)
{
    const struct dockerfile *parsed = &job->context.parsed;
    struct oci_repository ours, base;
    json_t *names = json_array();
    size_t i;

    if (oci_repository_parse(job->spec.image.repository, &ours, NULL))
        return names;
    for (i = 0; i < parsed->stages_len; i++) {
        const char *text = parsed->stages[i].base ? parsed->stages[i].base : "";
        const char *slash = strrchr(text, '/');
        size_t len = slash ? (size_t)(slash - text) + strcspn(slash, ":@") : 0;
        CLEANUP_FREE char *plain = xstrndup(text, len);

        if (!slash || oci_repository_parse(plain, &base, NULL))
            continue;
        if (strcmp(base.registry, ours.registry) == 0 && strcmp(base.name, ours.name) != 0)
            json_array_append_new(names, json_string(base.name));
        oci_repository_dispose(&base);
    }
    oci_repository_dispose(&ours);
    return names;
}

static json_t *create_to_json(const struct job *job)
{
    const struct spec_pairs *tags = &job->spec.image.create.tags;
    json_t *json = json_object(), *list = json_array();
    size_t i;

    for (i = 0; i < tags->len; i++) {
        CLEANUP_FREE char *pair = xasprintf("%s=%s", tags->items[i].name, tags->items[i].value);

        json_array_append_new(list, json_string(pair));
    }
    json_object_set_new(json, "tags", list);
    json_object_set_new(json, "keep", json_integer(job->spec.image.create.keep));
    json_object_set_new(json, "untagged_days", json_integer(job->spec.image.create.untagged_days));
    json_object_set_new(json, "scan", json_boolean(job->spec.image.create.scan));
    json_object_set_new(json, "immutable", json_boolean(job->spec.image.create.immutable));
    json_put_text(json, "kms_key", job->spec.image.create.kms_key);
    return json;
}

static void put_registry(json_t *request, const struct job *job)
{
    const struct platform *platform = job->options->platform;

    json_put_text(request, "repository", job->spec.image.repository);
    json_object_set_new(request, "insecure", json_boolean(job->spec.image.insecure));
    worker_request_put_network(request, platform);
    json_put_text(request, "ecr_endpoint", platform->ecr_endpoint);
    json_put_text(request, "username", job->image_username);
    json_put_text(request, "password", job->image_password);
    json_object_set_new(request, "mount_from", mount_from(job));
    if (job->spec.image.create.wanted)
        json_object_set_new(request, "create", create_to_json(job));
}

static void put_layout(json_t *request, const struct job *job)
{
    worker_request_put_workspace(request, job);
    json_put_text(request, "layout", IMAGE_FOLDER "/" IMAGE_LAYOUT);
    json_put_text(request, "platform", job->spec.build.platform);
    json_object_set_new(request, "max_bytes", json_integer(job->spec.limits.output_bytes));
}

static json_t *request_of(const struct job *job, const char *action)
{
    json_t *request = json_object();

    json_put_text(request, "action", action);
    json_object_set_new(request, "tags", json_of_strings(&job->spec.image.tags));
    if (strcmp(action, IMAGE_SAVE) != 0)
        put_registry(request, job);
    if (strcmp(action, IMAGE_LOOK) != 0)
        put_layout(request, job);
    if (strcmp(action, IMAGE_SAVE) == 0) {
        CLEANUP_FREE char *folder = local_folder(job);

        json_put_text(request, "folder", folder);
    }
    return request;
}

/* ---- the child ---- */

static void on_mark(void *context, const json_t *message)
{
    struct job *job = context;

    if (strcmp(json_text(message, "mark", ""), "committing") == 0)
        job->committing = job->committing_tags = true;
}

int image_worker_run(struct job *job, const char *action, json_t **value, struct error *err)
{
    CLEANUP_JSON json_t *request = request_of(job, action);
    struct worker_call call = {
        .name = image_worker.name,
        .what = strcmp(action, IMAGE_LOOK) == 0 ? "lookup" : "publish",
        .request = request,
        .user = COMMAND_AS_SELF,
        .timeout_ms = job->spec.timeouts.publish_ms,
        /* It stops where it is safe, by itself; the stop budget's end is the executor's deadline. */
        .grace_ms = job->options->stop_budget_ms,
        .crash_class = CLASS_PUSH_FAILED,
        .on_mark = on_mark,
        .context = job,
    };
    struct outcome outcome;

    return worker_run(job->options->workers, job->options->log, &call, value, &outcome, err);
}

/* ---- the steps ---- */

bool step_lookup_wanted(const struct job *job)
{
    return image_publish_wanted(job) && job->spec.image.skip_existing && !image_local_folder(job);
}

int step_lookup(struct job *job, struct error *err)
{
    CLEANUP_JSON json_t *answer = NULL;
    const char *digest;

    if (image_worker_run(job, IMAGE_LOOK, &answer, err))
        return -1;
    digest = json_text(answer, "digest", NULL);
    if (!digest) {
        log_info(job->options->log, "%s has no such tag yet", job->spec.image.repository);
        return 0;
    }
    job->image_exists = job->result->image.existed = true;
    free(job->result->image.digest);
    job->result->image.digest = xstrdup(digest);
    log_info(job->options->log, "%s:%s is there already (%s): nothing is built", job->spec.image.repository,
             job->spec.image.tags.items[0], digest);
    return 0;
}

bool image_publish_wanted(const struct job *job)
{
    return image_wanted(job) && job->spec.type == JOB_BUILD && job->spec.image.repository && !job->image_exists;
}

static void keep(struct job *job, const json_t *answer)
{
    struct result_image *image = &job->result->image;
    const json_t *there = json_object_get(answer, "tags_there");
    size_t i;

    free(image->digest);
    free(image->platform);
    image->digest = xstrdup(json_text(answer, "digest", NULL));
    image->platform = xstrdup(json_text(answer, "platform", NULL));
    image->bytes = json_int(answer, "bytes", 0);
    image->layers = (int)json_int(answer, "layers", 0);
    image->blobs_existing = (int)json_int(answer, "existing", 0);
    image->sent_bytes = json_int(answer, "sent_bytes", 0);
    image->push_ms = json_int(answer, "duration_ms", 0);
    image->created_repository |= json_flag(answer, "created", false);
    image->published = true;
    for (i = 0; i < json_array_size(there); i++)
        log_info(job->options->log, "the tag %s pointed to this image already",
                 json_string_value(json_array_get(there, i)));
}

/* Some tags may be new and some old once the first one has been written. */
static int fail(const struct job *job, struct error *err)
{
    static const char words[] = "the push is incomplete";

    if (!job->committing || job->spec.image.tags.len < 2 || image_local_folder(job))
        return -1;
    error_context(err, "%s, some tags are new, some old", words);
    return err->hint[0] ? -1 : error_hint(err, "run the job again: the next push completes it");
}

int image_publish(struct job *job, struct error *err)
{
    CLEANUP_JSON json_t *answer = NULL;
    const char *action = image_local_folder(job) ? IMAGE_SAVE : IMAGE_PUSH;

    if (image_worker_run(job, action, &answer, err))
        return fail(job, err);
    keep(job, answer);
    job->committing = job->committing_tags = false;
    return 0;
}
