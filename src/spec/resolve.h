/*
 * From what was written to what applies: the operator's defaults, the spec, the table's defaults, the operator's pins
 * and bounds, in this order, each value with its origin. Private to spec/.
 */
#ifndef CAISSON_SPEC_RESOLVE_H
#define CAISSON_SPEC_RESOLVE_H

#include "spec/parse.h"
#include "spec/spec.h"

struct resolution {
    json_t *values;            /* the whole document; paths, places and templates in their final form */
    json_t *origins;           /* path → text */
    json_t *waiting;           /* paths of templates that wait for the checkout */
    const struct layer *layer; /* what the spec itself says; borrowed */
    const json_t *given;       /* origins of a profile's values; borrowed, NULL: none */
    const struct spec_context *context;
    struct problems *problems;
};

void resolve_layers(struct resolution *resolution);
/* Defaults that the table only describes (id, project, artifacts), templates, pins of places. */
void resolve_places(struct resolution *resolution);
void resolution_dispose(struct resolution *resolution);

/* Rules between keys (crosscheck.c). */
void crosscheck(struct resolution *resolution);

/* Looks up "source.ref" below the values; NULL when absent. */
json_t *resolved_at(const struct resolution *resolution, const char *object, const char *key);
/* A problem at the place where the path stands in the spec, or would stand. */
int resolution_problem(struct resolution *resolution, const char *path, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The struct from the values (fill.c). */
void fill_spec(struct spec *spec, const struct resolution *resolution);
/* The values in the table's order, secrets that stand in the text masked. Caller frees. */
json_t *resolution_for_plan(const struct resolution *resolution);

#endif
