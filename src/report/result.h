/*
 * The result document (`caisson.result/1`): the last word of every job, whatever its end. It says only what PID 1
 * knows. Filled by the job as it goes; result_finish draws the status from the error that ended it.
 */
#ifndef CAISSON_REPORT_RESULT_H
#define CAISSON_REPORT_RESULT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/error.h"
#include "core/strings.h"

struct result_step {
    char name[24];
    int64_t started_ms; /* wall */
    int64_t duration_ms;
    int attempts;
    bool ok;
    bool skipped;
};

struct result_artifact {
    char *from, *url, *digest, *mode;
    char *endpoint; /* of storage that is another's than AWS's; NULL: AWS's, or a folder */
    int64_t files, bytes, written, unchanged, removed;
    int64_t duration_ms;
    bool ordered;
};

/* An instruction of a Dockerfile. */
struct result_instruction {
    char *text;
    int line;
    int64_t duration_ms;
    bool cached;
};

/* The image that was built and pushed; repository NULL: none. */
struct result_image {
    char *repository, *digest, *platform, *engine;
    struct strings tags;
    struct strings bases; /* "name@sha256:…" as far as known */
    int64_t bytes;        /* compressed */
    int layers;
    int blobs_existing; /* layers and configuration that the registry had already */
    int64_t sent_bytes, push_ms;
    bool published; /* pushed, or saved */
    bool created_repository;
    bool existed; /* the tag was there: nothing was built (image.skip_existing) */
    struct result_instruction *instructions;
    size_t instructions_len;
};

/* The layer cache of the builder dockerfile. */
struct result_cache {
    bool wanted;
    int64_t restored, restored_bytes; /* layers that were there before the build */
    int64_t from_default;             /* … of the default branch */
    int64_t used, added, dropped;
    int64_t saved, saved_bytes; /* that this branch has from now on */
    int64_t sent_bytes;
    int64_t restore_ms, save_ms;
};

struct result {
    char *id, *project, *type;
    json_t *labels;                                 /* object or NULL */
    int64_t created_at_ms, started_ms, finished_ms; /* wall; 0: not known */
    int64_t began_ms, duration_ms;                  /* monotonic, and what it took: a wall clock may be set meanwhile */
    char step_now[24];                              /* the step that ran last */
    char *repository;                               /* without user info */
    char commit[65];
    char *ref, *subject;
    struct result_step *steps;
    size_t steps_len;
    struct result_artifact *artifacts;
    size_t artifacts_len;
    struct result_image image;
    struct result_cache cache;
    char *log_url;
    /* Of the build, as far as known; 0 and "": not known. */
    int64_t peak_memory_bytes, memory_limit_bytes;
    int64_t biggest_bytes; /* of the biggest process */
    char biggest_name[16]; /* its own word for itself, printable */
    int64_t peak_disk_bytes, disk_limit_bytes;
    int64_t image_pull_ms; /* from task metadata; 0: not known */
    struct strings warnings;
    struct strings undelivered; /* who could not be told, and why */
    struct error error;         /* class CLASS_SUCCEEDED: none */
};

void result_init(struct result *result);
/* The job is over. */
void result_finish(struct result *result);
void result_dispose(struct result *result);
struct result_step *result_step_begin(struct result *result, const char *name);
/* Adds an artifact and returns it, borrowed until the next. */
struct result_artifact *result_artifact_add(struct result *result);

/* succeeded, failed, timed_out, cancelled, interrupted, superseded or skipped. */
const char *result_status(const struct result *result);
int result_exit_code(const struct result *result);
/* New reference. */
json_t *result_to_json(const struct result *result);
/* The document as compact JSON, cut down (in place) until it fits in `max` bytes. Caller frees with free. */
char *result_shorten(json_t *document, size_t max);
/* The same of a result: for the last line of the log. Appends. */
void result_summary_json(const struct result *result, size_t max, struct buf *out);
/* A few lines for people. Appends. */
void result_text(const struct result *result, struct buf *out);
/* JSON Schema 2020-12 of the document. New reference. */
json_t *result_schema(void);

#endif
