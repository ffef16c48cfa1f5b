/*
 * A channel of Redis that the spec's `cancel` names: requests to cancel are published there, those of other jobs too.
 * It is listened to beside the steps, and the job never waits for it. What is published while the connection is lost
 * is lost: Redis keeps no messages of channels.
 */
#ifndef CAISSON_JOB_CANCEL_CHANNEL_H
#define CAISSON_JOB_CANCEL_CHANNEL_H

#include "job/job.h"

struct cancel_channel;
/* NULL: the spec names none. After job_secrets, which has the password. The job is borrowed and outlives it; what is
 * heard is told by job_cancel. */
struct cancel_channel *cancel_channel_start(struct job *job);
/* NULL is fine. */
void cancel_channel_stop(struct cancel_channel *channel);

#endif
