/* What the ECS agent says about the container of the sandbox: the executor's option `sandbox_stopped`. */
#ifndef CAISSON_JOB_SANDBOX_CONTAINER_H
#define CAISSON_JOB_SANDBOX_CONTAINER_H

#include "proc/executor.h"

struct sandbox_container;

/* uri: ECS_CONTAINER_METADATA_URI_V4; name: of the container in the task definition. All borrowed. */
struct sandbox_container *sandbox_container_new(struct loop *loop, const char *uri, const char *name);
/* NULL is fine. */
void sandbox_container_free(struct sandbox_container *container);
/* Asks until the answer is that it has stopped; context is the sandbox_container. The time counts for everything: an
 * agent that hangs, answers wrongly, redirects (not followed) or goes on naming another state. */
int sandbox_container_stopped(void *context, int64_t deadline_ms, const bool *stop, struct container_end *end,
                              struct error *err);

/* One answer of the agent. 0: it has stopped; -1: it has not, or that is not certain. Exposed for its tests. */
int sandbox_container_read(struct view answer, const char *name, struct container_end *end, struct error *err);

#endif
