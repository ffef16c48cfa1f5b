/* What the files of net/http share. For net/ only. */
#ifndef CAISSON_NET_HTTP_INTERNAL_H
#define CAISSON_NET_HTTP_INTERNAL_H

#include "net/http.h"

#define HTTP_CONNECT_TIMEOUT_MS 10000
#define HTTP_STALL_MS 30000
#define HTTP_MAX_RESPONSE 65536
#define HTTP_MAX_HEADER_BYTES 65536
#define HTTP_MAX_HEADERS 256
#define HTTP_CONNECTIONS 16

/* Why we ended a transfer ourselves, where curl only knows "write error" or "read error". */
enum http_fault {
    HTTP_FAULT_NONE,
    HTTP_FAULT_RESPONSE_TOO_LARGE,
    HTTP_FAULT_HEADERS_TOO_LARGE,
    HTTP_FAULT_BODY_UNREADABLE,
    HTTP_FAULT_STALLED,
    HTTP_FAULT_BAD_HEADER,
    HTTP_FAULT_PRIVATE_ADDRESS,
    HTTP_FAULT_OWN_ADDRESS,
};

struct http_client {
    struct loop *loop;   /* borrowed */
    char *ca_bundle;     /* its name; NULL: none found, curl's own default then */
    const char *ca_held; /* its copy, borrowed from the loop (net/ca_bundle.h) */
    char *proxy, *http_proxy, *no_proxy, *user_agent;
    int max_connections, active;
    CURL **idle; /* handles to use again: making one costs more than a small request */
    int idle_count, idle_capacity;
    struct http_transfer *queue, **queue_end; /* waiting for a connection */
    struct http_transfer *running;            /* doubly linked */
    struct loop_timer *sweep;                 /* looks for stalled transfers; NULL while none runs */
};

struct http_transfer {
    struct http_client *client;
    struct http_transfer *next, *previous;
    CURL *easy; /* NULL while queued */
    struct curl_slist *headers;
    char *method, *url;
    struct http_request request; /* a shallow copy; its strings are not ours to free */
    struct http_response *response;
    void (*done)(void *context, const struct error *error);
    void *context;
    int64_t sent; /* of the body */
    size_t header_bytes, header_count;
    size_t received;
    int64_t started_ms, moved_ms;
    curl_off_t moved;     /* bytes both ways at moved_ms */
    bool private_refused; /* one of the addresses was */
    enum http_fault fault;
    char detail[CURL_ERROR_SIZE];
};

/* Copies the request's headers into curl's list. */
void http_transfer_set_headers(struct http_transfer *transfer, const struct strings *headers);
void http_transfer_free_headers(struct http_transfer *transfer);
void http_transfer_set_options(struct http_transfer *transfer);

struct http_failure {
    CURLcode code;
    enum http_fault fault;
    CURL *easy;
    const char *method;
    const char *target; /* scheme, host and port */
    const char *detail; /* curl's error buffer */
    int connect_timeout_ms, timeout_ms, stall_ms, max_redirects;
    size_t max_response;
};
/* Fills *err from what curl and we know. */
void http_failure_explain(const struct http_failure *failure, struct error *err);

/* "https://host:port" of a URL: what may stand in messages (paths and queries hold bearer secrets). Caller frees. */
char *http_target(const char *url);

/* One header line as it came, CR LF included, added to the response. */
void http_response_add_header(struct http_response *response, struct view line);
/* Forgets what an earlier answer (100, redirect, another attempt) left. */
void http_response_reset(struct http_response *response, size_t max_body);

#endif
