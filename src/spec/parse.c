#include "spec/parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "spec/parse_state.h"

#define COLUMN_BITS 24
#define CANDIDATES_MAX 64

static json_t *parse_object(struct parser *parser, const struct rule *rules, const struct node *node, const char *path);

char *path_join(const char *base, const char *key)
{
    char shown[QUOTE_SIZE];
    size_t word = strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./ ");

    if (*key == '\0' || key[word] || word > 60)
        key = quote(shown, key);
    return *base ? xasprintf("%s.%s", base, key) : xstrdup(key);
}

void parse_remember(struct parser *parser, const char *path, struct position at)
{
    json_object_set_new(parser->positions, path, json_integer(((json_int_t)at.line << COLUMN_BITS) | at.column));
}

json_t *parse_later(struct parser *parser, struct position at, const char *path, const char *what)
{
    problem_add(parser->problems, at, path, NULL, "%snot supported by this version", what);
    return NULL;
}

json_t *parse_wrong_kind(struct parser *parser, const struct node *node, const char *path, const char *expected)
{
    problem_add(parser->problems, node->at, path, NULL, "%s is expected, not %s", expected, node_kind_name(node));
    return NULL;
}

int problem_missing(struct problems *problems, struct position at, const char *path, const struct rule *rule)
{
    char hint[200];

    snprintf(hint, sizeof hint, "for example %s: %s", rule->name, rule->example ? rule->example : "");
    return problem_add(problems, at, path, rule->example ? hint : NULL, "is missing");
}

/* ---- keys that do not belong ---- */

static size_t list_names(const struct rule *rules, const char *names[CANDIDATES_MAX])
{
    const struct rule *rule;
    size_t len = 0;

    for (rule = rule_first(rules); rule && len + 1 < CANDIDATES_MAX; rule = rule_next(rule))
        if (!rule->later)
            names[len++] = rule->name;
    names[len] = NULL;
    return len;
}

/* A key that stands one level too high or too low: "install" beside build. Items of a list are no place for what stood
 * within something else. */
static const char *find_parent(const char *key, bool nested)
{
    const struct rule *rule;

    if (rule_find(spec_rules, key))
        return "the top level";
    for (rule = rule_first(spec_rules); rule; rule = rule_next(rule))
        if (rule->children && !(nested && rule->type == TYPE_OBJECT_LIST) && rule_find(rule->children, key) &&
            !rule_find(rule->children, key)->later)
            return rule->name;
    return NULL;
}

static void unknown_key(struct parser *parser, const struct rule *rules, const struct node_entry *entry,
                        const char *path)
{
    const char *names[CANDIDATES_MAX];
    size_t len = list_names(rules, names);
    const char *near = suggest(entry->key, names);
    const char *parent = find_parent(entry->key, strcmp(path, entry->key) != 0);
    struct buf hint;
    size_t i;

    buf_init(&hint, 2048);
    if (near) {
        buf_addf(&hint, "did you mean %s?", near);
    } else if (parent) {
        buf_addf(&hint, "it belongs to %s", parent);
    } else {
        buf_adds(&hint, "allowed here: ");
        for (i = 0; i < len; i++)
            buf_addf(&hint, "%s%s", i ? ", " : "", names[i]);
    }
    problem_add(parser->problems, entry->at, path, buf_text(&hint), "unknown key");
    buf_dispose(&hint);
}

/* ---- lists and maps ---- */

static bool too_many(struct parser *parser, const struct rule *rule, const struct node *node, const char *path)
{
    size_t max = rule->max ? (size_t)rule->max : RULE_ITEMS_MAX;

    if (node->len <= max)
        return false;
    problem_add(parser->problems, node->at, path, NULL, "at most %zu are allowed, not %zu", max, node->len);
    return true;
}

static json_t *parse_list(struct parser *parser, const struct rule *rule, const struct node *node, const char *path)
{
    json_t *list;
    size_t i;

    if (node->kind != NODE_LIST)
        return parse_wrong_kind(parser, node, path, "a list");
    if (too_many(parser, rule, node, path))
        return NULL;
    list = json_array();
    parser->lists++;
    for (i = 0; i < node->len; i++) {
        CLEANUP_FREE char *item = xasprintf("%s[%zu]", path, i);
        const struct node *value = node->entries[i].value;
        json_t *parsed;

        parse_remember(parser, item, value->at);
        if (rule->type == TYPE_OBJECT_LIST)
            parsed = parse_object(parser, rule->children, value, item);
        else if (rule->values)
            parsed = parse_word(parser, rule, value, item);
        else
            parsed = parse_scalar(parser, rule, value, item);
        /* An item that could not be read keeps its place: paths of the others count on it. */
        if (parsed || rule->type == TYPE_OBJECT_LIST)
            json_array_append_new(list, parsed ? parsed : json_object());
    }
    parser->lists--;
    return list;
}

static void parse_map_entry(struct parser *parser, const struct rule *rule, const struct node_entry *entry,
                            const char *path, json_t *map)
{
    struct remark remark = {0};
    bool refused = rule->check_name && rule->check_name(entry->key, &remark);
    CLEANUP_FREE char *normal = remark.normal;
    const char *name = normal ? normal : entry->key;
    CLEANUP_FREE char *item = path_join(path, name);
    json_t *parsed;

    parse_remember(parser, item, entry->at);
    if (refused) {
        problem_add(parser->problems, entry->at, item, *remark.hint ? remark.hint : NULL, "%s", remark.message);
        return;
    }
    if (json_object_get(map, name)) {
        problem_add(parser->problems, entry->at, item, NULL, "stands here already, written otherwise");
        return;
    }
    parsed = rule->type == TYPE_SECRET_MAP ? parse_value_source(parser, rule, entry->value, item)
                                           : parse_scalar(parser, rule, entry->value, item);
    if (parsed)
        json_object_set_new(map, name, parsed);
}

