#include "cli/commands.h"

#include <string.h>

/* A new command: one file cmd_<name>.c, its declaration in cli/commands.h, one word here. The order is that of help. */
const struct cli_command *const cli_commands[] = {
    &cmd_run,     &cmd_validate, &cmd_plan, &cmd_detect,   &cmd_schema,
    &cmd_sandbox, &cmd_version,  &cmd_help, &cmd_generate, NULL,
};

const struct cli_command *cli_find(const char *name)
{
    size_t i;

    for (i = 0; cli_commands[i]; i++)
        if (strcmp(cli_commands[i]->name, name) == 0)
            return cli_commands[i];
    return NULL;
}
