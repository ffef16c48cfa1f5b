/* The pace in virtual time, against a server that is a bucket of tokens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/mem.h"
#include "net/pace.h"

#define CALLERS_MAX 64
#define START_MS 1000000

enum { READY, SENT, RESTING };

/* Callers that always have something to send, and a server that takes `rate` requests a second. */
struct world {
    struct pace pace;
    int64_t now_ms;
    double rate, burst, tokens; /* of the server; rate 0: takes all; below 0: takes nothing */
    int latency_ms, callers;
    int late_ms; /* the machine is busy: the callers come to run only every so often, by chance */
    uint32_t seed;
    int64_t runs_ms;
    struct caller {
        int state;
        int64_t sent_ms, due_ms;
        bool taken;
    } all[CALLERS_MAX];
    int64_t taken, refused;
};

static void world_init(struct world *world, double rate, double burst, int latency_ms, int callers)
{
    memset(world, 0, sizeof *world);
    pace_init(&world->pace);
    world->now_ms = START_MS;
    world->rate = rate;
    world->burst = world->tokens = burst;
    world->latency_ms = latency_ms;
    world->callers = callers;
    world->seed = 1;
}

static int random_below(struct world *world, int bound)
{
    world->seed = world->seed * 1664525 + 1013904223;
    return bound > 0 ? (int)((world->seed >> 8) % (uint32_t)bound) : 0;
}

static bool server_takes(struct world *world)
{
    if (world->rate == 0)
        return true;
    if (world->tokens < 1)
        return false;
    world->tokens -= 1;
    return true;
}

static void step(struct world *world, struct caller *caller)
{
    if (caller->state == SENT && world->now_ms >= caller->due_ms) {
        if (caller->taken)
            pace_accepted(&world->pace, world->now_ms);
        else
            pace_refused(&world->pace, caller->sent_ms, world->now_ms);
        world->taken += caller->taken;
        world->refused += !caller->taken;
        caller->state = caller->taken ? READY : RESTING;
        caller->due_ms = world->now_ms + 100 + random_below(world, 200);
    }
    if (caller->state == RESTING && world->now_ms >= caller->due_ms)
        caller->state = READY;
    if (caller->state == READY && pace_take(&world->pace, world->now_ms) == 0) {
        caller->state = SENT;
        caller->sent_ms = world->now_ms;
        caller->due_ms = world->now_ms + world->latency_ms;
        caller->taken = server_takes(world);
    }
}

static void run(struct world *world, int64_t duration_ms)
{
    int64_t end_ms = world->now_ms + duration_ms;
    int i;

    for (; world->now_ms < end_ms; world->now_ms++) {
        world->tokens += world->rate / 1000;
        if (world->tokens > world->burst)
            world->tokens = world->burst;
        if (world->now_ms < world->runs_ms)
            continue;
        world->runs_ms = world->now_ms + 1 + random_below(world, world->late_ms);
        for (i = 0; i < world->callers; i++)
            step(world, &world->all[i]);
    }
}

static void test_no_limit_before_the_first_refusal(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, 0, 0, 5, CALLERS_MAX);
    run(&world, 1000);
    assert_true(world.pace.rate == 0);
    assert_true(world.taken >= CALLERS_MAX * (1000 / 6));
}

/* Over 10 s at least so much of what it could take, as a share, and how many requests it had to refuse for that. */
static void expect_kept(double rate, double burst, int latency_ms, int late_ms)
{
    struct world world;
    double share, possible;

    world_init(&world, rate, burst < 1 ? 1 : burst, latency_ms, CALLERS_MAX);
    world.late_ms = late_ms;
    run(&world, 10000);
    possible = 1000.0 * CALLERS_MAX / (latency_ms + 1 + late_ms);
    share = (double)world.taken / (10 * (rate < possible ? rate : possible));
    /* All come at once before the first refusal; from then on few are refused. */
    if (share < 1 / 1.3 || world.refused > 4 * CALLERS_MAX + world.taken / 10)
        fail_msg("%.0f a second, %.0f at once, latency %d ms, late by %d ms: %.2f of it taken, %lld refused", rate,
                 world.burst, latency_ms, late_ms, share, (long long)world.refused);
}

static void test_keeps_what_the_server_takes(void **state)
{
    static const double rates[] = {10, 50, 100, 200, 500, 2000};
    static const int latencies_ms[] = {1, 20, 100};
    size_t i, j;

    (void)state;
    for (i = 0; i < ARRAY_LEN(rates); i++) {
        for (j = 0; j < ARRAY_LEN(latencies_ms); j++) {
            expect_kept(rates[i], rates[i], latencies_ms[j], 0);
            expect_kept(rates[i], rates[i] / 10, latencies_ms[j], 0);
        }
        expect_kept(rates[i], rates[i] / 10, 5, 10);
    }
}

static void test_a_mishap_costs_little(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, -1, 0, 20, CALLERS_MAX);
    run(&world, 50);
    assert_true(world.refused == CALLERS_MAX);
    assert_true(world.pace.rate >= 50);
    world.rate = 0;
    run(&world, 15000);
    assert_true(world.pace.rate == 0);
}

static void test_nothing_taken(void **state)
{
    struct world world;
    int64_t before;

    (void)state;
    world_init(&world, -1, 0, 20, CALLERS_MAX);
    run(&world, 20000);
    before = world.refused;
    run(&world, 20000);
    assert_in_range(world.refused - before, 15, 25); /* one a second: it is still asked */
    world.rate = 0;
    run(&world, 20000);
    assert_true(world.pace.rate == 0 || world.pace.rate > 2000);
}

static void test_half_as_much_from_now_on(void **state)
{
    struct world world;
    int64_t taken, refused;

    (void)state;
    world_init(&world, 400, 40, 20, CALLERS_MAX);
    run(&world, 10000);
    world.rate = 100;
    world.burst = 10;
    run(&world, 2000);
    taken = world.taken;
    refused = world.refused;
    run(&world, 10000);
    assert_true(world.taken - taken > 800);
    assert_true(world.refused - refused < 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_limit_before_the_first_refusal),
        cmocka_unit_test(test_keeps_what_the_server_takes),
        cmocka_unit_test(test_a_mishap_costs_little),
        cmocka_unit_test(test_nothing_taken),
        cmocka_unit_test(test_half_as_much_from_now_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
