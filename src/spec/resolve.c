#include "spec/resolve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "spec/parse_state.h"

static const char operator_origin[] = "operator";

/* ---- origins ---- */

void origins_forget(json_t *origins, const char *path)
{
    size_t len = strlen(path);
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe(origins, next, key, value)
    {
        if (strncmp(key, path, len) == 0 && (key[len] == '\0' || key[len] == '.' || key[len] == '['))
            json_object_del(origins, key);
    }
}

/* A value from elsewhere has its origins at its parts: image.auth.password.file. */
bool is_of_operator(const struct resolution *resolution, const char *path)
{
    size_t len = strlen(path);
    const char *key;
    json_t *origin;

    json_object_foreach(resolution->origins, key, origin)
    {
        if (strncmp(key, path, len) == 0 && (key[len] == '\0' || key[len] == '.') &&
            strcmp(json_string_value(origin), operator_origin) == 0)
            return true;
    }
    return false;
}

/* What a profile says about a value, or about what it lies in. */
static const char *given_origin(const json_t *given, const char *path)
{
    CLEANUP_FREE char *at = xstrdup(path);
    const char *origin = NULL;

    while (given && !(origin = json_string_value(json_object_get(given, at))) && *at) {
        char *end = at + strlen(at);

        while (end > at && *end != '.' && *end != '[')
            end--;
        *end = '\0';
    }
    return origin;
}

static void set_origin(struct resolution *resolution, const char *path, const char *fixed)
{
    struct position at = layer_position(resolution->layer, path);
    const char *given = given_origin(resolution->given, path);
    char line[32];

    snprintf(line, sizeof line, "line %d", at.line);
    if (!fixed)
        fixed = given ? given : at.line ? line : "profile";
    json_object_set_new(resolution->origins, path, json_string(fixed));
}

/* A value from elsewhere, { env: NAME }, is shown by its parts. */
static void set_origins(struct resolution *resolution, const json_t *value, const char *path, const char *fixed)
{
    const char *key;
    json_t *part;

    if (!json_is_object(value)) {
        set_origin(resolution, path, fixed);
        return;
    }
    json_object_foreach((json_t *)value, key, part)
    {
        CLEANUP_FREE char *item = path_join(path, key);

        set_origin(resolution, item, fixed);
    }
}

static void note(struct resolution *resolution, const struct rule *rule, const json_t *value, const char *path,
                 const char *fixed)
{
    const struct rule *child;
    size_t i;

    if (rule->type != TYPE_OBJECT_LIST) {
        set_origins(resolution, value, path, fixed);
        return;
    }
    for (i = 0; i < json_array_size(value); i++) {
        for (child = rule_first(rule->children); child; child = rule_next(child)) {
            CLEANUP_FREE char *item = xasprintf("%s[%zu].%s", path, i, child->name);
            const json_t *part = json_object_get(json_array_get(value, i), child->name);
            const struct rule *below;

            if (part && child->type != TYPE_OBJECT)
                note(resolution, child, part, item, fixed);
            for (below = part && child->type == TYPE_OBJECT ? rule_first(child->children) : NULL; below;
                 below = rule_next(below)) {
                CLEANUP_FREE char *deep = path_join(item, below->name);

                if (json_object_get(part, below->name))
                    set_origin(resolution, deep, fixed);
            }
        }
    }
}

/* ---- layers ---- */

static json_t *object_of(json_t *into, const char *name)
{
    json_t *object = json_object_get(into, name);

    if (!json_is_object(object)) {
        object = json_object();
        json_object_set_new(into, name, object);
    }
    return object;
}

static void merge(struct resolution *resolution, const struct rule *rules, json_t *into, const json_t *from,
                  const char *base, const char *fixed)
{
    const struct rule *rule;

    for (rule = rule_first(rules); rule; rule = rule_next(rule)) {
        CLEANUP_FREE char *path = path_join(base, rule->name);
        json_t *value = json_object_get(from, rule->name);
        const char *key;
        json_t *item;

        if (!value)
            continue;
        if (rule->type == TYPE_SWITCH && json_is_object(json_object_get(into, rule->name)) && json_is_true(value))
            continue; /* a map means true, and says more */
        if (rule->type == TYPE_OBJECT || (rule->type == TYPE_SWITCH && json_is_object(value))) {
            json_object_del(resolution->origins, path); /* of true or false, whose place the map takes */
            merge(resolution, rule->children, object_of(into, rule->name), value, path, fixed);
        } else if (rule->type == TYPE_TEXT_MAP || rule->type == TYPE_SECRET_MAP) {
            json_object_foreach(value, key, item)
            {
                CLEANUP_FREE char *entry = path_join(path, key);

                origins_forget(resolution->origins, entry);
                json_object_set_new(object_of(into, rule->name), key, json_deep_copy(item));
                set_origins(resolution, item, entry, fixed);
            }
        } else {
            origins_forget(resolution->origins, path);
            json_object_set_new(into, rule->name, json_deep_copy(value));
            note(resolution, rule, value, path, fixed);
        }
    }
}

