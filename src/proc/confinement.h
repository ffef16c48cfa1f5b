/*
 * What a child of the local executor may no longer do: decided before fork, where memory and files may be used, and
 * done between fork and exec. For proc/ only.
 */
#ifndef CAISSON_PROC_CONFINEMENT_H
#define CAISSON_PROC_CONFINEMENT_H

#include "proc/executor_internal.h"
#include "proc/seccomp.h"

struct confinement {
    bool drop_root; /* take uid and gid, lose all groups */
    bool root;      /* stay root, without what nobody needs who only builds */
    uid_t uid;
    gid_t gid;
    bool drop_capabilities, no_new_privs, raise_oom_score, limit;
    struct command_limits limits;
    int ruleset; /* Landlock; -1: none */
    size_t filter_len;
    struct sock_filter filter[SECCOMP_CODE_MAX];
};

/* ---- confinement.c: before fork ---- */

/* What this kernel lets us do of it; what it does not have is left out. Dispose of it in any case. */
int confinement_make(struct confinement *confinement, const struct executor_options *options,
                     const struct command *command, struct error *err);
void confinement_dispose(struct confinement *confinement);
/* Words for the log: what protects from the user's commands here, and what is missing. Appends. */
void confinement_describe(const struct executor_options *options, struct buf *out);

/* ---- local_confine.c: in the child ---- */

/* Async-signal-safe. 0 or an errno. The descriptor of the ruleset is `ruleset` now. */
int confine_self(const struct confinement *confinement, int ruleset);
/* In the parent, once it runs: what a child of our own uid cannot do before exec makes its /proc files its own again. */
void confine_from_outside(pid_t pid);

#endif
