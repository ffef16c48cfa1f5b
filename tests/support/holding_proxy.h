/*
 * A proxy in front of an HTTP server that counts requests and holds one of them: before the server sees it, or after
 * the server has answered. Processes of its own; the numbers
 * are shared memory.
 */
#ifndef CAISSON_TESTS_HOLDING_PROXY_H
#define CAISSON_TESTS_HOLDING_PROXY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

enum holding_what { HOLD_REQUEST, HOLD_ANSWER };

enum denial { DENY_STATE_GET = 1, DENY_STATE_PUT = 2, DENY_LIST = 4, DENY_OBJECT_PUT = 8, DENY_HEAD = 16 };

struct holding_shared {
    atomic_int requests; /* seen so far */
    atomic_int hold_at;  /* the number of the one to hold; 0: none */
    atomic_int what;
    atomic_int held, released, passed;
    atomic_int deny;       /* a set of denial: answered by the proxy itself, as S3 would without that permission */
    atomic_int slow_downs; /* so many PUTs of objects to come are answered 503 SlowDown */
    char line[128];        /* of the one that is held: "PUT /bucket/key" */
};

struct holding_proxy {
    struct holding_shared *shared;
    pid_t pid;
    int port;       /* on 127.0.0.1 */
    char *endpoint; /* "http://127.0.0.1:PORT" */
};
void holding_proxy_start(struct holding_proxy *proxy, int server_port);
void holding_proxy_stop(struct holding_proxy *proxy);
/* Forgets what was, and holds the request of that number (1: the next). */
void holding_proxy_hold(struct holding_proxy *proxy, int number, enum holding_what what);
/* Waits until it is held, or the process has ended (which stays to be waited for). Whether it is held. */
bool holding_proxy_wait(struct holding_proxy *proxy, pid_t pid);
/* Returns when the server has answered it. */
void holding_proxy_release(struct holding_proxy *proxy);

#endif
