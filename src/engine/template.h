/*
 * Dockerfiles for projects that have none. They are data files (src/engine/templates), embedded by CMake; its file
 * `list` names them.
 */
#ifndef CAISSON_ENGINE_TEMPLATE_H
#define CAISSON_ENGINE_TEMPLATE_H

#include "core/buf.h"

struct build_template {
    const char *name;          /* "node20" */
    const unsigned char *text; /* of the Dockerfile; not NUL-terminated */
    size_t len;
};
/* Sorted by name; name NULL ends it. Generated. */
extern const struct build_template build_template_table[];

/* 0, or -1: there is none of that name. */
int build_template_find(const char *name, struct view *text);

#endif
