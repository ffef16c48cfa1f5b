/* The kernel's count of processes that it killed because memory ran out: compare two readings. */
#ifndef CAISSON_PROC_OOM_H
#define CAISSON_PROC_OOM_H

#include <stdint.h>

/* Of our cgroup (v2 memory.events, v1 memory.oom_control), else of the machine (/proc/vmstat); -1 when unknown. */
int64_t oom_kill_count(void);

#endif
