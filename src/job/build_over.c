/* The seam between the build and what is done with it. */
#include "job/job.h"
#include "job/saved_files.h"

int job_files_restore(struct job *job, struct error *err)
{
    if (!job->saved_files || saved_files_restore(job->saved_files, err) == 0)
        return 0;
    job->undeliverable = true;
    return -1;
}

int job_build_over(struct job *job, struct error *err)
{
    if (executor_finish(job->options->executor, err) || job_files_restore(job, err))
        return -1;
    saved_files_free(job->saved_files);
    job->saved_files = NULL;
    return 0;
}
