/*
 * Checkout of one commit at depth 1 with libgit2. Runs in a child (worker "checkout") as the build's uid: packs and
 * trees are hostile. The token lives in the child's memory alone: never in a URL, argv, .git/config or a message.
 */
#ifndef CAISSON_GIT_CHECKOUT_H
#define CAISSON_GIT_CHECKOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "core/strings.h"
#include "proc/worker.h"

struct checkout_request {
    char *repository;           /* URL: https, http, file; user info in it is refused before it comes here */
    char *ref;                  /* what it was resolved from: "refs/heads/main"; NULL: a commit's id */
    char *commit;               /* full hex id; wins over ref; NULL: none */
    char *directory;            /* where to: a folder that does not exist or is empty; absolute */
    char *username;             /* NULL: "x-access-token" when there is a password */
    char *password;             /* password or token; NULL: anonymous */
    char *ca_bundle;            /* NULL: the system's */
    char *proxy;                /* NULL: none */
    char *no_proxy;             /* comma list of hosts */
    int64_t connect_timeout_ms; /* 0: 10 s */
    int64_t max_bytes;          /* of the worktree and pack; 0: none */
};
void checkout_request_dispose(struct checkout_request *request); /* wipes */

struct checkout_result {
    char commit[65];
    char *ref;         /* what it was resolved from: "refs/heads/main"; NULL: a commit's id */
    char *named_ref;   /* the full name of the request's ref, also where a commit was named; NULL: none, or not there */
    char *default_ref; /* what the remote's HEAD stands for: "refs/heads/main"; NULL: the server does not say */
    char *subject;     /* first line of the commit's message, cleaned */
    int64_t commit_time_ms;
    int64_t files, bytes_received, objects;
    int64_t duration_ms;
};
void checkout_result_dispose(struct checkout_result *result);

/* In this process. Classes 20, 21, 22, 23, CLASS_DISK_FULL; retryable where it can pass by itself. The worktree is left
 * with a plain .git folder without remote credentials. */
int checkout(struct worker *worker, const struct checkout_request *request, struct checkout_result *result,
             struct error *err);

/* In a child: fills a worker_call and reads the answer back. One attempt; retries are the job's. */
int checkout_run(struct executor *executor, struct log *log, const struct checkout_request *request, int64_t timeout_ms,
                 struct checkout_result *result, struct error *err);
extern const struct worker_entry checkout_worker;

#endif
