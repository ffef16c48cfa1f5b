#include "proc/worker.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "proc/worker_reader.h"

/* Of a worker's standard error (messages of libraries, sanitizers) so much goes to the log. */
#define STDERR_MAX 65536

struct conversation {
    struct executor *executor;      /* borrowed */
    struct log *log;                /* borrowed */
    const struct worker_call *call; /* borrowed */
    struct worker_reader reader;
    struct buf complaint; /* the current line of standard error */
    size_t complained;
};

static void on_log(void *context, enum worker_level level, const char *text)
{
    const struct conversation *conversation = context;

    switch (level) {
    case WORKER_DEBUG: log_debug(conversation->log, "%s", text); break;
    case WORKER_INFO: log_info(conversation->log, "%s", text); break;
    case WORKER_WARNING: log_warning(conversation->log, "%s", text); break;
    }
}

static void on_progress(void *context, const char *text)
{
    const struct conversation *conversation = context;

    log_progress(conversation->log, "%s", text);
}

static void on_mark(void *context, const json_t *message)
{
    const struct conversation *conversation = context;

    if (conversation->call->on_mark)
        conversation->call->on_mark(conversation->call->context, message);
}

static void flush_complaint(struct conversation *conversation)
{
    if (conversation->complaint.len)
        log_debug(conversation->log, "%s: %s", conversation->call->what, buf_text(&conversation->complaint));
    buf_reset(&conversation->complaint);
}

static void take_stderr(struct conversation *conversation, const char *data, size_t len)
{
    size_t i;

    for (i = 0; i < len && conversation->complained < STDERR_MAX; i++, conversation->complained++) {
        if (data[i] == '\n')
            flush_complaint(conversation);
        else if (data[i] && buf_addc(&conversation->complaint, data[i]))
            flush_complaint(conversation);
    }
}

static void on_output(void *context, bool is_stderr, const char *data, size_t len)
{
    struct conversation *conversation = context;

    if (is_stderr)
        take_stderr(conversation, data, len);
    else if (worker_reader_feed(&conversation->reader, data, len))
        executor_kill(conversation->executor);
}

/* "<what>-<suffix>" as an error's reason. */
static int fail(const struct worker_call *call, enum error_class class, const char *suffix, const char *text,
                struct error *err)
{
    char reason[64];

    snprintf(reason, sizeof reason, "%.40s-%s", call->what, suffix);
    return error_set(err, class, reason, "%s", text);
}

static int explain(const struct conversation *conversation, const struct outcome *outcome, struct error *err)
{
    const struct worker_call *call = conversation->call;
    const char *nonsense = conversation->reader.nonsense;
    struct buf text;
    int result;

    buf_init(&text, 1024);
    outcome_describe(outcome, call->what, &text);
    if (outcome->kind == OUTCOME_STOPPED)
        result = error_set(err, CLASS_INTERRUPTED, "interrupted", "%s", buf_text(&text));
    else if (outcome->kind == OUTCOME_TIMED_OUT)
        result = fail(call, CLASS_TIME_LIMIT, "timeout", buf_text(&text), err);
    else if (outcome->kind == OUTCOME_IDLE)
        result = fail(call, CLASS_TIME_LIMIT, "idle-timeout", buf_text(&text), err);
    else if (outcome->out_of_memory && outcome->kind == OUTCOME_SIGNALED)
        result = error_set(err, CLASS_OUT_OF_MEMORY, "out-of-memory", "%s", buf_text(&text));
    else {
        if (!text.len)
            buf_addf(&text, "%s: ended", call->what);
        if (nonsense[0])
            buf_addf(&text, "; its child process gave %s", nonsense);
        result = fail(call, call->crash_class, "crashed", buf_text(&text), err);
    }
    buf_dispose(&text);
    return result;
}

static int judge(struct conversation *conversation, const struct outcome *outcome, json_t **value, struct error *err)
{
    struct worker_reader *reader = &conversation->reader;
    bool spoke = worker_reader_finish(reader);

    /* A full answer counts even when a stop came meanwhile: what was done was done. */
    if (spoke && reader->value && outcome->signal == 0 && outcome->exit_code == 0) {
        *value = json_incref(reader->value);
        return 0;
    }
    if (spoke && reader->has_error) {
        if (err)
            *err = reader->error;
        return -1;
    }
    return explain(conversation, outcome, err);
}

static void fill_command(struct command *command, const struct worker_call *call)
{
    command_init(command, call->what);
    command->self = true;
    strings_add(&command->argv, "caisson");
    strings_add(&command->argv, "--worker");
    strings_add(&command->argv, call->name);
    command->user = call->user;
    command->directory = call->directory;
    command->timeout_ms = call->timeout_ms;
    command->idle_ms = call->idle_ms;
    command->grace_ms = call->grace_ms;
    command->on_output = on_output;
}

int worker_run(struct executor *executor, struct log *log, const struct worker_call *call, json_t **value,
               struct outcome *outcome, struct error *err)
{
    struct conversation conversation = {.executor = executor, .log = log, .call = call};
    const struct worker_sink sink = {on_log, on_progress, on_mark, &conversation};
    char *request = json_dumps(call->request, JSON_COMPACT | JSON_ENCODE_ANY);
    struct command command;
    int result;

    fill_command(&command, call);
    command.context = &conversation;
    command.input = view_of(request);
    worker_reader_init(&conversation.reader, call->what, &sink);
    buf_init(&conversation.complaint, 4096);
    result = executor_run(executor, &command, outcome, err);
    flush_complaint(&conversation);
    if (result == 0)
        result = judge(&conversation, outcome, value, err);
    worker_reader_dispose(&conversation.reader);
    buf_dispose(&conversation.complaint);
    command_dispose(&command);
    wipe_free(request);
    return result;
}
