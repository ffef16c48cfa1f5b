/*
 * Many patterns sought at once in time linear in the text (Aho, Corasick: "Efficient string matching", 1975), with a
 * filter in front that lets clean text pass without a step of the automaton for each byte. Internal to redaction.
 *
 * Patterns are AUTOMATON_SHORTEST to AUTOMATON_LONGEST bytes long. The trie takes 12 bytes a state, at most one state a
 * byte of the patterns; links and filter are made anew when the automaton runs after a pattern was added.
 */
#ifndef CAISSON_CORE_REDACT_AUTOMATON_H
#define CAISSON_CORE_REDACT_AUTOMATON_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"

#define AUTOMATON_SHORTEST 8
#define AUTOMATON_LONGEST 4096
#define AUTOMATON_ROOT 0

struct automaton;

struct automaton *automaton_new(void);
/* Wipes. */
void automaton_free(struct automaton *automaton);
/* `owner` is what a search gives back. A known pattern is ignored. */
void automaton_add(struct automaton *automaton, struct view pattern, uint16_t owner);
/* Grows with each new pattern. */
uint64_t automaton_generation(const struct automaton *automaton);
size_t automaton_states(const struct automaton *automaton);
/* Of the longest pattern; 0: there is none. */
size_t automaton_longest(const struct automaton *automaton);
/* So many of the last bytes that were read may be the beginning of a pattern. */
size_t automaton_depth(const struct automaton *automaton, uint32_t state);

/* Parts of a text that patterns cover: sorted, neither overlapping nor touching. */
struct span {
    size_t start, end;
};
struct spans {
    struct span *items; /* owned */
    size_t len, cap;
};
void spans_dispose(struct spans *spans);
/* Ends must not decrease, but for spans that the last one reaches over. */
void spans_add(struct spans *spans, struct span span);

/*
 * Reads text from `from` on; `state` is that after the bytes before, of which at least the last automaton_depth() must
 * be in the text. What patterns cover is added to `spans`. `final`: no more text follows, the state is not needed.
 */
void automaton_run(struct automaton *automaton, struct view text, size_t from, bool final, uint32_t *state,
                   struct spans *spans);
/* The owner of the pattern that ends first in the text, or -1. */
int32_t automaton_search(struct automaton *automaton, struct view text);

#endif
