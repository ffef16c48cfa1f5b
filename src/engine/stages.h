/* Which stages of a Dockerfile hang together. Private to engine/. */
#ifndef CAISSON_ENGINE_STAGES_H
#define CAISSON_ENGINE_STAGES_H

#include "engine/dockerfile.h"

/* One bool a stage: whether the target (NULL: the last stage) is built on it or copies from it. Caller frees. */
bool *stages_needed(const struct dockerfile *dockerfile, const char *target);
/* Whether `stage` is `of`, or one that `of` is built on: an engine may build a chain of stages as one. */
bool stages_is_part(const struct dockerfile *dockerfile, int stage, int of);

#endif
