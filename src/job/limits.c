/* What one command may take of the machine, whatever the spec says: enough for the largest builds that we know. */
#include "job/job.h"

#define PROCESSES 4096                                     /* threads count: a build on 64 cores starts hundreds */
#define FILE_SIZE_BYTES ((int64_t)16 * 1024 * 1024 * 1024) /* unless its whole output may be larger */
#define OPEN_FILES 65536                                   /* watchers take one a file */

struct command_limits job_limits(const struct job *job)
{
    int64_t output_bytes = job->spec.limits.output_bytes;

    return (struct command_limits){
        .processes = PROCESSES,
        .file_size_bytes = output_bytes > FILE_SIZE_BYTES ? output_bytes : FILE_SIZE_BYTES,
        .open_files = OPEN_FILES,
    };
}
