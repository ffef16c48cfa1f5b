#include "net/loop.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/mem.h"
#include "net/ca_bundle.h"

/* The longest single wait: a bound on what a missed wake-up could cost. */
#define LONGEST_WAIT_MS 3600000

struct loop_watch {
    struct loop *loop; /* borrowed; NULL once unwatched: the round under way must skip it */
    int fd;
    int events;
    void (*call)(void *context, int events);
    void *context;
};

struct loop_timer {
    struct loop *loop; /* borrowed */
    struct loop_timer *previous, *next;
    int64_t due_ms;
    uint64_t serial;
    void (*call)(void *context);
    void *context;
};

/* What a finished transfer calls; its address is the easy handle's CURLOPT_PRIVATE. */
struct completion {
    void (*call)(void *context, CURLcode code);
    void *context;
};

struct loop {
    CURLM *multi;
    struct loop_watch **watches; /* live ones and, while a round runs, dead ones */
    size_t watch_count, watch_capacity;
    size_t dead_count;
    struct loop_timer *first, *last; /* sorted by due_ms, then by serial */
    uint64_t timer_serial;
    size_t transfers;
    long connections;
    uint64_t round;
    int depth;                     /* rounds on the call stack */
    struct ca_bundles *ca_bundles; /* NULL: none yet */
};

struct loop *loop_new(void)
{
    struct loop *loop = xcalloc(1, sizeof *loop);

    /* A peer that hangs up is an error to read, not our death. Executors put it back for children. */
    signal(SIGPIPE, SIG_IGN);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(loop->multi = curl_multi_init()))
        abort();
    /* Nor does the program's end wait for a resolver that does not answer. */
    curl_multi_setopt(loop->multi, CURLMOPT_QUICK_EXIT, 1L);
    return loop;
}

void loop_free(struct loop *loop)
{
    size_t i;

    if (!loop)
        return;
    while (loop->first)
        loop_timer_stop(loop->first);
    for (i = 0; i < loop->watch_count; i++)
        free(loop->watches[i]);
    free(loop->watches);
    curl_multi_cleanup(loop->multi);
    curl_global_cleanup();
    ca_bundles_free(loop->ca_bundles);
    free(loop);
}

/* ---- descriptors ---- */

struct loop_watch *loop_watch(struct loop *loop, int fd, int events, void (*call)(void *context, int events),
                              void *context)
{
    struct loop_watch *watch = xmalloc(sizeof *watch);

    *watch = (struct loop_watch){.loop = loop, .fd = fd, .events = events, .call = call, .context = context};
    if (loop->watch_count == loop->watch_capacity) {
        loop->watch_capacity = loop->watch_capacity ? 2 * loop->watch_capacity : 8;
        loop->watches = xrealloc(loop->watches, loop->watch_capacity, sizeof *loop->watches);
    }
    loop->watches[loop->watch_count++] = watch;
    return watch;
}

void loop_watch_events(struct loop_watch *watch, int events)
{
    watch->events = events;
}

static void sweep_watches(struct loop *loop)
{
    size_t from, to = 0;

    for (from = 0; from < loop->watch_count; from++) {
        if (loop->watches[from]->loop)
            loop->watches[to++] = loop->watches[from];
        else
            free(loop->watches[from]);
    }
    loop->watch_count = to;
    loop->dead_count = 0;
}

void loop_unwatch(struct loop_watch *watch)
{
    struct loop *loop;

    if (!watch)
        return;
    loop = watch->loop;
    watch->loop = NULL;
    loop->dead_count++;
    if (loop->depth == 0)
        sweep_watches(loop);
}

/* ---- timers ---- */

struct loop_timer *loop_timer_start(struct loop *loop, int64_t delay_ms, void (*call)(void *context), void *context)
{
    struct loop_timer *timer = xmalloc(sizeof *timer);
    struct loop_timer *before = loop->last;

    *timer = (struct loop_timer){.loop = loop,
                                 .due_ms = clock_monotonic_ms() + (delay_ms > 0 ? delay_ms : 0),
                                 .serial = loop->timer_serial++,
                                 .call = call,
                                 .context = context};
    while (before && before->due_ms > timer->due_ms)
        before = before->previous;
    timer->previous = before;
    timer->next = before ? before->next : loop->first;
    if (timer->next)
        timer->next->previous = timer;
    else
        loop->last = timer;
    if (before)
        before->next = timer;
    else
        loop->first = timer;
    return timer;
}

void loop_timer_stop(struct loop_timer *timer)
{
    if (!timer)
        return;
    if (timer->previous)
        timer->previous->next = timer->next;
    else
        timer->loop->first = timer->next;
    if (timer->next)
        timer->next->previous = timer->previous;
    else
        timer->loop->last = timer->previous;
    free(timer);
}

/* Only timers that existed when the round began: one that starts itself again with no delay cannot hold the loop. */
static void run_timers(struct loop *loop)
{
    uint64_t newest = loop->timer_serial;
    int64_t now = clock_monotonic_ms();

    for (;;) {
        struct loop_timer *timer = loop->first;
        void (*call)(void *context);
        void *context;

        while (timer && timer->due_ms <= now && timer->serial >= newest)
            timer = timer->next;
        if (!timer || timer->due_ms > now)
            return;
        call = timer->call;
        context = timer->context;
        loop_timer_stop(timer);
        call(context);
    }
}

