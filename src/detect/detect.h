/*
 * What a project is, from its files alone: package manager, wanted Node version, framework, commands, output folder.
 * Every conclusion says what it was drawn from. The folder is hostile: it is read through confined, bounded opens, and
 * in a job this runs in a child (job/detect_worker.c). Frameworks are data (detect/frameworks.c), not code paths.
 */
#ifndef CAISSON_DETECT_DETECT_H
#define CAISSON_DETECT_DETECT_H

#include <jansson.h>
#include <stdbool.h>

#include "core/error.h"
#include "core/strings.h"

struct conclusion {
    char *value; /* NULL: nothing concluded */
    char *from;  /* "package.json, dependencies.vite", "pnpm-lock.yaml", "default" */
};

struct detection {
    struct conclusion package_manager;         /* npm | yarn | yarn-berry | pnpm | bun | none */
    struct conclusion package_manager_version; /* exact, from packageManager; else NULL */
    struct conclusion node;                    /* the wanted version or range as written: "20", ">=18 <21" */
    struct conclusion node_major;              /* the major version to take: "20" */
    struct conclusion framework;               /* "vite", … "static" */
    struct conclusion install;                 /* command; value NULL: nothing to install */
    struct conclusion build;                   /* command; value NULL: nothing to build */
    struct conclusion output;                  /* folder beneath the project; "/x": beneath the repository */
    struct strings warnings;                   /* two lockfiles, no lockfile, … */
};

struct detect_hints { /* what the spec says already; each NULL: nothing */
    const char *node;
    const char *framework;
    const char *node_default; /* when nothing says (profiles): NULL: "20" */
};

/* root: the checkout (absolute); directory: the project beneath it ("." or relative). CLASS_REF_NOT_FOUND (reason
 * "directory-not-found") when it is not there; CLASS_BUILD_FAILED (reason "bad-package-json") for a package.json that
 * is none; CLASS_SPEC_INVALID for an unknown hint. */
int detect_project(const char *root, const char *directory, const struct detect_hints *hints,
                   struct detection *detection, struct error *err);
void detection_dispose(struct detection *detection);
json_t *detection_to_json(const struct detection *detection);
int detection_from_json(struct detection *detection, const json_t *json, struct error *err);
/* Names of the known frameworks for messages and the schema; NULL-terminated, static. */
const char *const *detect_framework_names(void);

/* Whether a Node version ("20.11.1") satisfies a wanted one or range ("20", "^18 || >=20", any LTS). */
bool node_version_satisfies(const char *version, const char *wanted);
/* Whether some version of the same major does: "20.19.0" for a wanted "20.11.1". A builder image that does not even
 * satisfy this is the wrong one. */
bool node_major_satisfies(const char *version, const char *wanted);

#endif
