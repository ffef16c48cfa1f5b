/*
 * A small HTTP/1.1 server in a process of its own, for tests of clients: one forked child a connection, and what it
 * answers is in the path:
 *   /status/N            that status, body "status N"
 *   /echo                200, the request as it came: request line, headers, empty line, body
 *   /count               200, how many requests came on this connection
 *   /size/N              200, N bytes
 *   /redirect/N?URL      status N, Location: URL
 *   /headers/N           200 with N more headers
 *   /stall               reads the request and says nothing
 *   /drip/MS             200, 10 bytes, one every MS milliseconds
 *   /close               closes instead of an answer
 *   /cut                 promises 100 bytes, gives 10, closes
 *   /once                answers, then closes the kept connection without saying so
 *   /retry-after?VALUE   503 with that header
 */
#ifndef CAISSON_TESTS_HTTP_SERVER_H
#define CAISSON_TESTS_HTTP_SERVER_H

#include <sys/types.h>

struct http_server {
    pid_t pid;
    int port; /* on 127.0.0.1 */
};

void http_server_start(struct http_server *server);
/* One that closes each connection at the first byte. */
void http_server_start_mute(struct http_server *server);
void http_server_stop(struct http_server *server);
/* A port of 127.0.0.1 where nobody listens. */
int http_server_unused_port(void);

#endif
