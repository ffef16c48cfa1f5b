#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "spec/parse_state.h"
#include "spec/template.h"

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
    int percent;

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
        return size_parse(node->text, &number) == 0 && number > 0
                   ? json_string(node->text)
                   : refuse(parser, node, path, "a size like 64MiB or 5GiB");
    case TYPE_LIMIT:
        return limit_parse(node->text, &number, &percent) == 0
                   ? json_string(node->text)
                   : refuse(parser, node, path, "a size like 2GiB, or a percentage from 1% to 100%,");
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
