/* The S3 that a place of the spec lies in. Implemented in deliver.c. */
#ifndef CAISSON_JOB_STORAGE_H
#define CAISSON_JOB_STORAGE_H

#include "job/job.h"
#include "report/deliver.h"

/* Where `place` (s3://bucket/key) is written to or read from: what an artifact says of its bucket, else what surrounds the
 * job. Borrows from the job; the deadline is that of delivering. */
struct deliver job_storage(const struct job *job, const char *place);

#endif
