#include "core/redact_automaton.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

/*
 * The trie. A pattern's new states follow one another, so a state's first child is the next state; further children,
 * one in a few hundred states, stand in a hash table, and the root's in a table of their own.
 */
#define CHILD_FOLLOWS 1 /* the next state is a child */
#define BRANCHES 2      /* further children in the hash table */
#define TERMINAL 4      /* a pattern ends here */

/*
 * The filter (Bloom's): two bits for each GRAM bytes that stand at an offset below `stride` in any pattern. As every
 * pattern has stride + GRAM - 1 bytes at least, one look at every stride-th place of a text cannot miss one.
 */
#define GRAM 4
#define STRIDE_MAX 13
#define FILTER_BITS_MIN 14
#define FILTER_BITS_MAX 22
#define FIRST_FACTOR UINT32_C(0x9E3779B1)
#define SECOND_FACTOR UINT32_C(0x85EBCA6B)

struct state {
    uint32_t fail;  /* the state of the longest proper suffix that is in the trie */
    uint16_t depth; /* length of what was read */
    uint16_t found; /* of the longest pattern that ends here; 0: none */
    uint16_t owner; /* its */
    uint8_t label;  /* the last byte read */
    uint8_t flags;
};

struct branch {
    uint32_t state;
    uint32_t child; /* 0: an empty place */
};

struct automaton {
    struct state *states;
    size_t len, cap;
    uint32_t first[256]; /* children of the root */
    struct branch *branches;
    size_t branches_len, branches_cap; /* a power of 2 */
    size_t shortest, longest;
    uint64_t generation, prepared; /* equal: links and filter are made */
    uint8_t *filter;
    unsigned filter_bits;
    size_t stride;
};

struct automaton *automaton_new(void)
{
    struct automaton *automaton = xcalloc(1, sizeof *automaton);

    automaton->states = xcalloc(1, sizeof *automaton->states);
    automaton->len = automaton->cap = 1;
    return automaton;
}

void automaton_free(struct automaton *automaton)
{
    if (!automaton)
        return;
    wipe(automaton->states, automaton->len * sizeof *automaton->states);
    free(automaton->states);
    free(automaton->branches);
    free(automaton->filter);
    free(automaton);
}

uint64_t automaton_generation(const struct automaton *automaton)
{
    return automaton->generation;
}

size_t automaton_states(const struct automaton *automaton)
{
    return automaton->len;
}

size_t automaton_longest(const struct automaton *automaton)
{
    return automaton->longest;
}

size_t automaton_depth(const struct automaton *automaton, uint32_t state)
{
    return automaton->states[state].depth;
}

/* ---- the trie ---- */

static size_t branch_place(const struct automaton *automaton, uint32_t state, uint8_t label)
{
    uint64_t key = ((uint64_t)state << 8 | label) * UINT64_C(0x9E3779B97F4A7C15);

    return (size_t)(key >> 32) & (automaton->branches_cap - 1);
}

static uint32_t branch_find(const struct automaton *automaton, uint32_t state, uint8_t label)
{
    size_t at = branch_place(automaton, state, label);
    const struct branch *branch;

    for (;; at = (at + 1) & (automaton->branches_cap - 1)) {
        branch = &automaton->branches[at];
        if (!branch->child || (branch->state == state && automaton->states[branch->child].label == label))
            return branch->child;
    }
}

static void branch_put(struct automaton *automaton, struct branch branch)
{
    size_t at = branch_place(automaton, branch.state, automaton->states[branch.child].label);

    while (automaton->branches[at].child)
        at = (at + 1) & (automaton->branches_cap - 1);
    automaton->branches[at] = branch;
}

static void branch_add(struct automaton *automaton, struct branch branch)
{
    struct branch *old = automaton->branches;
    size_t cap = automaton->branches_cap;
    size_t i;

    if (2 * automaton->branches_len >= cap) {
        automaton->branches_cap = cap ? 2 * cap : 64;
        automaton->branches = xcalloc(automaton->branches_cap, sizeof *automaton->branches);
        for (i = 0; i < cap; i++)
            if (old[i].child)
                branch_put(automaton, old[i]);
        free(old);
    }
    branch_put(automaton, branch);
    automaton->branches_len++;
    automaton->states[branch.state].flags |= BRANCHES;
}

/* 0: none; the root is nobody's child. */
static inline uint32_t child_of(const struct automaton *automaton, uint32_t state, uint8_t label)
{
    const struct state *from = &automaton->states[state];

    if (state == AUTOMATON_ROOT)
        return automaton->first[label];
    if (from->flags & CHILD_FOLLOWS && from[1].label == label)
        return state + 1;
    return from->flags & BRANCHES ? branch_find(automaton, state, label) : 0;
}

