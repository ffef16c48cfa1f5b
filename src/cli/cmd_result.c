#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/log_print.h"
#include "cli/result_explain.h"
#include "core/json.h"
#include "core/mem.h"
#include "report/links.h"

#define RESULT_MAX ((size_t)8 << 20)

/* Who names the log or the file of `notify` in its place learns what there is for those. */
static int hint_at_result(struct error *err)
{
    return error_hint(err, "a result is what the spec's `result` has stored: JSON whose schema is caisson.result/1; "
                           "caisson logs reads a log, and the file of a `notify` entry");
}

static int not_a_result(const char *name, struct error *err)
{
    error_set(err, CLASS_USAGE, "not-a-result", "%.500s is no result of a job", name);
    return hint_at_result(err);
}

static json_t *load(const struct log_access *access, const char *place, struct error *err)
{
    struct log_source *source;
    json_t *document = NULL;
    struct buf text;

    if (log_source_open(&source, access, place, err))
        return NULL;
    buf_init(&text, RESULT_MAX);
    if (log_source_read_all(source, &text, err) == 0) {
        document = json_parse(text.data, text.len, CLASS_USAGE, log_source_name(source), err);
        if (!document)
            hint_at_result(err);
    } else if (strcmp(err->reason, "not-found") == 0)
        error_hint(err, "a result is stored when its job ends, where the spec's `result` says");
    if (document && strncmp(json_text(document, "schema", ""), "caisson.result/", 15) != 0) {
        not_a_result(log_source_name(source), err);
        json_decref(document);
        document = NULL;
    }
    buf_dispose(&text);
    log_source_free(source);
    return document;
}

static int explain(struct setup *setup, const struct cli_call *call, int *code, struct error *err)
{
    struct log_access access = log_access_of(setup);
    CLEANUP_JSON json_t *document = NULL;
    int64_t ended;

    if (call->operands_len < 1) {
        error_set(err, CLASS_USAGE, "too-few-arguments", "result takes the place of a result");
        return error_hint(err, "caisson result s3://bucket/key, caisson result FILE");
    }
    document = load(&access, call->operands[0], err);
    if (!document)
        return -1;
    if (cli_flag(call, "json")) {
        json_dumpf(document, stdout, cli_json_flags() | JSON_INDENT(2) | JSON_REAL_PRECISION(12));
        putchar('\n');
    } else {
        result_explain(document, call->operands[0], &access, links_shown(&setup->env, STDOUT_FILENO));
    }
    ended = json_int(document, "exit_code", CLASS_INTERNAL);
    if (cli_flag(call, "exit-code"))
        *code = ended >= 0 && ended < 256 ? (int)ended : CLASS_INTERNAL;
    return 0;
}

static int run(const struct cli_call *call)
{
    struct setup setup;
    struct error err;
    int code = 0, status = setup_init(&setup, call, NULL, &err);

    if (status == 0)
        status = explain(&setup, call, &code, &err);
    if (status)
        code = cli_fail(&err, cli_flag(call, "json"));
    setup_dispose(&setup);
    return code;
}

static const struct cli_option options[] = {
    {"json", NULL, "Print the document itself.", NULL},
    {"exit-code", NULL, "Exit as the job did, instead of with 0.", NULL},
    {"operator", "FILE", "The operator's file (default " OPERATOR_FILE ", when it exists).", NULL},
    {0},
};

static const char *const examples[] = {
    "caisson result s3://acme-results/j-42.json",
    "say why the job failed, with the last lines of the step that did",
    "caisson result result.json --exit-code",
    "the same of a file, and exit as the job did",
    NULL,
};

const struct cli_command cmd_result = {
    .name = "result",
    .arguments = "URL|FILE",
    .summary = "explain how a job ended",
    .description =
        "Explains the result that a job has stored (`result` of its spec: s3://…, a file, or its https:// URL): what\n"
        "failed and where, the last lines of that step from the stored log, what to do, what was published, what "
        "could\n"
        "not be delivered.",
    .examples = examples,
    .options = options,
    .max_operands = 1,
    .run = run,
};
