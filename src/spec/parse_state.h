/* What the parts of the parser share: parse.c (structure), parse_scalar.c (single values), parse_source.c
 * (values that come from elsewhere). Private to spec/parse*.c. */
#ifndef CAISSON_SPEC_PARSE_STATE_H
#define CAISSON_SPEC_PARSE_STATE_H

#include "spec/parse.h"
#include "spec/problems.h"

struct parser {
    const struct parse_options *options;
    struct problems *problems;
    json_t *positions;
    int lists; /* how many lists we are within: their items must be whole, whichever layer they stand in */
};

/* All give the value (a new reference), or NULL with a problem added. */
json_t *parse_scalar(struct parser *parser, const struct rule *rule, const struct node *node, const char *path);
json_t *parse_value_source(struct parser *parser, const struct rule *rule, const struct node *node, const char *path);
json_t *parse_word(struct parser *parser, const struct rule *rule, const struct node *node, const char *path);

/* Remembers where a path stands. */
void parse_remember(struct parser *parser, const char *path, struct position at);
/* "not supported by this version" */
json_t *parse_later(struct parser *parser, struct position at, const char *path, const char *what);
/* "a map is expected, not a list" */
json_t *parse_wrong_kind(struct parser *parser, const struct node *node, const char *path, const char *expected);
/* "base.key", the key quoted when it is no plain word. Caller frees. */
char *path_join(const char *base, const char *key);

#endif
