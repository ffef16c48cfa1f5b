#include "support/bus_fixture.h"

#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/mem.h"

#define PATIENCE_MS 120000 /* emulated, and beside other tests */
#define TICK_MS 10

struct loop *loop;
struct broker broker;
bool have_broker;

int loop_setup(void **state)
{
    (void)state;
    loop = loop_new();
    return 0;
}

int loop_teardown(void **state)
{
    (void)state;
    loop_free(loop);
    loop = NULL;
    return 0;
}

struct asked {
    struct answers *answers;
    char name;
};

void *asked(struct answers *answers, char name)
{
    struct asked *asked = xmalloc(sizeof *asked);

    *asked = (struct asked){answers, name};
    return asked;
}

void answered(void *context, const struct error *error)
{
    struct asked *asked = context;
    struct answers *answers = asked->answers;
    void (*first)(void *context) = answers->first;
    size_t len = strlen(answers->order);

    answers->answered++;
    answers->failed += error != NULL;
    if (error)
        answers->last = *error;
    if (len + 1 < sizeof answers->order)
        answers->order[len] = asked->name;
    free(asked);
    answers->first = NULL;
    if (first)
        first(answers->context);
}

void wait_for(const int *count, int wanted)
{
    int64_t until = clock_monotonic_ms() + PATIENCE_MS;

    while (*count < wanted && clock_monotonic_ms() < until)
        loop_run_once(loop, 100);
    assert_int_equal(*count, wanted);
}

static void tick(void *context)
{
    struct ticks *ticks = context;
    int64_t now_ms = clock_monotonic_ms();

    if (ticks->last_ms && now_ms - ticks->last_ms > ticks->longest_ms)
        ticks->longest_ms = now_ms - ticks->last_ms;
    ticks->last_ms = now_ms;
    ticks->count++;
    loop_timer_start(loop, TICK_MS, tick, ticks);
}

void ticks_start(struct ticks *ticks)
{
    *ticks = (struct ticks){0};
    tick(ticks);
}

/* A listener whose queue is full: the kernel drops whoever knocks. */
void black_hole_open(struct black_hole *hole)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;

    for (int i = 0; i < 8; i++)
        hole->fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | (i ? SOCK_NONBLOCK : 0), 0);
    assert_int_equal(bind(hole->fds[0], (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(hole->fds[0], 0), 0);
    getsockname(hole->fds[0], (struct sockaddr *)&address, &size);
    for (int i = 1; i < 8; i++)
        connect(hole->fds[i], (struct sockaddr *)&address, sizeof address);
    hole->port = ntohs(address.sin_port);
}

void black_hole_close(struct black_hole *hole)
{
    for (int i = 0; i < 8; i++)
        close(hole->fds[i]);
}
