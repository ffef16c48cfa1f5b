/* How librdkafka is ended in time, whatever its threads wait for. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bus/kafka_internal.h"
#include "core/mem.h"

/* What the thread has, and nobody else once the farewell is said. */
struct ending {
    rd_kafka_t *handle; /* NULL: there is nothing to end */
    rd_kafka_queue_t *queue;
    int event_fd, go_fd, done_fd; /* go_fd: at its end when it is time; done_fd: its reader is the one who waits */
};

struct farewell {
    struct ending *ending;
    int event_fd, go_fd, gone_fd; /* our ends of its pipes */
};

static void *end(void *context)
{
    struct ending *ending = context;
    char none;

    while (read(ending->go_fd, &none, 1) < 0 && errno == EINTR)
        ;
    if (ending->handle) {
        rd_kafka_purge(ending->handle,
                       RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
        rd_kafka_queue_destroy(ending->queue);
        rd_kafka_destroy(ending->handle);
    }
    close(ending->event_fd);
    close(ending->go_fd);
    close(ending->done_fd);
    free(ending);
    return NULL;
}

static int start_thread(struct ending *ending)
{
    sigset_t all, before;
    pthread_t thread;
    int code;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    code = pthread_create(&thread, NULL, end, ending);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code == 0)
        pthread_detach(thread);
    return code;
}

static void close_all(const int *fds, size_t len)
{
    while (len--)
        if (fds[len] >= 0)
            close(fds[len]);
}

struct farewell *farewell_prepare(void)
{
    int fds[5] = {-1, -1, -1, -1, -1};
    struct farewell *farewell;
    struct ending *ending;

    fds[4] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fds[4] < 0 || pipe2(fds, O_CLOEXEC) || pipe2(fds + 2, O_CLOEXEC)) {
        close_all(fds, 5);
        return NULL;
    }
    ending = xmalloc(sizeof *ending);
    *ending = (struct ending){.event_fd = fds[4], .go_fd = fds[0], .done_fd = fds[3]};
    if (start_thread(ending)) {
        free(ending);
        close_all(fds, 5);
        return NULL;
    }
    farewell = xmalloc(sizeof *farewell);
    *farewell = (struct farewell){.ending = ending, .event_fd = fds[4], .go_fd = fds[1], .gone_fd = fds[2]};
    return farewell;
}

int farewell_event_fd(const struct farewell *farewell)
{
    return farewell->event_fd;
}

void farewell_say(struct farewell *farewell, rd_kafka_t *handle, rd_kafka_queue_t *queue, int wait_ms)
{
    struct pollfd gone = {.fd = farewell->gone_fd, .events = POLLIN};

    farewell->ending->handle = handle;
    farewell->ending->queue = queue;
    close(farewell->go_fd); /* from here on the ending is the thread's */
    while (poll(&gone, 1, wait_ms) < 0 && errno == EINTR)
        ;
    close(farewell->gone_fd);
    free(farewell);
}
