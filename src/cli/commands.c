#include "cli/commands.h"

#include <string.h>

/* A new command: one file cmd_<name>.c, its declaration in cli/commands.h, one word here. The order is that of help. */
const struct cli_command *const cli_commands[] = {
    &cmd_run,    &cmd_validate, &cmd_plan,    &cmd_doctor,  &cmd_detect, &cmd_logs,     &cmd_result,
    &cmd_schema, &cmd_image,    &cmd_sandbox, &cmd_version, &cmd_help,   &cmd_generate, NULL,
};

static const struct cli_command *find(const struct cli_command *const *commands, const char *name)
{
    for (; *commands; commands++)
        if (strcmp((*commands)->name, name) == 0)
            return *commands;
    return NULL;
}

const struct cli_command *cli_find(const char *name)
{
    return find(cli_commands, name);
}

const struct cli_command *cli_choose(const char *word, const char *next, int *used, struct error *err)
{
    const struct cli_command *command = cli_find(word);
    char name[64];

    *used = 1;
    if (!command) {
        error_set(err, CLASS_USAGE, "unknown-command", "there is no command %.200s", word);
        error_hint(err, "caisson help lists them");
        return NULL;
    }
    if (!command->subcommands || !next || *next == '-')
        return command;
    *used = 2;
    snprintf(name, sizeof name, "%s %s", word, next);
    command = find(command->subcommands, name);
    if (!command) {
        error_set(err, CLASS_USAGE, "unknown-command", "there is no command %.200s %.200s", word, next);
        error_hint(err, "caisson help %s lists them", word);
    }
    return command;
}
