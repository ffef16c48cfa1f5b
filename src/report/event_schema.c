#include "core/mem.h"
#include "report/event.h"
#include "report/result.h"

/* One row a member of an event's data; the schema is drawn from it. `in`: bits of the kinds that have it. */
#define ALL ((1U << EVENT_KINDS) - 1)
#define IN(kind) EVENT_BIT(EVENT_##kind)
static const struct {
    const char *name, *type, *description;
    unsigned in, required;
} members[] = {
    {"id", "string", "the job's id", ALL, ALL},
    {"project", "string", "the job's project", ALL, 0},
    {"labels", "object", "the spec's labels, unchanged", ALL, 0},
    {"type", "string", "build or test", IN(STARTED), IN(STARTED)},
    {"created_at", "string", "the spec's created_at", IN(STARTED), 0},
    {"started_at", "string", "when the job started here", IN(STARTED), IN(STARTED)},
    {"source", "object", "repository, ref and commit, as the spec names them", IN(STARTED), IN(STARTED)},
    {"log_url", "string", "where the whole log will be", IN(STARTED), 0},
    {"result_url", "string", "where the result document is, or will be", IN(STARTED) | IN(FINISHED), 0},
    {"runner_version", "string", "the version of caisson", IN(STARTED), IN(STARTED)},
    {"step", "string", "the step; absent outside of one", IN(STEP) | IN(PROGRESS) | IN(HEARTBEAT), IN(STEP)},
    {"phase", "string", "begin or end", IN(STEP), IN(STEP)},
    {"status", "string", "at the end: succeeded or failed", IN(STEP), 0},
    {"attempts", "integer", "at the end: how often it was tried", IN(STEP), 0},
    {"text", "string", "how far it has come, in words", IN(PROGRESS), IN(PROGRESS)},
    {"percent", "integer", "the same from 0 to 100, where that is known", IN(PROGRESS), 0},
    {"seconds", "number", "of the step, at its end; of a heartbeat: since the job started", IN(STEP) | IN(HEARTBEAT),
     IN(HEARTBEAT)},
    {"lines", "array", "lines of the log, in order", IN(LOG), IN(LOG)},
    {"result", "object", "the whole result document (caisson schema result)", IN(FINISHED), IN(FINISHED)},
};

/* The same of a line of the log. */
static const struct {
    const char *name, *type, *description;
    bool required;
} line_members[] = {
    {"sequence", "integer", "its number in the log; a longer line is cut into several", true},
    {"time", "string", "when it was printed", true},
    {"step", "string", "the step; absent outside of one", false},
    {"type", "string", "output of a command, or a line of ours; gap: lines are missing, and the text says how many",
     true},
    {"stream", "string", "of output: stdout or stderr", false},
    {"text", "string", "without its line break; may hold colours (SGR sequences)", true},
};

/* Attributes of the envelope. */
static const struct {
    const char *name, *description;
} attributes[] = {
    {"specversion", "always 1.0"},
    {"id", "unique; the same at every attempt and at every receiver, but for batches of log lines"},
    {"source", "the ECS task's ARN, or urn:caisson: and a random id"},
    {"type", "the kind of event"},
    {"subject", "the job's id"},
    {"time", "when it happened (RFC 3339)"},
    {"sequence", "twelve digits: events of a source in their order"},
    {"datacontenttype", "always application/json"},
};

static json_t *property(const char *type, const char *description)
{
    return json_pack("{s:s, s:s}", "type", type, "description", description);
}

static json_t *line_schema(void)
{
    json_t *properties = json_object(), *required = json_array();
    size_t i;

    for (i = 0; i < ARRAY_LEN(line_members); i++) {
        json_object_set_new(properties, line_members[i].name,
                            property(line_members[i].type, line_members[i].description));
        if (line_members[i].required)
            json_array_append_new(required, json_string(line_members[i].name));
    }
    json_object_set_new(json_object_get(properties, "type"), "enum",
                        json_pack("[s, s, s, s, s, s]", "output", "info", "warning", "error", "command", "gap"));
    return json_pack("{s:s, s:o, s:o}", "type", "object", "properties", properties, "required", required);
}

static json_t *data_schema(enum event_kind kind)
{
    json_t *properties = json_object(), *required = json_array();
    size_t i;

    for (i = 0; i < ARRAY_LEN(members); i++) {
        if (!(members[i].in & EVENT_BIT(kind)))
            continue;
        json_object_set_new(properties, members[i].name, property(members[i].type, members[i].description));
        if (members[i].required & EVENT_BIT(kind))
            json_array_append_new(required, json_string(members[i].name));
    }
    if (kind == EVENT_LOG)
        json_object_set_new(json_object_get(properties, "lines"), "items", line_schema());
    if (kind == EVENT_FINISHED)
        json_object_set_new(json_object_get(properties, "result"), "required",
                            json_pack("[s, s, s, s]", "schema", "status", "class", "exit_code"));
    return json_pack("{s:s, s:o, s:o}", "type", "object", "properties", properties, "required", required);
}

json_t *event_schema(void)
{
    json_t *properties = json_object(), *required = json_array(), *types = json_array(), *kinds = json_array();
    unsigned kind;
    size_t i;

    for (i = 0; i < ARRAY_LEN(attributes); i++) {
        json_object_set_new(properties, attributes[i].name, property("string", attributes[i].description));
        json_array_append_new(required, json_string(attributes[i].name));
    }
    json_object_set_new(json_object_get(properties, "specversion"), "const", json_string("1.0"));
    json_object_set_new(json_object_get(properties, "sequence"), "pattern", json_string("^[0-9]{12}$"));
    json_object_set_new(properties, "data", property("object", "what the event says"));
    json_array_append_new(required, json_string("data"));
    for (kind = 0; kind < EVENT_KINDS; kind++) {
        CLEANUP_FREE char *type = xasprintf("dev.caisson.job.%s", event_kind_name(kind));

        json_array_append_new(types, json_string(type));
        json_array_append_new(kinds, json_pack("{s:{s:{s:{s:s}}}, s:{s:{s:o}}}", "if", "properties", "type", "const",
                                               type, "then", "properties", "data", data_schema(kind)));
    }
    json_object_set_new(json_object_get(properties, "type"), "enum", types);
    /* More may come within version 1 of an event: readers ignore what they do not know. */
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o}", "$schema", "https://json-schema.org/draft/2020-12/schema",
                     "$id", "urn:caisson:event:1", "title", "caisson event", "type", "object", "properties", properties,
                     "required", required, "allOf", kinds);
}
