/* What the tests of src/bus share: a loop a test and a broker a program, requests whose answers are counted, a loop that
 * must never stand still, and a port that neither takes nor refuses connections. */
#ifndef CAISSON_TESTS_BUS_FIXTURE_H
#define CAISSON_TESTS_BUS_FIXTURE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

#include "core/error.h"
#include "net/loop.h"
#include "support/broker.h"
#include "support/skip.h"

extern struct loop *loop; /* of the test at hand */
int loop_setup(void **state);
int loop_teardown(void **state);
#define TEST_WITH_LOOP(test) cmocka_unit_test_setup_teardown(test, loop_setup, loop_teardown)

/* Of the whole program, where it can be had: see broker_start. */
extern struct broker broker;
extern bool have_broker;
#define NEED_BROKER()                                                                                                  \
    do {                                                                                                               \
        if (!have_broker)                                                                                              \
            skip_because("the broker cannot be had here (tests/tools/ensure-*)");                                      \
    } while (0)

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
/* Runs the loop until *count is `wanted`, which must be within a minute. */
void wait_for(const int *count, int wanted);

struct ticks {
    int count;
    int64_t last_ms, longest_ms; /* between two ticks of 10 ms */
};
void ticks_start(struct ticks *ticks);

struct black_hole {
    int fds[8], port; /* on 127.0.0.1 */
};
void black_hole_open(struct black_hole *hole);
void black_hole_close(struct black_hole *hole);

#endif
