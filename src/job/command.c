#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "core/utf8.h"
#include "job/command.h"
#include "job/guard.h"
#include "job/job.h"
#include "job/secret_files.h"

#define TAIL_MAX (16 * 1024)

/* The last of a command's output, kept to class its failure. */
struct capture {
    struct job *job;
    struct buf tail;
};

static void on_output(void *context, bool is_stderr, const char *data, size_t len)
{
    struct capture *capture = context;
    size_t keep = len < TAIL_MAX / 2 ? len : TAIL_MAX / 2;

    log_output(capture->job->options->log, is_stderr, data, len);
    if (capture->tail.len + keep > TAIL_MAX)
        buf_consume(&capture->tail, capture->tail.len + keep - TAIL_MAX);
    buf_add(&capture->tail, data + len - keep, keep);
}

static bool tail_matches(const struct buf *tail, const char *pattern)
{
    regex_t regex;
    bool found;

    if (regcomp(&regex, pattern, REG_EXTENDED | REG_ICASE | REG_NOSUB))
        return false;
    found = regexec(&regex, buf_text(tail), 0, NULL, 0) == 0;
    regfree(&regex);
    return found;
}

/*
 * What package managers say when the network, not the project, failed: npm and pnpm print Node's error codes, yarn its
 * own words, all of them the status of a registry's answer.
 */
#define NETWORK_FAILURE                                                                                                \
    "ECONNRESET|ETIMEDOUT|ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ESOCKETTIMEDOUT|EPIPE|ERR_SOCKET_TIMEOUT|"                  \
    "socket hang up|network timeout|FETCH_ERROR|getaddrinfo|"                                                          \
    "(npm (error|ERR!)|ERR_PNPM_FETCH_|Request failed|Response Code|code E)[^0-9]*(429|500|502|503|504)"

/* A builder image without git, Python and compilers: node-gyp's words, and those of npm, pnpm and yarn about git. */
#define TOOLS_MISSING                                                                                                  \
    "gyp ERR! find Python|gyp ERR! stack Error: not found: make|(npm error|npm ERR!) syscall spawn git|"               \
    "spawn git ENOENT|Couldn't find the binary git"

/* V8's last words. */
#define NODE_HEAP "JavaScript heap out of memory|Reached heap limit Allocation failed"

/* "sh: 3: vite: not found", "bash: line 3: vite: command not found", "/bin/sh: ./x: Permission denied". */
#define SHELL_WORDS                                                                                                    \
    "sh: (line )?([0-9]+: )?(exec: )?([^:\n]+: [^:\n]*(not found|denied|format error|no such file)[^:\n]*)$"

/* Adds what the shell said last about a command that it could not run: the name stands in the middle of a script. */
static void add_shell_words(const struct buf *tail, struct error *err)
{
    const char *at = buf_text(tail);
    regmatch_t match[5];
    regex_t regex;
    struct buf words, clean;
    size_t len = strlen(err->message);

    if (regcomp(&regex, SHELL_WORDS, REG_EXTENDED | REG_ICASE | REG_NEWLINE))
        return;
    buf_init(&words, 256);
    buf_init(&clean, 512);
    for (; regexec(&regex, at, ARRAY_LEN(match), match, 0) == 0; at += match[0].rm_eo) {
        buf_reset(&words);
        buf_add(&words, at + match[4].rm_so, (size_t)(match[4].rm_eo - match[4].rm_so));
    }
    utf8_repair((struct view){words.data, words.len}, &clean);
    if (clean.len && strcspn(buf_text(&clean), "\033\r\b") == clean.len && len + clean.len + 4 < sizeof err->message)
        snprintf(err->message + len, sizeof err->message - len, " (%s)", buf_text(&clean));
    buf_dispose(&words);
    buf_dispose(&clean);
    regfree(&regex);
}

static int fail_by_kind(const struct job *job, const struct outcome *outcome, const char *step, int64_t timeout_ms,
                        struct error *err)
{
    char time[CLOCK_TEXT_SIZE];

    if (outcome->kind == OUTCOME_TIMED_OUT) {
        duration_format(timeout_ms, time);
        error_set(err, CLASS_TIME_LIMIT, "step-timeout", "%s reached its time limit of %s", step, time);
        return error_hint(err, "raise `timeouts.%s`, or find in the log what took so long", step);
    }
    duration_format(job->spec.timeouts.idle_ms, time);
    error_set(err, CLASS_TIME_LIMIT, "idle-timeout", "%s printed nothing for %s and was ended", step, time);
    return error_hint(err, "raise `timeouts.idle`, or find out what the command waits for (a question on a terminal?)");
}

