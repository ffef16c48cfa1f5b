#include "cli/commands.h"

static int run(const struct cli_call *call)
{
    const struct cli_command *command;
    struct error err;

    if (!call->operands_len) {
        cli_help(stdout);
        return 0;
    }
    command = cli_find(call->operands[0]);
    if (!command) {
        error_set(&err, CLASS_USAGE, "unknown-command", "there is no command %s", call->operands[0]);
        error_hint(&err, "caisson help lists them");
        return cli_fail(&err, false);
    }
    cli_help_command(command, stdout);
    return 0;
}

static const char *const examples[] = {
    "caisson help run",
    "the options of run, with examples",
    NULL,
};

const struct cli_command cmd_help = {
    .name = "help",
    .arguments = "[COMMAND]",
    .summary = "print help, the exit codes, or all about one command",
    .examples = examples,
    .max_operands = 1,
    .run = run,
};
