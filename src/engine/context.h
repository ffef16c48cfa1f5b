/*
 * Makes a checkout ready to be built: finds context and Dockerfile (confined: a path that leaves the repository, also
 * through a link, is refused), puts a template's Dockerfile in place, writes .dockerignore where there is none, and
 * parses the Dockerfile. What touches the tree runs in a worker as the checkout's owner: the tree is hostile.
 */
#ifndef CAISSON_ENGINE_CONTEXT_H
#define CAISSON_ENGINE_CONTEXT_H

#include "core/strings.h"
#include "engine/dockerfile.h"
#include "proc/worker.h"

extern const struct worker_entry build_context_worker;

struct build_context {
    char *folder;          /* relative to the repository, free of links: "." or "a/b" */
    char *dockerfile;      /* the same; NULL: a template's is used */
    char *template;        /* that was used; NULL: the project's own Dockerfile */
    char *folder_path;     /* absolute: for the engine */
    char *dockerfile_path; /* absolute: the project's, or the template's in request.scratch */
    char *ignore_path;     /* absolute: the ignore file that applies to this Dockerfile (its own or the context's) */
    bool ignore_written;   /* by us: there was none */
    struct dockerfile parsed;
};
/* Paths as the spec has them: relative to directory, or with a leading slash to the repository. */
struct build_context_request {
    const char *source;     /* the repository's folder, absolute */
    const char *directory;  /* source.directory; NULL: "." */
    const char *context;    /* NULL: "." */
    const char *dockerfile; /* NULL: Dockerfile in the context */
    const char *template;   /* NULL: none */
    const char *target;     /* NULL: the last stage */
    const char *scratch; /* existing folder outside the context, absolute: a template's Dockerfile is put there, where
                             * no COPY finds it; ours alone (written by the caller's process) */
    bool template_always;
    bool dotenv; /* a .env is put into the context on purpose: a .dockerignore of ours leaves it in */
};
/* Errors: CLASS_BUILD_FAILED "context-missing", "dockerfile-missing" (with the hint to build.template),
 * "no-package-json" (of a template), "dockerfile-invalid", "target-missing" (lists the stages); CLASS_CONTENT_REFUSED "path-outside" (".." or a link that
 * leaves the repository), "dockerfile-refused" (not a regular file); CLASS_SPEC_INVALID "unknown-template". */
int build_context_prepare(struct executor *executor, struct log *log, const struct build_context_request *request,
                          struct build_context *context, struct error *err);
void build_context_dispose(struct build_context *context);
/* Adds the names of the templates, sorted. */
void build_templates(struct strings *names);

#endif
