#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "core/clock.h"
#include "net/loop.h"

struct probe {
    struct loop *loop;
    struct loop_watch *watch, *other;
    struct loop_timer *timer;
    int fds[2], other_fds[2];
    int calls, other_calls;
    bool done;
};

static void read_one(void *context, int events)
{
    struct probe *probe = context;
    char byte;

    assert_int_equal(events, LOOP_READ);
    assert_int_equal(read(probe->fds[0], &byte, 1), 1);
    probe->calls++;
    probe->done = true;
}

static void test_watch_sees_data(void **state)
{
    struct probe probe = {.loop = loop_new()};

    (void)state;
    assert_int_equal(pipe(probe.fds), 0);
    probe.watch = loop_watch(probe.loop, probe.fds[0], LOOP_READ, read_one, &probe);
    loop_run_once(probe.loop, 0);
    assert_int_equal(probe.calls, 0);
    assert_int_equal(write(probe.fds[1], "ab", 2), 2);
    loop_run_until(probe.loop, &probe.done);
    assert_int_equal(probe.calls, 1);
    loop_watch_events(probe.watch, 0);
    loop_run_once(probe.loop, 5);
    assert_int_equal(probe.calls, 1);
    loop_watch_events(probe.watch, LOOP_READ);
    loop_run_once(probe.loop, -1);
    assert_int_equal(probe.calls, 2);
    loop_unwatch(probe.watch);
    loop_unwatch(NULL);
    close(probe.fds[0]);
    close(probe.fds[1]);
    loop_free(probe.loop);
}

static void count_events(void *context, int events)
{
    struct probe *probe = context;

    probe->calls++;
    probe->other_calls = events;
}

/* A hang-up must reach a watch whatever it waits for, or the loop would spin on it. */
static void test_hang_up_wakes_readers_and_writers(void **state)
{
    struct probe probe = {.loop = loop_new()};

    (void)state;
    assert_int_equal(pipe(probe.fds), 0);
    probe.watch = loop_watch(probe.loop, probe.fds[0], LOOP_READ, count_events, &probe);
    close(probe.fds[1]);
    loop_run_once(probe.loop, 1000);
    assert_int_equal(probe.calls, 1);
    assert_int_equal(probe.other_calls, LOOP_READ);
    loop_unwatch(probe.watch);
    close(probe.fds[0]);

    assert_int_equal(pipe2(probe.fds, O_NONBLOCK), 0);
    while (write(probe.fds[1], "0123456789", 10) > 0)
        continue;
    probe.watch = loop_watch(probe.loop, probe.fds[1], LOOP_WRITE, count_events, &probe);
    close(probe.fds[0]);
    loop_run_once(probe.loop, 1000);
    assert_int_equal(probe.calls, 2);
    assert_int_equal(probe.other_calls, LOOP_WRITE);
    loop_unwatch(probe.watch);
    close(probe.fds[1]);
    loop_free(probe.loop);
}

static void drop_both(void *context, int events)
{
    struct probe *probe = context;

    (void)events;
    probe->calls++;
    loop_unwatch(probe->watch);
    loop_unwatch(probe->other);
}

static void test_callback_removes_itself_and_the_next(void **state)
{
    struct probe probe = {.loop = loop_new()};

    (void)state;
    assert_int_equal(pipe(probe.fds), 0);
    assert_int_equal(write(probe.fds[1], "a", 1), 1);
    probe.watch = loop_watch(probe.loop, probe.fds[0], LOOP_READ, drop_both, &probe);
    probe.other = loop_watch(probe.loop, probe.fds[0], LOOP_READ, drop_both, &probe);
    loop_run_once(probe.loop, 1000);
    loop_run_once(probe.loop, 0);
    assert_int_equal(probe.calls, 1);
    close(probe.fds[0]);
    close(probe.fds[1]);
    loop_free(probe.loop);
}

static void finish(void *context)
{
    ((struct probe *)context)->done = true;
}

/* The nested round reads the other pipe: the outer round must not call for it again (the read would block). */
static void read_other(void *context, int events)
{
    struct probe *probe = context;
    char byte;

    (void)events;
    probe->other_calls++;
    assert_int_equal(read(probe->other_fds[0], &byte, 1), 1);
}

