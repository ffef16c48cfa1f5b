#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "spec/parse_state.h"
#include "spec/paths.h"
#include "spec/template.h"

#define VALUE_TEXT_MAX ((size_t)64 << 10)
#define SECRET_FOLDER "/run/secrets"

static json_t *refuse(struct parser *parser, const struct node *node, const char *path, const char *expected)
{
    char shown[QUOTE_SIZE];

    problem_add(parser->problems, node->at, path, NULL, "%s is expected, not %s", expected, quote(shown, node->text));
    return NULL;
}

static json_t *remark_problem(struct parser *parser, struct position at, const char *path, struct remark *remark)
{
    problem_add(parser->problems, at, path, *remark->hint ? remark->hint : NULL, "%s", remark->message);
    free(remark->normal);
    return NULL;
}

static json_t *parse_bool(struct parser *parser, const struct node *node, const char *path)
{
    if (strcmp(node->text, "true") == 0)
        return json_true();
    if (strcmp(node->text, "false") == 0)
        return json_false();
    return refuse(parser, node, path, "true or false");
}

static json_t *parse_int(struct parser *parser, const struct rule *rule, const struct node *node, const char *path)
{
    char expected[80];
    char *end;
    long value;

    errno = 0;
    value = strtol(node->text, &end, 10);
    if (strspn(node->text, "0123456789") == strlen(node->text) && *node->text && !errno && value >= rule->min &&
        value <= rule->max)
        return json_integer(value);
    if (rule->min == rule->max)
        snprintf(expected, sizeof expected, "%ld", rule->min);
    else
        snprintf(expected, sizeof expected, "a number from %ld to %ld", rule->min, rule->max);
    return refuse(parser, node, path, expected);
}

static json_t *parse_text(struct parser *parser, const struct rule *rule, const struct node *node, const char *path)
{
    static const struct template_values sample = {
        .project = "project", .id = "job", .ref = "ref", .commit = "0123456789abcdef0123456789abcdef01234567"};
    struct remark remark = {0};
    CLEANUP_FREE char *expanded = NULL;
    unsigned used = 0;
    json_t *json;

    if (*node->text == '\0' && rule->type != TYPE_TEXT_MAP) {
        problem_add(parser->problems, node->at, path, "leave the key out, or give it a value", "an empty text");
        return NULL;
    }
    if (rule->variables && template_check(node->text, rule->variables, &used, &remark))
        return remark_problem(parser, node->at, path, &remark);
    if (rule->variables)
        expanded = template_expand(node->text, &sample, VARIABLES_ALL);
    if (rule->check && rule->check(expanded ? expanded : node->text, &remark))
        return remark_problem(parser, node->at, path, &remark);
    json = json_string(remark.normal && !rule->variables ? remark.normal : node->text);
    free(remark.normal);
    return json;
}

static json_t *parse_command(struct parser *parser, const struct rule *rule, const struct node *node, const char *path)
{
    if (node->plain && strcmp(node->text, "false") == 0)
        return json_false();
    if (node->plain && strcmp(node->text, "true") == 0)
        return refuse(parser, node, path, "a command or false");
    return parse_text(parser, rule, node, path);
}

json_t *parse_scalar(struct parser *parser, const struct rule *rule, const struct node *node, const char *path)
{
    int64_t number;

    if (node->kind != NODE_SCALAR)
        return parse_wrong_kind(parser, node, path, rule->type == TYPE_COMMAND ? "a command or false" : "a text");
    if (node_is_null(node)) {
        problem_add(parser->problems, node->at, path, "write \"\" for an empty text",
                    "a text is expected, not nothing");
        return NULL;
    }
    switch (rule->type) {
    case TYPE_BOOL: return parse_bool(parser, node, path);
    case TYPE_INT: return parse_int(parser, rule, node, path);
    case TYPE_DURATION:
        return duration_parse(node->text, &number) == 0
                   ? json_string(node->text)
                   : refuse(parser, node, path, "a duration like 90s, 30m or 1h30m, at most 30 days,");
    case TYPE_SIZE:
        return size_parse(node->text, &number) == 0 ? json_string(node->text)
                                                    : refuse(parser, node, path, "a size like 64MiB or 5GiB");
    case TYPE_TIMESTAMP:
        return clock_parse(node->text, &number) == 0 && number > 0
                   ? json_string(node->text)
                   : refuse(parser, node, path, "a time like 2026-01-09T12:00:00Z");
    case TYPE_COMMAND: return parse_command(parser, rule, node, path);
    default: return parse_text(parser, rule, node, path);
    }
}

