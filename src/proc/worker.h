/*
 * Work on hostile input is done in a child of ours: our own binary again (`caisson --worker NAME`), with an empty
 * environment, the request as one JSON document on standard input, and one JSON message a line on standard output:
 *   {"type":"log","level":"info|warning|debug","text":…}   {"type":"progress","text":…}
 *   {"type":"mark", …}   worker-defined, e.g. the publisher's point of no return
 *   {"type":"error","class":N,"reason":…,"message":…,"hint":…,"retryable":B,"retry_after_ms":N}   or
 *   {"type":"result","value":…}   exactly one of the two, last.
 * Both ends bound every message; a child that dies, or says nonsense, is an error of the class that the caller names.
 */
#ifndef CAISSON_PROC_WORKER_H
#define CAISSON_PROC_WORKER_H

#include <jansson.h>

#include "core/error.h"
#include "core/log.h"
#include "proc/executor.h"

/* ---- the child's side ---- */

struct worker; /* the child's handle to report with */

struct worker_entry {
    const char *name;
    /* Returns a new reference to the result value, or NULL with *err filled. request is borrowed. */
    json_t *(*run)(struct worker *worker, const json_t *request, struct error *err);
};
/* Reads the request from in_fd, runs the entry, writes result or error to out_fd. The exit code for main. */
int worker_main(const struct worker_entry *entry, int in_fd, int out_fd);
void worker_info(struct worker *worker, const char *format, ...) __attribute__((format(printf, 2, 3)));
void worker_warning(struct worker *worker, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* At most ten a second get through; the rest is dropped here. */
void worker_progress(struct worker *worker, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Takes the message; "type" is set here. */
void worker_mark(struct worker *worker, json_t *message);

/* ---- the parent's side ---- */

struct worker_call {
    const char *name;      /* of the entry */
    const char *what;      /* for messages: "checkout" */
    const json_t *request; /* borrowed; may hold secrets: it travels by the pipe only */
    enum command_user user;
    const char *directory; /* NULL: "/" */
    int64_t timeout_ms;    /* 0: none */
    int64_t idle_ms;       /* no message for so long; 0: none */
    int64_t grace_ms;
    enum error_class crash_class; /* when the child dies without an answer */
    void (*on_mark)(void *context, const json_t *message);
    void *context;
};
/* 0 and *value (caller frees with json_decref) or -1. A stop gives CLASS_INTERRUPTED, the time limit CLASS_TIME_LIMIT
 * with reason "<what>-timeout". */
int worker_run(struct executor *executor, struct log *log, const struct worker_call *call, json_t **value,
               struct outcome *outcome, struct error *err);

#endif
