#include "cli/commands.h"

static int run(const struct cli_call *call)
{
    struct error err;

    if (call->operands_len && cli_generate(call->operands[0], stdout) == 0)
        return 0;
    error_set(&err, CLASS_USAGE, "unknown-generator", "generate one of: bash, zsh, fish, man, spec");
    error_hint(&err, "caisson generate bash > /etc/bash_completion.d/caisson");
    return cli_fail(&err, false);
}

static const char *const examples[] = {
    "caisson generate bash > /etc/bash_completion.d/caisson",
    "completion for bash; likewise zsh and fish",
    "caisson generate man > caisson.1",
    "the man page",
    NULL,
};

const struct cli_command cmd_generate = {
    .name = "generate",
    .arguments = "bash|zsh|fish|man|spec",
    .summary = "print a shell completion, the man page or docs/spec.md",
    .examples = examples,
    .max_operands = 1,
    .run = run,
};
