/* Publishing in a child of its own: it reads hostile files with our credentials at hand, and a crash there is a class. */
#ifndef CAISSON_JOB_PUBLISH_WORKER_H
#define CAISSON_JOB_PUBLISH_WORKER_H

#include "job/job.h"
#include "proc/worker.h"
#include "publish/publish.h"

extern const struct worker_entry publish_worker;
/* The parent's side; sets job->committing at the point of no return. */
int publish_run(struct job *job, const struct publish_request *request, struct publish_result *result,
                struct error *err);

#endif
