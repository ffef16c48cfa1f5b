/* The parts of the runner's end of the sandbox. For proc/sandbox*.c only. */
#ifndef CAISSON_PROC_SANDBOX_H
#define CAISSON_PROC_SANDBOX_H

#include "proc/executor_internal.h"
#include "proc/sandbox_channel.h"

enum sandbox_state {
    SANDBOX_CONNECTING, /* nobody listens yet */
    SANDBOX_GREETING,   /* connected, and not yet greeted */
    SANDBOX_READY,
    SANDBOX_LOST,     /* for good: `error` says why */
    SANDBOX_FINISHED, /* let go, or proved to be at its end */
};

struct sandbox {
    struct executor *executor; /* borrowed */
    enum sandbox_state state;
    struct sandbox_channel *channel; /* NULL before it is connected and after it was let go */
    struct loop_timer *connect, *give_up, *ping, *overdue;
    struct error error; /* of the last try to connect; then of the loss */
    bool by_peer;       /* the loss is that the other side went away: those who run it may know more */
    bool asked;         /* … and were asked */

    int64_t pinged_ms; /* 0: no answer is owed */
    bool reminded;

    uint32_t number;               /* of the last command; 0: none was ever sent */
    const struct command *command; /* what runs now; NULL: nothing */
    struct outcome *outcome;
    bool answered, failed;
    struct error failure; /* why it could not run */
    bool asked_to_stop;

    bool finishing, reaped, closed;
    bool finish_done; /* finish_error holds what came of it; class CLASS_SUCCEEDED: nothing is left */
    struct error finish_error;
};

/* ---- sandbox_link.c: the connection ---- */

void sandbox_link_start(struct sandbox *sandbox);
/* Lets go: the sandbox ends what it has when the connection is gone. */
void sandbox_link_drop(struct sandbox *sandbox);
/* The first loss stays. `hint` may be NULL. Callable from everywhere. */
void sandbox_lose(struct sandbox *sandbox, const char *reason, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Gives out a loss, and what those who run the container know of it. Returns -1. */
int sandbox_lost(struct sandbox *sandbox, struct error *err);
/* A message that is not about the connection itself. NULL or why it makes no sense. */
const char *sandbox_on_message(struct sandbox *sandbox, const struct sandbox_message *message);

/* ---- sandbox_finish.c: the proof that it has ended ---- */

int sandbox_finish(struct executor *executor, struct error *err);

#endif
