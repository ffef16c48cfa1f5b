/*
 * The files of a project as the detection sees them: confined, bounded, following no link. A project is a folder in a
 * checkout; what its workspace shares (lockfile, .nvmrc) may lie in a folder above it, up to the checkout's root.
 * project_open … project_dispose.
 */
#ifndef CAISSON_DETECT_PROJECT_H
#define CAISSON_DETECT_PROJECT_H

#include <jansson.h>
#include <stdbool.h>

#include "core/buf.h"
#include "core/error.h"
#include "core/strings.h"

#define PROJECT_PACKAGE_MAX ((size_t)1 << 20)  /* bytes of a package.json or angular.json */
#define PROJECT_CONFIG_MAX ((size_t)256 << 10) /* bytes of a configuration file */

struct project {
    int root_fd;               /* the checkout */
    char *directory;           /* the project beneath it; "." for the checkout itself */
    json_t *package;           /* package.json; NULL: there is none */
    char *workspace;           /* the folder of the workspace's root; equals directory when it is none's member */
    json_t *workspace_package; /* its package.json; NULL when workspace equals directory, or there is none */
    struct strings *warnings;  /* borrowed: where readers say what they left out */
};

/* Errors as detect_project's. */
int project_open(struct project *project, const char *root, const char *directory, struct strings *warnings,
                 struct error *err);
void project_dispose(struct project *project);

/* Whether a regular file (no link) is there. `folder` is relative to the checkout, as directory and workspace are. */
bool project_has(const struct project *project, const char *folder, const char *name);
/* Reads a file whole; false when it is not there, and, with a warning, when it cannot be taken. */
bool project_read(const struct project *project, const char *folder, const char *name, size_t max, struct buf *out);
/* The first bytes of a file, at most `max`; false when it is not there. */
bool project_read_head(const struct project *project, const char *folder, const char *name, size_t max,
                       struct buf *out);
/* The section of package.json that names a dependency ("devDependencies"; static), or NULL. */
const char *project_dependency(const struct project *project, const char *name, const char **version);
/* The text of a script, or NULL. */
const char *project_script(const struct project *project, const char *name);
/* Resolves "vite.config.*" to the file that is there, a name without "*" to itself; NULL when there is none.
 * Caller frees with free. */
char *project_find_config(const struct project *project, const char *folder, const char *pattern);

/* `path` from `folder` (relative to the checkout), normalised: relative to the checkout. NULL when it leaves the
 * checkout or is no path to use. Caller frees with free. */
char *project_resolve(const char *folder, const char *path);
/* A path relative to the checkout as the spec writes it: relative to the project when beneath it, else "/" and the
 * path. Caller frees with free. */
char *project_relative(const struct project *project, const char *path);

#endif
