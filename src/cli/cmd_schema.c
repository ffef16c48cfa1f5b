#include <string.h>

#include "cli/commands.h"
#include "cli/doctor.h"
#include "core/json.h"
#include "report/event.h"
#include "report/result.h"
#include "spec/spec.h"

static int print_markdown(void)
{
    struct buf out;

    buf_init(&out, 1 << 20);
    spec_markdown(&out);
    fputs(buf_text(&out), stdout);
    buf_dispose(&out);
    return 0;
}

static int run(const struct cli_call *call)
{
    const char *what = call->operands_len ? call->operands[0] : "spec";
    CLEANUP_JSON json_t *schema = NULL;
    struct error err;

    if (cli_flag(call, "markdown"))
        return print_markdown();
    if (strcmp(what, "spec") == 0)
        schema = spec_schema();
    else if (strcmp(what, "result") == 0)
        schema = result_schema();
    else if (strcmp(what, "doctor") == 0)
        schema = doctor_schema();
    else if (strcmp(what, "events") == 0)
        schema = event_schema();
    if (!schema) {
        error_set(&err, CLASS_USAGE, "unknown-schema", "there is no schema %s; there are: spec, result, events, doctor",
                  what);
        return cli_fail(&err, false);
    }
    json_dumpf(schema, stdout, JSON_INDENT(2));
    fputc('\n', stdout);
    return 0;
}

static const struct cli_option options[] = {
    {"markdown", NULL, "Print the spec's reference (docs/spec.md) instead.", NULL},
    {0},
};

static const char *const examples[] = {
    "caisson schema spec > caisson.schema.json",
    "for editors and for checks before a job is sent",
    "caisson schema result",
    "the schema of the result document",
    "caisson schema events",
    "the schema of what `notify` sends, as CloudEvents in structured mode",
    NULL,
};

const struct cli_command cmd_schema = {
    .name = "schema",
    .arguments = "[spec|result|events|doctor]",
    .summary = "print the JSON Schema of the spec, the result, the events or doctor's document",
    .examples = examples,
    .options = options,
    .max_operands = 1,
    .run = run,
};