/* ---- words of a list ---- */

static bool is_one_of(const char *const *words, const char *text)
{
    for (; words && *words; words++)
        if (strcmp(*words, text) == 0)
            return true;
    return false;
}

static const char *alias_of(const struct rule *rule, const char *text)
{
    const char *const *pair;

    for (pair = rule->aliases; pair && *pair; pair += 2)
        if (strcmp(pair[0], text) == 0)
            return pair[1];
    return text;
}

json_t *parse_word(struct parser *parser, const struct rule *rule, const struct node *node, const char *path)
{
    const char *near;
    char shown[QUOTE_SIZE];
    char hint[80];
    struct buf expected;
    size_t i;

    if (node->kind != NODE_SCALAR)
        return parse_wrong_kind(parser, node, path, "a text");
    if (is_one_of(rule->values, alias_of(rule, node->text)))
        return json_string(alias_of(rule, node->text));
    if (is_one_of(rule->later_values, node->text)) {
        problem_add(parser->problems, node->at, path, NULL, "%s is not supported by this version",
                    quote(shown, node->text));
        return NULL;
    }
    near = suggest(node->text, rule->values);
    snprintf(hint, sizeof hint, "did you mean %s?", near ? near : "");
    buf_init(&expected, 1024);
    for (i = 0; rule->values[i]; i++)
        buf_addf(&expected, "%s%s", i == 0 ? "" : rule->values[i + 1] ? ", " : " or ", rule->values[i]);
    problem_add(parser->problems, node->at, path, near ? hint : NULL, "%s is expected, not %s", buf_text(&expected),
                quote(shown, node->text));
    buf_dispose(&expected);
    return NULL;
}

/* ---- values that come from elsewhere ---- */

static bool is_beneath(const char *path, const char *folder)
{
    size_t len = strlen(folder);

    return strncmp(path, folder, len) == 0 && path[len] == '/';
}

/* As PID 1 a spec may name secrets that were mounted for it, not whatever file of ours it likes. */
static bool secret_file_allowed(const struct parse_options *options, const char *path)
{
    const struct spec_context *context = options->context;
    const struct operator_file *file = context ? context->operator_file : NULL;
    size_t i;

    if (!context || !context->pid1 || (file && file->allow.any_secret_file) || is_beneath(path, SECRET_FOLDER))
        return true;
    for (i = 0; file && i < file->secret_folders.len; i++)
        if (is_beneath(path, file->secret_folders.items[i]))
            return true;
    return false;
}

static json_t *parse_source_file(struct parser *parser, const struct node *node, const char *path)
{
    CLEANUP_FREE char *normal = NULL;

    if (*node->text == '\0' || text_has_control(node->text) || !(normal = path_normalise(node->text))) {
        problem_add(parser->problems, node->at, path, NULL, "not a path, or one with a part \"..\"");
        return NULL;
    }
    if (!secret_file_allowed(parser->options, normal)) {
        problem_add(parser->problems, node->at, path,
                    "the operator's file can name other folders (secret_folders) or allow any-secret-file",
                    "as PID 1 a file of a secret lies beneath " SECRET_FOLDER);
        return NULL;
    }
    return json_string(normal);
}

