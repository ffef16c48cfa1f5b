/*
 * Makes a checkout ready to be built: finds context and Dockerfile (confined: a path that leaves the repository, also
 * through a link, is refused), puts a template's Dockerfile in place, writes .dockerignore where there is none, and
 * parses the Dockerfile. Runs in a worker as the checkout's owner: the tree is hostile.
 */
#ifndef CAISSON_ENGINE_CONTEXT_H
#define CAISSON_ENGINE_CONTEXT_H

#include "engine/dockerfile.h"
#include "proc/worker.h"

/* How the worker is called: {"source": folder, "directory": …, "context": …, "dockerfile": …, "template":
 * {"name": …, "always": B} | null, "target": …}. Answer: build_context_from_json. */
extern const struct worker_entry build_context_worker;

struct build_context {
    char *folder;     /* relative to the repository: "." or "a/b" */
    char *dockerfile; /* the same */
    char *template;   /* that was used; NULL: the project's own Dockerfile */
    bool ignore_written;
    struct dockerfile parsed;
};
struct build_context_request {
    const char *source, *directory, *context, *dockerfile, *template, *target; /* may be NULL but the first */
    bool template_always;
};
/* Errors: CLASS_BUILD_FAILED "dockerfile-missing" (with the hint to build.template), "dockerfile-invalid",
 * "target-missing"; CLASS_CONTENT_REFUSED "path-outside"; CLASS_SPEC_INVALID "unknown-template". */
int build_context_prepare(struct executor *executor, struct log *log, const struct build_context_request *request,
                          struct build_context *context, struct error *err);
void build_context_dispose(struct build_context *context);
/* Names of the templates, sorted, NULL-terminated: for the schema and messages. */
const char *const *build_templates(void);

#endif
