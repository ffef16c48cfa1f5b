/*
 * Of a document that is refused: what is right in it of whose job it is, and of who is told. Nothing else: a job is not
 * begun by it.
 */
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "spec/resolve.h"
#include "spec/values.h"

static bool is_wrong(const struct resolution *resolution, const char *path)
{
    size_t len = strlen(path), i;

    for (i = 0; i < resolution->problems->len; i++) {
        const char *at = resolution->problems->items[i].path;

        if (strncmp(at, path, len) == 0 && strchr(".[", at[len]))
            return true;
    }
    return false;
}

static void fill_names(struct spec *spec, const struct resolution *resolution)
{
    const json_t *values = resolution->values;
    const json_t *source = json_object_get(values, "source");
    const char *type = json_string_value(json_object_get(values, "type"));
    const char *created_at = json_string_value(json_object_get(values, "created_at"));

    spec->type = type && strcmp(type, "test") == 0 ? JOB_TEST : JOB_BUILD;
    spec->id = value_text(values, "id");
    spec->project = value_text(values, "project");
    value_pairs(&spec->labels, json_object_get(values, "labels"));
    if (created_at && !is_wrong(resolution, "created_at"))
        clock_parse(created_at, &spec->created_at_ms);
    spec->source.repository = value_text(source, "repository");
    spec->source.ref = value_text(source, "ref");
    spec->source.commit = value_text(source, "commit");
    spec->source.directory = value_text(source, "directory");
}

/* The storage of an artifact holds for what lies in its bucket too. */
static void fill_storage(struct spec *spec, const json_t *artifacts)
{
    size_t i;

    spec->artifacts = xcalloc(json_array_size(artifacts) + 1, sizeof *spec->artifacts);
    for (i = 0; i < json_array_size(artifacts); i++) {
        const json_t *json = json_array_get(artifacts, i);
        const json_t *s3 = json_object_get(json, "s3");
        const json_t *path_style = json_object_get(s3, "path_style");
        struct spec_artifact *artifact = &spec->artifacts[spec->artifacts_len];

        if (!json_object_get(json, "to"))
            continue;
        artifact->to = value_text(json, "to");
        artifact->s3.endpoint = value_text(s3, "endpoint");
        artifact->s3.region = value_text(s3, "region");
        artifact->s3.path_style = path_style ? json_is_true(path_style) : artifact->s3.endpoint != NULL;
        spec->artifacts_len++;
    }
}

/* What is wrong of an artifact could be where its storage is, and then nobody knows whose bucket is meant. */
static char *place_of(const struct resolution *resolution, const char *key)
{
    bool known = !is_wrong(resolution, key) && !json_object_get(resolution->waiting, key);

    return known && !has_problem(resolution, "artifacts[") ? value_text(resolution->values, key) : NULL;
}

void fill_told(struct spec *spec, const struct resolution *resolution)
{
    bool nameless = is_wrong(resolution, "id") || is_wrong(resolution, "project");

    fill_names(spec, resolution);
    fill_storage(spec, json_object_get(resolution->values, "artifacts"));
    spec->result = place_of(resolution, "result");
    spec->log = place_of(resolution, "log");
    /* Who reads what a profile says goes by nothing else. */
    if (resolution->context->profile && nameless)
        strings_add(&spec->untold, "notify: the id or the project of the job is not known");
    else
        fill_notify(spec, resolution);
}
