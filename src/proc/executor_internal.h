/* What the files of the executors share. For proc/ only. */
#ifndef CAISSON_PROC_EXECUTOR_INTERNAL_H
#define CAISSON_PROC_EXECUTOR_INTERNAL_H

#include "core/protection.h"
#include "proc/executor.h"
#include "proc/standing.h"

/* A kind of executor: one file and one word in the table of executor.c. */
struct executor_kind {
    const char *name;
    /* What it needs for all its life; NULL: nothing. */
    int (*open)(struct executor *executor, struct error *err);
    void (*close)(struct executor *executor);
    int (*run)(struct executor *executor, const struct command *command, struct outcome *outcome, struct error *err);
    /* Asks what runs now to end: politely with `deadline_ms` (monotonic) as the latest end, or at once. */
    void (*stop)(struct executor *executor, int64_t deadline_ms);
    void (*kill)(struct executor *executor);
    void (*hold)(struct executor *executor, bool hold); /* NULL: it cannot */
    /* NULL: the end of each command has proved it already. */
    int (*finish)(struct executor *executor, struct error *err);
    void (*describe)(const struct executor *executor, struct buf *out);
};

struct executor {
    const struct executor_kind *kind;
    struct executor_options options;
    bool stopping;
    bool running, ended; /* a command runs; executor_end has ended it */
    enum outcome_kind end_kind;
    int64_t deadline_ms;      /* of the stop */
    struct local_run *run;    /* what runs now; NULL: nothing */
    struct standing standing; /* ours with the kernel, as it was before the first command */
    struct sandbox *sandbox;  /* NULL: it is not that kind */
};

extern const struct executor_kind executor_local, executor_sandbox;

/* Whether the command's child gives up root. */
static inline bool executor_drops_root(const struct executor_options *options, const struct command *command,
                                       uid_t self)
{
    return command->user == COMMAND_AS_BUILD && self == 0 && options->build_uid != 0 && PROTECTED(BUILD_UID);
}

/* Whether the command's child is root as we are: an operator's `--build-uid 0`. */
static inline bool executor_is_root_build(const struct executor_options *options, const struct command *command,
                                          uid_t self)
{
    return command->user == COMMAND_AS_BUILD && self == 0 && !executor_drops_root(options, command, self);
}

#endif
