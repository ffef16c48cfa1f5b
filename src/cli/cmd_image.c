/* Images in registries, without a job. A new subcommand: one file cmd_image_<name>.c, one word here. */
#include "cli/commands.h"

static const struct cli_command *const subcommands[] = {&cmd_image_push, &cmd_image_rm, NULL};

const struct cli_command cmd_image = {
    .name = "image",
    .summary = "push and remove images of a registry",
    .subcommands = subcommands,
};
