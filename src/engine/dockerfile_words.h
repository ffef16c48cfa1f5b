/* The words of an instruction, and the heredocs among them. Private to the Dockerfile parser. */
#ifndef CAISSON_ENGINE_DOCKERFILE_WORDS_H
#define CAISSON_ENGINE_DOCKERFILE_WORDS_H

#include <stdbool.h>

#include "core/buf.h"
#include "core/strings.h"

/* Takes the next word that white space ends off the text; false when there is none. Borrowed. */
bool dockerfile_next_word(struct view *text, struct view *word);
/* What white space does not matter around. */
struct view dockerfile_trim(struct view text);
bool dockerfile_is_keyword(struct view word, const char *keyword);

/* The words by which the heredocs of an instruction end, in order, "-" before one that tabs may precede: "EOF", "-EOF".
 * RUN, COPY and ADD may have some, behind ONBUILD too, and not in JSON form. At most `max`. */
void dockerfile_heredocs(struct view keyword, struct view args, size_t max, struct strings *ends);

#endif
