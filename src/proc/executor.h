/*
 * Where commands run. `local`: a child of ours with the build's uid; `sandbox`: another container of the task, over a
 * socket (proc/sandbox.c). A new one is a file and one word in executor_table. A command ends when its main process ends, whatever its children hold open;
 * then everything of it is killed and reaped before executor_run returns.
 */
#ifndef CAISSON_PROC_EXECUTOR_H
#define CAISSON_PROC_EXECUTOR_H

#include "proc/command.h"

/* How the sandbox's container ended, in the words of those who run it. */
struct container_end {
    int exit_code;      /* -1: they do not say */
    bool out_of_memory; /* they say so */
};

struct executor_options {
    struct loop *loop;     /* borrowed */
    struct reaper *reaper; /* borrowed */
    uid_t build_uid;       /* used when we are root; else commands run as we do */
    gid_t build_gid;
    int self_fd;                  /* our own binary, open O_PATH|O_CLOEXEC or readable; for command.self */
    bool pid1;                    /* we are PID 1 of our PID namespace: kill(-1) as the build's uid is safe */
    const struct strings *hidden; /* folders that commands cannot read where the kernel can confine files; borrowed */

    /* Of the executor "sandbox" only. */
    const char *sandbox_socket; /* where it listens; borrowed */
    int64_t sandbox_timeout_ms; /* within this it must be there, answer while it works, and have stopped at the end */
    /* Waits until those who run the sandbox's container say that it has stopped, until `deadline_ms` (monotonic) or
     * *stop. -1: they do not, *err says what they say instead. */
    int (*sandbox_stopped)(void *context, int64_t deadline_ms, const bool *stop, struct container_end *end,
                           struct error *err);
    void *sandbox_context;
};

struct executor;
int executor_new(struct executor **executor, const char *name, const struct executor_options *options,
                 struct error *err);
void executor_free(struct executor *executor);
const char *executor_name(const struct executor *executor);
/* Which protections the local executor has here, one line for the log ("build uid 1000, no_new_privs, …"). Appends. */
void executor_describe(const struct executor *executor, struct buf *out);

/* Pumps the loop until the command has ended and nothing of it is left. 0: it ran, read *outcome. -1: it could not be
 * started (class CLASS_INTERNAL; reason "command-not-found" / "not-executable" for 127/126-like exec failures,
 * "bad-directory"; CLASS_INTERRUPTED, reason "stopping", after executor_stop), or something of it could not be killed
 * ("left-over-processes"). One command at a time. */
int executor_run(struct executor *executor, const struct command *command, struct outcome *outcome, struct error *err);

/* Ends what runs now (SIGTERM, after its grace or at `deadline_ms` of clock_monotonic_ms, whichever is first, SIGKILL)
 * and refuses to start more until executor_resume (for cleaning up). Callable from loop callbacks. */
void executor_stop(struct executor *executor, int64_t deadline_ms);
void executor_resume(struct executor *executor);
/* Kills what runs now at once (a child that breaks its protocol). Callable from on_output. */
void executor_kill(struct executor *executor);
/* Ends what runs now at once, as a limit does that is watched from outside: its outcome is of this kind, unless it ends
 * by itself in that moment. False: nothing runs. */
bool executor_end(struct executor *executor, enum outcome_kind kind);
bool executor_stopping(const struct executor *executor);
/* Leaves output of what runs now in its pipes, for a reader who is slower than the command, until it is false again.
 * The local executor only. Callable from on_output. */
void executor_hold(struct executor *executor, bool hold);

/*
 * The last thing before anything of ours is done with what the commands made: whatever they left running is ended, for
 * good, with proof. After 0 nothing of the build is alive and no command can be started any more. -1: that could not be
 * proved, and nothing may be published (CLASS_SANDBOX_LOST, or CLASS_INTERNAL "left-over-processes"). A second call
 * says what the first one said. Obeys a stop: CLASS_INTERRUPTED.
 */
int executor_finish(struct executor *executor, struct error *err);

/* A failed outcome in words: "npm ci: exited with code 1", "was killed by signal 9 (SIGKILL)", with 126/127 of a shell
 * explained. Appends to out; nothing when it exited with 0. */
void outcome_describe(const struct outcome *outcome, const char *name, struct buf *out);
static inline bool outcome_ok(const struct outcome *outcome)
{
    return outcome->kind == OUTCOME_EXITED && outcome->exit_code == 0;
}

#endif
