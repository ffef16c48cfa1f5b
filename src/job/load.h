/* Where a job spec comes from: a file, standard input, or CAISSON_JOB (the text itself, s3://…, https://…). */
#ifndef CAISSON_JOB_LOAD_H
#define CAISSON_JOB_LOAD_H

#include "job/platform.h"
#include "net/http.h"

#define SPEC_TEXT_MAX (1024 * 1024)

struct load_source {
    const char *path; /* file, or "-" for standard input; NULL: look at `job` */
    const char *job;  /* value of CAISSON_JOB; NULL: not set */
    const bool *stop; /* when it turns true the wait ends: CLASS_INTERRUPTED; NULL: never */
};

/* A file, or "-" for standard input: what is on this machine alone. Else like load_text. */
int load_local(const char *path, struct loop *loop, const bool *stop, struct buf *text, char **name, struct error *err);

/* Appends the text to `text` (ceiling SPEC_TEXT_MAX) and names it ("job.yaml", "standard input", "CAISSON_JOB", the
 * URL without its query). Caller frees *name with free. CLASS_SPEC_NOT_FOUND, CLASS_SPEC_INVALID (too large),
 * CLASS_PLATFORM (the place does not answer; retryable). */
int load_text(const struct load_source *source, const struct platform *platform, struct http_client *client,
              struct credentials_provider *credentials, struct buf *text, char **name, struct error *err);

#endif
