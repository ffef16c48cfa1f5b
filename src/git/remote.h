/*
 * One server, as libgit2 speaks to it: credentials for the host that was named and no other, each given once; a proxy
 * by our own rules; limits. remote_open … remote_close; the request is borrowed between them.
 */
#ifndef CAISSON_GIT_REMOTE_H
#define CAISSON_GIT_REMOTE_H

#include <git2.h>

#include "git/checkout.h"
#include "net/http.h"

enum credential_refusal {
    CREDENTIAL_FINE,
    CREDENTIAL_MISSING,    /* the server wants some, we have none */
    CREDENTIAL_REJECTED,   /* ours were given and not taken */
    CREDENTIAL_OTHER_HOST, /* a redirect led elsewhere, where ours do not go */
};

struct remote {
    const struct checkout_request *request; /* borrowed */
    struct worker *worker;                  /* borrowed; NULL: nobody to report to */
    struct url url;
    char *shown; /* the repository for messages: without user info and query */
    bool local;  /* file: … */
    char *path;  /* … in this folder */
    bool use_proxy;
    git_remote *remote;
    const git_remote_head **heads; /* of the connected remote */
    size_t head_count;
    int64_t bytes_received;
    int64_t objects;
    bool too_large;
    int credentials_given;
    enum credential_refusal refusal;
    char *refusing_host;
};

/* Connects and lists the references. */
int remote_open(struct remote *remote, git_repository *repository, const struct checkout_request *request,
                struct worker *worker, struct error *err);
void remote_close(struct remote *remote);
/* Fetches what a refspec names. depth 0: all of its history. The raw libgit2 result; *err is not filled. */
int remote_fetch(struct remote *remote, const char *refspec, int depth);

/* Whether a host is among a NO_PROXY list ("*", "example.com", ".example.com", "host:port"). */
bool no_proxy_has(const char *no_proxy, const char *host, const char *port);

#endif
