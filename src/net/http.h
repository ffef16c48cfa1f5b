/*
 * HTTP requests over the loop's curl multi handle. A client holds what requests share: CA bundle, proxy, connection
 * cache and one TLS context's worth of certificates. Request and response are plain data. Nothing is retried here
 * (net/retry.h). Only http:// and https:// are spoken; redirects are refused unless the request allows some, and
 * never carry Authorization to another host. curl reads no environment, no .netrc, no config.
 */
#ifndef CAISSON_NET_HTTP_H
#define CAISSON_NET_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/error.h"
#include "core/strings.h"
#include "net/loop.h"

struct http_options {
    const char *ca_bundle;  /* PEM file; NULL: the system's (first that exists of the usual places) */
    const char *proxy;      /* for https:// URLs; NULL: none */
    const char *http_proxy; /* for http:// URLs; NULL: none */
    const char *no_proxy;   /* as curl's CURLOPT_NOPROXY */
    int max_connections;    /* kept open and used at once; 0: 16 */
    const char *user_agent; /* NULL: "caisson/VERSION" */
};

struct http_client;
struct http_client *http_client_new(struct loop *loop, const struct http_options *options);
/* Another one with the same proxies, and the same bundle where ca_bundle is NULL, but connections of its own: whoever
 * holds all of those keeps nobody else waiting. */
struct http_client *http_client_like(const struct http_client *client, const char *ca_bundle, int max_connections);
void http_client_free(struct http_client *client);
struct loop *http_client_loop(struct http_client *client);
/* Where a bundle of CAs is looked for, NULL-terminated. */
extern const char *const http_ca_places[];
/* The file of CAs that it goes by, borrowed; NULL: none was found. */
const char *http_client_ca_bundle(const struct http_client *client);
/* More connections at once than at the start (uploads adapt). */
void http_client_set_connections(struct http_client *client, int max_connections);

struct http_request {
    const char *method; /* "GET", "PUT", … */
    const char *url;
    struct strings headers; /* "Name: value" */
    struct view body;       /* borrowed until done; used when body_fd < 0 */
    int body_fd;            /* -1: none. Borrowed; read with pread from body_offset */
    int64_t body_offset;
    int64_t body_length;    /* bytes, with body_fd */
    int connect_timeout_ms; /* 0: 10 s */
    int timeout_ms;         /* whole request; 0: no limit but stall_ms */
    int stall_ms;           /* no byte either way for so long; 0: 30 s */
    int max_redirects;      /* GET and HEAD only; 0: follow none, the 3xx answer is given as it came */
    size_t max_response;    /* bytes of body; 0: 64 KiB. More is an error (reason "response-too-large") */
    bool refuse_private;    /* never to a private address (core/address.h), whatever the name says: an error (reason
                             * "private-address"). Through a proxy the proxy decides */
    bool error_body_only;   /* keep the body only of answers outside 2xx (saves memory for PUTs) */
};
void http_request_init(struct http_request *request, const char *method, const char *url);
void http_request_header(struct http_request *request, const char *name, const char *value);
/* Frees the headers (wiping them: they hold tokens); not method, url, body. */
void http_request_dispose(struct http_request *request);

struct http_response {
    long status;
    struct strings headers; /* "name: value", names in lower case */
    struct buf body;
    int64_t date_ms; /* the Date header, wall time; 0: none */
    int64_t duration_ms;
    char peer[48]; /* the address that the connection went to, a proxy's where there is one; "": there was none */
};
void http_response_init(struct http_response *response);
void http_response_dispose(struct http_response *response);
/* Value of a header (name in lower case), borrowed; NULL when absent. */
const char *http_response_header(const struct http_response *response, const char *name);
/* Retry-After in ms (seconds or date, RFC 9110 10.2.3), 0 when absent or silly (> 10 min is capped). */
long http_response_retry_after(const struct http_response *response);

/* A transfer under way. The request's strings are copied; body and response stay borrowed until `done` has been called,
 * which happens from the loop, never from http_start. `error` is NULL when an answer came, whatever its status. The
 * transfer is gone when `done` is called. More than max_connections wait their turn; timeouts count from there. */
struct http_transfer;
struct http_transfer *http_start(struct http_client *client, const struct http_request *request,
                                 struct http_response *response, void (*done)(void *context, const struct error *error),
                                 void *context);
/* Ends it without calling done. NULL is fine. */
void http_cancel(struct http_transfer *transfer);
/* Bytes of the body that were handed on so far; fewer again when a closed connection has them sent anew. */
int64_t http_body_sent(const struct http_transfer *transfer);

/* Starts one and pumps the loop until it is done. 0 when an answer came. Transport failures have class
 * CLASS_PLATFORM, reasons "connect-failed", "name-lookup-failed", "timed-out", "tls-failed", "connection-lost",
 * "redirect-refused", "private-address", "response-too-large", "body-unreadable" (the file shrank or broke), "bad-response", "bad-url",
 * "request-failed"; the first three and connection-lost are retryable. Messages name method, host and port only: paths
 * and queries may hold bearer secrets; callers add what they were doing. The caller re-classes. */
int http_perform(struct http_client *client, const struct http_request *request, struct http_response *response,
                 struct error *err);
/* The same, given up with CLASS_INTERRUPTED when *stop turns true (a signal, from the loop). NULL: never. */
int http_perform_unless(struct http_client *client, const struct http_request *request, struct http_response *response,
                        const bool *stop, struct error *err);

/* Takes a URL apart with curl's own parser. */
struct url {
    char *scheme, *host, *port /* NULL: default */, *path, *query, *user, *password; /* each may be NULL */
};
int url_parse(const char *text, struct url *url, struct error *err);
void url_dispose(struct url *url);
/* Percent-encodes all but unreserved characters (RFC 3986), and '/' too unless keep_slash. Appends to out. */
void url_encode(const char *text, bool keep_slash, struct buf *out);
/* The other way round: what is percent-encoded becomes what it stands for, up to a NUL. Caller frees with free. */
char *url_decode(const char *text);
/* Removes user and password: what may stand in a message. Caller frees with free. */
char *url_without_userinfo(const char *text);

#endif