static json_t *fallback_value(const struct rule *rule)
{
    if (rule->type == TYPE_BOOL)
        return json_boolean(strcmp(rule->fallback, "true") == 0);
    if (rule->type == TYPE_INT)
        return json_integer(strtol(rule->fallback, NULL, 10));
    return json_string(rule->fallback);
}

static bool applies(const struct resolution *resolution, const struct rule *rule)
{
    return rule->builders == BUILDERS_ALL || rule->builders & resolution->builder;
}

static void apply_defaults(struct resolution *resolution, const struct rule *rules, json_t *into, const char *base)
{
    const struct rule *rule;

    for (rule = rule_first(rules); rule; rule = rule_next(rule)) {
        CLEANUP_FREE char *path = path_join(base, rule->name);
        json_t *value = json_object_get(into, rule->name);
        size_t i;

        if (!applies(resolution, rule) || !rule_goes_with(rule, into))
            continue;
        if (rule->type == TYPE_OBJECT && !rule->later && (value || !rule->when_given)) {
            apply_defaults(resolution, rule->children, object_of(into, rule->name), path);
            if (json_object_size(json_object_get(into, rule->name)) == 0)
                json_object_del(into, rule->name);
        }
        for (i = 0; rule->type == TYPE_OBJECT_LIST && i < json_array_size(value); i++) {
            CLEANUP_FREE char *item = xasprintf("%s[%zu]", path, i);

            apply_defaults(resolution, rule->children, json_array_get(value, i), item);
        }
        if (!rule->fallback || value)
            continue;
        json_object_set_new(into, rule->name, fallback_value(rule));
        set_origin(resolution, path, "default");
    }
}

/* ---- the builder ---- */

static const char *builder_of(const struct resolution *resolution)
{
    const char *name = json_string_value(resolved_at(resolution, "build", "builder"));

    return name ? name : builder_name(BUILDER_AUTO);
}

static unsigned builder_bit(const char *name)
{
    int i;

    for (i = BUILDER_AUTO; i <= BUILDER_DOCKERFILE; i++)
        if (strcmp(name, builder_name((enum builder)i)) == 0)
            return 1U << i;
    return 0;
}

/* An image of the spec itself makes the builder: one of the operator's defaults would for every job. */
static void settle_builder(struct resolution *resolution)
{
    bool wrong = layer_has(resolution->layer, "build.builder") && !is_written(resolution, "build", "builder");

    resolution->builder = wrong ? 0 : builder_bit(builder_of(resolution));
    if (resolution->builder == FOR_AUTO && layer_has(resolution->layer, "image")) {
        json_object_set_new(object_of(resolution->values, "build"), "builder",
                            json_string(builder_name(BUILDER_DOCKERFILE)));
        set_origin(resolution, "build.builder", "default: there is an image");
        resolution->builder = FOR_DOCKERFILE;
    }
    if (resolution->builder == FOR_DOCKERFILE)
        object_of(resolution->values, "image");
}

/* Defaults and pins that are for another builder than the job's say nothing about it. */
static void drop_other_builders(struct resolution *resolution, const struct rule *rules, const char *base)
{
    json_t *object = *base ? json_object_get(resolution->values, base) : resolution->values;
    const struct rule *rule;

    for (rule = rule_first(rules); resolution->builder && rule; rule = rule_next(rule)) {
        CLEANUP_FREE char *path = path_join(base, rule->name);

        if (applies(resolution, rule))
            continue;
        if (is_written(resolution, base, rule->name))
            resolution_problem(resolution, path,
                               rule->builders == FOR_DOCKERFILE && resolution->builder == FOR_AUTO
                                   ? "give an image, or say builder: dockerfile"
                                   : NULL,
                               "does not apply to the builder %s", builder_of(resolution));
        json_object_del(object, rule->name);
        origins_forget(resolution->origins, path);
    }
}

/* ---- the operator's bounds ---- */

