/*
 * Reads a tree of nodes by the rules of a table: unknown keys, wrong types and wrong values are problems; what comes out
 * holds only what the table knows, each value in the type that the table says (times and sizes stay texts).
 * What is required is asked for when all layers lie upon each other (crosscheck.c), but within lists here.
 */
#ifndef CAISSON_SPEC_PARSE_H
#define CAISSON_SPEC_PARSE_H

#include <jansson.h>

#include "spec/document.h"
#include "spec/table.h"

/* Where the values of one document stand. */
struct layer {
    json_t *values;    /* as the table says */
    json_t *positions; /* "source.ref" → line and column in one number; of keys that stand there */
};

struct parse_options {
    const struct spec_context *context; /* NULL: the operator's own file, whose files of secrets are its own business */
};

/* Problems are added; the layer holds whatever could be read. */
void parse_layer(struct layer *layer, const struct node *root, const struct rule *rules,
                 const struct parse_options *options, struct problems *problems);
/* "is missing", with the rule's example. Returns −1. */
int problem_missing(struct problems *problems, struct position at, const char *path, const struct rule *rule);
void layer_dispose(struct layer *layer);
/* Whether a path stands in the document, with a valid value or not. */
bool layer_has(const struct layer *layer, const char *path);
/* {0, 0} when the path does not stand in the document. */
struct position layer_position(const struct layer *layer, const char *path);
/* The same, or the position of what it would lie in. */
struct position layer_position_near(const struct layer *layer, const char *path);

#endif
