/* What every command of a job has in common, be it the user's own or an engine that builds an image. */
#ifndef CAISSON_JOB_COMMAND_H
#define CAISSON_JOB_COMMAND_H

#include "job/job.h"

/* -1 and its error when the command was ended by a limit of time or a stop; 0: it ended in another way. */
int job_command_ended(const struct job *job, const struct outcome *outcome, const char *step, int64_t timeout_ms,
                      struct error *err);
/* Keeps in the result what it used, and says in the log what is worth knowing. */
void job_note_usage(struct job *job, const struct outcome *outcome);

#endif
