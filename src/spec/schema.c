/*
 * The table as a JSON Schema (2020-12). It accepts whatever the parser accepts; rules between keys, and what needs more
 * than a pattern, are the parser's alone.
 */
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "spec/table.h"

#define ENV_NAME_PATTERN "^[A-Za-z_][A-Za-z0-9_]{0,255}$"
#define DURATION_PATTERN "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$"
#define SIZE_PATTERN "^[0-9]+(B|[kKMGT]B|[KMGT]iB)?$"
#define LIMIT_PATTERN "^[0-9]+(B|[kKMGT]B|[KMGT]iB|%)?$"

static json_t *object_schema(const struct rule *rules, bool whole);

/* Any scalar is a text; YAML readers of editors make numbers and booleans of some. `optional` adds null. */
static json_t *text_schema(const char *pattern, bool optional)
{
    json_t *schema = json_pack("{s:[s,s,s]}", "type", "string", "number", "boolean");

    if (optional)
        json_array_append_new(json_object_get(schema, "type"), json_string("null"));
    if (pattern)
        json_object_set_new(schema, "pattern", json_string(pattern));
    return schema;
}

static json_t *words_schema(const struct rule *rule, bool optional)
{
    json_t *words = json_array();
    size_t i;

    for (i = 0; rule->values[i]; i++)
        json_array_append_new(words, json_string(rule->values[i]));
    for (i = 0; rule->aliases && rule->aliases[i]; i += 2)
        json_array_append_new(words, json_string(rule->aliases[i]));
    if (optional)
        json_array_append_new(words, json_null());
    return json_pack("{s:o}", "enum", words);
}

static json_t *int_schema(const struct rule *rule)
{
    return json_pack("{s:[{s:s,s:I,s:I},{s:s,s:s},{s:s}]}", "anyOf", "type", "integer", "minimum",
                     (json_int_t)rule->min, "maximum", (json_int_t)rule->max, "type", "string", "pattern", "^[0-9]+$",
                     "type", "null");
}

/* How a secret is given to the build. */
static void add_delivery(json_t *properties)
{
    json_t *words = json_array();
    size_t i;

    for (i = 0; secret_steps[i]; i++)
        json_array_append_new(words, json_string(secret_steps[i]));
    json_object_set_new(
        properties, "steps",
        json_pack("{s:s,s:i,s:i,s:{s:o}}", "type", "array", "minItems", 1, "maxItems", 3, "items", "enum", words));
    words = json_array();
    for (i = 0; secret_deliveries[i]; i++)
        json_array_append_new(words, json_string(secret_deliveries[i]));
    json_object_set_new(properties, "as", json_pack("{s:o}", "enum", words));
    json_object_set_new(properties, "public", json_pack("{s:[b,b,s,s]}", "enum", 1, 0, "true", "false"));
}

static json_t *source_schema(bool secret, bool optional)
{
    json_t *properties = json_object();
    json_t *one_of = json_array();
    const struct value_kind *kind;
    json_t *object;

    for (kind = value_kinds; kind->name; kind++) {
        json_object_set_new(properties, kind->name, text_schema(kind->pattern, false));
        json_array_append_new(one_of, json_pack("{s:[s]}", "required", kind->name));
    }
    if (secret)
        add_delivery(properties);
    object = json_pack("{s:s, s:o, s:{s:{}}, s:b, s:o}", "type", "object", "properties", properties,
                       "patternProperties", "^x-", "additionalProperties", 0, "oneOf", one_of);
    return json_pack("{s:[o,o]}", "anyOf", text_schema(NULL, optional), object);
}

static json_t *list_schema(const struct rule *rule)
{
    json_t *items;

    if (rule->type == TYPE_OBJECT_LIST)
        items = object_schema(rule->children, true);
    else
        items = rule->values ? words_schema(rule, false) : text_schema(rule->pattern, false);
    return json_pack("{s:[s,s], s:o, s:I}", "type", "array", "null", "items", items, "maxItems",
                     (json_int_t)(rule->max ? rule->max : RULE_ITEMS_MAX));
}

static json_t *map_schema(const struct rule *rule)
{
    json_t *value = rule->type == TYPE_SECRET_MAP ? source_schema(true, false) : text_schema(NULL, false);
    json_t *schema = json_pack("{s:[s,s], s:o, s:I}", "type", "object", "null", "additionalProperties", value,
                               "maxProperties", (json_int_t)rule->max);

    if (rule->check_name == check_env_name)
        json_object_set_new(schema, "propertyNames", json_pack("{s:s}", "pattern", ENV_NAME_PATTERN));
    return schema;
}

