#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/protection.h"
#include "proc/local.h"

/* How long killed processes may take to be gone (hundreds take some tens of ms), and how often we look. */
#define SWEEP_LIMIT_MS 10000
#define SWEEP_LOOK_MS 2

/* An own uid that nobody has, so that what we are about to kill may not signal the killer. */
#define GUARD_UID 2147483646u

/* In the helper: all processes of the uid at once. kill(-1) holds the kernel's process list, so no fork escapes it.
 * The effective uid decides whom it reaches; real and saved uid decide who may reach us. */
static void kill_all_as(uid_t uid, gid_t gid)
{
    syscall(SYS_setgroups, 0L, NULL);
    syscall(SYS_setresgid, gid, gid, gid);
    if (syscall(SYS_setresuid, GUARD_UID, uid, GUARD_UID) < 0 && syscall(SYS_setresuid, uid, uid, uid) < 0)
        _exit(1);
    kill(-1, SIGKILL);
    _exit(0);
}

struct helper {
    pid_t pid;
    bool done;
};

static void on_helper_end(void *context, int status, const struct rusage *usage)
{
    (void)status;
    (void)usage;
    ((struct helper *)context)->done = true;
}

/* False when there is no room for one more process. */
static bool run_helper(const struct executor_options *options, uid_t uid, gid_t gid)
{
    struct helper helper = {.pid = fork()};

    if (helper.pid < 0)
        return false;
    if (helper.pid == 0)
        kill_all_as(uid, gid);
    reaper_watch(options->reaper, helper.pid, on_helper_end, &helper);
    loop_run_until(options->loop, &helper.done);
    return true;
}

/* ---- what is left ---- */

enum sweep_mode {
    SWEEP_BY_UID,      /* PID 1 and root: all of the build's uid */
    SWEEP_ALL,         /* PID 1, and the build is what we are: all but us */
    SWEEP_DESCENDANTS, /* else: what descends from us and was not there before */
};

struct sweep {
    const struct executor_options *options;
    const struct processes *before;
    enum sweep_mode mode;
};

static enum sweep_mode mode_of(const struct executor_options *options, const struct command *command)
{
    if (options->pid1 && executor_drops_root(options, command, geteuid()))
        return SWEEP_BY_UID;
    if (options->pid1 && (geteuid() != 0 || executor_is_root_build(options, command, geteuid())))
        return SWEEP_ALL;
    return SWEEP_DESCENDANTS;
}

static int find_left(const struct sweep *sweep, struct processes *left, struct error *err)
{
    struct processes all;
    size_t i, kept = 0;

    if (processes_read(&all)) {
        *left = (struct processes){0};
        error_set(err, CLASS_INTERNAL, "no-proc", "cannot read /proc to see which processes a command left behind");
        return error_hint(err, "mount /proc in the container");
    }
    if (sweep->mode == SWEEP_DESCENDANTS) {
        processes_descendants(&all, getpid(), sweep->before, left);
        processes_dispose(&all);
        return 0;
    }
    for (i = 0; i < all.len; i++) {
        const struct process *process = &all.items[i];
        bool counts = sweep->mode == SWEEP_BY_UID ? process_has_uid(process, sweep->options->build_uid)
                                                  : !process_is_dead(process);

        if (counts && process->pid != getpid())
            all.items[kept++] = *process;
    }
    all.len = kept;
    *left = all;
    return 0;
}

static void kill_each(const struct processes *left)
{
    size_t i;

    for (i = 0; i < left->len; i++)
        kill(left->items[i].pid, SIGKILL);
}

/* What root has made of itself is out of our reach where we lack CAP_KILL: it is killed by its own user. */
static void kill_all(const struct sweep *sweep, const struct processes *left)
{
    uid_t uid;
    size_t i;

    kill(-1, SIGKILL);
    for (i = 0; i < left->len; i++)
        if (kill(left->items[i].pid, SIGKILL) < 0 && errno == EPERM && process_uid(&left->items[i], &uid) == 0)
            run_helper(sweep->options, uid, (gid_t)uid);
}

static void kill_left(const struct sweep *sweep, const struct processes *left)
{
    switch (sweep->mode) {
    case SWEEP_BY_UID:
        /* A fork bomb that has taken all the container's processes: each that goes makes room for the helper. */
        if (!run_helper(sweep->options, sweep->options->build_uid, sweep->options->build_gid))
            kill_each(left);
        return;
    case SWEEP_ALL: kill_all(sweep, left); return;
    case SWEEP_DESCENDANTS: kill_each(left); return;
    }
}

/*
 * A list of processes is not read in one moment, so a hostile build could hide from it, and it may have taken the
 * descriptors that reading takes: the first kill comes whatever the list says. The list only proves that all are gone.
 */
static int end_all(const struct sweep *sweep, struct processes *left, struct error *err)
{
    int64_t limit_ms = clock_monotonic_ms() + SWEEP_LIMIT_MS;
    bool first = true;
    struct error problem;
    int status;

    for (;;) {
        status = find_left(sweep, left, &problem);
        if (status == 0 && left->len == 0 && !(first && sweep->mode != SWEEP_DESCENDANTS))
            return 0;
        if (clock_monotonic_ms() >= limit_ms) {
            if (status && err)
                *err = problem;
            return status;
        }
        kill_left(sweep, left);
        processes_dispose(left);
        loop_run_once(sweep->options->loop, first ? 0 : SWEEP_LOOK_MS);
        first = false;
    }
}

int local_sweep(const struct executor_options *options, const struct command *command, const struct processes *before,
                int *killed, struct error *err)
{
    struct sweep sweep = {.options = options, .before = before, .mode = mode_of(options, command)};
    size_t orphans = reaper_orphans(options->reaper);
    struct processes left;
    size_t stubborn;

    *killed = 0;
    if (!PROTECTED(SWEEP))
        return 0;
    if (end_all(&sweep, &left, err))
        return -1;
    reaper_collect(options->reaper);
    *killed = (int)(reaper_orphans(options->reaper) - orphans);
    stubborn = left.len;
    if (stubborn)
        error_set(err, CLASS_INTERNAL, "left-over-processes",
                  "%s: %zu processes that it left behind do not end (%ld …)", command->name, stubborn,
                  (long)left.items[0].pid);
    processes_dispose(&left);
    return stubborn ? -1 : 0;
}
