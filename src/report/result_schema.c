#include "report/result.h"

#include "core/error.h"
#include "core/mem.h"

/* One row a property of the document, in its order; the schema is drawn from it. */
static const struct {
    const char *name, *type, *description;
    bool required;
} properties[] = {
    {"schema", "string", "always caisson.result/1", true},
    {"id", "string", "the job's id", false},
    {"project", "string", "the job's project", false},
    {"type", "string", "build or test", false},
    {"labels", "object", "the spec's labels, unchanged", false},
    {"status", "string", "how the job ended", true},
    {"class", "string", "the class of the end", true},
    {"exit_code", "integer", "the program's exit code, one to one with class", true},
    {"reason", "string", "a stable kebab-case word for machines; absent on success", false},
    {"retryable", "boolean", "whether the same job may pass when tried again; absent on success", false},
    {"step", "string", "the step that ended it; absent on success", false},
    {"message", "string", "what was tried, on what, and what came of it", false},
    {"hint", "string", "what to do next", false},
    {"child_exit_code", "integer", "exit code of the command that failed", false},
    {"child_signal", "integer", "signal that ended the command", false},
    {"created_at", "string", "the spec's created_at", false},
    {"started_at", "string", "when the job started here", true},
    {"finished_at", "string", "when the job ended here", true},
    {"seconds", "number",
     "that it took; where the clock was set meanwhile, not what lies between started_at and finished_at", true},
    {"source", "object", "repository, commit, ref and the commit's subject", false},
    {"steps", "array", "each step: name, status, started_at, seconds, attempts", true},
    {"artifacts", "array",
     "each published folder: from, url, endpoint (of storage that is not AWS's), mode, digest, files, bytes, written, "
     "unchanged, removed, seconds, ordered",
     true},
    {"image", "object",
     "of the builder dockerfile: repository, tags, digest, platform, engine, published, existed (the tags were there: "
     "nothing was built), bytes (compressed), layers, blobs_existing (the registry had them), sent_bytes, seconds, "
     "created_repository, bases (name@digest), instructions (text, line, seconds, cached); as far as the job came",
     false},
    {"cache", "object",
     "the layer cache: restored, restored_bytes, from_default_branch, restore_seconds, used, added, dropped, saved, "
     "saved_bytes, sent_bytes, save_seconds; layers, as far as the job came",
     false},
    {"log_url", "string", "where the whole log went", false},
    {"usage", "object",
     "peak_memory_bytes, memory_limit_bytes, biggest_process (name, memory_bytes), peak_disk_bytes, disk_limit_bytes, "
     "image_pull_seconds, as far as known",
     true},
    {"warnings", "array", "what did not end the job but should be known", false},
    {"undelivered", "array", "whom of `notify` something could not be told, and why", false},
    {"runner_version", "string", "the version of caisson", true},
    {"shortened", "boolean", "true in the log's last line when parts were left out to fit", false},
};

static json_t *names(bool of_classes)
{
    static const char *const statuses[] = {"succeeded",   "failed",     "timed_out", "cancelled",
                                           "interrupted", "superseded", "skipped"};
    json_t *list = json_array();
    enum error_class class;
    size_t i;

    if (of_classes)
        for (i = 0; error_class_at(i, &class); i++)
            json_array_append_new(list, json_string(error_class_name(class)));
    else
        for (i = 0; i < ARRAY_LEN(statuses); i++)
            json_array_append_new(list, json_string(statuses[i]));
    return list;
}

static json_t *codes(void)
{
    json_t *list = json_array();
    enum error_class class;
    size_t i;

    for (i = 0; error_class_at(i, &class); i++)
        json_array_append_new(list, json_integer((json_int_t) class));
    return list;
}

json_t *result_schema(void)
{
    json_t *members = json_object(), *required = json_array();
    size_t i;

    for (i = 0; i < ARRAY_LEN(properties); i++) {
        json_object_set_new(
            members, properties[i].name,
            json_pack("{s:s, s:s}", "type", properties[i].type, "description", properties[i].description));
        if (properties[i].required)
            json_array_append_new(required, json_string(properties[i].name));
    }
    json_object_set_new(json_object_get(members, "schema"), "const", json_string("caisson.result/1"));
    json_object_set_new(json_object_get(members, "status"), "enum", names(false));
    json_object_set_new(json_object_get(members, "class"), "enum", names(true));
    json_object_set_new(json_object_get(members, "exit_code"), "enum", codes());
    /* More properties may come within version 1: readers ignore what they do not know. */
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "$schema", "https://json-schema.org/draft/2020-12/schema", "$id",
                     "urn:caisson:result:1", "title", "caisson result", "type", "object", "properties", members,
                     "required", required);
}