static json_t *nullable(json_t *schema)
{
    return json_pack("{s:[o,{s:s}]}", "anyOf", schema, "type", "null");
}

static json_t *value_schema(const struct rule *rule, bool whole)
{
    switch (rule->type) {
    case TYPE_BOOL: return json_pack("{s:[b,b,s,s,n]}", "enum", 1, 0, "true", "false");
    case TYPE_INT: return int_schema(rule);
    case TYPE_DURATION: return text_schema(DURATION_PATTERN, true);
    case TYPE_SIZE: return text_schema(SIZE_PATTERN, true);
    case TYPE_LIMIT: return text_schema(LIMIT_PATTERN, true);
    case TYPE_ENUM: return words_schema(rule, true);
    case TYPE_COMMAND:
        return json_pack("{s:[s,s,s,s], s:{s:b}}", "type", "string", "number", "boolean", "null", "not", "const", 1);
    case TYPE_VALUE: return source_schema(false, true);
    case TYPE_OBJECT:
        return rule->required ? object_schema(rule->children, whole) : nullable(object_schema(rule->children, whole));
    case TYPE_SWITCH:
        return json_pack("{s:[o,{s:[b,b,s,s,n]}]}", "anyOf", object_schema(rule->children, whole), "enum", 1, 0, "true",
                         "false");
    case TYPE_LIST:
    case TYPE_OBJECT_LIST: return list_schema(rule);
    case TYPE_TEXT_MAP:
    case TYPE_SECRET_MAP: return map_schema(rule);
    default: return text_schema(rule->pattern, !rule->required);
    }
}

static void describe(json_t *schema, const struct rule *rule)
{
    json_object_set_new(schema, "description", json_string(rule->doc));
    if (rule->fallback && rule->type == TYPE_BOOL)
        json_object_set_new(schema, "default", json_boolean(strcmp(rule->fallback, "true") == 0));
    else if (rule->fallback && rule->type == TYPE_INT)
        json_object_set_new(schema, "default", json_integer(strtol(rule->fallback, NULL, 10)));
    else if (rule->fallback)
        json_object_set_new(schema, "default", json_string(rule->fallback));
    if (rule->example && rule->type == TYPE_TEXT)
        json_object_set_new(schema, "examples", json_pack("[s]", rule->example));
}

/* Exactly one of those keys is given: null is not. */
static void add_choices(json_t *schema, const struct rule *rules)
{
    json_t *one_of = json_array();
    const struct rule *rule;

    for (rule = rule_first(rules); rule; rule = rule_next(rule))
        if (rule->choice)
            json_array_append_new(one_of, json_pack("{s:[s], s:{s:{s:{s:s}}}}", "required", rule->name, "properties",
                                                    rule->name, "not", "type", "null"));
    if (json_array_size(one_of))
        json_object_set(schema, "oneOf", one_of);
    json_decref(one_of);
}

static json_t *object_schema(const struct rule *rules, bool whole)
{
    json_t *properties = json_object();
    json_t *required = json_array();
    const struct rule *rule;
    json_t *schema;

    for (rule = rule_first(rules); rule; rule = rule_next(rule)) {
        json_t *property;

        if (rule->later)
            continue;
        property = value_schema(rule, whole);
        describe(property, rule);
        json_object_set_new(properties, rule->name, property);
        if (rule->required && whole)
            json_array_append_new(required, json_string(rule->name));
    }
    schema = json_pack("{s:s, s:o, s:{s:{}}, s:b}", "type", "object", "properties", properties, "patternProperties",
                       "^x-", "additionalProperties", 0);
    if (json_array_size(required))
        json_object_set(schema, "required", required);
    json_decref(required);
    add_choices(schema, rules);
    return schema;
}

json_t *spec_schema(void)
{
    json_t *schema =
        json_pack("{s:s, s:s, s:s}", "$schema", "https://json-schema.org/draft/2020-12/schema", "title",
                  "caisson job spec, version 1", "description", "What `caisson run` builds and where it publishes it.");
    json_t *object = object_schema(spec_rules, true);

    json_object_update(schema, object);
    json_decref(object);
    return schema;
}
