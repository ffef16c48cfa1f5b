/* Many requests at once, and what callbacks may do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "core/clock.h"
#include "core/mem.h"
#include "net/http.h"
#include "support/http_server.h"
#include <unit/support/http_bed.h>

#define MANY 300

struct many {
    struct fixture *f;
    struct exchange exchanges[MANY];
    struct http_transfer *transfers[MANY];
    int finished, failed;
    bool done;
};

static void on_one_done(void *context, const struct error *error)
{
    struct many *many = context;

    many->failed += error != NULL;
    many->done = ++many->finished == MANY;
}

static void test_many_at_once(void **state)
{
    struct many *many = xcalloc(1, sizeof *many);
    struct fixture *f = *state;
    char body[100];
    size_t i;

    memset(body, 'b', sizeof body);
    for (i = 0; i < MANY; i++) {
        prepare(&many->exchanges[i], f, "PUT", "/status/200");
        many->exchanges[i].request.body = (struct view){body, sizeof body};
        many->exchanges[i].request.error_body_only = true;
        http_start(f->client, &many->exchanges[i].request, &many->exchanges[i].response, on_one_done, many);
        if (i == 100)
            http_client_set_connections(f->client, 32);
    }
    assert_int_equal(many->finished, 0);
    loop_run_until(f->loop, &many->done);
    assert_int_equal(many->failed, 0);
    for (i = 0; i < MANY; i++) {
        assert_int_equal(many->exchanges[i].response.status, 200);
        discard(&many->exchanges[i]);
    }
    free(many);
}

struct chain {
    struct fixture *f;
    struct exchange x;
    struct http_transfer *stalled;
    int left;
    bool done;
};

/* From inside `done`: cancel another, start the next, and pump the loop for a third. */
static void on_link_done(void *context, const struct error *error)
{
    struct chain *chain = context;
    struct exchange inner;

    assert_null(error);
    http_cancel(chain->stalled);
    chain->stalled = NULL;
    prepare(&inner, chain->f, "GET", "/status/202");
    assert_string_equal(go(&inner, chain->f), "");
    assert_int_equal(inner.response.status, 202);
    discard(&inner);
    if (--chain->left == 0)
        chain->done = true;
    else
        http_start(chain->f->client, &chain->x.request, &chain->x.response, on_link_done, chain);
}

static void never(void *context, const struct error *error)
{
    (void)context;
    (void)error;
    fail_msg("a cancelled transfer was reported");
}

static void test_callbacks_may_start_cancel_and_pump(void **state)
{
    struct chain *chain = xcalloc(1, sizeof *chain);
    struct exchange stalled, queued;
    struct http_transfer *waiting;
    int i;

    chain->f = *state;
    chain->left = 5;
    prepare(&stalled, chain->f, "GET", "/stall");
    prepare(&queued, chain->f, "GET", "/status/200");
    chain->stalled = http_start(chain->f->client, &stalled.request, &stalled.response, never, NULL);
    prepare(&chain->x, chain->f, "GET", "/status/200");
    http_start(chain->f->client, &chain->x.request, &chain->x.response, on_link_done, chain);
    loop_run_until(chain->f->loop, &chain->done);
    /* Of four connections all are busy: the fifth waits, and can be cancelled there. */
    for (i = 0; i < 4; i++)
        http_start(chain->f->client, &stalled.request, &stalled.response, never, NULL);
    waiting = http_start(chain->f->client, &queued.request, &queued.response, never, NULL);
    loop_run_once(chain->f->loop, 10);
    http_cancel(waiting);
    http_cancel(NULL);
    discard(&stalled);
    discard(&queued);
    discard(&chain->x);
    free(chain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_many_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_callbacks_may_start_cancel_and_pump, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
