/*
 * What steps say goes through here: redacted, cut into lines, made valid UTF-8, cleaned (core/lines.h: of escape
 * sequences only colours stay, and only in the output of commands), stamped with the time and the step, and appended
 * to the spool. Rendering for people or machines is the console's business (report/console.h). Nothing in a command's
 * output is an instruction to us: there are no workflow commands ("::error::" is text like any other).
 *
 * A message of ours may have several lines: those after the first are indented by two spaces. It is cut at 256 KiB.
 * The result is one line: over SPOOL_LINE_MAX it is cut into several records.
 */
#ifndef CAISSON_CORE_LOG_H
#define CAISSON_CORE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/redact.h"
#include "core/spool.h"

struct log;

/* Both are borrowed and outlive the log. */
struct log *log_new(struct spool *spool, struct redactor *redactor);
void log_free(struct log *log);

void log_info(struct log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_warning(struct log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_error(struct log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_debug(struct log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Without the "$ " before it, which is the console's. */
void log_command(struct log *log, const char *command_line);
void log_progress(struct log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Flushes the output streams first. */
void log_result(struct log *log, const char *summary);

/* Records belong to the step between its begin and its end, to none ("") outside. */
/* Called with each line of a warning as it was logged, redacted: the result lists them. */
void log_on_warning(struct log *log, void (*call)(void *context, const char *text), void *context);

void log_step_begin(struct log *log, const char *step);
/* Flushes the output streams first, so that no line of the step comes after its end. */
void log_step_end(struct log *log, bool ok, int attempts, int64_t duration_ms);
/* Shown nowhere; tells consumers far away that the job lives. */
void log_heartbeat(struct log *log, int64_t duration_ms);

/* Bytes of a command's output as they come. An unfinished line is held, for standard output and error each. Lines
 * longer than SPOOL_LINE_MAX are cut; a carriage return within a line (progress bars) keeps only what follows the last
 * one. */
void log_output(struct log *log, bool is_stderr, const char *data, size_t len);
/* Gives out held parts (unfinished lines) after a pause or at the end of a command. */
void log_output_flush(struct log *log);

#endif
