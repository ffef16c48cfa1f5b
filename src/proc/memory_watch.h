/*
 * Watches what a command uses of memory and says so before the kernel has to act: the kernel takes whom it likes, and
 * when it has acted the process that was too big is gone. Life cycle: memory_watch_start … memory_watch_stop.
 */
#ifndef CAISSON_PROC_MEMORY_WATCH_H
#define CAISSON_PROC_MEMORY_WATCH_H

#include "net/loop.h"
#include "proc/command.h"
#include "proc/processes.h"

struct memory_watch;

struct memory_watch_options {
    struct loop *loop;              /* borrowed */
    const struct processes *before; /* children of ours that are none of the command's; borrowed */
    struct command_memory memory;
    bool alone; /* our control group holds nothing but us and the command: its use is the command's */
    /* Called once, when the limit is passed, with the living processes of the command. */
    void (*over)(void *context, const struct processes *processes);
    void *context;
};

struct memory_watch *memory_watch_start(const struct memory_watch_options *options);
/* Ends it and says what it saw in outcome->memory and out_of_memory. outcome->peak_rss_bytes is what the kernel tells of
 * processes that have ended. */
void memory_watch_stop(struct memory_watch *watch, struct outcome *outcome);

/* The smallest of what the platform says (0: nothing), the control group's limit, and the machine's memory. 0: none. */
int64_t memory_limit(int64_t known_bytes, const char *root);
/* Where a command is ended; 0: nowhere. */
int64_t memory_threshold(const struct command_memory *memory, int64_t limit_bytes);

#endif