static json_t *parse_map(struct parser *parser, const struct rule *rule, const struct node *node, const char *path)
{
    json_t *map;
    size_t i;

    if (node->kind != NODE_MAP)
        return parse_wrong_kind(parser, node, path, "a map");
    if (too_many(parser, rule, node, path))
        return NULL;
    map = json_object();
    for (i = 0; i < node->len; i++)
        parse_map_entry(parser, rule, &node->entries[i], path, map);
    return map;
}

/* ---- objects ---- */

/* An empty map says no more than true. */
static json_t *parse_switch(struct parser *parser, const struct rule *rule, const struct node *node, const char *path)
{
    static const struct rule word = {.type = TYPE_BOOL};
    json_t *object;

    if (node->kind == NODE_LIST)
        return parse_wrong_kind(parser, node, path, "true, false or a map");
    if (node->kind == NODE_SCALAR)
        return parse_scalar(parser, &word, node, path);
    object = parse_object(parser, rule->children, node, path);
    if (json_object_size(object))
        return object;
    json_decref(object);
    return json_true();
}

static json_t *parse_by_rule(struct parser *parser, const struct rule *rule, const struct node *node, const char *path)
{
    switch (rule->type) {
    case TYPE_OBJECT: return parse_object(parser, rule->children, node, path);
    case TYPE_SWITCH: return parse_switch(parser, rule, node, path);
    case TYPE_LIST:
    case TYPE_OBJECT_LIST: return parse_list(parser, rule, node, path);
    case TYPE_TEXT_MAP:
    case TYPE_SECRET_MAP: return parse_map(parser, rule, node, path);
    case TYPE_VALUE: return parse_value_source(parser, rule, node, path);
    case TYPE_ENUM: return parse_word(parser, rule, node, path);
    default: return parse_scalar(parser, rule, node, path);
    }
}

static void parse_entry(struct parser *parser, const struct rule *rules, const struct node_entry *entry,
                        const char *base, json_t *object)
{
    CLEANUP_FREE char *path = path_join(base, entry->key);
    const struct rule *rule = rule_find(rules, entry->key);
    json_t *parsed;

    if (strncmp(entry->key, "x-", 2) == 0)
        return;
    if (!rule) {
        unknown_key(parser, rules, entry, path);
        return;
    }
    if (rule->later) {
        parse_later(parser, entry->at, path, "");
        return;
    }
    if (node_is_null(entry->value))
        return;
    parse_remember(parser, path, entry->value->at);
    parsed = parse_by_rule(parser, rule, entry->value, path);
    if (parsed)
        json_object_set_new(object, rule->name, parsed);
}

static bool is_given(const struct node *node, const char *name)
{
    size_t i;

    for (i = 0; i < node->len; i++)
        if (strcmp(node->entries[i].key, name) == 0)
            return !node_is_null(node->entries[i].value);
    return false;
}

static void check_required(struct parser *parser, const struct rule *rules, const struct node *node, const char *base)
{
    const struct rule *rule;

    for (rule = rule_first(rules); rule; rule = rule_next(rule)) {
        CLEANUP_FREE char *path = path_join(base, rule->name);

        if (rule->required && !is_given(node, rule->name))
            problem_missing(parser->problems, node->at, path, rule);
    }
}

static json_t *parse_object(struct parser *parser, const struct rule *rules, const struct node *node, const char *path)
{
    json_t *object;
    size_t i;

    if (node->kind != NODE_MAP)
        return parse_wrong_kind(parser, node, path, "a map");
    object = json_object();
    for (i = 0; i < node->len; i++)
        parse_entry(parser, rules, &node->entries[i], path, object);
    if (parser->lists)
        check_required(parser, rules, node, path);
    return object;
}

void parse_layer(struct layer *layer, const struct node *root, const struct rule *rules,
                 const struct parse_options *options, struct problems *problems)
{
    struct parser parser = {.options = options, .problems = problems, .positions = json_object()};

    layer->positions = parser.positions;
    parse_remember(&parser, "", root->at);
    if (root->kind == NODE_MAP)
        layer->values = parse_object(&parser, rules, root, "");
    else
        problem_add(problems, root->at, "", NULL, "a map of keys is expected, not %s", node_kind_name(root));
}

void layer_dispose(struct layer *layer)
{
    json_decref(layer->values);
    json_decref(layer->positions);
    *layer = (struct layer){0};
}

bool layer_has(const struct layer *layer, const char *path)
{
    return json_object_get(layer->positions, path) != NULL;
}

struct position layer_position(const struct layer *layer, const char *path)
{
    json_int_t at = json_integer_value(json_object_get(layer->positions, path));

    return (struct position){(int)(at >> COLUMN_BITS), (int)(at & ((1 << COLUMN_BITS) - 1))};
}

struct position layer_position_near(const struct layer *layer, const char *path)
{
    CLEANUP_FREE char *at = xstrdup(path);
    char *end;

    while (*at && !layer_has(layer, at)) {
        end = at + strlen(at);
        while (end > at && *end != '.' && *end != '[')
            end--;
        *end = '\0';
    }
    return layer_position(layer, at);
}
