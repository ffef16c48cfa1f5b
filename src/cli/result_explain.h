/* A result document in words, for whoever asks why a job ended as it did. The document may be anybody's. */
#ifndef CAISSON_CLI_RESULT_EXPLAIN_H
#define CAISSON_CLI_RESULT_EXPLAIN_H

#include <jansson.h>

#include "report/log_query.h"

/* Prints it on standard output. `name` is where it was read from: the log that it names is read too where that leads
 * nowhere else. links: the reader shows them (report/links.h). */
void result_explain(const json_t *document, const char *name, const struct log_access *access, bool links);

#endif
