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

struct fixture {
    struct http_server server, other;
    struct loop *loop;
    struct http_client *client;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    struct http_options options = {.max_connections = 4};

    http_server_start(&f->server);
    http_server_start(&f->other);
    /* A proxy in the environment that would break everything, were it obeyed. */
    setenv("http_proxy", "http://127.0.0.1:9", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:9", 1);
    f->loop = loop_new();
    f->client = http_client_new(f->loop, &options);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    http_client_free(f->client);
    loop_free(f->loop);
    http_server_stop(&f->server);
    http_server_stop(&f->other);
    free(f);
    return 0;
}

struct exchange {
    struct http_request request;
    struct http_response response;
    struct error err;
    char url[512];
};

static void prepare(struct exchange *x, const struct fixture *f, const char *method, const char *path)
{
    snprintf(x->url, sizeof x->url, "http://127.0.0.1:%d%s", f->server.port, path);
    http_request_init(&x->request, method, x->url);
    http_response_init(&x->response);
    memset(&x->err, 0, sizeof x->err);
}

static void discard(struct exchange *x)
{
    http_request_dispose(&x->request);
    http_response_dispose(&x->response);
}

/* Performs it; the reason of the failure, "" when an answer came. */
static const char *go(struct exchange *x, struct fixture *f)
{
    return http_perform(f->client, &x->request, &x->response, &x->err) ? x->err.reason : "";
}

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