/* ---- transfers ---- */

struct ca_bundles **loop_ca_bundles(struct loop *loop)
{
    return &loop->ca_bundles;
}

CURLM *loop_multi(struct loop *loop)
{
    return loop->multi;
}

void loop_reserve_connections(struct loop *loop, int change)
{
    loop->connections += change;
    curl_multi_setopt(loop->multi, CURLMOPT_MAXCONNECTS, loop->connections > 0 ? loop->connections : 1L);
}

void loop_on_transfer_done(struct loop *loop, CURL *easy, void (*call)(void *context, CURLcode code), void *context)
{
    struct completion *completion = xmalloc(sizeof *completion);

    *completion = (struct completion){call, context};
    curl_easy_setopt(easy, CURLOPT_PRIVATE, completion);
    loop->transfers++;
}

void loop_forget_transfer(struct loop *loop, CURL *easy)
{
    struct completion *completion = NULL;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &completion);
    if (!completion)
        return;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, NULL);
    free(completion);
    loop->transfers--;
}

/* No callback of ours runs inside curl_multi_perform, so the callbacks here may use curl and the loop freely. */
static void run_transfers(struct loop *loop)
{
    CURLMsg *message;
    int running, queued;

    if (loop->transfers == 0)
        return;
    curl_multi_perform(loop->multi, &running);
    while ((message = curl_multi_info_read(loop->multi, &queued))) {
        struct completion *completion = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &completion);
        if (completion)
            completion->call(completion->context, message->data.result);
    }
}

/* ---- the round ---- */

static int wait_ms(const struct loop *loop, int64_t timeout_ms)
{
    int64_t wait = timeout_ms < 0 || timeout_ms > LONGEST_WAIT_MS ? LONGEST_WAIT_MS : timeout_ms;

    if (loop->first) {
        int64_t left = loop->first->due_ms - clock_monotonic_ms();

        if (left < wait)
            wait = left > 0 ? left : 0;
    }
    return (int)wait;
}

/* curl reports hang-up and error as readable and writable bits; one that was not asked for can only be that. */
static int events_of(const struct curl_waitfd *ready)
{
    int events =
        (ready->revents & CURL_WAIT_POLLIN ? LOOP_READ : 0) | (ready->revents & CURL_WAIT_POLLOUT ? LOOP_WRITE : 0);

    return ready->revents & ~ready->events ? LOOP_READ | LOOP_WRITE : events;
}

static void run_watches(struct loop *loop, const struct curl_waitfd *ready, struct loop_watch *const *watches,
                        size_t count)
{
    uint64_t round = loop->round;
    size_t i;

    for (i = 0; i < count; i++) {
        struct loop_watch *watch = watches[i];
        int events = ready[i].revents ? events_of(&ready[i]) & watch->events : 0;

        if (!watch->loop || !events)
            continue;
        watch->call(watch->context, events);
        /* A nested round has looked anew: what we hold is stale (reading it could block). The next round reports
         * again what is still ready. */
        if (loop->round != round)
            return;
    }
}

void loop_run_once(struct loop *loop, int64_t timeout_ms)
{
    size_t capacity = loop->watch_count, count = 0, i;
    struct curl_waitfd *ready = xcalloc(capacity + 1, sizeof *ready);
    struct loop_watch **watches = xcalloc(capacity + 1, sizeof *watches);
    uint64_t round;
    int reported;

    for (i = 0; i < capacity; i++) {
        struct loop_watch *watch = loop->watches[i];

        if (!watch->loop || !watch->events)
            continue;
        ready[count].fd = watch->fd;
        ready[count].events = (short)((watch->events & LOOP_READ ? CURL_WAIT_POLLIN : 0) |
                                      (watch->events & LOOP_WRITE ? CURL_WAIT_POLLOUT : 0));
        watches[count++] = watch;
    }
    curl_multi_poll(loop->multi, ready, (unsigned)count, wait_ms(loop, timeout_ms), &reported);
    round = ++loop->round;
    loop->depth++;
    run_transfers(loop);
    if (loop->round == round)
        run_timers(loop);
    if (loop->round == round)
        run_watches(loop, ready, watches, count);
    loop->depth--;
    if (loop->depth == 0 && loop->dead_count)
        sweep_watches(loop);
    free(watches);
    free(ready);
}

void loop_run_until(struct loop *loop, const bool *done)
{
    while (!*done)
        loop_run_once(loop, -1);
}

static void set_flag(void *context)
{
    *(bool *)context = true;
}

void loop_sleep(struct loop *loop, int64_t delay_ms, const bool *cut)
{
    bool over = false;
    struct loop_timer *timer = loop_timer_start(loop, delay_ms, set_flag, &over);

    while (!over && !(cut && *cut))
        loop_run_once(loop, -1);
    if (!over)
        loop_timer_stop(timer);
}
