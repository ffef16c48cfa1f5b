/*
 * Reads a literal value out of a JavaScript or TypeScript configuration file by its text alone: the file is never
 * executed, and what is not a plain literal is said to be so.
 */
#ifndef CAISSON_DETECT_LITERAL_H
#define CAISSON_DETECT_LITERAL_H

#include "core/buf.h"

enum literal_state {
    LITERAL_ABSENT,  /* no such key */
    LITERAL_FOUND,   /* one value, a string, true or false */
    LITERAL_DYNAMIC, /* the key is there, its value is computed or differs between places */
};

/* `key` is "output" (in an object that is itself no value of a key) or "build.outDir" (the last object's own key before
 * the dot). The value is appended to `value` when it is found. */
enum literal_state literal_find(struct view text, const char *key, struct buf *value);

#endif
