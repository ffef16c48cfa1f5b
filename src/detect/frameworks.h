/*
 * The frameworks, as data. A new one is one row of the table in frameworks.c; the order is by how specific a row is,
 * since SvelteKit's and VitePress's projects depend on vite as well.
 */
#ifndef CAISSON_DETECT_FRAMEWORKS_H
#define CAISSON_DETECT_FRAMEWORKS_H

#include <stdbool.h>
#include <stddef.h>

#define FRAMEWORK_WORDS_MAX 4

/* What shows that the output can be served as files. All absent: it always can. */
struct static_proof {
    const char *key;        /* of the configuration file */
    const char *value;      /* that it must have … */
    const char *forbidden;  /* … or must not have */
    const char *dependency; /* a package that must be there */
    const char *tool;       /* or the script runs this */
    const char *advice;     /* what to do where it cannot be shown */
};

struct framework {
    const char *name;
    const char *dependencies[FRAMEWORK_WORDS_MAX]; /* any of these packages … */
    int below_major;                               /* … in a version below this major; 0: any */
    const char *configs[FRAMEWORK_WORDS_MAX];      /* configuration files; ".*" stands for js, mjs, cjs, ts, mts, cts */
    const char *tools[FRAMEWORK_WORDS_MAX];        /* commands that build with it; the first is the default */
    const char *scripts[FRAMEWORK_WORDS_MAX];      /* scripts of package.json to run, best first; none: "build" */
    bool script_must_build;                        /* take a script only when it runs one of the tools */
    const char *output;                            /* relative to the site */
    const char *output_key;                        /* of the configuration file */
    const char *root_key;                          /* the site, in the configuration file */
    bool site_argument;                            /* the site may follow the tool: "vitepress build docs" */
    const char *site_marker;                       /* folder that makes a folder a site: ".vitepress" */
    const char *flags[FRAMEWORK_WORDS_MAX];        /* flags (or "NAME=" variables) that set the output */
    bool flags_from_site;                          /* they are relative to the site, not to the project */
    bool angular;                                  /* angular.json says the output */
    struct static_proof proof;
};

/* Borrowed, static; NULL past the last. */
const struct framework *framework_at(size_t index);
const struct framework *framework_named(const char *name);

#endif