/* A fresh block: the labels are the secrets, and a block that moves leaves a copy behind. */
static void reserve_states(struct automaton *automaton, size_t more)
{
    struct state *states;
    size_t cap = automaton->cap;

    if (automaton->len + more <= cap)
        return;
    while (cap < automaton->len + more)
        cap += cap / 2 + 64;
    states = xcalloc(cap, sizeof *states);
    memcpy(states, automaton->states, automaton->len * sizeof *states);
    wipe(automaton->states, automaton->len * sizeof *states);
    free(automaton->states);
    automaton->states = states;
    automaton->cap = cap;
}

static uint32_t add_child(struct automaton *automaton, uint32_t state, uint8_t label)
{
    uint32_t child = (uint32_t)automaton->len++;
    struct state *from = &automaton->states[state];

    automaton->states[child] = (struct state){.label = label, .depth = (uint16_t)(from->depth + 1)};
    if (state == AUTOMATON_ROOT)
        automaton->first[label] = child;
    else if (child == state + 1)
        from->flags |= CHILD_FOLLOWS;
    else
        branch_add(automaton, (struct branch){state, child});
    return child;
}

void automaton_add(struct automaton *automaton, struct view pattern, uint16_t owner)
{
    uint32_t state = AUTOMATON_ROOT;
    uint32_t next;
    size_t i;

    reserve_states(automaton, pattern.len);
    for (i = 0; i < pattern.len; i++) {
        next = child_of(automaton, state, (uint8_t)pattern.data[i]);
        state = next ? next : add_child(automaton, state, (uint8_t)pattern.data[i]);
    }
    if (automaton->states[state].flags & TERMINAL)
        return;
    automaton->states[state].flags |= TERMINAL;
    automaton->states[state].owner = owner;
    automaton->generation++;
    if (automaton->longest == 0 || pattern.len < automaton->shortest)
        automaton->shortest = pattern.len;
    if (pattern.len > automaton->longest)
        automaton->longest = pattern.len;
}

/* ---- links and filter ---- */

static uint32_t *find_parents(const struct automaton *automaton)
{
    uint32_t *parents = xcalloc(automaton->len, sizeof *parents);
    size_t i;

    for (i = 0; i + 1 < automaton->len; i++)
        if (automaton->states[i].flags & CHILD_FOLLOWS)
            parents[i + 1] = (uint32_t)i;
    for (i = 0; i < automaton->branches_cap; i++)
        if (automaton->branches[i].child)
            parents[automaton->branches[i].child] = automaton->branches[i].state;
    return parents;
}

/* All states by their depth: a state's links follow from those of shallower ones. */
static uint32_t *sort_by_depth(const struct automaton *automaton)
{
    uint32_t *order = xcalloc(automaton->len, sizeof *order);
    uint32_t begins[AUTOMATON_LONGEST + 2] = {0};
    size_t i;

    for (i = 0; i < automaton->len; i++)
        begins[automaton->states[i].depth + 1]++;
    for (i = 1; i < ARRAY_LEN(begins); i++)
        begins[i] += begins[i - 1];
    for (i = 0; i < automaton->len; i++)
        order[begins[automaton->states[i].depth]++] = (uint32_t)i;
    return order;
}

static inline uint32_t step(const struct automaton *automaton, uint32_t state, uint8_t byte)
{
    uint32_t next;

    while ((next = child_of(automaton, state, byte)) == 0 && state != AUTOMATON_ROOT)
        state = automaton->states[state].fail;
    return next;
}

static void make_links(struct automaton *automaton, const uint32_t *parents)
{
    uint32_t *order = sort_by_depth(automaton);
    size_t i;

    for (i = 1; i < automaton->len; i++) {
        struct state *state = &automaton->states[order[i]];
        uint32_t parent = parents[order[i]];
        const struct state *fail;

        state->fail =
            parent == AUTOMATON_ROOT ? AUTOMATON_ROOT : step(automaton, automaton->states[parent].fail, state->label);
        fail = &automaton->states[state->fail];
        if (state->flags & TERMINAL) {
            state->found = state->depth;
        } else {
            state->found = fail->found;
            state->owner = fail->owner;
        }
    }
    free(order);
}

static inline uint32_t word_of(const void *gram)
{
    uint32_t word;

    memcpy(&word, gram, sizeof word);
    return word;
}

/* Which bit of the filter; the two factors give two hashes. */
static inline uint32_t bit_of(const struct automaton *automaton, uint32_t word, uint32_t factor)
{
    return (word * factor) >> (32 - automaton->filter_bits);
}

static inline bool filter_has(const struct automaton *automaton, uint32_t word, uint32_t factor)
{
    uint32_t bit = bit_of(automaton, word, factor);

    return automaton->filter[bit / 8] >> bit % 8 & 1;
}

static void filter_add(struct automaton *automaton, uint32_t word, uint32_t factor)
{
    uint32_t bit = bit_of(automaton, word, factor);

    automaton->filter[bit / 8] |= (uint8_t)(1 << bit % 8);
}

static bool in_filter(const struct automaton *automaton, const struct state *state)
{
    return state->depth >= GRAM && state->depth < automaton->stride + GRAM;
}

