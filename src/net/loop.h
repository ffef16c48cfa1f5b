/*
 * The program's one wait point: a curl multi handle whose curl_multi_poll also watches our descriptors and timers.
 * One loop a process, one thread. Callbacks run from loop_run_once only. A callback may add or remove any watch or
 * timer, its own too, and may start or cancel transfers; it may call loop_run_until again (steps are written top
 * down: they start something and pump the loop until it is done).
 */
#ifndef CAISSON_NET_LOOP_H
#define CAISSON_NET_LOOP_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

struct loop;
struct loop_watch;
struct loop_timer;

/* Initialises curl and ignores SIGPIPE for the process (executors restore it in children). */
struct loop *loop_new(void);
void loop_free(struct loop *loop);

/* The descriptor is borrowed and stays open until loop_unwatch. Hang-up and error count as readable and writable.
 * Events 0: not watched until loop_watch_events. */
struct loop_watch *loop_watch(struct loop *loop, int fd, int events, void (*call)(void *context, int events),
                              void *context);
void loop_watch_events(struct loop_watch *watch, int events);
/* NULL is fine. */
void loop_unwatch(struct loop_watch *watch);

/* Fires once after the delay. The timer is gone after its call; loop_timer_stop before that. */
struct loop_timer *loop_timer_start(struct loop *loop, int64_t delay_ms, void (*call)(void *context), void *context);
/* NULL is fine. */
void loop_timer_stop(struct loop_timer *timer);

/* Waits at most timeout_ms (-1: for ever) for something and runs its callbacks. */
void loop_run_once(struct loop *loop, int64_t timeout_ms);
/* Runs until *done is true. */
void loop_run_until(struct loop *loop, const bool *done);
/* Waits, serving everything else meanwhile, for delay_ms or until *cut is true (NULL: never). */
void loop_sleep(struct loop *loop, int64_t delay_ms, const bool *cut);

/* For net/http only. */
CURLM *loop_multi(struct loop *loop);
void loop_on_transfer_done(struct loop *loop, CURL *easy, void (*call)(void *context, CURLcode code), void *context);
void loop_forget_transfer(struct loop *loop, CURL *easy);
/* For net/ca_bundle only. */
struct ca_bundles;
struct ca_bundles **loop_ca_bundles(struct loop *loop);
/* Connections that the multi handle keeps open: the sum of what its clients ask for. */
void loop_reserve_connections(struct loop *loop, int change);

#endif