int job_command_ended(const struct job *job, const struct outcome *outcome, const char *step, int64_t timeout_ms,
                      struct error *err)
{
    if (outcome->kind == OUTCOME_TIMED_OUT || outcome->kind == OUTCOME_IDLE)
        return fail_by_kind(job, outcome, step, timeout_ms, err);
    if (outcome->kind == OUTCOME_STOPPED)
        return error_set(err, CLASS_INTERRUPTED, "interrupted", "%s was stopped", step);
    return 0;
}

static int fail_by_exit(const struct job *job, const struct outcome *outcome, const char *step, const char *name,
                        enum error_class failure, const struct capture *capture, struct error *err)
{
    struct buf words;
    char reason[48];

    buf_init(&words, 1024);
    outcome_describe(outcome, name, &words);
    snprintf(reason, sizeof reason, "%s-failed", step);
    error_set(err, failure, reason, "%s", buf_text(&words));
    if (outcome->out_of_memory || outcome->kind == OUTCOME_MEMORY)
        guard_memory_error(job, outcome, step, buf_text(&words), err);
    else if (guard_disk_full(job) || tail_matches(&capture->tail, "ENOSPC|no space left on device"))
        guard_disk_error(job, "disk-full", buf_text(&words), err);
    else if (tail_matches(&capture->tail, NODE_HEAP)) {
        err->class = CLASS_OUT_OF_MEMORY;
        snprintf(err->reason, sizeof err->reason, "node-heap-limit");
        error_hint(err, "raise NODE_OPTIONS=--max-old-space-size, and the task's memory with it");
    } else if (outcome->kind == OUTCOME_EXITED && tail_matches(&capture->tail, TOOLS_MISSING)) {
        snprintf(err->reason, sizeof err->reason, "build-tools-missing");
        error_hint(err, "git dependencies and native modules need git, Python, make or g++: run the job in the builder "
                        "image node-full, which has them");
    } else if (outcome->kind == OUTCOME_EXITED && strcmp(step, "install") == 0 &&
               tail_matches(&capture->tail, NETWORK_FAILURE)) {
        snprintf(err->reason, sizeof err->reason, "registry-unreachable");
        error_retryable(err, 0);
        error_hint(err, "the package registry did not answer as it should; the log has its words");
    } else if (outcome->kind == OUTCOME_SIGNALED) {
        snprintf(err->reason, sizeof err->reason, "%s-killed", step);
    } else if (outcome->exit_code == 127 || outcome->exit_code == 126) {
        snprintf(err->reason, sizeof err->reason, outcome->exit_code == 127 ? "command-not-found" : "not-executable");
        add_shell_words(&capture->tail, err);
        error_hint(err, "is the tool in the builder image, or in the project's dependencies? node-full has git, "
                        "Python, make and g++");
    }
    buf_dispose(&words);
    if (outcome->kind == OUTCOME_EXITED)
        err->child_exit = outcome->exit_code;
    else
        err->child_signal = outcome->signal;
    return -1;
}

void job_note_usage(struct job *job, const struct outcome *outcome)
{
    guard_note_memory(job, outcome);
    if (outcome->out_of_memory && outcome_ok(outcome))
        log_warning(job->options->log, "memory ran out and the kernel killed a process, though the command ended well");
    if (outcome->left_over)
        log_warning(job->options->log, "ended %d left-over %s of the command", outcome->left_over,
                    outcome->left_over == 1 ? "process" : "processes");
}

int job_command(struct job *job, const char *step, const char *command_line, enum error_class failure,
                int64_t timeout_ms, struct error *err)
{
    /* A script stands in the log as it began; messages need no copy of it. */
    const char *name = strchr(command_line, '\n') ? "the commands" : command_line;
    struct capture capture = {.job = job};
    struct secret_files *files;
    struct command command;
    struct outcome outcome;
    int status;

    if (secret_files_make(&files, job, step, err))
        return -1;
    log_command(job->options->log, command_line);
    buf_init(&capture.tail, TAIL_MAX + 1);
    command_init(&command, name);
    strings_add(&command.argv, "/bin/sh");
    strings_add(&command.argv, "-c");
    strings_add(&command.argv, command_line);
    job_environment(job, step, &command.env);
    command.directory = job->project;
    command.workspace = job->workspace;
    command.limits = job_limits(job);
    command.timeout_ms = timeout_ms;
    command.memory = guard_memory(job);
    command.idle_ms = job->spec.timeouts.idle_ms;
    command.on_output = on_output;
    command.context = &capture;
    status = executor_run(job->options->executor, &command, &outcome, err);
    secret_files_remove(files);
    log_output_flush(job->options->log);
    if (status == 0) {
        job_note_usage(job, &outcome);
        status = job_command_ended(job, &outcome, step, timeout_ms, err);
        if (status == 0 && !outcome_ok(&outcome))
            status = fail_by_exit(job, &outcome, step, name, failure, &capture, err);
    }
    command_dispose(&command);
    buf_wipe(&capture.tail);
    return status;
}
