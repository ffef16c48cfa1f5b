/*
 * What is done with an image outside the build, in a child of its own: it reads a layout that root of the build wrote,
 * with credentials that can push at hand, and a crash there is a class. The request's keys are those of
 * job/image_request_json.c; the answer's of image_answer.
 */
#ifndef CAISSON_JOB_IMAGE_WORKER_H
#define CAISSON_JOB_IMAGE_WORKER_H

#include "job/job.h"
#include "proc/worker.h"

extern const struct worker_entry image_worker;

#define IMAGE_LOOK "look" /* for the tags */
#define IMAGE_PUSH "push" /* to a registry */
#define IMAGE_SAVE "save" /* to a folder */

/* The parent's side: the action with what the job says of it. New reference to the answer in *value. Sets
 * job->committing at the point of no return. */
int image_worker_run(struct job *job, const char *action, json_t **value, struct error *err);

#endif
