/*
 * The limits of memory and disk: what a command may use, and what is said when it used more. Memory is watched by
 * whoever runs the command (proc/memory_watch.h), the disk from here, because it is the same one wherever that runs.
 */
#ifndef CAISSON_JOB_GUARD_H
#define CAISSON_JOB_GUARD_H

#include "job/job.h"

/* ---- memory ---- */

/* For a command of the user. */
struct command_memory guard_memory(const struct job *job);
/* The memory of the container that the build runs in, as far as its own limits say; 0: it has none that is known. */
int64_t guard_memory_limit(const struct job *job);
/* NODE_OPTIONS with a heap that fits into it, unless the job's own NODE_OPTIONS says how large it is. */
void guard_node_heap(const struct job *job, struct strings *env);
/* Keeps in the result what a command used. */
void guard_note_memory(struct job *job, const struct outcome *outcome);
/* Class 33 for a command that took too much, whoever ended it. `text`: how it ended, in words. -1. */
int guard_memory_error(const struct job *job, const struct outcome *outcome, const char *step, const char *text,
                       struct error *err);

/* ---- disk ---- */

/* From now on the file system of the workspace is watched. */
void guard_disk_start(struct job *job);
void guard_disk_stop(struct job *job);
/* Whether it is as good as full. */
bool guard_disk_full(const struct job *job);
/* Class 34 with the largest folders of the workspace. `reason` "disk-limit" or "disk-full". -1. */
int guard_disk_error(const struct job *job, const char *reason, const char *what, struct error *err);

/* After a build that used up memory or disk: gives back what its files hold, so that the result and the log get out. */
void guard_make_room(struct job *job);

#endif
