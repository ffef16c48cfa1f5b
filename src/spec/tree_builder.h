/*
 * Builds the tree of a document from the events of a reader (yaml_reader.c, json_reader.c), within the limits of
 * document.h. Every function gives 0, or −1 with one problem added. Private to spec/.
 */
#ifndef CAISSON_SPEC_TREE_BUILDER_H
#define CAISSON_SPEC_TREE_BUILDER_H

#include "spec/document.h"

struct tree_builder;

struct tree_builder *tree_new(struct document *document, struct problems *problems);
void tree_free(struct tree_builder *builder);

/* In a map a scalar is the key when none is open, else its value. `anchor` may be NULL; the text is copied. */
int tree_scalar(struct tree_builder *builder, struct view text, bool plain, const char *anchor, struct position at);
int tree_begin(struct tree_builder *builder, enum node_kind kind, const char *anchor, struct position at);
int tree_end(struct tree_builder *builder);
int tree_alias(struct tree_builder *builder, const char *anchor, struct position at);

/* The readers. `text` is valid UTF-8 without NULs. */
int yaml_read(struct tree_builder *builder, struct view text, struct problems *problems);
/* 0, −1 with a problem added, or 1: this is no JSON, and *error says why. */
int json_read(struct tree_builder *builder, struct view text, struct problems *problems, json_error_t *error);
int json_read_value(struct tree_builder *builder, const json_t *json);

#endif
