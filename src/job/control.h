/*
 * A request to cancel that somebody else leaves: the spec's `control`, an object of S3 or an https URL, one a job. It is
 * looked for beside the steps, by its ETag, so that looking costs next to nothing; the job never waits for an answer.
 */
#ifndef CAISSON_JOB_CONTROL_H
#define CAISSON_JOB_CONTROL_H

#include "job/job.h"

#define CONTROL_MAX ((size_t)16 << 10) /* bytes of the document */

struct control;
/* NULL: the spec names no place. The job is borrowed and outlives it; what it finds is told by job_cancel. */
struct control *control_start(struct job *job);
/* Ends what is under way. NULL is fine. */
void control_stop(struct control *control);

/* Reads a document: { "action": "cancel", "by": "…", "reason": "…" }. 0, and who and why as one line each, NULL where it
 * does not say (the caller frees both); CLASS_SPEC_INVALID "control-invalid" with what is wrong. */
int control_read(struct view text, char **by, char **reason, struct error *err);

/* Reads a message of a channel that is many jobs': { MEMBER: "an id", "by": "…", "reason": "…" }. What the id is not
 * `id` of is another's: *ours false. */
int control_read_message(struct view text, const char *member, const char *id, bool *ours, char **by, char **reason,
                         struct error *err);

#endif
