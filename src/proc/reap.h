/*
 * The sole owner of waitpid. As PID 1 (or a subreaper) it reaps every orphan; exits of children that we started are
 * kept until someone asks, so none is lost that ends before it is watched. Signals arrive by signalfd in the loop.
 */
#ifndef CAISSON_PROC_REAP_H
#define CAISSON_PROC_REAP_H

#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "core/error.h"
#include "net/loop.h"

struct reaper;

/* Blocks SIGCHLD, SIGTERM, SIGINT, SIGHUP (SIGPIPE is the loop's); makes us a subreaper unless we are PID 1. Children restore
 * the mask (executors do it). One a process. */
int reaper_new(struct reaper **reaper, struct loop *loop, struct error *err);
void reaper_free(struct reaper *reaper);

/* `call` gets wait status and usage once, from the loop. */
void reaper_watch(struct reaper *reaper, pid_t pid, void (*call)(void *context, int status, const struct rusage *usage),
                  void *context);
void reaper_unwatch(struct reaper *reaper, pid_t pid);
/* waitpid(-1, WNOHANG) to exhaustion; how many were reaped that nobody watched. */
size_t reaper_collect(struct reaper *reaper);
/* How many unwatched ones were reaped since the start. */
size_t reaper_orphans(const struct reaper *reaper);

/* SIGTERM, SIGINT, SIGHUP. As PID 1 a stop counts only when it came from outside the PID namespace: si_pid == 0 and
 * si_code SI_USER or SI_KERNEL; others are reported with `genuine` false. */
void reaper_on_stop(struct reaper *reaper, void (*call)(void *context, int signal_number, bool genuine, pid_t sender),
                    void *context);

#endif
