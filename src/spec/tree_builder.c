#include "spec/tree_builder.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "spec/problems.h"

struct frame {
    struct node *node;
    json_t *seen;    /* keys of a map, so that finding a duplicate costs no second look at all of them */
    const char *key; /* open key of a map */
    struct position key_at;
    bool merge; /* the open key is << */
    const struct node **merges;
    size_t merges_len;
};

struct anchor {
    char *name;
    struct node *node;
    bool open; /* still being read: an alias to it would hold itself */
};

struct tree_builder {
    struct document *document; /* borrowed */
    struct problems *problems; /* borrowed */
    struct frame frames[DOCUMENT_DEPTH_MAX];
    size_t depth;
    struct anchor *anchors;
    size_t anchors_len;
    size_t nodes, bytes; /* so far, aliases expanded */
};

struct tree_builder *tree_new(struct document *document, struct problems *problems)
{
    struct tree_builder *builder = xcalloc(1, sizeof *builder);

    builder->document = document;
    builder->problems = problems;
    return builder;
}

static void frame_dispose(struct frame *frame)
{
    json_decref(frame->seen);
    free(frame->merges);
    *frame = (struct frame){0};
}

void tree_free(struct tree_builder *builder)
{
    size_t i;

    for (i = 0; i < builder->depth; i++)
        frame_dispose(&builder->frames[i]);
    for (i = 0; i < builder->anchors_len; i++)
        free(builder->anchors[i].name);
    free(builder->anchors);
    free(builder);
}

/* Lists that grow one by one: double at each power of two. */
static void *grow(void *items, size_t len, size_t size)
{
    return len & (len - 1) ? items : xrealloc(items, len ? len * 2 : 1, size);
}

static struct node *new_node(struct tree_builder *builder, enum node_kind kind, struct position at)
{
    struct document *document = builder->document;
    struct node *node = xcalloc(1, sizeof *node);

    *node = (struct node){.kind = kind, .at = at, .nodes = 1, .height = 1};
    document->owned = grow(document->owned, document->owned_len, sizeof *document->owned);
    document->owned[document->owned_len++] = node;
    return node;
}

static int count(struct tree_builder *builder, size_t nodes, size_t bytes, struct position at)
{
    builder->nodes += nodes;
    builder->bytes += bytes;
    if (builder->nodes > DOCUMENT_NODES_MAX)
        return problem_add(builder->problems, at, "", NULL, "more than %d values, aliases expanded",
                           DOCUMENT_NODES_MAX);
    if (builder->bytes > DOCUMENT_EXPANDED_MAX)
        return problem_add(builder->problems, at, "", NULL, "more than 4 MiB of text, aliases expanded");
    return 0;
}

static void push(struct node *parent, const char *key, struct position at, struct node *value)
{
    parent->entries = grow(parent->entries, parent->len, sizeof *parent->entries);
    parent->entries[parent->len++] = (struct node_entry){.key = key, .at = at, .value = value};
    parent->nodes += value->nodes;
    parent->bytes += value->bytes + (key ? strlen(key) : 0);
    if (parent->height < value->height + 1)
        parent->height = value->height + 1;
}

static int open_key(struct tree_builder *builder, struct frame *frame, const struct node *node)
{
    struct document *document = builder->document;
    char shown[QUOTE_SIZE];

    if (node->kind != NODE_SCALAR)
        return problem_add(builder->problems, node->at, "", NULL, "a key must be a text, not %s", node_kind_name(node));
    frame->merge = node->plain && strcmp(node->text, "<<") == 0;
    frame->key_at = node->at;
    if (!frame->merge) {
        if (json_object_get(frame->seen, node->text))
            return problem_add(builder->problems, node->at, "", "each key may stand once in a map",
                               "the key %s stands here a second time", quote(shown, node->text));
        json_object_set_new(frame->seen, node->text, json_true());
    }
    document->keys = grow(document->keys, document->keys_len, sizeof *document->keys);
    document->keys[document->keys_len++] = xstrdup(node->text);
    frame->key = document->keys[document->keys_len - 1];
    return 0;
}

static int add_merge(struct tree_builder *builder, struct frame *frame, const struct node *node)
{
    if (node->kind != NODE_MAP)
        return problem_add(builder->problems, node->at, "", NULL, "<< takes a map or a list of maps, not %s",
                           node_kind_name(node));
    frame->merges = grow(frame->merges, frame->merges_len, sizeof *frame->merges);
    frame->merges[frame->merges_len++] = node;
    return 0;
}

static int close_merge(struct tree_builder *builder, struct frame *frame, const struct node *node)
{
    size_t i;

    frame->merge = false;
    frame->key = NULL;
    if (node->kind != NODE_LIST)
        return add_merge(builder, frame, node);
    for (i = 0; i < node->len; i++)
        if (add_merge(builder, frame, node->entries[i].value))
            return -1;
    return 0;
}

