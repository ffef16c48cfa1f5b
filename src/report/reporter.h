/*
 * All sinks of a job. Made when the spec is known; from then on the spool wakes it. Nothing here can fail the job: what
 * cannot be told is a warning in the log, and at the end a line of the result (`undelivered`).
 */
#ifndef CAISSON_REPORT_REPORTER_H
#define CAISSON_REPORT_REPORTER_H

#include "core/log.h"
#include "report/queue.h"

struct reporter_options {
    struct sink_context context;
    struct spool *spool;
    struct log *log;
    struct event_job job; /* copied; what it points to stays borrowed */
};

struct reporter;
struct reporter *reporter_new(const struct reporter_options *options);
void reporter_free(struct reporter *reporter);
/* -1 and *err (CLASS_SPEC_INVALID) where the settings cannot be. */
int reporter_add(struct reporter *reporter, const struct sink_settings *settings, const struct event_format *format,
                 bool binary, unsigned kinds, struct error *err);
/* Tells the end everywhere; pumps the loop until all sinks have taken it, or *deadline_ms (monotonic). A sink that goes on
 * taking messages, if slowly, has up to extra_ms more; none has when the deadline is moved meanwhile, as a stop does.
 * Appends to `undelivered` what could not be told: "http https://… : the reason". */
void reporter_finish(struct reporter *reporter, const json_t *result, const int64_t *deadline_ms, int64_t extra_ms,
                     struct strings *undelivered);

#endif
