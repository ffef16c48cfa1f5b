/*
 * An HTTP/1.1 server on the loop of the program under test: each request that has come whole is given to the test,
 * which writes the raw answer. No process, no thread: what the test sees in its variables is what was sent.
 */
#ifndef CAISSON_TESTS_LOOP_SERVER_H
#define CAISSON_TESTS_LOOP_SERVER_H

#include "core/buf.h"
#include "net/loop.h"

struct loop_request {
    const char *method, *target;
    const char *headers; /* "Name: value\r\n…" */
    struct view body;
};
/* Value of a header (any case) in a buffer of the caller's, or NULL. */
const char *loop_request_header(const struct loop_request *request, const char *name, char *value, size_t size);

struct loop_server;
/* What `answer` leaves in `out` is sent as it is; when it leaves nothing the connection is closed. */
struct loop_server *
loop_server_start(struct loop *loop, void (*answer)(void *context, const struct loop_request *request, struct buf *out),
                  void *context);
void loop_server_stop(struct loop_server *server);
int loop_server_port(const struct loop_server *server);
/* A whole answer: status, more header lines ("A: b\r\n" each, or ""), body. */
void loop_answer(struct buf *out, int status, const char *headers, const char *body);

#endif
