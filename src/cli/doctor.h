/*
 * `caisson doctor`: whether what a job needs is there. A check looks at one family of things and adds a row for each; it
 * never ends the others. What can be looked at without changing anything is looked at so; the one exception is asked for
 * by name (--write). No row holds a secret: what is fetched for a look is wiped.
 *
 * A new check: a function in one of the doctor_*.c files and one line in the table of cmd_doctor.c.
 */
#ifndef CAISSON_CLI_DOCTOR_H
#define CAISSON_CLI_DOCTOR_H

#include "cli/setup.h"
#include "job/remote_values.h"

enum doctor_status { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_FAILED, DOCTOR_SKIPPED };

struct doctor_row {
    const char *check; /* static: its name in the table */
    char *subject;     /* what was looked at */
    enum doctor_status status;
    struct error error; /* of a row that is ok or skipped the message alone */
};

#define DOCTOR_CHECK_MS (10 * 1000) /* one check */
#define DOCTOR_ALL_MS (60 * 1000)

struct doctor {
    struct setup setup;
    struct spec spec;
    char *spec_name; /* NULL: none was given */
    bool has_spec;   /* and it is one */
    bool in_task;    /* of ECS */
    bool contained;  /* PID 1, or in a task */
    bool write;
    bool no_credentials; /* there are none that could be used, which was said */
    bool stop;           /* the time of the check that runs is over, or a stop signal came */
    bool stopped;        /* a stop signal came */
    int64_t deadline_ms; /* monotonic: of all */
    const char *check;   /* that runs */
    const char *hint;    /* of its failures that bring none; NULL: none */
    bool task_asked;
    json_t *task, *container;     /* metadata of the task and of our own container; NULL: none */
    struct remote_values *remote; /* NULL: nothing has been fetched */
    struct doctor_row *rows;
    size_t rows_len;
};

/* ---- rows (doctor.c) ---- */

void doctor_ok(struct doctor *doctor, const char *subject, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void doctor_skip(struct doctor *doctor, const char *subject, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A call that was given up because its time was over says so. */
void doctor_warn(struct doctor *doctor, const char *subject, const struct error *err);
void doctor_fail(struct doctor *doctor, const char *subject, const struct error *err);
/* DOCTOR_FAILED or DOCTOR_WARNING. */
void doctor_add(struct doctor *doctor, const char *subject, enum doctor_status status, const struct error *err);

/* The class of the first failure, CLASS_SUCCEEDED when there is none. */
enum error_class doctor_verdict(const struct doctor *doctor);
/* The document; caller frees with json_decref. */
json_t *doctor_document(const struct doctor *doctor);
json_t *doctor_schema(void);
/* Lines for people. */
void doctor_print(const struct doctor *doctor, bool colour, struct buf *out);
void doctor_rows_dispose(struct doctor *doctor);

/* ---- what several checks ask ---- */

/* Whether the job, as far as it is known, has to do with AWS at all. */
bool doctor_needs_aws(const struct doctor *doctor);
/* The region that is called; NULL: not known. Borrowed. */
const char *doctor_region(const struct doctor *doctor);
/* A GET without credentials by the setup's client, pumping the loop. The caller disposes of the response, also on
 * failure. 0 whatever the answer's status. */
int doctor_get(struct doctor *doctor, const char *url, const struct strings *headers, size_t max_response,
               struct http_response *response, struct error *err);
/* The value of a source, as the job would get it; NULL and *err. Remote ones must have been fetched (doctor_values.c).
 * Caller frees with wipe_free. */
char *doctor_value(const struct doctor *doctor, const struct value_source *source, struct error *err);
/* Whether a value of the spec comes from such a place. */
bool doctor_uses(const struct spec *spec, int kind);
/* Fetches all values that the spec names; a second call does nothing. */
void doctor_fetch_values(struct doctor *doctor);
/* Fetches the task's metadata once; false: there is none, or it does not answer, which the check `task` says. */
bool doctor_task_known(struct doctor *doctor);

/* ---- the checks ---- */

void doctor_check_spec(struct doctor *doctor);        /* cmd_doctor.c */
void doctor_check_task(struct doctor *doctor);        /* doctor_task.c */
void doctor_check_log(struct doctor *doctor);         /* doctor_task.c */
void doctor_check_exec(struct doctor *doctor);        /* doctor_task.c */
void doctor_check_sandbox(struct doctor *doctor);     /* doctor_task.c */
void doctor_check_kernel(struct doctor *doctor);      /* doctor_kernel.c */
void doctor_check_process(struct doctor *doctor);     /* doctor_kernel.c */
void doctor_check_memory(struct doctor *doctor);      /* doctor_machine.c */
void doctor_check_workspace(struct doctor *doctor);   /* doctor_machine.c */
void doctor_check_ca(struct doctor *doctor);          /* doctor_machine.c */
void doctor_check_programs(struct doctor *doctor);    /* doctor_machine.c */
void doctor_check_region(struct doctor *doctor);      /* doctor_credentials.c */
void doctor_check_credentials(struct doctor *doctor); /* doctor_credentials.c */
void doctor_check_clock(struct doctor *doctor);       /* doctor_network.c */
void doctor_check_endpoints(struct doctor *doctor);   /* doctor_network.c */
void doctor_check_secrets(struct doctor *doctor);     /* doctor_values.c */
void doctor_check_source(struct doctor *doctor);      /* doctor_source.c */
void doctor_check_bucket(struct doctor *doctor);      /* doctor_bucket.c */
void doctor_check_notify(struct doctor *doctor);      /* doctor_notify.c */
void doctor_check_cancel(struct doctor *doctor);      /* doctor_cancel.c */
void doctor_check_registry(struct doctor *doctor);    /* doctor_registry.c */

/* ---- pieces of them, for tests ---- */

/* What a container's metadata (json) says of its log; adds a row. */
void doctor_judge_log(struct doctor *doctor, const json_t *container);
/* How far the clock is off: adds a row. `server` said it. */
void doctor_judge_clock(struct doctor *doctor, const char *server, int64_t off_ms);
/* Whether the answer to git's info/refs is one, and names a branch or tag; `ref` NULL: any. 0 or *err. */
int doctor_read_refs(struct view body, const char *ref, struct error *err);
/* Capabilities (bit set) that no builder should have, by name, "SYS_PTRACE, BPF". Appends. */
void doctor_name_capabilities(uint64_t set, struct buf *out);

#endif
