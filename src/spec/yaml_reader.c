/* YAML by libyaml's events: what a plain scalar means is never its guess. */
#include <string.h>
#include <yaml.h>

#include "core/mem.h"
#include "spec/problems.h"
#include "spec/tree_builder.h"

static struct position position_of(yaml_mark_t mark)
{
    return (struct position){(int)mark.line + 1, (int)mark.column + 1};
}

static int syntax_problem(const yaml_parser_t *parser, const char *text, size_t len, struct problems *problems)
{
    struct position at = position_of(parser->problem_mark);
    const char *problem = parser->problem ? parser->problem : "unreadable";
    size_t offset = parser->problem_mark.index;
    const char *hint = NULL;

    if (parser->error == YAML_READER_ERROR) {
        /* The reader runs ahead of the marks: only the offset is right. */
        at = position_of(parser->mark);
        return problem_add(problems, at, "", "write it escaped, in double quotes",
                           "not valid YAML: a control character (0x%02x)", (unsigned)parser->problem_value);
    }
    if (offset < len && text[offset] == '\t')
        hint = "indent with spaces, not with tabs";
    else if (strstr(problem, "mapping values are not allowed"))
        hint = "a text that holds \": \" needs quotes";
    else if (strstr(problem, "cannot start any token"))
        hint = "a text that begins with @ or ` or % needs quotes";
    return problem_add(problems, at, "", hint, "not valid YAML: %s%s%s", parser->context ? parser->context : "",
                       parser->context ? ", " : "", problem);
}

/* Core tags say what the table says anyway; "!" and !!str make a plain scalar a quoted one. */
static int check_tag(const yaml_char_t *tag, struct position at, struct problems *problems)
{
    static const char *const core[] = {"str", "map", "seq", "int", "float", "bool", "null"};
    const char *name = (const char *)tag;
    char shown[QUOTE_SIZE];
    size_t i;

    if (!tag || strcmp(name, "!") == 0)
        return 0;
    for (i = 0; i < ARRAY_LEN(core); i++)
        if (strncmp(name, YAML_DEFAULT_SCALAR_TAG, 18) == 0 && strcmp(name + 18, core[i]) == 0)
            return 0;
    return problem_add(problems, at, "", "leave the tag out: types come from the keys", "the tag %s is not supported",
                       quote(shown, name));
}

static bool is_plain(const yaml_event_t *event)
{
    const char *tag = (const char *)event->data.scalar.tag;

    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           !(tag && (strcmp(tag, "!") == 0 || strcmp(tag, YAML_STR_TAG) == 0));
}

static int read_scalar(struct tree_builder *builder, const yaml_event_t *event, struct problems *problems)
{
    struct position at = position_of(event->start_mark);
    struct view text = {(const char *)event->data.scalar.value, event->data.scalar.length};

    if (check_tag(event->data.scalar.tag, at, problems))
        return -1;
    return tree_scalar(builder, text, is_plain(event), (const char *)event->data.scalar.anchor, at);
}

static int read_event(struct tree_builder *builder, const yaml_event_t *event, struct problems *problems)
{
    struct position at = position_of(event->start_mark);

    switch (event->type) {
    case YAML_SCALAR_EVENT: return read_scalar(builder, event, problems);
    case YAML_ALIAS_EVENT: return tree_alias(builder, (const char *)event->data.alias.anchor, at);
    case YAML_SEQUENCE_START_EVENT:
        if (check_tag(event->data.sequence_start.tag, at, problems))
            return -1;
        return tree_begin(builder, NODE_LIST, (const char *)event->data.sequence_start.anchor, at);
    case YAML_MAPPING_START_EVENT:
        if (check_tag(event->data.mapping_start.tag, at, problems))
            return -1;
        return tree_begin(builder, NODE_MAP, (const char *)event->data.mapping_start.anchor, at);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: return tree_end(builder);
    default: return 0;
    }
}

/* 1: go on. */
static int read_next(yaml_parser_t *parser, struct tree_builder *builder, struct view text, int *documents,
                     struct problems *problems)
{
    yaml_event_t event;
    int rc = 1;

    if (!yaml_parser_parse(parser, &event))
        return syntax_problem(parser, text.data, text.len, problems);
    if (event.type == YAML_STREAM_END_EVENT)
        rc = 0;
    else if (event.type == YAML_DOCUMENT_START_EVENT && (*documents)++)
        rc = problem_add(problems, position_of(event.start_mark), "", "one spec, one document",
                         "a second document begins here");
    else if (read_event(builder, &event, problems))
        rc = -1;
    yaml_event_delete(&event);
    return rc;
}

int yaml_read(struct tree_builder *builder, struct view text, struct problems *problems)
{
    yaml_parser_t parser;
    int documents = 0;
    int rc;

    if (!yaml_parser_initialize(&parser))
        return problem_add(problems, (struct position){0}, "", NULL, "out of memory");
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.data, text.len);
    while ((rc = read_next(&parser, builder, text, &documents, problems)) == 1)
        ;
    yaml_parser_delete(&parser);
    if (rc == 0 && documents == 0)
        return problem_add(problems, (struct position){1, 1}, "", NULL, "the spec is empty");
    return rc;
}
