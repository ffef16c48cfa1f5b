/* The parts of the local executor. For proc/ only. */
#ifndef CAISSON_PROC_LOCAL_H
#define CAISSON_PROC_LOCAL_H

#include "proc/executor_internal.h"
#include "proc/processes.h"

/* ---- local_confine.c: what a child gives up before it runs a program ---- */

struct confinement {
    bool drop_root; /* take uid and gid, lose all groups and capabilities */
    uid_t uid;
    gid_t gid;
};
/* In the child, between fork and exec: async-signal-safe calls only. 0 or an errno. */
int confine_self(const struct confinement *confinement);
/* In the parent, once it runs: what a child of our own uid cannot do before exec makes its /proc files its own again. */
void confine_from_outside(pid_t pid);
/* Words for the log. Appends. */
void confine_describe(const struct confinement *confinement, struct buf *out);

/* ---- local_spawn.c: fork and exec ---- */

struct spawned {
    pid_t pid;
    int input, output, error; /* our ends of the pipes; -1: none. Non-blocking, close-on-exec */
};
/* 0, or -1 and nothing was started. */
int local_spawn(const struct executor_options *options, const struct command *command, struct spawned *spawned,
                struct error *err);

/* ---- local_sweep.c: nothing outlives a command ---- */

/* Pumps the loop until all that the command left is dead and reaped. `before` are our children from before it.
 * *killed: how many there were. -1 when something would not die. */
int local_sweep(const struct executor_options *options, const struct command *command, const struct processes *before,
                int *killed, struct error *err);

#endif
