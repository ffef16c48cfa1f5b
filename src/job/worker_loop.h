/* The loop of a child that talks to servers: SIGTERM arrives in it as a flag, so that the child stops where it is safe. */
#ifndef CAISSON_JOB_WORKER_LOOP_H
#define CAISSON_JOB_WORKER_LOOP_H

#include "core/error.h"
#include "net/loop.h"

struct worker_loop {
    struct loop *loop;
    struct loop_watch *watch;
    int fd;
    bool deaf; /* a stop that comes from now on comes too late */
    bool stop;
};
/* 0 or -1; disposed of in any case. */
int worker_loop_init(struct worker_loop *worker_loop, struct error *err);
void worker_loop_dispose(struct worker_loop *worker_loop);
/* Whether it was stopped, for work during which no loop runs. The context is the struct worker_loop. */
bool worker_loop_stopped(void *worker_loop);

#endif
