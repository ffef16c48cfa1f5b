/*
 * How far an install by npm has come. Without a terminal npm prints nothing of it, but every version from 7 on keeps a
 * log of its own in its cache folder (https://docs.npmjs.com/cli/using-npm/logging), with a line for each package that it
 * has fetched; how many there will be it does not say. The build writes there what it likes: it is counted, bounded, and believed by nobody.
 */
#ifndef CAISSON_JOB_NPM_PROGRESS_H
#define CAISSON_JOB_NPM_PROGRESS_H

#include "job/job.h"

/* What is counted of a log that is fed by piece. Zeroed before the first. */
struct npm_log {
    unsigned fetched;
    char line[512]; /* how the last, incomplete line begins */
    size_t len;     /* of that line, also beyond what is kept */
};
void npm_log_feed(struct npm_log *npm, struct view bytes);

struct npm_progress;
/* From now on the job's log is told of progress, until npm_progress_stop. The job is borrowed. */
struct npm_progress *npm_progress_start(struct job *job);
void npm_progress_stop(struct npm_progress *progress);

#endif
