/* The parts of the local executor. For proc/ only. */
#ifndef CAISSON_PROC_LOCAL_H
#define CAISSON_PROC_LOCAL_H

#include "proc/executor_internal.h"
#include "proc/processes.h"

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
