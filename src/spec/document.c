#include "spec/document.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/utf8.h"
#include "spec/problems.h"
#include "spec/tree_builder.h"

static struct position advance(struct position at, const char *text, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '\n') {
            at.line++;
            at.column = 1;
        } else if ((c & 0xC0) != 0x80) {
            at.column++;
        }
    }
    return at;
}

/* Parsers stop at these without saying where, or not at all. */
static int check_bytes(struct view text, struct problems *problems)
{
    struct position at = {1, 1};
    size_t good = 0;
    const char *nul = memchr(text.data, '\0', text.len);

    while (good < text.len) {
        int step = utf8_step(text.data + good, text.len - good);

        if (step <= 0)
            break;
        good += (size_t)step;
    }
    if (nul && (size_t)(nul - text.data) < good) {
        at = advance(at, text.data, (size_t)(nul - text.data));
        return problem_add(problems, at, "", NULL, "a NUL character; a spec is text");
    }
    if (good == text.len)
        return 0;
    at = advance(at, text.data, good);
    return problem_add(problems, at, "", "save the file as UTF-8", "the byte 0x%02x is not valid UTF-8",
                       (unsigned char)text.data[good]);
}

static struct view skip_blank(struct view text)
{
    while (text.len && strchr(" \t\r\n", *text.data)) {
        text.data++;
        text.len--;
    }
    return text;
}

/* {"name"…: what follows the brace tells JSON from a YAML flow map. */
static bool looks_like_json(struct view text)
{
    struct view rest = skip_blank(text);

    rest = skip_blank((struct view){rest.data + 1, rest.len - 1});
    return rest.len == 0 || *rest.data == '"' || *rest.data == '}';
}

/* Column and line of jansson are of the place where it stopped. */
static int json_problem(const json_error_t *error, struct problems *problems)
{
    struct position at = {error->line, error->column > 0 ? error->column : 1};
    char text[JSON_ERROR_TEXT_LENGTH];
    char *near;

    strncpy(text, error->text, sizeof text - 1);
    text[sizeof text - 1] = '\0';
    /* What stands there may be a secret. */
    near = strstr(text, " near ");
    if (near)
        *near = '\0';
    if (json_error_code(error) == json_error_null_character)
        return problem_add(problems, at, "", NULL, "a NUL character; a spec is text");
    return problem_add(problems, at, "", NULL, "not valid JSON: %s", text);
}

static int read_yaml(struct document *document, struct view text, struct problems *problems)
{
    struct tree_builder *builder = tree_new(document, problems);
    int rc = yaml_read(builder, text, problems);

    tree_free(builder);
    return rc;
}

/* Strict JSON first, because YAML knows no surrogate pairs; what is none may be a flow map of YAML all the same. */
static int read_braces(struct document *document, struct view text, struct problems *problems)
{
    struct tree_builder *builder = tree_new(document, problems);
    struct problems of_yaml = {0};
    json_error_t error;
    int rc = json_read(builder, text, problems, &error);

    tree_free(builder);
    if (rc <= 0)
        return rc;
    rc = read_yaml(document, text, &of_yaml);
    if (rc == 0 || !looks_like_json(text)) {
        *problems = of_yaml;
        return rc;
    }
    problems_dispose(&of_yaml);
    return json_problem(&error, problems);
}

int document_parse(struct document *document, struct view text, struct problems *problems)
{
    struct view rest;

    *document = (struct document){0};
    if (text.len > DOCUMENT_TEXT_MAX)
        return problem_add(problems, (struct position){0}, "", NULL, "the text is larger than 1 MiB");
    if (text.len >= 3 && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0)
        text = (struct view){text.data + 3, text.len - 3};
    if (check_bytes(text, problems))
        return -1;
    rest = skip_blank(text);
    if (rest.len == 0)
        return problem_add(problems, (struct position){1, 1}, "", NULL, "the spec is empty");
    return *rest.data == '{' ? read_braces(document, text, problems) : read_yaml(document, text, problems);
}

int document_from_json(struct document *document, const json_t *json, struct problems *problems)
{
    struct tree_builder *builder;
    int rc;

    *document = (struct document){0};
    builder = tree_new(document, problems);
    rc = json_read_value(builder, json);
    tree_free(builder);
    return rc;
}

void document_dispose(struct document *document)
{
    size_t i;

    for (i = 0; i < document->owned_len; i++) {
        wipe_free(document->owned[i]->text);
        free(document->owned[i]->entries);
        free(document->owned[i]);
    }
    for (i = 0; i < document->keys_len; i++)
        free(document->keys[i]);
    free(document->owned);
    free(document->keys);
    *document = (struct document){0};
}

bool node_is_null(const struct node *node)
{
    static const char *const names[] = {"", "~", "null", "Null", "NULL"};
    size_t i;

    if (node->kind != NODE_SCALAR || !node->plain)
        return false;
    for (i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(node->text, names[i]) == 0)
            return true;
    return false;
}

const char *node_kind_name(const struct node *node)
{
    return node->kind == NODE_MAP ? "a map" : node->kind == NODE_LIST ? "a list" : "a text";
}
