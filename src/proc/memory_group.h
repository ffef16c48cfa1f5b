/*
 * The control group that the kernel accounts our memory to, version 1 or 2: its limit, what it uses, and whom the
 * kernel killed in it. Counters of the whole machine are never read: what others do there says nothing about a build.
 *
 * https://docs.kernel.org/admin-guide/cgroup-v2.html, https://docs.kernel.org/admin-guide/cgroup-v1/memory.html
 */
#ifndef CAISSON_PROC_MEMORY_GROUP_H
#define CAISSON_PROC_MEMORY_GROUP_H

#include <stdbool.h>
#include <stdint.h>

struct memory_group {
    int version;  /* of control groups; 0: none is visible */
    char *top;    /* where its hierarchy is mounted */
    char *folder; /* ours: top, or a folder beneath it */
};

/* `root` stands before /proc/self/cgroup and /sys/fs/cgroup: "" but in tests. */
void memory_group_find(struct memory_group *group, const char *root);
void memory_group_dispose(struct memory_group *group);

/* The smallest limit of the group and those around it that can be seen, in bytes; 0: none. */
int64_t memory_group_limit(const struct memory_group *group);
/* What is in use and cannot be had back by dropping page cache; -1: not known. Memory file systems count. */
int64_t memory_group_used(const struct memory_group *group);
/* Processes that the kernel killed in it because memory ran out: compare two readings. -1: not known. */
int64_t memory_group_kills(const struct memory_group *group);

/* Whether what it counts is ours and our commands': it has a limit, or nobody else can be in it (`alone`), which the
 * whole machine's group of version 1 never proves. */
bool memory_group_is_own(const struct memory_group *group, bool alone);

/* The smaller of two limits in bytes, of which 0, or what the kernel writes for "none", is none. */
int64_t memory_smaller_limit(int64_t limit, int64_t other);
/* The memory of the machine; 0: not known. */
int64_t memory_of_machine(const char *root);

#endif
