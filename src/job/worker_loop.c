#include "job/worker_loop.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

bool worker_loop_stopped(void *context)
{
    struct worker_loop *worker_loop = context;
    struct signalfd_siginfo info;

    while (read(worker_loop->fd, &info, sizeof info) == (ssize_t)sizeof info)
        worker_loop->stop |= !worker_loop->deaf;
    return worker_loop->stop;
}

static void on_stop_signal(void *context, int events)
{
    (void)events;
    worker_loop_stopped(context);
}

int worker_loop_init(struct worker_loop *worker_loop, struct error *err)
{
    sigset_t set;

    *worker_loop = (struct worker_loop){.loop = loop_new()};
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    worker_loop->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (worker_loop->fd < 0)
        return error_set_errno(err, CLASS_INTERNAL, "signalfd-failed", errno, "a worker cannot watch for its stop");
    worker_loop->watch = loop_watch(worker_loop->loop, worker_loop->fd, LOOP_READ, on_stop_signal, worker_loop);
    return 0;
}

void worker_loop_dispose(struct worker_loop *worker_loop)
{
    loop_unwatch(worker_loop->watch);
    loop_free(worker_loop->loop);
    if (worker_loop->fd >= 0)
        close(worker_loop->fd);
}