/* A complete node takes its place in what is open. */
static int place(struct tree_builder *builder, struct node *node, struct position at)
{
    struct frame *frame;

    if (builder->depth == 0) {
        builder->document->root = node;
        return 0;
    }
    frame = &builder->frames[builder->depth - 1];
    if (frame->node->kind == NODE_LIST) {
        push(frame->node, NULL, at, node);
        return 0;
    }
    if (!frame->key)
        return open_key(builder, frame, node);
    if (frame->merge)
        return close_merge(builder, frame, node);
    push(frame->node, frame->key, frame->key_at, node);
    frame->key = NULL;
    return 0;
}

static int add_anchor(struct tree_builder *builder, const char *name, struct node *node, bool open)
{
    if (!name)
        return 0;
    if (builder->anchors_len == DOCUMENT_ANCHORS_MAX)
        return problem_add(builder->problems, node->at, "", NULL, "more than %d anchors", DOCUMENT_ANCHORS_MAX);
    builder->anchors = grow(builder->anchors, builder->anchors_len, sizeof *builder->anchors);
    builder->anchors[builder->anchors_len++] = (struct anchor){xstrdup(name), node, open};
    return 0;
}

int tree_scalar(struct tree_builder *builder, struct view text, bool plain, const char *anchor, struct position at)
{
    struct node *node;

    if (count(builder, 1, text.len, at))
        return -1;
    if (memchr(text.data, '\0', text.len))
        return problem_add(builder->problems, at, "", NULL, "a NUL character; a spec is text");
    node = new_node(builder, NODE_SCALAR, at);
    node->text = xstrndup(text.data, text.len);
    node->plain = plain;
    node->bytes = text.len;
    if (add_anchor(builder, anchor, node, false))
        return -1;
    return place(builder, node, at);
}

int tree_begin(struct tree_builder *builder, enum node_kind kind, const char *anchor, struct position at)
{
    struct frame *frame;

    if (builder->depth == DOCUMENT_DEPTH_MAX)
        return problem_add(builder->problems, at, "", NULL, "nested deeper than %d levels", DOCUMENT_DEPTH_MAX);
    if (count(builder, 1, 0, at))
        return -1;
    frame = &builder->frames[builder->depth];
    *frame = (struct frame){.node = new_node(builder, kind, at)};
    if (kind == NODE_MAP)
        frame->seen = json_object();
    builder->depth++;
    return add_anchor(builder, anchor, frame->node, true);
}

/* Keys of the map itself win, then those of the earlier maps (yaml.org/type/merge.html). */
static int merge(struct tree_builder *builder, struct frame *frame)
{
    size_t m;
    size_t i;

    for (m = 0; m < frame->merges_len; m++) {
        for (i = 0; i < frame->merges[m]->len; i++) {
            const struct node_entry *entry = &frame->merges[m]->entries[i];

            if (json_object_get(frame->seen, entry->key))
                continue;
            if (count(builder, entry->value->nodes, entry->value->bytes + strlen(entry->key), frame->node->at))
                return -1;
            json_object_set_new(frame->seen, entry->key, json_true());
            push(frame->node, entry->key, entry->at, entry->value);
        }
    }
    return 0;
}

int tree_end(struct tree_builder *builder)
{
    struct frame *frame = &builder->frames[builder->depth - 1];
    struct node *node = frame->node;
    int rc = merge(builder, frame);
    size_t i;

    frame_dispose(frame);
    builder->depth--;
    for (i = builder->anchors_len; i-- > 0;) {
        if (builder->anchors[i].node != node)
            continue;
        builder->anchors[i].open = false;
        break;
    }
    return rc ? rc : place(builder, node, node->at);
}

/* The last anchor of that name: a name may be given again. */
static struct anchor *find_anchor(struct tree_builder *builder, const char *name)
{
    size_t i;

    for (i = builder->anchors_len; i-- > 0;)
        if (strcmp(builder->anchors[i].name, name) == 0)
            return &builder->anchors[i];
    return NULL;
}

int tree_alias(struct tree_builder *builder, const char *anchor, struct position at)
{
    struct anchor *found = find_anchor(builder, anchor);
    char shown[QUOTE_SIZE];

    if (!found)
        return problem_add(builder->problems, at, "", "an anchor (&name) stands before its aliases",
                           "the alias %s names no anchor", quote(shown, anchor));
    if (found->open)
        return problem_add(builder->problems, at, "", NULL, "the alias %s stands within its own anchor",
                           quote(shown, anchor));
    if (builder->depth + (size_t)found->node->height > DOCUMENT_DEPTH_MAX)
        return problem_add(builder->problems, at, "", NULL, "nested deeper than %d levels", DOCUMENT_DEPTH_MAX);
    if (count(builder, found->node->nodes, found->node->bytes, at))
        return -1;
    return place(builder, found->node, at);
}
