/* What the result quotes of others: file names, URLs, refs, subjects, what a server or a command line said. */
#ifndef CAISSON_JOB_REDACT_RESULT_H
#define CAISSON_JOB_REDACT_RESULT_H

#include "core/redact.h"
#include "report/result.h"

/* In place, and what could break a line becomes "?". Warnings are those of the log, redacted there; id and project stay as the caller knows them. */
void redact_result(const struct redactor *redactor, struct result *result);
/* One text, in place; NULL is fine. */
void redact_in_place(const struct redactor *redactor, char *text);

#endif
