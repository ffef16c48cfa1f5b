/* The processes that /proc shows, for finding what outlived a command. */
#ifndef CAISSON_PROC_PROCESSES_H
#define CAISSON_PROC_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
    pid_t pid, parent;
    char state;               /* as in /proc/PID/stat */
    long threads;             /* living, and a first one that has ended before the others */
    unsigned long long start; /* clock ticks since boot: pid and start name a process for ever */
    char name[16];            /* as the process calls itself, printable */
    int64_t resident_bytes;   /* as the kernel last counted */
};

struct processes {
    struct process *items;
    size_t len;
};

/* All that are visible now. A /proc that cannot be read gives an empty list and -1. */
int processes_read(struct processes *list);
void processes_dispose(struct processes *list);
/* The direct children of `parent`. */
void processes_children(const struct processes *all, pid_t parent, struct processes *children);
/* Living descendants of `ancestor`, but not `except` (pid and start) nor what descends from those. */
void processes_descendants(const struct processes *all, pid_t ancestor, const struct processes *except,
                           struct processes *found);
/* What it has resident and shares with nobody, so that a sum over processes counts nothing twice; 0 when it is gone. */
int64_t process_private_bytes(const struct process *process);
/* Whether any of the four uids of a living process is `uid`. */
bool process_has_uid(const struct process *process, uid_t uid);
/* The real uid of a living process; -1: it has gone. */
int process_uid(const struct process *process, uid_t *uid);

static inline bool process_is_dead(const struct process *process)
{
    /* A process whose first thread has ended looks like a dead one while the others run on. */
    return process->state == 'X' || (process->state == 'Z' && process->threads <= 1);
}

#endif
