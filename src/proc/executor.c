#include "proc/executor.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "proc/executor_internal.h"

/* A new kind of executor: a file that defines its struct executor_kind, and a word here. */
static const struct executor_kind *const executor_table[] = {&executor_local, &executor_sandbox};

int executor_new(struct executor **out, const char *name, const struct executor_options *options, struct error *err)
{
    struct executor *executor;
    size_t i;

    for (i = 0; i < ARRAY_LEN(executor_table); i++)
        if (strcmp(executor_table[i]->name, name) == 0)
            break;
    if (i == ARRAY_LEN(executor_table)) {
        error_set(err, CLASS_USAGE, "unknown-executor", "there is no executor \"%.64s\"", name);
        return error_hint(err, "executors of this version: local, sandbox");
    }
    executor = xcalloc(1, sizeof *executor);
    executor->kind = executor_table[i];
    executor->options = *options;
    if (executor->kind->open && executor->kind->open(executor, err)) {
        free(executor);
        return -1;
    }
    *out = executor;
    return 0;
}

void executor_free(struct executor *executor)
{
    if (executor->kind->close)
        executor->kind->close(executor);
    free(executor);
}

const char *executor_name(const struct executor *executor)
{
    return executor->kind->name;
}

void executor_describe(const struct executor *executor, struct buf *out)
{
    executor->kind->describe(executor, out);
}

int executor_run(struct executor *executor, const struct command *command, struct outcome *outcome, struct error *err)
{
    int status;

    memset(outcome, 0, sizeof *outcome);
    if (executor->stopping)
        return error_set(err, CLASS_INTERRUPTED, "stopping", "%s: not started, because the job is being stopped",
                         command->name);
    if (executor->run)
        return error_set(err, CLASS_INTERNAL, "executor-busy", "%s: not started, because another command still runs",
                         command->name);
    executor->ended = false;
    executor->running = true;
    status = executor->kind->run(executor, command, outcome, err);
    executor->running = false;
    /* A command that has ended by itself meanwhile has met no limit. */
    if (status == 0 && executor->ended && !outcome_ok(outcome))
        outcome->kind = executor->end_kind;
    return status;
}

void executor_stop(struct executor *executor, int64_t deadline_ms)
{
    if (!executor->stopping || deadline_ms < executor->deadline_ms)
        executor->deadline_ms = deadline_ms;
    executor->stopping = true;
    if (executor->run || executor->sandbox)
        executor->kind->stop(executor, executor->deadline_ms);
}

void executor_resume(struct executor *executor)
{
    executor->stopping = false;
}

int executor_finish(struct executor *executor, struct error *err)
{
    return executor->kind->finish ? executor->kind->finish(executor, err) : 0;
}

void executor_kill(struct executor *executor)
{
    if (executor->run || executor->sandbox)
        executor->kind->kill(executor);
}

void executor_hold(struct executor *executor, bool hold)
{
    if (executor->run && executor->kind->hold)
        executor->kind->hold(executor, hold);
}

bool executor_end(struct executor *executor, enum outcome_kind kind)
{
    if (executor->running && !executor->ended) {
        executor->ended = true;
        executor->end_kind = kind;
        executor->kind->kill(executor);
    }
    return executor->running;
}

bool executor_stopping(const struct executor *executor)
{
    return executor->stopping;
}
