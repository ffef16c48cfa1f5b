/*
 * The one table of the spec. A rule describes a key: what it is called, what may stand there, what stands there when
 * nothing is said, and what it means. Parsing (parse.c), defaults (resolve.c), the JSON Schema (schema.c) and
 * docs/spec.md (markdown.c) walk it; nothing else knows the keys' names but fill.c, which hands them to the program,
 * and crosscheck.c, which holds the rules between keys.
 *
 * To add a key: one entry here (table_*.c), one line in fill.c, the sentence goes to docs/spec.md by itself.
 */
#ifndef CAISSON_SPEC_TABLE_H
#define CAISSON_SPEC_TABLE_H

#include <jansson.h>
#include <stdbool.h>

#include "spec/names.h"
#include "spec/spec.h"

enum value_type {
    TYPE_TEXT,
    TYPE_BOOL,
    TYPE_INT,
    TYPE_DURATION,
    TYPE_SIZE,
    TYPE_LIMIT, /* a size, or a percentage of what there is */
    TYPE_ENUM,
    TYPE_TIMESTAMP,
    TYPE_COMMAND,     /* a text, or false */
    TYPE_VALUE,       /* a text, or where it comes from: {env: NAME}, {file: PATH}, {ssm: NAME}, {secret: NAME} */
    TYPE_OBJECT,      /* children */
    TYPE_SWITCH,      /* true, false, or children, which mean true */
    TYPE_LIST,        /* of texts; check, values and variables are of each */
    TYPE_OBJECT_LIST, /* of children */
    TYPE_TEXT_MAP,    /* any name → text */
    TYPE_SECRET_MAP,  /* any name → the same as TYPE_VALUE, with steps:, as: and public: */
};

enum {
    BUILDERS_ALL = 0,
    FOR_AUTO = 1 << BUILDER_AUTO,
    FOR_NODE = 1 << BUILDER_NODE,
    FOR_COMMANDS = 1 << BUILDER_COMMANDS,
    FOR_NONE = 1 << BUILDER_NONE,
    FOR_DOCKERFILE = 1 << BUILDER_DOCKERFILE,
    FOR_OTHERS = FOR_AUTO | FOR_NODE | FOR_COMMANDS | FOR_NONE, /* than dockerfile */
};

#define RULE_ITEMS_MAX 100 /* of lists and maps whose rule says nothing else */

/* Template variables: bits of struct rule.variables. */
enum {
    VARIABLE_PROJECT = 1,
    VARIABLE_ID = 2,
    VARIABLE_REF = 4,
    VARIABLE_COMMIT = 8,
    VARIABLE_SHORT_COMMIT = 16,
    VARIABLES_EARLY = VARIABLE_PROJECT | VARIABLE_ID, /* known whatever happens */
    VARIABLES_ALL = 31,
};

struct rule {
    const char *name; /* NULL ends a list, which goes on with `children` when they are given */
    enum value_type type;
    const struct rule *children;
    const char *const *values;       /* TYPE_ENUM and lists of words; NULL-terminated */
    const char *const *aliases;      /* other words for values: "npm", "node", …, NULL */
    const char *const *later_values; /* words of later versions */
    const char *fallback;            /* the default as text */
    const char *fallback_doc;        /* a default that is worked out, in words */
    const char *pattern;             /* ECMA-262, for the schema: what `check` accepts or more */
    text_check *check;               /* of the text, after templates are expanded */
    text_check *check_name;          /* of a map's names */
    long min, max;                   /* TYPE_INT; lists and maps: max number of items, 0: RULE_ITEMS_MAX */
    unsigned builders;               /* FOR_* bits; BUILDERS_ALL */
    unsigned variables;              /* VARIABLE_* bits; 0: no template */
    const char *const *with;         /* keys beside it, one of which it goes with; NULL: any */
    bool choice;                     /* of those in its list that are so, exactly one is given */
    bool required;                   /* where the map that it lies in is given */
    bool when_given;                 /* TYPE_OBJECT: without it, nothing below it has a default or is required */
    bool later;                      /* a key of a later version: known, and refused by name */
    bool private;                    /* masked in plan when it stands there as plain text; of a URL, its query */
    const char *doc;
    const char *example;
};

/* The first and the following rule of a list; NULL at its end. */
const struct rule *rule_first(const struct rule *rules);
const struct rule *rule_next(const struct rule *rule);
const struct rule *rule_find(const struct rule *rules, const char *name);
/* Whether one of those keys stands in the object that the rule goes with. */
bool rule_goes_with(const struct rule *rule, const json_t *object);
/* The first choice that stands in the object; NULL: none. */
const struct rule *rule_choice(const struct rule *rules, const json_t *object);

extern const struct rule spec_rules[];
extern const struct rule source_rules[];
extern const struct rule build_rules[];
extern const struct rule artifact_rules[];
extern const struct rule image_rules[];
extern const struct rule cache_rules[];
extern const struct rule cancel_rules[];
extern const struct rule notify_rules[];
extern const struct rule limits_rules[];
extern const struct rule max_limits_rules[];
extern const struct rule operator_rules[];

extern const char *const secret_steps[];      /* "install", "build", "test" */
extern const char *const secret_deliveries[]; /* "env", "file", "npmrc", in the order of enum secret_delivery */

/* Where a value comes from: a word and what its text must look like. A new source is a line in parse_source.c. */
struct value_kind {
    const char *name; /* NULL ends the list */
    int kind;         /* of struct value_source */
    text_check *check;
    const char *pattern; /* ECMA-262, for the schema */
};
extern const struct value_kind value_kinds[];

#endif
