#include <stdlib.h>

#include "cli/commands.h"
#include "cli/setup.h"
#include "core/json.h"
#include "core/mem.h"

static void report(const struct problems *problems, const char *name, const struct error *err, bool json)
{
    struct buf text;

    if (json) {
        CLEANUP_JSON json_t *document = json_object();

        json_object_set_new(document, "valid", json_boolean(!err));
        json_object_set_new(document, "problems", problems_to_json(problems));
        if (err && !problems->len)
            json_put_text(document, "message", err->message);
        json_dumpf(document, stdout, cli_json_flags() | JSON_INDENT(2));
        fputc('\n', stdout);
        return;
    }
    if (!err) {
        printf("%s: valid\n", name);
        return;
    }
    buf_init(&text, 256 * 1024);
    problems_print(problems, name, &text);
    fputs(buf_text(&text), stderr);
    buf_dispose(&text);
    if (!problems->len)
        cli_fail(err, false);
}

static int run(const struct cli_call *call)
{
    struct setup setup;
    struct spec spec = {0};
    struct problems problems = {0};
    struct strings warnings = {0};
    struct error err;
    char *name = NULL;
    int status;

    if (setup_init(&setup, call, NULL, &err)) {
        setup_dispose(&setup);
        return cli_fail(&err, cli_flag(call, "json"));
    }
    status = setup_spec(&setup, &spec, &problems, &name, &warnings, &err);
    report(&problems, name ? name : "-", status ? &err : NULL, cli_flag(call, "json"));
    spec_dispose(&spec);
    problems_dispose(&problems);
    strings_dispose(&warnings);
    setup_dispose(&setup);
    free(name);
    return status ? (int)err.class : 0;
}

static const struct cli_option options[] = {
    SETUP_OPTIONS,
    {"json", NULL, "Print the mistakes as JSON.", NULL},
    {0},
};

static const char *const examples[] = {
    "caisson validate job.yaml",
    "say every mistake at once, with line and column",
    NULL,
};

const struct cli_command cmd_validate = {
    .name = "validate",
    .arguments = "[FILE|-]",
    .summary = "check a job spec and say every mistake",
    .examples = examples,
    .options = options,
    .max_operands = 1,
    .run = run,
};
