#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/log_print.h"
#include "core/clock.h"
#include "core/mem.h"
#include "report/log_follow.h"

static int parse_tail(const char *text, int64_t *tail, struct error *err)
{
    char *end;

    if (!text)
        return 0;
    errno = 0;
    *tail = strtoll(text, &end, 10);
    if (errno == 0 && *end == '\0' && *text >= '0' && *text <= '9' && *tail >= 1 && *tail <= LOG_TAIL_MAX)
        return 0;
    return error_set(err, CLASS_USAGE, "bad-tail", "--tail cannot be %.100s: a number of lines, 1 to %d", text,
                     LOG_TAIL_MAX);
}

static int parse(const struct cli_call *call, struct log_query *query, struct error *err)
{
    const char *since = cli_value(call, "since");

    query->since.clock_s = -1;
    query->step = cli_value(call, "step");
    query->no_index = cli_flag(call, "no-index");
    if (call->operands_len < 1) {
        error_set(err, CLASS_USAGE, "too-few-arguments", "logs takes the place of a log");
        return error_hint(err, "caisson logs s3://bucket/key, caisson logs FILE");
    }
    if (parse_tail(cli_value(call, "tail"), &query->tail, err))
        return -1;
    return since ? log_since_parse(since, clock_wall_ms(), &query->since, err) : 0;
}

static void say(void *context, const char *text)
{
    (void)context;
    fflush(stdout);
    cli_print(stderr, "caisson: ", text);
}

static int read_once(const struct log_query *query, const struct log_access *access, const char *name,
                     struct error *err)
{
    CLEANUP_FREE char *note = NULL;
    struct log_source *source;
    int status;

    if (log_source_open(&source, access, name, err))
        return -1;
    status = log_query_run(query, access, source, &note, err);
    if (note)
        say(NULL, note);
    log_source_free(source);
    return status;
}

static void flush(void *context)
{
    (void)context;
    fflush(stdout);
}

static int print_logs(struct setup *setup, const struct cli_call *call, struct error *err)
{
    struct log_access access = log_access_of(setup);
    struct log_print print;
    struct log_query query = {.emit = log_print_line, .context = &print};
    struct log_follow follow = {.query = &query, .access = &access, .flush = flush, .say = say};
    int status;

    log_print_init(&print, cli_flag(call, "json"));
    if (parse(call, &query, err))
        return -1;
    status = cli_flag(call, "follow") ? log_follow(&follow, call->operands[0], err)
                                      : read_once(&query, &access, call->operands[0], err);
    /* a reader that has enough, such as head, is no failure */
    errno = 0;
    if ((fflush(stdout) || ferror(stdout)) && errno && errno != EPIPE && status == 0)
        status = error_set_errno(err, CLASS_PLATFORM, "write-failed", errno, "writing to standard output");
    return status;
}

static int run(const struct cli_call *call)
{
    struct setup setup;
    struct error err;
    int status = setup_init(&setup, call, NULL, &err);

    if (status == 0)
        status = print_logs(&setup, call, &err);
    if (status)
        status = cli_fail(&err, false);
    setup_dispose(&setup);
    return status;
}

static const struct cli_option options[] = {
    {"step", "NAME", "Only the lines of this step.", NULL},
    {"tail", "N", "Only the last N lines (of the step).", NULL},
    {"since", "TIME", "Only lines since then: a time of day (UTC), an RFC 3339 time, or how long ago (10m).", NULL},
    {"follow", NULL, "Go on until the job has ended: as a file grows, or once the log is stored.", NULL},
    {"json", NULL, "One JSON object a line: line, time, step, type, text.", NULL},
    {"no-index", NULL, "Read the whole log, as if no index lay beside it.", NULL},
    {"operator", "FILE", "The operator's file (default " OPERATOR_FILE ", when it exists).", NULL},
    {0},
};

static const char *const examples[] = {
    "caisson logs s3://acme-logs/j-42.log.gz --step build",
    "print what one step said, fetching only the parts of the log that hold it",
    "caisson logs events/j-42.log --follow",
    "print a job's lines from the file of a `notify` entry (events: [status, log]) while they are written",
    "caisson logs job.log.zst --json --tail 100",
    "the last 100 lines, for a program",
    NULL,
};

const struct cli_command cmd_logs = {
    .name = "logs",
    .arguments = "URL|FILE",
    .summary = "read a stored log, or follow one",
    .description =
        "Prints the log that a job has stored (`log` of its spec: s3://…, a file, or its https:// URL; plain, .gz or\n"
        ".zst), the file of a `notify` entry, or standard output that was saved. With the index beside it\n"
        "(LOG.index.json) only the parts that are wanted are fetched.",
    .examples = examples,
    .options = options,
    .max_operands = 1,
    .run = run,
};
