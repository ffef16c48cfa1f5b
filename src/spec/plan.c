/* The resolved document as `caisson plan` shows it. */
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
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

/* What stands behind the "?" of a URL is often a signature or a token. */
static json_t *without_query(const json_t *value)
{
    const char *url = json_string_value(value);
    const char *query = strchr(url, '?');
    json_t *out;
    char *text;

    if (!query)
        return json_string(url);
    text = xasprintf("%.*s%s", (int)(query + 1 - url), url, MASK);
    out = json_string(text);
    free(text);
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
        } else if (rule->type == TYPE_SECRET_MAP || (rule->type == TYPE_TEXT_MAP && rule->private)) {
            json_object_set_new(out, rule->name, masked_map(value));
        } else if (rule->type == TYPE_TEXT && rule->private) {
            json_object_set_new(out, rule->name, without_query(value));
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
