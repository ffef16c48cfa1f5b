/* Workspaces of jobs that died without removing them: on hosts that are used again they would fill the disk. */
#ifndef CAISSON_JOB_LEFTOVERS_H
#define CAISSON_JOB_LEFTOVERS_H

#include <stddef.h>
#include <stdint.h>

#define WORKSPACE_PREFIX "caisson-"

/* Locks a workspace for as long as the descriptor is open: that is how others see that its job lives. -1: not possible
 * (a file system without locks). */
int workspace_lock(int folder_fd, const char *name);

struct leftovers {
    size_t removed;
    size_t kept; /* that could not be removed, or not in time */
};
/* Removes what bears a workspace's name in the folder, is a folder of ours on the same file system, older than
 * `min_age_ms` and locked by nobody, the oldest first, until `deadline_ms` (monotonic). 0 or -errno of the folder. */
int leftovers_remove(const char *parent, int64_t min_age_ms, int64_t deadline_ms, struct leftovers *leftovers);

#endif