static json_t *parse_source_env(struct parser *parser, const struct node *node, const char *path)
{
    struct remark remark = {0};

    if (check_env_source(node->text, &remark))
        return remark_problem(parser, node->at, path, &remark);
    return json_string(node->text);
}

static json_t *parse_steps(struct parser *parser, const struct node *node, const char *path)
{
    struct rule rule = {.name = "steps", .type = TYPE_LIST, .values = secret_steps};
    json_t *list;
    size_t i;

    if (node->kind != NODE_LIST || node->len == 0 || node->len > 3) {
        problem_add(parser->problems, node->at, path, NULL, "a list of install, build and test is expected");
        return NULL;
    }
    list = json_array();
    for (i = 0; i < node->len; i++) {
        json_t *word = parse_word(parser, &rule, node->entries[i].value, path);

        if (word)
            json_array_append_new(list, word);
    }
    return list;
}

static void parse_source_entry(struct parser *parser, bool steps, const struct node_entry *entry, const char *base,
                               json_t *object)
{
    static const char *const keys[] = {"env", "file", "steps", NULL};
    CLEANUP_FREE char *path = path_join(base, entry->key);
    const char *near = suggest(entry->key, keys);
    char hint[80];
    json_t *value = NULL;

    parse_remember(parser, path, entry->value->at);
    if (strncmp(entry->key, "x-", 2) == 0)
        return;
    if (is_one_of(later_value_kinds, entry->key)) {
        parse_later(parser, entry->at, path, "");
        return;
    }
    if (steps && strcmp(entry->key, "steps") == 0) {
        value = parse_steps(parser, entry->value, path);
    } else if (!is_one_of(value_kinds, entry->key)) {
        snprintf(hint, sizeof hint, "did you mean %s?", near ? near : "");
        problem_add(parser->problems, entry->at, path,
                    near    ? hint
                    : steps ? "allowed here: env, file, steps"
                            : "allowed here: env, file",
                    "unknown key");
        return;
    } else if (entry->value->kind != NODE_SCALAR) {
        parse_wrong_kind(parser, entry->value, path, "a text");
    } else if (strcmp(entry->key, "env") == 0) {
        value = parse_source_env(parser, entry->value, path);
    } else {
        value = parse_source_file(parser, entry->value, path);
    }
    if (value)
        json_object_set_new(object, entry->key, value);
}

static bool has_source(const struct node *node)
{
    size_t found = 0;
    size_t i;

    for (i = 0; i < node->len; i++)
        found += is_one_of(value_kinds, node->entries[i].key) || is_one_of(later_value_kinds, node->entries[i].key);
    return found == 1;
}

static json_t *parse_plain_value(struct parser *parser, const struct node *node, const char *path)
{
    if (*node->text == '\0') {
        problem_add(parser->problems, node->at, path, "leave the key out, or give it a value", "an empty text");
        return NULL;
    }
    if (strlen(node->text) > VALUE_TEXT_MAX) {
        problem_add(parser->problems, node->at, path, NULL, "longer than 64 KiB");
        return NULL;
    }
    return json_string(node->text);
}

json_t *parse_value_source(struct parser *parser, const struct rule *rule, const struct node *node, const char *path)
{
    json_t *object;
    size_t i;

    if (node->kind == NODE_LIST)
        return parse_wrong_kind(parser, node, path, "a text, { env: NAME } or { file: PATH }");
    if (node_is_null(node)) {
        problem_add(parser->problems, node->at, path, NULL,
                    "a text, { env: NAME } or { file: PATH } is expected, not nothing");
        return NULL;
    }
    if (node->kind == NODE_SCALAR)
        return parse_plain_value(parser, node, path);
    object = json_object();
    for (i = 0; i < node->len; i++)
        parse_source_entry(parser, rule->type == TYPE_SECRET_MAP, &node->entries[i], path, object);
    if (!has_source(node))
        problem_add(parser->problems, node->at, path, NULL, "one of env and file is expected");
    return object;
}
