/* A local executor of the test's own, and commands whose output is kept, for tests of what runs commands. */
#ifndef CAISSON_TESTS_EXECUTOR_FIXTURE_H
#define CAISSON_TESTS_EXECUTOR_FIXTURE_H

#include "proc/executor.h"

/* Any uid but root; need not be in passwd. */
#define BUILD_UID 12345
#define BUILD_GID 12346

struct executor_fixture {
    struct loop *loop;
    struct reaper *reaper;
    struct executor *executor;
    struct executor_options options;
    struct command command;
    struct outcome outcome;
    struct error err;
    struct buf output;
    size_t bytes, error_bytes;
};

/* Whether the kernel runs this very binary: not under user-mode emulation. It is run as "caisson --say nothing", which
 * main must answer by ending with 0. */
bool executor_runs_self(void);
/* Whether the orphans of a command come to us, as its left-overs do: not under user-mode emulation. */
bool executor_adopts_orphans(void);
int executor_setup(void **state);
int executor_teardown(void **state);
/* on_output of all commands here; context is the fixture. */
void executor_keep_output(void *context, bool is_stderr, const char *data, size_t len);
/* Fills f->command with `sh -c script`. */
struct command *executor_shell(struct executor_fixture *f, const char *script);
/* Runs f->command and disposes it; the test fails when it cannot be started. */
void executor_run_prepared(struct executor_fixture *f);
void executor_run_shell(struct executor_fixture *f, const char *script);

#endif
