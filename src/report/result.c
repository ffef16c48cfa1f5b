#include "report/result.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/mem.h"

void result_init(struct result *result)
{
    memset(result, 0, sizeof *result);
    result->started_ms = clock_wall_ms();
    result->began_ms = clock_monotonic_ms();
    result->error.child_exit = -1;
}

void result_finish(struct result *result)
{
    result->finished_ms = clock_wall_ms();
    result->duration_ms = clock_monotonic_ms() - result->began_ms;
}

static void dispose_image(struct result_image *image)
{
    size_t i;

    free(image->repository);
    free(image->digest);
    free(image->platform);
    free(image->engine);
    strings_dispose(&image->tags);
    strings_dispose(&image->bases);
    for (i = 0; i < image->instructions_len; i++)
        free(image->instructions[i].text);
    free(image->instructions);
}

void result_dispose(struct result *result)
{
    size_t i;

    free(result->id);
    free(result->project);
    free(result->type);
    json_decref(result->labels);
    free(result->repository);
    free(result->ref);
    free(result->subject);
    free(result->steps);
    for (i = 0; i < result->artifacts_len; i++) {
        free(result->artifacts[i].from);
        free(result->artifacts[i].url);
        free(result->artifacts[i].digest);
        free(result->artifacts[i].mode);
        free(result->artifacts[i].endpoint);
    }
    free(result->artifacts);
    dispose_image(&result->image);
    free(result->log_url);
    strings_dispose(&result->warnings);
    strings_dispose(&result->undelivered);
}

struct result_step *result_step_begin(struct result *result, const char *name)
{
    struct result_step *step;

    result->steps = xrealloc(result->steps, result->steps_len + 1, sizeof *result->steps);
    step = &result->steps[result->steps_len++];
    *step = (struct result_step){.started_ms = clock_wall_ms()};
    snprintf(step->name, sizeof step->name, "%s", name);
    snprintf(result->step_now, sizeof result->step_now, "%s", name);
    return step;
}

struct result_artifact *result_artifact_add(struct result *result)
{
    result->artifacts = xrealloc(result->artifacts, result->artifacts_len + 1, sizeof *result->artifacts);
    result->artifacts[result->artifacts_len] = (struct result_artifact){0};
    return &result->artifacts[result->artifacts_len++];
}

const char *result_status(const struct result *result)
{
    switch (result->error.class) {
    case CLASS_SUCCEEDED: return result->image.existed ? "skipped" : "succeeded";
    case CLASS_TIME_LIMIT: return "timed_out";
    case CLASS_CANCELLED: return "cancelled";
    case CLASS_INTERRUPTED: return "interrupted";
    case CLASS_SUPERSEDED: return "superseded";
    default: return "failed";
    }
}

int result_exit_code(const struct result *result)
{
    return (int)result->error.class;
}

static void put_time(json_t *object, const char *key, int64_t wall_ms)
{
    char text[CLOCK_TEXT_SIZE];

    if (!wall_ms)
        return;
    clock_format(wall_ms, text);
    json_put_text(object, key, text);
}

static void put_count(json_t *object, const char *key, int64_t count)
{
    json_object_set_new(object, key, json_integer(count));
}

static void put_seconds(json_t *object, const char *key, int64_t ms)
{
    json_object_set_new(object, key, json_real((double)ms / 1000));
}

static json_t *steps_to_json(const struct result *result)
{
    json_t *list = json_array();
    size_t i;

    for (i = 0; i < result->steps_len; i++) {
        const struct result_step *step = &result->steps[i];
        json_t *item = json_object();

        json_put_text(item, "name", step->name);
        json_put_text(item, "status", step->skipped ? "skipped" : step->ok ? "succeeded" : "failed");
        put_time(item, "started_at", step->started_ms);
        put_seconds(item, "seconds", step->duration_ms);
        put_count(item, "attempts", step->attempts);
        json_array_append_new(list, item);
    }
    return list;
}

static json_t *artifacts_to_json(const struct result *result)
{
    json_t *list = json_array();
    size_t i;

    for (i = 0; i < result->artifacts_len; i++) {
        const struct result_artifact *artifact = &result->artifacts[i];
        json_t *item = json_object();

        json_put_text(item, "from", artifact->from);
        json_put_text(item, "url", artifact->url);
        json_put_text(item, "endpoint", artifact->endpoint);
        json_put_text(item, "mode", artifact->mode);
        json_put_text(item, "digest", artifact->digest);
        put_count(item, "files", artifact->files);
        put_count(item, "bytes", artifact->bytes);
        put_count(item, "written", artifact->written);
        put_count(item, "unchanged", artifact->unchanged);
        put_count(item, "removed", artifact->removed);
        put_seconds(item, "seconds", artifact->duration_ms);
        json_object_set_new(item, "ordered", json_boolean(artifact->ordered));
        json_array_append_new(list, item);
    }
    return list;
}

