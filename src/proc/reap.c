#include "proc/reap.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/mem.h"
#include "core/protection.h"

/* Exits kept for a later reaper_watch. Nearly all of them are orphans that nobody will ask for. */
#define KEPT_EXITS 64

struct exit_record {
    pid_t pid; /* 0: free */
    int status;
    struct rusage usage;
};

struct exit_watch {
    struct exit_watch *next;
    struct reaper *reaper; /* borrowed */
    pid_t pid;
    void (*call)(void *context, int status, const struct rusage *usage);
    void *context;
    struct exit_record early; /* it had ended when the watch began */
    struct loop_timer *timer; /* gives `early` from the loop; NULL: none */
};

struct reaper {
    struct loop *loop; /* borrowed */
    int fd;
    struct loop_watch *watch;
    sigset_t old_mask;
    bool pid1;
    struct exit_watch *watches;
    struct exit_record kept[KEPT_EXITS];
    size_t kept_next;
    size_t orphans;
    void (*on_stop)(void *context, int signal_number, bool genuine, pid_t sender);
    void *stop_context;
};

static void on_signals(void *context, int events);

int reaper_new(struct reaper **out, struct loop *loop, struct error *err)
{
    struct reaper *reaper = xcalloc(1, sizeof *reaper);
    sigset_t mask;

    reaper->loop = loop;
    reaper->pid1 = getpid() == 1;
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGHUP);
    sigprocmask(SIG_BLOCK, &mask, &reaper->old_mask);
    /* Inherited as ignored, it would make the kernel reap our children, and us wait for them for ever. */
    signal(SIGCHLD, SIG_DFL);
    reaper->fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (reaper->fd < 0) {
        error_set_errno(err, CLASS_INTERNAL, "no-signalfd", errno, "cannot receive signals");
        sigprocmask(SIG_SETMASK, &reaper->old_mask, NULL);
        free(reaper);
        return -1;
    }
    /* Orphans of our children come to us, not to whoever is PID 1. */
    if (!reaper->pid1)
        prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L);
    reaper->watch = loop_watch(loop, reaper->fd, LOOP_READ, on_signals, reaper);
    *out = reaper;
    return 0;
}

void reaper_free(struct reaper *reaper)
{
    if (!reaper)
        return;
    while (reaper->watches)
        reaper_unwatch(reaper, reaper->watches->pid);
    loop_unwatch(reaper->watch);
    close(reaper->fd);
    if (!reaper->pid1)
        prctl(PR_SET_CHILD_SUBREAPER, 0L, 0L, 0L, 0L);
    sigprocmask(SIG_SETMASK, &reaper->old_mask, NULL);
    free(reaper);
}

static struct exit_watch *take_watch(struct reaper *reaper, pid_t pid)
{
    struct exit_watch **at = &reaper->watches;
    struct exit_watch *watch;

    while (*at && (*at)->pid != pid)
        at = &(*at)->next;
    watch = *at;
    if (watch)
        *at = watch->next;
    return watch;
}

static void give_early(void *context)
{
    struct exit_watch *watch = context;

    take_watch(watch->reaper, watch->pid);
    watch->call(watch->context, watch->early.status, &watch->early.usage);
    free(watch);
}

static struct exit_record *find_kept(struct reaper *reaper, pid_t pid)
{
    size_t i;

    for (i = 0; i < KEPT_EXITS; i++)
        if (reaper->kept[i].pid == pid)
            return &reaper->kept[i];
    return NULL;
}

void reaper_watch(struct reaper *reaper, pid_t pid, void (*call)(void *context, int status, const struct rusage *usage),
                  void *context)
{
    struct exit_watch *watch = xcalloc(1, sizeof *watch);
    struct exit_record *kept = find_kept(reaper, pid);
    siginfo_t info;

    watch->reaper = reaper;
    watch->pid = pid;
    watch->call = call;
    watch->context = context;
    watch->next = reaper->watches;
    reaper->watches = watch;
    if (!kept)
        return;
    /* A record of this number may be that of an orphan of long ago: a child that can be waited for is another one. */
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0) {
        watch->early = *kept;
        watch->timer = loop_timer_start(reaper->loop, 0, give_early, watch);
    }
    kept->pid = 0;
}

void reaper_unwatch(struct reaper *reaper, pid_t pid)
{
    struct exit_watch *watch = take_watch(reaper, pid);

    if (!watch)
        return;
    loop_timer_stop(watch->timer);
    free(watch);
}

size_t reaper_collect(struct reaper *reaper)
{
    struct exit_record record = {0};
    size_t unwatched = 0;

    while ((record.pid = wait4(-1, &record.status, WNOHANG, &record.usage)) > 0) {
        struct exit_watch *watch = take_watch(reaper, record.pid);

        if (watch) {
            watch->call(watch->context, record.status, &record.usage);
            free(watch);
            continue;
        }
        reaper->kept[reaper->kept_next] = record;
        reaper->kept_next = (reaper->kept_next + 1) % KEPT_EXITS;
        unwatched++;
    }
    reaper->orphans += unwatched;
    return unwatched;
}

size_t reaper_orphans(const struct reaper *reaper)
{
    return reaper->orphans;
}

/* From outside our PID namespace the sender has no number here. A child can forge that number by rt_sigqueueinfo,
 * but the kernel lets nobody send these two codes that way to another process. */
static bool is_genuine(const struct reaper *reaper, const struct signalfd_siginfo *info)
{
    if (!reaper->pid1 || !PROTECTED(STOP_GENUINE))
        return true;
    return info->ssi_pid == 0 && (info->ssi_code == SI_USER || info->ssi_code == SI_KERNEL);
}

static void on_signals(void *context, int events)
{
    struct reaper *reaper = context;
    struct signalfd_siginfo info;

    (void)events;
    /* One a call: what it calls may run the loop, which reads the next. */
    if (read(reaper->fd, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    if (info.ssi_signo == SIGCHLD)
        reaper_collect(reaper);
    else if (reaper->on_stop)
        reaper->on_stop(reaper->stop_context, (int)info.ssi_signo, is_genuine(reaper, &info), (pid_t)info.ssi_pid);
}

void reaper_on_stop(struct reaper *reaper, void (*call)(void *context, int signal_number, bool genuine, pid_t sender),
                    void *context)
{
    reaper->on_stop = call;
    reaper->stop_context = context;
}
