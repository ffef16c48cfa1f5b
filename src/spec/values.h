/* Reads resolved values, which are valid by their table: an absent one gives NULL, 0 or nothing. */
#ifndef CAISSON_SPEC_VALUES_H
#define CAISSON_SPEC_VALUES_H

#include <jansson.h>
#include <stdint.h>

#include "core/strings.h"
#include "spec/spec.h"

char *value_text(const json_t *object, const char *key); /* caller frees */
int64_t value_duration_ms(const json_t *object, const char *key);
struct limit value_limit(const json_t *object, const char *key);
int64_t value_bytes(const json_t *object, const char *key);
void value_list(struct strings *list, const json_t *array);
void spec_pairs_dispose(struct spec_pairs *pairs); /* wipes the values */
void value_pairs(struct spec_pairs *pairs, const json_t *object);
struct value_source value_source_of(const json_t *value, struct position at);

#endif