static json_t *instructions_to_json(const struct result_image *image)
{
    json_t *list = json_array();
    size_t i;

    for (i = 0; i < image->instructions_len; i++) {
        const struct result_instruction *instruction = &image->instructions[i];
        json_t *item = json_object();

        json_put_text(item, "text", instruction->text);
        put_count(item, "line", instruction->line);
        put_seconds(item, "seconds", instruction->duration_ms);
        json_object_set_new(item, "cached", json_boolean(instruction->cached));
        json_array_append_new(list, item);
    }
    return list;
}

/* What is not known yet, because the job did not come so far, is left out. */
static void put_image(json_t *document, const struct result_image *image)
{
    json_t *json;

    if (!image->engine)
        return;
    json = json_object();
    json_put_text(json, "repository", image->repository);
    if (image->repository)
        json_object_set_new(json, "tags", json_of_strings(&image->tags));
    json_put_text(json, "digest", image->digest);
    json_put_text(json, "platform", image->platform);
    json_put_text(json, "engine", image->engine);
    json_object_set_new(json, "published", json_boolean(image->published));
    json_object_set_new(json, "existed", json_boolean(image->existed));
    if (image->published) {
        put_count(json, "bytes", image->bytes);
        put_count(json, "layers", image->layers);
        put_count(json, "blobs_existing", image->blobs_existing);
        put_count(json, "sent_bytes", image->sent_bytes);
        put_seconds(json, "seconds", image->push_ms);
        json_object_set_new(json, "created_repository", json_boolean(image->created_repository));
    }
    if (image->bases.len)
        json_object_set_new(json, "bases", json_of_strings(&image->bases));
    json_object_set_new(json, "instructions", instructions_to_json(image));
    json_object_set_new(document, "image", json);
}

static void put_cache(json_t *document, const struct result_cache *cache)
{
    json_t *json;

    if (!cache->wanted)
        return;
    json = json_object();
    put_count(json, "restored", cache->restored);
    put_count(json, "restored_bytes", cache->restored_bytes);
    put_count(json, "from_default_branch", cache->from_default);
    put_seconds(json, "restore_seconds", cache->restore_ms);
    put_count(json, "used", cache->used);
    put_count(json, "added", cache->added);
    put_count(json, "dropped", cache->dropped);
    put_count(json, "saved", cache->saved);
    put_count(json, "saved_bytes", cache->saved_bytes);
    put_count(json, "sent_bytes", cache->sent_bytes);
    put_seconds(json, "save_seconds", cache->save_ms);
    json_object_set_new(document, "cache", json);
}

static void put_error(json_t *document, const struct result *result)
{
    const struct error *error = &result->error;

    json_put_text(document, "class", error_class_name(error->class));
    put_count(document, "exit_code", (json_int_t)error->class);
    if (error->class == CLASS_SUCCEEDED)
        return;
    json_put_text(document, "reason", error->reason);
    json_object_set_new(document, "retryable", json_boolean(error->retryable));
    json_put_text(document, "step", *result->step_now ? result->step_now : "load");
    json_put_text(document, "message", error->message);
    if (*error->hint)
        json_put_text(document, "hint", error->hint);
    if (error->child_exit >= 0)
        put_count(document, "child_exit_code", error->child_exit);
    if (error->child_signal)
        put_count(document, "child_signal", error->child_signal);
}

static void put_source(json_t *document, const struct result *result)
{
    json_t *source = json_object();

    json_put_text(source, "repository", result->repository);
    if (*result->commit)
        json_put_text(source, "commit", result->commit);
    json_put_text(source, "ref", result->ref);
    json_put_text(source, "subject", result->subject);
    if (json_object_size(source))
        json_object_set_new(document, "source", source);
    else
        json_decref(source);
}

static void put_usage(json_t *document, const struct result *result)
{
    json_t *usage = json_object();

    if (result->peak_memory_bytes)
        put_count(usage, "peak_memory_bytes", result->peak_memory_bytes);
    if (result->memory_limit_bytes)
        put_count(usage, "memory_limit_bytes", result->memory_limit_bytes);
    if (result->biggest_bytes) {
        json_t *process = json_object();

        if (*result->biggest_name)
            json_put_text(process, "name", result->biggest_name);
        put_count(process, "memory_bytes", result->biggest_bytes);
        json_object_set_new(usage, "biggest_process", process);
    }
    if (result->peak_disk_bytes)
        put_count(usage, "peak_disk_bytes", result->peak_disk_bytes);
    if (result->disk_limit_bytes)
        put_count(usage, "disk_limit_bytes", result->disk_limit_bytes);
    if (result->image_pull_ms)
        put_seconds(usage, "image_pull_seconds", result->image_pull_ms);
    json_object_set_new(document, "usage", usage);
}

