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
    unsigned builder;          /* FOR_* of the job's; 0: what stands there is no builder */
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
/* As PID 1 a place in a folder (file:, oci:) needs the operator's word. */
void check_file_target(struct resolution *resolution, const char *path, const char *place);

/* The image's own (image.c): defaults that are worked out and its templates; rules between its keys. Nothing for other
 * builders. */
struct template_values;
void resolve_image(struct resolution *resolution, const struct template_values *values);
void crosscheck_image(struct resolution *resolution);

/* The operator's logins hold for the operator's own registries only (image_auth.c): others are dropped, before what is
 * missing is asked for; whether a spec may have plain http; a login of the operator's file that holds for nothing. */
void resolve_image_auth(struct resolution *resolution);
void crosscheck_image_auth(struct resolution *resolution);
void check_operator_auth(const struct layer *layer, struct problems *problems);

/* Of notify (notify.c): defaults that are worked out; rules between its keys. */
void resolve_notify(struct resolution *resolution);
void crosscheck_notify(struct resolution *resolution);
/* What the operator permits and pins of a target (notify_pins.c). */
struct target {
    const json_t *entry;
    const char *path; /* of the entry: notify[0] */
    const char *type, *text;
};
bool target_may_be_plain(const struct resolution *resolution, const char *text);
bool target_may_be_private(const struct resolution *resolution, const char *text);
void crosscheck_target(struct resolution *resolution, const struct target *target);
/* Of those rules what holds for a broker that is only listened to. */
void crosscheck_broker(struct resolution *resolution, const struct target *target);

/* Of cancel (cancel.c). */
void crosscheck_cancel(struct resolution *resolution);
void fill_cancel(struct spec *spec, const struct resolution *resolution);
void spec_cancel_dispose(struct spec *spec);

/* Looks up "source.ref" below the values; NULL when absent. */
json_t *resolved_at(const struct resolution *resolution, const char *object, const char *key);
/* Whether a path stands in the spec itself, with a valid value. */
bool is_written(const struct resolution *resolution, const char *object, const char *key);
/* A value is replaced or dropped: what was said about it and its parts is no longer true. */
void origins_forget(json_t *origins, const char *path);
/* Whether a value, or a part of it, is the operator's. */
bool is_of_operator(const struct resolution *resolution, const char *path);
/* Whether there is one at a path that begins so. */
bool has_problem(const struct resolution *resolution, const char *path);
/* A problem at the place where the path stands in the spec, or would stand. */
int resolution_problem(struct resolution *resolution, const char *path, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The struct from the values (fill.c, fill_image.c, fill_notify.c, told.c). */
void fill_notify(struct spec *spec, const struct resolution *resolution);
void spec_notify_dispose(struct spec *spec);
void fill_image(struct spec *spec, const struct resolution *resolution);
void fill_told(struct spec *spec, const struct resolution *resolution);
void fill_spec(struct spec *spec, const struct resolution *resolution);
/* The values in the table's order, secrets that stand in the text masked. Caller frees. */
json_t *resolution_for_plan(const struct resolution *resolution);

#endif
