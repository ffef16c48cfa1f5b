/* The seam between the build and what is done with it. */
#include "job/job.h"
#include "job/saved_files.h"

int job_build_over(struct job *job, struct error *err)
{
    if (executor_finish(job->options->executor, err))
        return -1;
    if (!job->saved_files)
        return 0;
    if (saved_files_restore(job->saved_files, err)) {
        job->undeliverable = true;
        return -1;
    }
    saved_files_free(job->saved_files);
    job->saved_files = NULL;
    return 0;
}