static void pump_inside(void *context, int events)
{
    struct probe *probe = context;
    char byte;

    (void)events;
    probe->calls++;
    assert_int_equal(read(probe->fds[0], &byte, 1), 1);
    loop_timer_start(probe->loop, 10, finish, probe);
    loop_run_until(probe->loop, &probe->done);
}

static void test_nested_rounds(void **state)
{
    struct probe probe = {.loop = loop_new()};

    (void)state;
    assert_int_equal(pipe(probe.fds), 0);
    assert_int_equal(pipe(probe.other_fds), 0);
    assert_int_equal(write(probe.fds[1], "a", 1), 1);
    assert_int_equal(write(probe.other_fds[1], "a", 1), 1);
    probe.watch = loop_watch(probe.loop, probe.fds[0], LOOP_READ, pump_inside, &probe);
    probe.other = loop_watch(probe.loop, probe.other_fds[0], LOOP_READ, read_other, &probe);
    loop_run_once(probe.loop, 1000);
    assert_int_equal(probe.calls, 1);
    assert_int_equal(probe.other_calls, 1);
    assert_true(probe.done);
    loop_unwatch(probe.watch);
    loop_unwatch(probe.other);
    loop_free(probe.loop);
    close(probe.fds[0]);
    close(probe.fds[1]);
    close(probe.other_fds[0]);
    close(probe.other_fds[1]);
}

static char order[16];

static void append(char letter)
{
    size_t len = strlen(order);

    assert_true(len + 1 < sizeof order);
    order[len] = letter;
    order[len + 1] = '\0';
}

static void append_b(void *context)
{
    (void)context;
    append('b');
}

static void append_a(void *context)
{
    struct probe *probe = context;

    append('a');
    loop_timer_stop(probe->timer);
}

static void append_c(void *context)
{
    append('c');
    finish(context);
}

static void test_timers_fire_in_order_and_stop(void **state)
{
    struct probe probe = {.loop = loop_new()};
    int64_t begin = clock_monotonic_ms();

    (void)state;
    loop_timer_start(probe.loop, 30, append_c, &probe);
    probe.timer = loop_timer_start(probe.loop, 20, append_c, &probe);
    loop_timer_start(probe.loop, 10, append_b, &probe);
    loop_timer_start(probe.loop, 0, append_a, &probe);
    loop_timer_stop(NULL);
    loop_run_until(probe.loop, &probe.done);
    assert_string_equal(order, "abc");
    assert_true(clock_monotonic_ms() - begin >= 30);
    loop_free(probe.loop);
}

static void again(void *context)
{
    struct probe *probe = context;

    probe->calls++;
    probe->timer = loop_timer_start(probe->loop, 0, again, probe);
}

static void test_timer_that_restarts_itself_does_not_hold_the_round(void **state)
{
    struct probe probe = {.loop = loop_new()};

    (void)state;
    again(&probe);
    loop_run_once(probe.loop, 0);
    assert_int_equal(probe.calls, 2);
    loop_run_once(probe.loop, 0);
    assert_int_equal(probe.calls, 3);
    loop_free(probe.loop);
}

static void test_sleep_is_cut_short(void **state)
{
    struct probe probe = {.loop = loop_new()};
    int64_t begin = clock_monotonic_ms();

    (void)state;
    loop_timer_start(probe.loop, 20, finish, &probe);
    loop_sleep(probe.loop, 10000, &probe.done);
    assert_in_range(clock_monotonic_ms() - begin, 20, 5000);
    begin = clock_monotonic_ms();
    loop_sleep(probe.loop, 15, NULL);
    assert_in_range(clock_monotonic_ms() - begin, 15, 5000);
    loop_free(probe.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_watch_sees_data),
        cmocka_unit_test(test_hang_up_wakes_readers_and_writers),
        cmocka_unit_test(test_callback_removes_itself_and_the_next),
        cmocka_unit_test(test_nested_rounds),
        cmocka_unit_test(test_timers_fire_in_order_and_stop),
        cmocka_unit_test(test_timer_that_restarts_itself_does_not_hold_the_round),
        cmocka_unit_test(test_sleep_is_cut_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
