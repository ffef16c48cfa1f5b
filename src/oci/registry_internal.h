/* What the files of oci/registry and oci/push share. For oci/ only. */
#ifndef CAISSON_OCI_REGISTRY_INTERNAL_H
#define CAISSON_OCI_REGISTRY_INTERNAL_H

#include "net/retry.h"
#include "oci/registry.h"

#define REGISTRY_ATTEMPTS 5
#define REGISTRY_RETRY_BASE_MS 500
#define REGISTRY_RETRY_CAP_MS 20000

/* ---- authentication ---- */

enum auth_scheme { AUTH_UNKNOWN, AUTH_NONE, AUTH_BASIC, AUTH_BEARER, AUTH_OTHER };

/* What WWW-Authenticate asks for (RFC 9110, 11.6.1): of several the best that we speak. */
struct challenge {
    enum auth_scheme scheme; /* AUTH_NONE: no challenge at all; AUTH_OTHER: none that we speak */
    char realm[1024], service[256], scope[1024];
};
/* Adds one header's value; begin with a zeroed challenge whose scheme is AUTH_NONE. */
void challenge_parse(struct view value, struct challenge *challenge);
void challenge_of(const struct http_response *response, struct challenge *challenge);

/* The answer of a token server: 0 and the token (caller: secret_free), or -1. */
int token_parse(struct view body, char **token, int64_t *lifetime_ms);

struct registry_auth {
    enum auth_scheme scheme;
    struct challenge challenge;
    struct strings scopes;
    struct registry_credentials credentials;
    bool has_credentials, credentials_worked, renew;
    char *header;           /* value of Authorization; secret */
    uint64_t generation;    /* of header */
    int64_t fresh_until_ms; /* monotonic; 0: no end */
    bool busy;
    struct error plain_error; /* of the try without TLS */
    struct http_transfer *transfer;
    struct http_response response;
    struct loop_timer *timer;
};

/* What a registry says went wrong; printable, may be empty. */
struct registry_failure {
    char code[64];     /* "NAME_UNKNOWN" */
    char message[300]; /* its own words */
};
/* Hostile JSON. */
void registry_failure_parse(struct view body, struct registry_failure *failure);

/* ---- one request ---- */

struct registry_call;
typedef void registry_call_done(void *context, const struct error *error);

struct registry_call {
    /* Filled by the caller, all borrowed but headers. */
    const char *method;
    const char *path;     /* "/v2/…" with its query */
    const char *location; /* absolute URL from registry_location; then path is not used */
    const char *what;     /* "checking sha256:…", for messages */
    struct strings headers;
    struct view body;
    int body_fd; /* -1: none */
    int64_t body_length;
    int stall_ms;
    size_t max_response;
    /* The answer. */
    struct http_response response;
    struct registry_failure failure;
    /* Inner state. */
    struct registry *registry; /* NULL: not under way */
    struct registry_call *next, *previous;
    registry_call_done *done;
    void *context;
    char *url;        /* of the last sending */
    char *redirected; /* where a redirect leads; NULL: none yet */
    int redirects, refused;
    bool waiting, due, authorized;
    uint64_t generation;
    struct http_transfer *transfer;
    struct loop_timer *timer;
};
void registry_call_init(struct registry_call *call, const char *method, const char *path, const char *what);
/* Cancels what is under way, without calling done. */
void registry_call_dispose(struct registry_call *call);
/* Sends it once: authentication and redirects are met here, retries are the caller's. `done` is called from the loop:
 * without an error for any answer that is neither of authentication nor one that may pass by itself (429, 5xx): those
 * are retryable errors. */
void registry_send(struct registry *registry, struct registry_call *call, registry_call_done *done, void *context);
/* The same with retries, pumping the loop. */
int registry_perform(struct registry *registry, struct registry_call *call, struct error *err);
/* The error that an answer is. Returns -1. */
int registry_refusal(const struct registry *registry, const struct registry_call *call, struct error *err);
/* Bytes of the body that are on their way. */
int64_t registry_call_sent(const struct registry_call *call);

/* For authentication alone: goes on with a call that waited for it, or ends it. */
void registry_call_resume(struct registry_call *call, const struct error *error);

/* ---- the registry ---- */

struct registry {
    struct http_client *client;
    struct loop *loop;
    struct oci_repository repository;
    char *shown; /* "host/path", for messages */
    char *host;  /* that is talked to: Docker Hub's is another than its name */
    char *name;  /* path within it */
    bool https, https_certain, insecure;
    int (*credentials)(void *context, bool renew, struct registry_credentials *credentials, struct error *err);
    void *context;
    const bool *stop;
    int max_attempts;
    struct registry_auth auth;
    struct registry_call *calls; /* under way */
    int64_t hold_until_ms;       /* it wants to be left alone until then */
};

/* Tokens are asked for with the right to delete from now on. */
void registry_wants_deletion(struct registry *registry);
struct retry registry_retry(const struct registry *registry);
bool registry_stopped(const struct registry *registry);
/* "/v2/NAME/…". Caller frees. */
char *registry_path(const struct registry *registry, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *registry_url(const struct registry *registry, const char *path);

/* Where a Location leads, seen from the URL that was asked: no downgrade from https, no user or password. 0 or the error
 * "redirect-refused". Caller frees *url. */
int registry_location(const struct registry *registry, const char *asked, const char *location, char **url,
                      struct error *err);
/* Whether a URL is the registry's own: its Authorization goes nowhere else. */
bool registry_is_own(const struct registry *registry, const char *url);
/* Whether plain http to this host is allowed. */
bool registry_allows_http(const struct registry *registry, const char *host);

/* Whether a call can be sent now; else it waits, and authentication begins. */
bool registry_auth_ready(struct registry *registry);
void registry_auth_begin(struct registry *registry);
/* A call was refused: true when it is to wait for another token or password. */
bool registry_auth_refused(struct registry_call *call);
void registry_auth_init(struct registry *registry);
void registry_auth_dispose(struct registry *registry);

#endif