static void make_filter(struct automaton *automaton, const uint32_t *parents)
{
    size_t count = 0;
    size_t i;

    automaton->stride = automaton->shortest - GRAM + 1;
    if (automaton->stride > STRIDE_MAX)
        automaton->stride = STRIDE_MAX;
    for (i = 1; i < automaton->len; i++)
        count += in_filter(automaton, &automaton->states[i]);
    automaton->filter_bits = FILTER_BITS_MIN;
    while (automaton->filter_bits < FILTER_BITS_MAX && (size_t)1 << automaton->filter_bits < 32 * count)
        automaton->filter_bits++;
    free(automaton->filter);
    automaton->filter = xcalloc(((size_t)1 << automaton->filter_bits) / 8, 1);
    for (i = 1; i < automaton->len; i++) {
        uint8_t gram[GRAM];
        uint32_t state = (uint32_t)i;
        size_t k;

        if (!in_filter(automaton, &automaton->states[i]))
            continue;
        for (k = GRAM; k-- > 0; state = parents[state])
            gram[k] = automaton->states[state].label;
        filter_add(automaton, word_of(gram), FIRST_FACTOR);
        filter_add(automaton, word_of(gram), SECOND_FACTOR);
    }
}

static void prepare(struct automaton *automaton)
{
    uint32_t *parents;

    if (automaton->prepared == automaton->generation)
        return;
    parents = find_parents(automaton);
    make_links(automaton, parents);
    make_filter(automaton, parents);
    free(parents);
    automaton->prepared = automaton->generation;
}

/* ---- spans ---- */

void spans_dispose(struct spans *spans)
{
    free(spans->items);
    *spans = (struct spans){0};
}

void spans_add(struct spans *spans, struct span span)
{
    while (spans->len && spans->items[spans->len - 1].end >= span.start) {
        const struct span *last = &spans->items[--spans->len];

        if (last->start < span.start)
            span.start = last->start;
        if (last->end > span.end)
            span.end = last->end;
    }
    if (spans->len == spans->cap) {
        spans->cap = spans->cap ? 2 * spans->cap : 16;
        spans->items = xrealloc(spans->items, spans->cap, sizeof *spans->items);
    }
    spans->items[spans->len++] = span;
}

/* ---- reading ---- */

/*
 * Nothing that began before `bound` is open. Returns where the automaton must begin again, from the root; it has not
 * seen what gave reason to before `until`.
 */
static size_t skip(const struct automaton *automaton, struct view text, size_t bound, bool final, size_t *until)
{
    size_t stride = automaton->stride;
    size_t at = bound + stride - 1;

    for (; at + GRAM <= text.len; at += stride) {
        uint32_t word = word_of(text.data + at);

        if (filter_has(automaton, word, FIRST_FACTOR) && filter_has(automaton, word, SECOND_FACTOR)) {
            *until = at + GRAM;
            return at + 1 - stride;
        }
    }
    *until = text.len;
    return final ? text.len : at + 1 - stride;
}

struct reading {
    const struct automaton *automaton;
    struct view text;
    size_t at;
    size_t until; /* the automaton goes on at least to here */
    uint32_t state;
    bool final;
};

/* To the next place where a pattern ends: true; false: the text is at its end. At most three bytes are read twice for
 * each hit of the filter. */
static bool read_on(struct reading *reading)
{
    const struct automaton *automaton = reading->automaton;
    const struct state *states = automaton->states;
    const char *data = reading->text.data;
    uint32_t state = reading->state;
    size_t at = reading->at;

    while (at < reading->text.len) {
        if (states[state].depth < GRAM && at >= reading->until) {
            at = skip(automaton, reading->text, at - states[state].depth, reading->final, &reading->until);
            state = AUTOMATON_ROOT;
            continue;
        }
        state = step(automaton, state, (uint8_t)data[at++]);
        if (states[state].found) {
            reading->state = state;
            reading->at = at;
            return true;
        }
    }
    reading->state = state;
    reading->at = at;
    return false;
}

void automaton_run(struct automaton *automaton, struct view text, size_t from, bool final, uint32_t *state,
                   struct spans *spans)
{
    struct reading reading = {automaton, text, .at = from, .state = *state, .final = final};

    if (!automaton->longest)
        return;
    prepare(automaton);
    while (read_on(&reading))
        spans_add(spans, (struct span){reading.at - automaton->states[reading.state].found, reading.at});
    /* What cannot grow need not be held. */
    while (reading.state != AUTOMATON_ROOT && !(automaton->states[reading.state].flags & (CHILD_FOLLOWS | BRANCHES)))
        reading.state = automaton->states[reading.state].fail;
    *state = reading.state;
}

int32_t automaton_search(struct automaton *automaton, struct view text)
{
    struct reading reading = {automaton, text, .final = true};

    if (!automaton->longest)
        return -1;
    prepare(automaton);
    return read_on(&reading) ? automaton->states[reading.state].owner : -1;
}
