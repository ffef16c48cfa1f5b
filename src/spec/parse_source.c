/*
 * Values that come from elsewhere: { env: NAME }, { file: PATH }, { ssm: NAME }, { secret: NAME#KEY }.
 *
 * A new source: its line in value_kinds, its check, a word in struct value_source, and in job/secrets.c who fetches it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arn.h"
#include "core/mem.h"
#include "spec/parse_state.h"
#include "spec/paths.h"

#define VALUE_TEXT_MAX ((size_t)64 << 10)
#define SECRET_FOLDER "/run/secrets"

/* Longer ones are no names (both services' API references); an ARN comes before them. */
#define PARAMETER_MAX 1011
#define SECRET_NAME_MAX 600
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static text_check check_source_path, check_ssm, check_secret;

const struct value_kind value_kinds[] = {
    {"env", VALUE_ENV, check_env_name, "^[A-Za-z_][A-Za-z0-9_]{0,255}$"},
    {"file", VALUE_FILE, check_source_path, NULL},
    {"ssm", VALUE_SSM, check_ssm, "^[A-Za-z0-9_./:-]{1,1100}$"},
    {"secret", VALUE_SECRET, check_secret, "^[A-Za-z0-9/_+=.@:!-]{1,700}(#.{1,256})?$"},
    {0},
};

/* ---- what the texts must look like ---- */

static int check_source_path(const char *text, struct remark *remark)
{
    if (*text == '\0' || text_has_control(text) || !(remark->normal = path_normalise(text)))
        return remark_set(remark, NULL, "not a path, or one with a part \"..\"");
    return 0;
}

/* https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html */
static int check_ssm(const char *text, struct remark *remark)
{
    static const char hint[] = "/shop/npm, /shop/npm:3 for a version, or arn:aws:ssm:REGION:ACCOUNT:parameter/shop/npm";
    const char *name = text;
    struct arn arn;
    size_t len;

    if (arn_looks_like(text)) {
        if (!arn_parse(text, &arn) || strcmp(arn.service, "ssm") != 0 || strncmp(arn.resource, "parameter/", 10) != 0)
            return remark_set(remark, hint, "not the ARN of a parameter");
        name = arn.resource + 10;
    }
    len = strcspn(name, ":");
    if (len == 0 || strlen(name) > PARAMETER_MAX || strspn(name, LETTERS "_.-/") < len ||
        (name[len] && (name[len + 1] == '\0' || name[len + 1 + strspn(name + len + 1, LETTERS "_.-")])))
        return remark_set(remark, hint, "not a name of a parameter");
    return 0;
}

/* https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html; the ARN with a key, a stage
 * and a version behind it is ECS's own form (Developer Guide, "Pass Secrets Manager secrets through environment
 * variables"). */
static int check_secret(const char *text, struct remark *remark)
{
    static const char hint[] = "a name or ARN, and for one value of a JSON secret #KEY behind it";
    const char *key = strchr(text, '#');
    size_t len = key ? (size_t)(key - text) : strlen(text);
    bool is_arn = arn_looks_like(text);
    const char *c;
    struct arn arn;
    int colons = 0;

    if (len == 0 || len > SECRET_NAME_MAX || strspn(text, is_arn ? LETTERS "/_+=.@!-:" : LETTERS "/_+=.@!-") < len)
        return remark_set(remark, hint, "not a name of a secret");
    if (key && (key[1] == '\0' || strlen(key + 1) > 256 || text_has_control(key)))
        return remark_set(remark, hint, "behind # stands no key of a JSON document");
    if (!is_arn)
        return 0;
    if (!arn_parse(text, &arn) || strcmp(arn.service, "secretsmanager") != 0 ||
        strncmp(arn.resource, "secret:", 7) != 0)
        return remark_set(remark, hint, "not the ARN of a secret");
    for (c = arn.resource; *c && *c != '#'; c++)
        colons += *c == ':';
    if (arn.resource[7] == '\0' || arn.resource[7] == ':' || (colons != 1 && (colons != 4 || key)))
        return remark_set(remark, hint, "not the ARN of a secret");
    return 0;
}

/* ---- what may be named ---- */

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

