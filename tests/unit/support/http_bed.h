/* Two servers, a client, and one exchange with them. For one test program. */
#ifndef CAISSON_TESTS_HTTP_BED_H
#define CAISSON_TESTS_HTTP_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

#endif
