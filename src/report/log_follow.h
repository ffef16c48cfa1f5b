/*
 * A log as it comes. A file that grows is read as it grows, until the job's last line. One that is stored when its job
 * ends (an object; a file with an index beside it) is waited for, and read then. Never ends by itself before that:
 * whoever follows, interrupts.
 */
#ifndef CAISSON_REPORT_LOG_FOLLOW_H
#define CAISSON_REPORT_LOG_FOLLOW_H

#include "report/log_query.h"

struct log_follow {
    const struct log_query *query;
    const struct log_access *access;
    void (*flush)(void *context);                 /* all that there is so far was emitted */
    void (*say)(void *context, const char *text); /* to whoever waits */
    void *context;
};

int log_follow(const struct log_follow *follow, const char *name, struct error *err);

#endif