static json_t *parse_source_text(struct parser *parser, const struct value_kind *kind, const struct node *node,
                                 const char *path)
{
    struct remark remark = {0};
    json_t *json;

    if (node->kind != NODE_SCALAR)
        return parse_wrong_kind(parser, node, path, "a text");
    if (kind->check(node->text, &remark)) {
        problem_add(parser->problems, node->at, path, *remark.hint ? remark.hint : NULL, "%s", remark.message);
        free(remark.normal);
        return NULL;
    }
    json = json_string(remark.normal ? remark.normal : node->text);
    free(remark.normal);
    if (kind->kind == VALUE_FILE && !secret_file_allowed(parser->options, json_string_value(json))) {
        problem_add(parser->problems, node->at, path,
                    "the operator's file can name other folders (secret_folders) or allow any-secret-file",
                    "as PID 1 a file of a secret lies beneath " SECRET_FOLDER);
        json_decref(json);
        return NULL;
    }
    return json;
}

/* ---- how it is given to the build ---- */

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

/* The keys of a secret besides its source; *known: whether this is one of them. */
static json_t *parse_delivery(struct parser *parser, const struct node_entry *entry, const char *path, bool *known)
{
    static const struct rule as_rule = {.name = "as", .type = TYPE_ENUM, .values = secret_deliveries};
    static const struct rule public_rule = {.name = "public", .type = TYPE_BOOL};

    if (strcmp(entry->key, "steps") == 0)
        return parse_steps(parser, entry->value, path);
    if (strcmp(entry->key, "as") == 0)
        return parse_word(parser, &as_rule, entry->value, path);
    if (strcmp(entry->key, "public") == 0)
        return parse_scalar(parser, &public_rule, entry->value, path);
    *known = false;
    return NULL;
}

static const struct value_kind *kind_of(const char *key)
{
    const struct value_kind *kind;

    for (kind = value_kinds; kind->name; kind++)
        if (strcmp(kind->name, key) == 0)
            return kind;
    return NULL;
}

static void unknown_source_key(struct parser *parser, bool secret, const struct node_entry *entry, const char *path)
{
    static const char *const keys[] = {"env", "file", "ssm", "secret", NULL};
    static const char *const secret_keys[] = {"env", "file", "ssm", "secret", "steps", "as", "public", NULL};
    const char *near = suggest(entry->key, secret ? secret_keys : keys);
    char hint[80];

    snprintf(hint, sizeof hint, "did you mean %s?", near ? near : "");
    problem_add(parser->problems, entry->at, path,
                near     ? hint
                : secret ? "allowed here: env, file, ssm, secret, steps, as, public"
                         : "allowed here: env, file, ssm, secret",
                "unknown key");
}

static void parse_source_entry(struct parser *parser, bool secret, const struct node_entry *entry, const char *base,
                               json_t *object)
{
    CLEANUP_FREE char *path = path_join(base, entry->key);
    const struct value_kind *kind = kind_of(entry->key);
    bool known = secret;
    json_t *value = NULL;

    parse_remember(parser, path, entry->value->at);
    if (strncmp(entry->key, "x-", 2) == 0)
        return;
    if (kind)
        value = parse_source_text(parser, kind, entry->value, path);
    else if (secret)
        value = parse_delivery(parser, entry, path, &known);
    if (!kind && !known)
        unknown_source_key(parser, secret, entry, path);
    if (value)
        json_object_set_new(object, entry->key, value);
}

static bool has_source(const struct node *node)
{
    size_t found = 0;
    size_t i;

    for (i = 0; i < node->len; i++)
        found += kind_of(node->entries[i].key) != NULL;
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
    static const char expected[] = "a text, { env: NAME }, { file: PATH }, { ssm: NAME } or { secret: NAME }";
    json_t *object;
    size_t i;

    if (node->kind == NODE_LIST)
        return parse_wrong_kind(parser, node, path, expected);
    if (node_is_null(node)) {
        problem_add(parser->problems, node->at, path, NULL, "%s is expected, not nothing", expected);
        return NULL;
    }
    if (node->kind == NODE_SCALAR)
        return parse_plain_value(parser, node, path);
    object = json_object();
    for (i = 0; i < node->len; i++)
        parse_source_entry(parser, rule->type == TYPE_SECRET_MAP, &node->entries[i], path, object);
    if (!has_source(node))
        problem_add(parser->problems, node->at, path, NULL, "one of env, file, ssm and secret is expected");
    return object;
}
