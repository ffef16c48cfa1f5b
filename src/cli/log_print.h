/* Lines of a stored log for people (as they were, or with colours on a terminal) and for machines. */
#ifndef CAISSON_CLI_LOG_PRINT_H
#define CAISSON_CLI_LOG_PRINT_H

#include "cli/setup.h"
#include "report/log_query.h"

struct log_print {
    bool json;     /* one object a line */
    bool terminal; /* colours, and nothing that moves a cursor */
    bool ended;    /* the line that ends a log was printed */
    const char *indent;
};

/* Of standard output. */
void log_print_init(struct log_print *print, bool json);
/* For a struct log_query; false once standard output takes nothing any more. */
bool log_print_line(void *print, const struct log_line *line);
/* Prints what anybody may have written, without what a terminal would take for commands; the lines behind the first
 * begin with `indent`. Ends with a newline. */
void log_print_safely(const char *text, size_t len, const char *indent);

/* How the command reaches logs. Borrows from setup. */
struct log_access log_access_of(struct setup *setup);

#endif
