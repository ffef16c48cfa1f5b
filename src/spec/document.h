/*
 * A hostile text, YAML or JSON, as one tree of nodes with positions. Scalars keep their text: types come from the table
 * (table.h). Everything is bounded: the text, the depth, and what aliases and merge keys make of it. Private to spec/.
 */
#ifndef CAISSON_SPEC_DOCUMENT_H
#define CAISSON_SPEC_DOCUMENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"
#include "spec/spec.h"

#define DOCUMENT_TEXT_MAX ((size_t)1 << 20)
#define DOCUMENT_DEPTH_MAX 32
#define DOCUMENT_NODES_MAX 20000                /* after the expansion of aliases */
#define DOCUMENT_EXPANDED_MAX ((size_t)4 << 20) /* bytes of keys and scalars, after the expansion too */
#define DOCUMENT_ANCHORS_MAX 1000

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node;
struct node_entry {
    const char *key;    /* NULL in a list; owned by the document */
    struct position at; /* of the key, or of the value in a list */
    struct node *value; /* borrowed: aliases share nodes */
};

struct node {
    enum node_kind kind;
    struct position at;
    char *text; /* scalar; NUL-terminated, holds no other NUL */
    bool plain; /* scalar: not quoted, so that an empty one or null means "not given" */
    struct node_entry *entries;
    size_t len;
    size_t nodes, bytes; /* of the whole tree below and this, aliases expanded */
    int height;          /* 1: nothing below */
};

struct document {
    struct node *root;
    struct node **owned;
    size_t owned_len;
    char **keys;
    size_t keys_len;
};

/* Reads a whole text; *problems is empty before. 0, or −1 with one problem added. The document must be disposed of in both cases. */
int document_parse(struct document *document, struct view text, struct problems *problems);
/* The tree of a document that is in memory already: no positions. */
int document_from_json(struct document *document, const json_t *json, struct problems *problems);
void document_dispose(struct document *document);

/* Plain and empty, ~ or null. */
bool node_is_null(const struct node *node);
/* "a list", "a map", "a text", for messages. */
const char *node_kind_name(const struct node *node);

#endif