json_t *result_to_json(const struct result *result)
{
    json_t *document = json_object();

    json_put_text(document, "schema", "caisson.result/1");
    json_put_text(document, "id", result->id);
    json_put_text(document, "project", result->project);
    json_put_text(document, "type", result->type);
    if (result->labels)
        json_object_set(document, "labels", result->labels);
    json_put_text(document, "status", result_status(result));
    put_error(document, result);
    put_time(document, "created_at", result->created_at_ms);
    put_time(document, "started_at", result->started_ms);
    put_time(document, "finished_at", result->finished_ms);
    if (result->finished_ms)
        put_seconds(document, "seconds", result->duration_ms);
    put_source(document, result);
    json_object_set_new(document, "steps", steps_to_json(result));
    json_object_set_new(document, "artifacts", artifacts_to_json(result));
    put_image(document, &result->image);
    put_cache(document, &result->cache);
    json_put_text(document, "log_url", result->log_url);
    put_usage(document, result);
    if (result->warnings.len)
        json_object_set_new(document, "warnings", json_of_strings(&result->warnings));
    if (result->undelivered.len)
        json_object_set_new(document, "undelivered", json_of_strings(&result->undelivered));
    json_put_text(document, "runner_version", CAISSON_VERSION);
    return document;
}

char *result_shorten(json_t *document, size_t max)
{
    /* What grows without bound goes first; what says how it ended stays. */
    static const char *const dispensable[] = {"instructions", "warnings", "undelivered", "labels", "artifacts",
                                              "image",        "steps",    "hint",        "source", "message"};
    char *text = json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(12));
    size_t i;

    for (i = 0; text && strlen(text) > max && i < ARRAY_LEN(dispensable); i++) {
        if (strcmp(dispensable[i], "instructions") == 0)
            json_object_del(json_object_get(document, "image"), "instructions");
        else
            json_object_del(document, dispensable[i]);
        json_object_set_new(document, "shortened", json_true());
        free(text);
        text = json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(12));
    }
    return text;
}

void result_summary_json(const struct result *result, size_t max, struct buf *out)
{
    CLEANUP_JSON json_t *document = result_to_json(result);
    CLEANUP_FREE char *text = result_shorten(document, max);

    if (text)
        buf_adds(out, text);
}

static void text_artifact(const struct result_artifact *artifact, struct buf *out)
{
    char size[CLOCK_TEXT_SIZE], time[CLOCK_TEXT_SIZE];

    size_format(artifact->bytes, size);
    duration_format(artifact->duration_ms, time);
    buf_addf(out, "published %lld files (%s) to %s in %s: %lld written, %lld unchanged, %lld removed\n",
             (long long)artifact->files, size, artifact->url, time, (long long)artifact->written,
             (long long)artifact->unchanged, (long long)artifact->removed);
}

static void text_image(const struct result_image *image, struct buf *out)
{
    char size[CLOCK_TEXT_SIZE], time[CLOCK_TEXT_SIZE];
    size_t i;

    if (!image->published && !image->existed)
        return;
    size_format(image->bytes, size);
    duration_format(image->push_ms, time);
    buf_addf(out, "%s %s",
             image->existed                               ? "found"
             : strncmp(image->repository, "oci:", 4) == 0 ? "saved"
                                                          : "pushed",
             image->repository);
    for (i = 0; i < image->tags.len; i++)
        buf_addf(out, "%s%s", i ? ", " : ":", image->tags.items[i]);
    buf_addf(out, "@%s", image->digest);
    if (image->published)
        buf_addf(out, " (%s, %d layer%s, %d there already) in %s", size, image->layers, image->layers == 1 ? "" : "s",
                 image->blobs_existing, time);
    buf_adds(out, image->existed ? ": nothing was built\n" : "\n");
}

void result_text(const struct result *result, struct buf *out)
{
    const struct error *error = &result->error;
    char time[CLOCK_TEXT_SIZE];
    size_t i;

    for (i = 0; i < result->artifacts_len; i++)
        text_artifact(&result->artifacts[i], out);
    text_image(&result->image, out);
    duration_format(result->duration_ms, time);
    if (error->class == CLASS_SUCCEEDED) {
        buf_addf(out, "job %s %s in %s\n", result->id ? result->id : "-", result_status(result), time);
        return;
    }
    buf_addf(out, "job %s: %s after %s in step %s: %s\n", result->id ? result->id : "-", result_status(result), time,
             *result->step_now ? result->step_now : "load", error->message);
    if (*error->hint)
        buf_addf(out, "  try: %s\n", error->hint);
    buf_addf(out, "  class %s, exit code %d, reason %s%s\n", error_class_name(error->class), (int)error->class,
             error->reason, error->retryable ? ", may pass when tried again" : "");
}
