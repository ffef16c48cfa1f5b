#ifndef CAISSON_CLI_COMMANDS_H
#define CAISSON_CLI_COMMANDS_H

#include "cli/cli.h"

extern const struct cli_command cmd_run, cmd_sandbox, cmd_validate, cmd_plan, cmd_doctor, cmd_detect, cmd_logs,
    cmd_result, cmd_schema, cmd_version, cmd_help, cmd_generate, cmd_image;
/* Of the group image. */
extern const struct cli_command cmd_image_push, cmd_image_rm;

#endif
