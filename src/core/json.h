/*
 * Small helpers over jansson for documents that others wrote: loads are bounded and strict, lookups never fault on a
 * wrong type. Depth is jansson's own limit (JSON_PARSER_MAX_DEPTH).
 */
#ifndef CAISSON_CORE_JSON_H
#define CAISSON_CORE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/error.h"
#include "core/strings.h"

/* Parses one whole document; duplicate keys are refused. Caller frees with json_decref. NULL and *err (class, reason
 * "bad-json", message with line and column, prefixed by `what`). */
json_t *json_parse(const char *text, size_t len, enum error_class class, const char *what, struct error *err);

/* Lookups that borrow; the default when absent or of another type. */
const char *json_text(const json_t *object, const char *key, const char *missing);
int64_t json_int(const json_t *object, const char *key, int64_t missing);
bool json_flag(const json_t *object, const char *key, bool missing);

/* Sets a string, or leaves the key out when text is NULL. Invalid UTF-8 becomes U+FFFD. */
void json_put_text(json_t *object, const char *key, const char *text);

/* Adds `text`, which is valid UTF-8, as a JSON string with its quotes, as jansson writes it. For what is too much to make
 * a document of. */
void json_add_string(struct buf *out, struct view text);

/* From now on all memory of documents is wiped when it is freed: they may hold secrets, and nobody but the library sees
 * its buffers. Once, at the program's start. */
void json_wipe_memory(void);

/* A new array of them. */
json_t *json_of_strings(const struct strings *list);

/* Scope-bound owner. */
void cleanup_json(json_t **json);
#define CLEANUP_JSON __attribute__((cleanup(cleanup_json)))

#endif
