/*
 * The command line. A command is one file (cli/cmd_<name>.c) with a `struct cli_command`, and one word in the table of
 * cli/commands.c. Help, completions and the man page are drawn from these tables.
 */
#ifndef CAISSON_CLI_CLI_H
#define CAISSON_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#include "core/error.h"
#include "core/strings.h"

#define CLI_OPTIONS_MAX 24

struct cli_option {
    const char *name;     /* without the dashes */
    const char *argument; /* "FILE"; NULL: a flag */
    const char *help;     /* one sentence */
    const char *values;   /* "auto plain emoji json": what is allowed; NULL: anything */
};

/* One call: what the user wrote, taken apart. All borrowed. */
struct cli_call {
    const struct cli_command *command;
    const char *values[CLI_OPTIONS_MAX]; /* beside command->options; "" for a flag that is set, NULL: not given */
    char **operands;
    int operands_len;
    const struct strings *env; /* our environment, captured; names that stand twice stand twice */
};

struct cli_command {
    const char *name;
    const char *arguments;            /* "[FILE|-]"; NULL: none */
    const char *summary;              /* a few words */
    const char *description;          /* paragraphs; NULL: the summary says it all */
    const char *const *examples;      /* pairs: command line, what it does; NULL ends */
    const struct cli_option *options; /* name NULL ends; may be NULL */
    int max_operands;
    const struct cli_command *const *subcommands; /* a group of them, which does nothing itself: no options, no run.
                                                     Theirs are names of two words. NULL ends; NULL: it is no group */
    bool without_environment;                     /* ours is wiped before it runs: it must not know what is in there */
    int (*run)(const struct cli_call *call);      /* returns the exit code */
};

/* The table, NULL-terminated. */
extern const struct cli_command *const cli_commands[];

const struct cli_command *cli_find(const char *name);
/* The command that one word names ("run") or two ("image", "rm"), a group where there is no second (NULL); *used counts
 * them. NULL and CLASS_USAGE. */
const struct cli_command *cli_choose(const char *word, const char *next, int *used, struct error *err);
/* The value of an option, or NULL; the name must be in the command's table. */
const char *cli_value(const struct cli_call *call, const char *option);
bool cli_flag(const struct cli_call *call, const char *option);

/* Parses argv after the command's name; 0 or CLASS_USAGE with a suggestion. --help is an option of every command. */
int cli_parse(const struct cli_command *command, int argc, char **argv, struct cli_call *call, bool *help,
              struct error *err);

/* Prints "caisson: message", the hint and the reason on standard error, as JSON on standard output when `json`;
 * returns the exit code. */
int cli_fail(const struct error *err, bool json);
/* What came from elsewhere, perhaps: `before` as it is, the text and a newline, without what moves a terminal's cursor. */
void cli_print(FILE *to, const char *before, const char *text);
/* For json_dumps: on a terminal nothing but ASCII, for some read the characters U+0080 to U+009F as commands. */
size_t cli_json_flags(void);
/* Adds to a document what cli_fail prints as JSON. */
void cli_put_error(json_t *document, const struct error *err);

void cli_help(FILE *out);
void cli_help_command(const struct cli_command *command, FILE *out);
/* "bash", "zsh", "fish", "man"; −1 when unknown. */
int cli_generate(const char *what, FILE *out);

#endif
