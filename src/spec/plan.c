/* The resolved document as `caisson plan` shows it. */
#include <string.h>

#include "spec/resolve.h"

#define MASK "***"

static json_t *masked(const json_t *value)
{
    return json_is_string(value) ? json_string(MASK) : json_deep_copy(value);
}

static json_t *masked_map(const json_t *map)
{
    json_t *out = json_object();
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)map, name, value) json_object_set_new(out, name, masked(value));
    return out;
}

static json_t *ordered(const struct rule *rules, const json_t *values)
{
    json_t *out = json_object();
    const struct rule *rule;
    size_t i;

    for (rule = rule_first(rules); rule; rule = rule_next(rule)) {
        const json_t *value = json_object_get(values, rule->name);
        json_t *list;

        if (!value)
            continue;
        if (rule->type == TYPE_OBJECT || (rule->type == TYPE_SWITCH && json_is_object(value))) {
            json_object_set_new(out, rule->name, ordered(rule->children, value));
        } else if (rule->type == TYPE_OBJECT_LIST) {
            list = json_array();
            for (i = 0; i < json_array_size(value); i++)
                json_array_append_new(list, ordered(rule->children, json_array_get(value, i)));
            json_object_set_new(out, rule->name, list);
        } else if (rule->type == TYPE_SECRET_MAP) {
            json_object_set_new(out, rule->name, masked_map(value));
        } else if (rule->type == TYPE_VALUE && rule->private) {
            json_object_set_new(out, rule->name, masked(value));
        } else {
            json_object_set_new(out, rule->name, json_deep_copy(value));
        }
    }
    return out;
}

json_t *resolution_for_plan(const struct resolution *resolution)
{
    return ordered(spec_rules, resolution->values);
}
