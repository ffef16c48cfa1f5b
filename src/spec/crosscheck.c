/* Rules between keys. */
#include <string.h>
#include <strings.h>

#include "core/clock.h"
#include "core/mem.h"
#include "spec/parse_state.h"
#include "spec/resolve.h"

#define CREATED_AHEAD_MAX_MS ((int64_t)5 * 60 * 1000)

static const char *text_at(const struct resolution *resolution, const char *object, const char *key)
{
    const char *text = json_string_value(resolved_at(resolution, object, key));

    return text ? text : "";
}

/* A key that stands in the spec with a wrong value has had its problem already. */
static bool is_absent(const struct resolution *resolution, const char *path, const json_t *value)
{
    return !value && !layer_has(resolution->layer, path);
}

/* `written` is what the spec itself says there: where that has the wrong kind, nothing below is missing. */
static void check_required(struct resolution *resolution, const struct rule *rules, const json_t *values,
                           const json_t *written, const char *base)
{
    const struct rule *rule;

    for (rule = rule_first(rules); rule; rule = rule_next(rule)) {
        CLEANUP_FREE char *path = path_join(base, rule->name);
        const json_t *value = json_object_get(values, rule->name);
        const json_t *below = json_object_get(written, rule->name);

        if (!below && layer_has(resolution->layer, path))
            continue;
        if (rule->required && !value)
            problem_missing(resolution->problems, layer_position_near(resolution->layer, path), path, rule);
        if (rule->type == TYPE_OBJECT && value)
            check_required(resolution, rule->children, value, below, path);
    }
}

static void check_build(struct resolution *resolution)
{
    const char *builder = text_at(resolution, "build", "builder");
    const json_t *commands = resolved_at(resolution, "build", "commands");
    bool none = commands ? json_array_size(commands) == 0 : is_absent(resolution, "build.commands", NULL);

    if (strcmp(builder, "commands") == 0 && none)
        resolution_problem(resolution, "build.commands", "for example commands: [make, make dist]",
                           "is missing: the builder commands has nothing to run");
    if (strcmp(text_at(resolution, "", "type"), "test") == 0 && resolution->builder != FOR_DOCKERFILE &&
        strcmp(builder, "commands") != 0 &&
        is_absent(resolution, "build.test", resolved_at(resolution, "build", "test")))
        resolution_problem(resolution, "build.test", "for example test: npm test",
                           "is missing: a job of type test has nothing to run");
}

static void check_auth(struct resolution *resolution)
{
    const json_t *auth = resolved_at(resolution, "source", "auth");

    if (json_object_get(auth, "token") && json_object_get(auth, "password"))
        resolution_problem(resolution, "source.auth.password", "give one of them",
                           "token and password exclude each other");
    if (json_object_get(auth, "username") && !json_object_get(auth, "token") && !json_object_get(auth, "password"))
        resolution_problem(resolution, "source.auth.username", "add password or token",
                           "a username alone is no credential");
}

static void check_env(struct resolution *resolution)
{
    const json_t *env = resolved_at(resolution, "", "env");
    const char *name;
    json_t *value;

    json_object_foreach(resolved_at(resolution, "", "secrets"), name, value)
    {
        CLEANUP_FREE char *path = path_join("secrets", name);

        if (json_object_get(env, name))
            resolution_problem(resolution, path, "take it out of one of them", "the name stands in env too");
    }
}

static bool gets_npmrc(const json_t *secret)
{
    const char *as = json_string_value(json_object_get(secret, "as"));

    return as && strcmp(as, "npmrc") == 0;
}

/* npm has one user configuration, and reads its variable in either case. */
static void check_npmrc(struct resolution *resolution)
{
    const json_t *secrets = resolved_at(resolution, "", "secrets");
    const char *first = NULL, *name;
    json_t *value;

    json_object_foreach((json_t *)secrets, name, value)
    {
        CLEANUP_FREE char *path = path_join("secrets", name);

        if (!gets_npmrc(value))
            continue;
        if (first)
            resolution_problem(resolution, path, "put all registries into one", "%s is as: npmrc already", first);
        first = first ? first : name;
    }
    json_object_foreach(resolved_at(resolution, "", "env"), name, value)
    {
        CLEANUP_FREE char *path = path_join("env", name);

        if (first && strcasecmp(name, "npm_config_userconfig") == 0)
            resolution_problem(resolution, path, "take it out of one of them", "secrets.%s is npm's configuration",
                               first);
    }
}

