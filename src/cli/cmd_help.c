#include "cli/commands.h"

static int run(const struct cli_call *call)
{
    const struct cli_command *command;
    struct error err;
    int used;

    if (!call->operands_len) {
        cli_help(stdout);
        return 0;
    }
    command = cli_choose(call->operands[0], call->operands_len > 1 ? call->operands[1] : NULL, &used, &err);
    if (command && used < call->operands_len) {
        error_set(&err, CLASS_USAGE, "too-many-arguments", "%s has no commands of its own", command->name);
        error_hint(&err, "caisson help %s", command->name);
        command = NULL;
    }
    if (!command)
        return cli_fail(&err, false);
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
    .max_operands = 2,
    .run = run,
};
