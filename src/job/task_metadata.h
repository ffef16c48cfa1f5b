/* The task's metadata from the ECS agent, fetched beside the job's first steps. */
#ifndef CAISSON_JOB_TASK_METADATA_H
#define CAISSON_JOB_TASK_METADATA_H

#include <stdbool.h>
#include <stdint.h>

#include "net/loop.h"

struct task_metadata;

/* uri: ECS_CONTAINER_METADATA_URI_V4; NULL gives NULL. `container`: the one that the build runs in; NULL: our own. Both
 * and the loop are borrowed. */
struct task_metadata *task_metadata_start(struct loop *loop, const char *uri, const char *container);
/* 0 while it is not known. NULL is fine. */
int64_t task_metadata_image_pull_ms(const struct task_metadata *metadata);
/* The memory of the build's container, or of the task when it has no limit of its own; 0 while it is not known. */
int64_t task_metadata_memory_bytes(const struct task_metadata *metadata);
/* The task's ARN, borrowed; NULL while it is not known. */
const char *task_metadata_arn(const struct task_metadata *metadata);
/* Whether the answer is still under way. */
bool task_metadata_waits(const struct task_metadata *metadata);
/* Gives up what is still under way. NULL is fine. */
void task_metadata_free(struct task_metadata *metadata);

#endif
