/* Detection in a child, as the build's uid: it reads files that anybody may have written. */
#ifndef CAISSON_JOB_DETECT_WORKER_H
#define CAISSON_JOB_DETECT_WORKER_H

#include "detect/detect.h"
#include "proc/worker.h"

extern const struct worker_entry detect_worker;
/* The parent's side; arguments as detect_project. */
int detect_run(struct executor *executor, struct log *log, const char *root, const char *directory,
               const struct detect_hints *hints, struct detection *detection, struct error *err);

#endif
