/*
 * JSON by jansson, which knows no positions: once it has accepted the whole text, a scanner walks the text beside the
 * tree, and may trust that every token is there. Numbers keep the text that was written.
 */
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "spec/problems.h"
#include "spec/tree_builder.h"

struct scanner {
    const char *at, *end;
    struct position position;
    struct tree_builder *builder;
};

static void step(struct scanner *scanner)
{
    unsigned char c = (unsigned char)*scanner->at++;

    if (c == '\n') {
        scanner->position.line++;
        scanner->position.column = 1;
    } else if ((c & 0xC0) != 0x80) {
        scanner->position.column++;
    }
}

/* Blanks, and the commas and colons between values. */
static void skip_between(struct scanner *scanner)
{
    while (scanner->at < scanner->end && strchr(" \t\r\n,:", *scanner->at))
        step(scanner);
}

static void skip_string(struct scanner *scanner)
{
    step(scanner);
    while (scanner->at < scanner->end && *scanner->at != '"') {
        if (*scanner->at == '\\')
            step(scanner);
        step(scanner);
    }
    step(scanner);
}

static struct view word(struct scanner *scanner)
{
    const char *begin = scanner->at;

    while (scanner->at < scanner->end && !strchr(" \t\r\n,:]}", *scanner->at))
        step(scanner);
    return (struct view){begin, (size_t)(scanner->at - begin)};
}

static int walk(struct scanner *scanner, const json_t *json);

static int walk_object(struct scanner *scanner, const json_t *json)
{
    const char *key;
    json_t *value;

    if (tree_begin(scanner->builder, NODE_MAP, NULL, scanner->position))
        return -1;
    step(scanner);
    json_object_foreach((json_t *)json, key, value)
    {
        skip_between(scanner);
        if (tree_scalar(scanner->builder, view_of(key), false, NULL, scanner->position))
            return -1;
        skip_string(scanner);
        if (walk(scanner, value))
            return -1;
    }
    skip_between(scanner);
    step(scanner);
    return tree_end(scanner->builder);
}

static int walk_array(struct scanner *scanner, const json_t *json)
{
    size_t i;

    if (tree_begin(scanner->builder, NODE_LIST, NULL, scanner->position))
        return -1;
    step(scanner);
    for (i = 0; i < json_array_size(json); i++)
        if (walk(scanner, json_array_get(json, i)))
            return -1;
    skip_between(scanner);
    step(scanner);
    return tree_end(scanner->builder);
}

static int walk(struct scanner *scanner, const json_t *json)
{
    struct position at;

    skip_between(scanner);
    at = scanner->position;
    if (json_is_object(json))
        return walk_object(scanner, json);
    if (json_is_array(json))
        return walk_array(scanner, json);
    if (json_is_string(json)) {
        skip_string(scanner);
        return tree_scalar(scanner->builder, (struct view){json_string_value(json), json_string_length(json)}, false,
                           NULL, at);
    }
    return tree_scalar(scanner->builder, word(scanner), true, NULL, at);
}

/* The end of the second key is where jansson stops; its beginning is what people look for. */
static int duplicate_problem(struct view text, const json_error_t *error, struct problems *problems)
{
    size_t end = (size_t)(error->position > 0 ? error->position : 0);
    size_t begin;
    int column = error->column;
    char shown[QUOTE_SIZE];
    char *key;
    int rc;

    if (end > text.len)
        end = text.len;
    for (begin = end ? end - 1 : 0; begin > 0; begin--) {
        column -= ((unsigned char)text.data[begin] & 0xC0) != 0x80;
        if (text.data[begin - 1] == '"' && begin != end - 0 && (begin < 2 || text.data[begin - 2] != '\\'))
            break;
    }
    key = begin && begin < end ? xstrndup(text.data + begin, end - 1 - begin) : xstrdup("");
    rc = problem_add(problems, (struct position){error->line, column > 0 ? column : 1}, "",
                     "each key may stand once in a map", "the key %s stands here a second time", quote(shown, key));
    free(key);
    return rc;
}

int json_read(struct tree_builder *builder, struct view text, struct problems *problems, json_error_t *error)
{
    struct scanner scanner = {.at = text.data, .end = text.data + text.len, .position = {1, 1}, .builder = builder};
    json_t *json = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, error);
    int rc;

    if (!json && json_error_code(error) == json_error_duplicate_key)
        return duplicate_problem(text, error, problems);
    if (!json)
        return 1;
    rc = walk(&scanner, json);
    json_decref(json);
    return rc;
}

static int add_number(struct tree_builder *builder, const json_t *json)
{
    CLEANUP_FREE char *text = json_dumps(json, JSON_ENCODE_ANY);

    return tree_scalar(builder, view_of(text), true, NULL, (struct position){0});
}

int json_read_value(struct tree_builder *builder, const json_t *json)
{
    struct position none = {0};
    const char *key;
    json_t *value;
    size_t i;

    if (json_is_string(json))
        return tree_scalar(builder, (struct view){json_string_value(json), json_string_length(json)}, false, NULL,
                           none);
    if (!json_is_object(json) && !json_is_array(json))
        return add_number(builder, json);
    if (tree_begin(builder, json_is_object(json) ? NODE_MAP : NODE_LIST, NULL, none))
        return -1;
    if (json_is_object(json)) {
        json_object_foreach((json_t *)json, key, value)
        {
            if (tree_scalar(builder, view_of(key), false, NULL, none) || json_read_value(builder, value))
                return -1;
        }
    }
    for (i = 0; json_is_array(json) && i < json_array_size(json); i++)
        if (json_read_value(builder, json_array_get(json, i)))
            return -1;
    return tree_end(builder);
}
