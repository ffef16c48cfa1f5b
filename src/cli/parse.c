#include <string.h>

#include "cli/cli.h"

static int find_option(const struct cli_command *command, const char *name, size_t len)
{
    int i;

    for (i = 0; command->options && command->options[i].name; i++)
        if (strlen(command->options[i].name) == len && strncmp(command->options[i].name, name, len) == 0)
            return i;
    return -1;
}

const char *cli_value(const struct cli_call *call, const char *option)
{
    int i = find_option(call->command, option, strlen(option));

    return i < 0 ? NULL : call->values[i];
}

bool cli_flag(const struct cli_call *call, const char *option)
{
    return cli_value(call, option) != NULL;
}

static bool is_allowed(const char *values, const char *value)
{
    size_t len = strlen(value);
    const char *at;

    for (at = strstr(values, value); at && len; at = strstr(at + 1, value))
        if ((at == values || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
            return true;
    return false;
}

static int usage(const struct cli_command *command, struct error *err)
{
    return error_hint(err, "caisson help %s", command->name);
}

/* "--name", "--name=value" or "--name value"; *index moves past what was used. */
static int parse_option(const struct cli_command *command, int argc, char **argv, int *index, struct cli_call *call,
                        struct error *err)
{
    const char *text = argv[*index] + 2;
    size_t len = strcspn(text, "=");
    const char *value = text[len] == '=' ? text + len + 1 : NULL;
    int i = find_option(command, text, len);
    const struct cli_option *option;

    if (i < 0) {
        error_set(err, CLASS_USAGE, "unknown-option", "%s has no option --%.*s", command->name, (int)len, text);
        return usage(command, err);
    }
    option = &command->options[i];
    if (!option->argument && value) {
        error_set(err, CLASS_USAGE, "option-takes-no-value", "--%s takes no value", option->name);
        return usage(command, err);
    }
    if (option->argument && !value) {
        if (*index + 1 >= argc) {
            error_set(err, CLASS_USAGE, "option-needs-value", "--%s needs a value: %s", option->name, option->argument);
            return usage(command, err);
        }
        value = argv[++*index];
    }
    if (option->values && value && !is_allowed(option->values, value)) {
        error_set(err, CLASS_USAGE, "bad-option-value", "--%s cannot be %s; it is one of: %s", option->name, value,
                  option->values);
        return usage(command, err);
    }
    call->values[i] = value ? value : "";
    return 0;
}

int cli_parse(const struct cli_command *command, int argc, char **argv, struct cli_call *call, bool *help,
              struct error *err)
{
    bool only_operands = false;
    int i;

    call->operands = argv;
    for (i = 0; i < argc; i++) {
        if (!only_operands && strcmp(argv[i], "--") == 0) {
            only_operands = true;
        } else if (!only_operands && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
            *help = true;
            return 0;
        } else if (!only_operands && strncmp(argv[i], "--", 2) == 0) {
            if (parse_option(command, argc, argv, &i, call, err))
                return -1;
        } else if (!only_operands && argv[i][0] == '-' && argv[i][1]) {
            error_set(err, CLASS_USAGE, "unknown-option", "%s has no option %s", command->name, argv[i]);
            return usage(command, err);
        } else if (call->operands_len == command->max_operands) {
            error_set(err, CLASS_USAGE, "too-many-arguments", "%s takes %s, and %s is one too many", command->name,
                      command->arguments ? command->arguments : "no arguments", argv[i]);
            return usage(command, err);
        } else {
            /* Operands move to the front: they never overtake what is still to be read. */
            argv[call->operands_len++] = argv[i];
        }
    }
    return 0;
}
