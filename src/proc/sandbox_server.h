/*
 * The sandbox's end: PID 1 of a container of its own, which runs what the runner sends with the local executor, and
 * ends when told to, or when the runner is gone. It holds no secret but those of the command that runs.
 */
#ifndef CAISSON_PROC_SANDBOX_SERVER_H
#define CAISSON_PROC_SANDBOX_SERVER_H

#include "proc/executor.h"

struct sandbox_server {
    struct loop *loop;         /* borrowed */
    struct reaper *reaper;     /* borrowed; its stop callback is ours while we serve */
    struct executor *executor; /* borrowed: the local one */
    uid_t build_uid;           /* who builds */
    bool pid1;                 /* everything else in our PID namespace is the build's */
    const char *socket;        /* borrowed path; NULL: connection_fd */
    int connection_fd;         /* an open connection, for tests; taken */
    int64_t wait_ms;           /* for the runner */
    int64_t stop_budget_ms;    /* after a stop signal, which the runner has got as well */
    /* What happens, a line each, for this container's own log. */
    void (*say)(void *context, const char *line);
    void *context;
};

/* Serves one runner. 0: it said that all is done, and nothing is left alive. -1: CLASS_SANDBOX_LOST ("runner-absent",
 * "runner-gone", "runner-nonsense", "runner-version"), CLASS_INTERRUPTED after a stop signal, CLASS_INTERNAL. In every
 * case everything that it ran has been killed. */
int sandbox_serve(const struct sandbox_server *server, struct error *err);

/* Whether a path is absolute and fits into the address of a socket. */
bool sandbox_path_is_good(const char *path);

#endif
