/*
 * Where the commands of a job run. The task definition decides, by the command line or, where the environment is not a
 * tenant's (no profile), by CAISSON_SANDBOX_SOCKET; the spec has no say.
 */
#ifndef CAISSON_CLI_EXECUTORS_H
#define CAISSON_CLI_EXECUTORS_H

#include "cli/setup.h"
#include "job/sandbox_container.h"
#include "proc/executor.h"

/* The volume that the containers of a task share, at the same path in both, and the socket on it. */
#define SANDBOX_VOLUME "/var/lib/caisson"
#define SANDBOX_SOCKET SANDBOX_VOLUME "/sandbox.sock"

/* Options of `caisson run` that are read here, for its table. */
#define EXECUTORS_OPTIONS                                                                                              \
    {"sandbox-socket", "PATH",                                                                                         \
     "Where the sandbox listens (default CAISSON_SANDBOX_SOCKET, unless under a profile, or " SANDBOX_SOCKET ").",     \
     NULL},                                                                                                            \
        {"sandbox-container", "NAME", "The sandbox's container in the task definition (default sandbox).", NULL},      \
    {                                                                                                                  \
        "sandbox-timeout", "TIME", "How long the sandbox may take to be there, to answer, and to stop (default 60s).", \
            NULL                                                                                                       \
    }

struct executors {
    struct executor *commands; /* of the user */
    struct executor *workers;  /* children of ours; the same one where commands run locally, and not as root */
    struct sandbox_container *container;
};

/* The socket that is connected to. Borrowed. */
const char *executors_socket(const struct setup *setup);
bool executors_want_sandbox(const struct setup *setup);
/* Where the workspace is made: --workspace, else what fits the place. Borrowed from command line and environment. */
const char *executors_workspace(const struct setup *setup);
/* The name of the container that builds; NULL: our own. Borrowed from the command line. */
const char *executors_build_container(const struct setup *setup);
/* `base`: what a local executor needs; worker_uid: who our children are where base->build_uid is root. On failure too the executors must be disposed. */
int executors_make(struct executors *executors, const struct setup *setup, const struct executor_options *base,
                   uid_t worker_uid, gid_t worker_gid, struct error *err);
void executors_dispose(struct executors *executors);

#endif