static void write_duration(int64_t ms, char text[CLOCK_TEXT_SIZE])
{
    static const struct {
        const char *unit;
        int64_t factor;
    } units[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
    size_t i = 0;

    while (ms % units[i].factor)
        i++;
    snprintf(text, CLOCK_TEXT_SIZE, "%lld%s", (long long)(ms / units[i].factor), units[i].unit);
}

static void bound(struct resolution *resolution, json_t *object, const char *key, const char *path, int64_t max_ms)
{
    const char *text = json_string_value(json_object_get(object, key));
    char bounded[CLOCK_TEXT_SIZE];
    int64_t ms;

    if (max_ms <= 0 || !text || duration_parse(text, &ms) || (ms > 0 && ms <= max_ms))
        return;
    write_duration(max_ms, bounded);
    json_object_set_new(object, key, json_string(bounded));
    set_origin(resolution, path, "operator (max)");
}

static void bound_limit(struct resolution *resolution, const char *key, struct limit max)
{
    json_t *limits = json_object_get(resolution->values, "limits");
    const char *text = json_string_value(json_object_get(limits, key));
    CLEANUP_FREE char *path = path_join("limits", key);
    char bounded[CLOCK_TEXT_SIZE];
    struct limit limit;

    if (!text || limit_parse(text, &limit.bytes, &limit.percent))
        return;
    if (max.bytes && limit.bytes > max.bytes)
        snprintf(bounded, sizeof bounded, "%lld", (long long)max.bytes);
    else if (max.percent && limit.percent > max.percent)
        snprintf(bounded, sizeof bounded, "%d%%", max.percent);
    else
        return;
    json_object_set_new(limits, key, json_string(bounded));
    set_origin(resolution, path, "operator (max)");
}

static void apply_bounds(struct resolution *resolution, const struct operator_file *file)
{
    json_t *timeouts = json_object_get(resolution->values, "timeouts");

    bound(resolution, resolution->values, "timeout", "timeout", file->max.timeout_ms);
    bound(resolution, timeouts, "checkout", "timeouts.checkout", file->max.checkout_ms);
    bound(resolution, timeouts, "install", "timeouts.install", file->max.install_ms);
    bound(resolution, timeouts, "build", "timeouts.build", file->max.build_ms);
    bound(resolution, timeouts, "test", "timeouts.test", file->max.test_ms);
    bound(resolution, timeouts, "publish", "timeouts.publish", file->max.publish_ms);
    bound(resolution, timeouts, "idle", "timeouts.idle", file->max.idle_ms);
    bound_limit(resolution, "memory", file->max.memory);
    bound_limit(resolution, "disk", file->max.disk);
    bound_limit(resolution, "output", (struct limit){.bytes = file->max.output_bytes});
    bound_limit(resolution, "log", (struct limit){.bytes = file->max.log_bytes});
}

static void pin_servers(struct resolution *resolution, const struct operator_file *file)
{
    json_t *artifacts = json_object_get(resolution->values, "artifacts");
    size_t i;

    for (i = 0; i < json_array_size(artifacts); i++) {
        json_t *artifact = json_array_get(artifacts, i);
        CLEANUP_FREE char *endpoint = xasprintf("artifacts[%zu].s3.endpoint", i);
        CLEANUP_FREE char *region = xasprintf("artifacts[%zu].s3.region", i);
        const char *to = json_string_value(json_object_get(artifact, "to"));

        if (!to || strncmp(to, "s3:", 3) != 0)
            continue;
        if (file->pin_endpoint) {
            json_object_set_new(object_of(artifact, "s3"), "endpoint", json_string(file->pin_endpoint));
            set_origin(resolution, endpoint, operator_origin);
        }
        if (file->pin_region) {
            json_object_set_new(object_of(artifact, "s3"), "region", json_string(file->pin_region));
            set_origin(resolution, region, operator_origin);
        }
    }
}

void resolve_layers(struct resolution *resolution)
{
    const struct operator_file *file = resolution->context->operator_file;

    resolution->values = json_object();
    resolution->origins = json_object();
    resolution->waiting = json_object();
    if (file && file->defaults)
        merge(resolution, spec_rules, resolution->values, file->defaults, "", operator_origin);
    merge(resolution, spec_rules, resolution->values, resolution->layer->values, "", NULL);
    if (file && file->pins)
        merge(resolution, spec_rules, resolution->values, file->pins, "", operator_origin);
    settle_builder(resolution);
    drop_other_builders(resolution, spec_rules, "");
    drop_other_builders(resolution, build_rules, "build");
    apply_defaults(resolution, spec_rules, resolution->values, "");
    if (file) {
        apply_bounds(resolution, file);
        pin_servers(resolution, file);
    }
}

void resolution_dispose(struct resolution *resolution)
{
    json_decref(resolution->values);
    json_decref(resolution->origins);
    json_decref(resolution->waiting);
}

json_t *resolved_at(const struct resolution *resolution, const char *object, const char *key)
{
    return json_object_get(*object ? json_object_get(resolution->values, object) : resolution->values, key);
}

bool is_written(const struct resolution *resolution, const char *object, const char *key)
{
    const json_t *values = resolution->layer->values;

    return json_object_get(*object ? json_object_get(values, object) : values, key) != NULL;
}

bool has_problem(const struct resolution *resolution, const char *path)
{
    size_t i;

    for (i = 0; i < resolution->problems->len; i++)
        if (strncmp(resolution->problems->items[i].path, path, strlen(path)) == 0)
            return true;
    return false;
}

int resolution_problem(struct resolution *resolution, const char *path, const char *hint, const char *format, ...)
{
    CLEANUP_FREE char *message = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&message, format, args) < 0)
        message = NULL;
    va_end(args);
    return problem_add(resolution->problems, layer_position_near(resolution->layer, path), path, hint, "%s",
                       message ? message : "out of memory");
}