static void check_created_at(struct resolution *resolution)
{
    const char *text = text_at(resolution, "", "created_at");
    int64_t created_ms;

    if (*text && clock_parse(text, &created_ms) == 0 && resolution->context->now_ms > 0 &&
        created_ms > resolution->context->now_ms + CREATED_AHEAD_MAX_MS)
        resolution_problem(resolution, "created_at", "it orders publishes: a time ahead would shut out every later job",
                           "lies more than 5 minutes in the future");
}

/* As PID 1 we are root: such a target could be any file of the task. */
void check_file_target(struct resolution *resolution, const char *path, const char *place)
{
    const struct operator_file *file = resolution->context->operator_file;
    bool layout = image_is_folder(place);

    if ((strncmp(place, "file:", 5) != 0 && !layout) || !resolution->context->pid1 ||
        (file && file->allow.file_targets))
        return;
    resolution_problem(resolution, path, "the operator's file can allow it (allow: [file-targets])",
                       "as PID 1 %s target is not allowed", layout ? "an oci:" : "a file:");
}

static void check_headers(struct resolution *resolution, const json_t *artifact, size_t index)
{
    const json_t *headers = json_object_get(artifact, "headers");
    size_t i;

    for (i = 0; i < json_array_size(headers); i++) {
        CLEANUP_FREE char *path = xasprintf("artifacts[%zu].headers[%zu]", index, i);

        if (json_object_size(json_array_get(headers, i)) == 1 && json_object_get(json_array_get(headers, i), "match") &&
            !has_problem(resolution, path))
            resolution_problem(resolution, path, "cache_control, content_type, content_disposition or content_language",
                               "the rule sets no header");
    }
}

static bool stands_before(const json_t *artifacts, size_t index, const char *to)
{
    size_t i;

    for (i = 0; i < index; i++) {
        const char *other = json_string_value(json_object_get(json_array_get(artifacts, i), "to"));

        if (other && strcmp(other, to) == 0)
            return true;
    }
    return false;
}

static void check_artifact(struct resolution *resolution, const json_t *artifacts, size_t index)
{
    const json_t *artifact = json_array_get(artifacts, index);
    const char *to = json_string_value(json_object_get(artifact, "to"));
    const char *mode = json_string_value(json_object_get(artifact, "mode"));
    const json_t *written = json_array_get(json_object_get(resolution->layer->values, "artifacts"), index);
    CLEANUP_FREE char *to_path = xasprintf("artifacts[%zu].to", index);
    CLEANUP_FREE char *adopt_path = xasprintf("artifacts[%zu].adopt", index);
    CLEANUP_FREE char *s3_path = xasprintf("artifacts[%zu].s3", index);

    check_headers(resolution, artifact, index);
    if (json_is_true(json_object_get(artifact, "adopt")) && mode && strcmp(mode, "mirror") != 0)
        resolution_problem(resolution, adopt_path, NULL, "does not apply to the mode %s", mode);
    if (!to)
        return;
    check_file_target(resolution, to_path, to);
    if (strncmp(to, "file:", 5) == 0 && json_object_get(written, "s3"))
        resolution_problem(resolution, s3_path, NULL, "does not apply to a file: target");
    if (stands_before(artifacts, index, to))
        resolution_problem(resolution, to_path, "two artifacts would overwrite each other",
                           "another artifact goes there already");
}

void crosscheck(struct resolution *resolution)
{
    const json_t *artifacts = resolved_at(resolution, "", "artifacts");
    const char *result = text_at(resolution, "", "result");
    const char *log = text_at(resolution, "", "log");
    size_t i;

    check_required(resolution, spec_rules, resolution->values, resolution->layer->values, "");
    check_build(resolution);
    check_auth(resolution);
    check_env(resolution);
    check_npmrc(resolution);
    check_created_at(resolution);
    check_file_target(resolution, "result", result);
    check_file_target(resolution, "log", log);
    if (*log && strcmp(result, log) == 0)
        resolution_problem(resolution, "log", NULL, "is the place of the result already");
    for (i = 0; i < json_array_size(artifacts); i++)
        check_artifact(resolution, artifacts, i);
    crosscheck_cancel(resolution);
    crosscheck_notify(resolution);
    crosscheck_image(resolution);
    crosscheck_image_auth(resolution);
}
