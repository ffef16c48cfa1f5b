/*
 * Values from where a spec says that they come from. All that cannot be had is one error, which names each.
 * Life cycle: gather_begin, remote_values_add of each that may be remote, remote_values_fetch, gather_value of each,
 * gather_end.
 */
#ifndef CAISSON_JOB_GATHER_H
#define CAISSON_JOB_GATHER_H

#include "job/job.h"
#include "job/remote_values.h"

struct gathering { /* begins empty; fields are gather.c's but for the first two */
    struct job *job;
    struct remote_values *remote;
    struct buf missing, hints;
    size_t untold;      /* that did not fit */
    bool failed, mixed; /* mixed: for several reasons */
    struct error worst; /* one that no second attempt mends, if there is one */
};

void gather_begin(struct gathering *gathering, struct job *job);
/* The value of a source; NULL: there is none, or it cannot be had, which is noted under `name`. Caller frees with
 * secret_free. */
char *gather_value(struct gathering *gathering, const struct value_source *source, const char *name);
/* 0, or -1 and what could not be had. */
int gather_end(struct gathering *gathering, struct error *err);

/* From now on the value is not in logs and results. NULL is fine. */
void job_hide(const struct job *job, const char *value, const char *name);

#endif
