/* What the tests of src/bus share: requests whose answers are counted, a loop that must never stand still, and a port
 * that neither takes nor refuses connections. */
#ifndef CAISSON_TESTS_BUS_FIXTURE_H
#define CAISSON_TESTS_BUS_FIXTURE_H

#include <stdint.h>

#include "core/error.h"
#include "net/loop.h"

struct answers {
    int answered, failed;
    struct error last;
    char order[64];                         /* the names, as they were answered */
    void (*first)(void *context), *context; /* called once, with the first answer; NULL: nothing */
};

/* The context of one request, for answered(). */
void *asked(struct answers *answers, char name);
/* A bus_done. */
void answered(void *context, const struct error *error);
/* Runs the loop until *count is `wanted`, which must be within 30 s. */
void wait_for(struct loop *loop, const int *count, int wanted);

struct ticks {
    struct loop *loop;
    int count;
    int64_t last_ms, longest_ms; /* between two ticks of 10 ms */
};
void ticks_start(struct ticks *ticks, struct loop *loop);

struct black_hole {
    int fds[8], port; /* on 127.0.0.1 */
};
void black_hole_open(struct black_hole *hole);
void black_hole_close(struct black_hole *hole);

#endif
