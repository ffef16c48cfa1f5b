/* Completions and the man page, drawn from the command tables so that they cannot fall behind. */
#include <string.h>

#include "cli/cli.h"
#include "core/mem.h"
#include "spec/spec.h"

/* What is typed last: "rm" of "image rm". */
static const char *last_word(const struct cli_command *command)
{
    const char *space = strrchr(command->name, ' ');

    return space ? space + 1 : command->name;
}

static void names(const struct cli_command *const *commands, FILE *out)
{
    size_t i;

    for (i = 0; commands[i]; i++)
        fprintf(out, "%s%s", i ? " " : "", last_word(commands[i]));
}

static void bash_command(const struct cli_command *command, FILE *out);

static void bash_group(const struct cli_command *group, FILE *out)
{
    size_t i;

    fprintf(out, "    %s)\n        if [ \"$COMP_CWORD\" -eq 2 ]; then\n        COMPREPLY=($(compgen -W '", group->name);
    names(group->subcommands, out);
    fprintf(out, "' -- \"$cur\"))\n        return\n        fi\n        case ${COMP_WORDS[2]} in\n");
    for (i = 0; group->subcommands[i]; i++)
        bash_command(group->subcommands[i], out);
    fprintf(out, "        esac ;;\n");
}

static void bash_command(const struct cli_command *command, FILE *out)
{
    const struct cli_option *option;

    if (command->subcommands) {
        bash_group(command, out);
        return;
    }
    fprintf(out, "    %s)\n        case $prev in\n", last_word(command));
    for (option = command->options; option && option->name; option++)
        if (option->values)
            fprintf(out, "        --%s) COMPREPLY=($(compgen -W '%s' -- \"$cur\")); return ;;\n", option->name,
                    option->values);
        else if (option->argument)
            fprintf(out, "        --%s) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n", option->name);
    fprintf(out, "        esac\n        words='--help");
    for (option = command->options; option && option->name; option++)
        fprintf(out, " --%s", option->name);
    fprintf(out, "' ;;\n");
}

static void bash(FILE *out)
{
    size_t i;

    fprintf(out, "# bash completion for caisson; made by `caisson generate bash`\n_caisson()\n{\n"
                 "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=\n"
                 "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        COMPREPLY=($(compgen -W '");
    names(cli_commands, out);
    fprintf(out, "' -- \"$cur\"))\n        return\n    fi\n    case ${COMP_WORDS[1]} in\n");
    for (i = 0; cli_commands[i]; i++)
        bash_command(cli_commands[i], out);
    fprintf(out, "    esac\n    case $cur in\n    -*) COMPREPLY=($(compgen -W \"$words\" -- \"$cur\")) ;;\n"
                 "    *) COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n    esac\n}\n"
                 "complete -o filenames -F _caisson caisson\n");
}

/* Help texts stand within single quotes. */
static void quoted(const char *text, FILE *out)
{
    for (; *text; text++)
        if (*text == '\'')
            fputs("'\\''", out);
        else
            fputc(*text, out);
}

/* Brackets and colons mean something in _arguments. */
static void zsh_help(const char *text, FILE *out)
{
    for (; *text; text++)
        if (*text == '\'')
            fputs("'\\''", out);
        else if (strchr("[]:", *text))
            fprintf(out, "\\%c", *text);
        else
            fputc(*text, out);
}

static void zsh_command(const struct cli_command *command, FILE *out)
{
    const struct cli_option *option;
    size_t i;

    if (command->subcommands) {
        fprintf(out, "  %s)\n  if (( CURRENT == 3 )); then\n    compadd ", command->name);
        names(command->subcommands, out);
        fprintf(out, "\n    return\n  fi\n  case $words[3] in\n");
        for (i = 0; command->subcommands[i]; i++)
            zsh_command(command->subcommands[i], out);
        fprintf(out, "  esac ;;\n");
        return;
    }
    fprintf(out, "  %s) _arguments", last_word(command));
    for (option = command->options; option && option->name; option++) {
        fprintf(out, " '--%s[", option->name);
        zsh_help(option->help, out);
        fprintf(out, "]");
        if (option->values)
            fprintf(out, ":%s:(%s)", option->argument, option->values);
        else if (option->argument)
            fprintf(out, ":%s:_files", option->argument);
        fprintf(out, "'");
    }
    fprintf(out, " '*:file:_files' ;;\n");
}

static void zsh(FILE *out)
{
    size_t i;

    fprintf(out,
            "#compdef caisson\n# made by `caisson generate zsh`\n_caisson() {\n  local -a commands\n  commands=(\n");
    for (i = 0; cli_commands[i]; i++) {
        fprintf(out, "    '%s:", cli_commands[i]->name);
        zsh_help(cli_commands[i]->summary, out);
        fprintf(out, "'\n");
    }
    fprintf(out, "  )\n  if (( CURRENT == 2 )); then\n    _describe command commands\n    return\n  fi\n"
                 "  case $words[2] in\n");
    for (i = 0; cli_commands[i]; i++)
        zsh_command(cli_commands[i], out);
    fprintf(out, "  esac\n}\n_caisson \"$@\"\n");
}

/* `seen`: the condition under which the command's own options are offered. */
static void fish_options(const struct cli_command *command, const char *seen, FILE *out)
{
    const struct cli_option *option;

    for (option = command->options; option && option->name; option++) {
        fprintf(out, "complete -c caisson -n '%s' -l %s", seen, option->name);
        if (option->values)
            fprintf(out, " -x -a '%s'", option->values);
        else if (option->argument)
            fprintf(out, " -r");
        fprintf(out, " -d '");
        quoted(option->help, out);
        fprintf(out, "'\n");
    }
}

static void fish_group(const struct cli_command *group, const char *seen, FILE *out)
{
    size_t i;

    for (i = 0; group->subcommands[i]; i++) {
        const char *name = last_word(group->subcommands[i]);
        CLEANUP_FREE char *both = xasprintf("%s; and __fish_seen_subcommand_from %s", seen, name);

        fprintf(out, "complete -c caisson -n '%s; and not __fish_seen_subcommand_from ", seen);
        names(group->subcommands, out);
        fprintf(out, "' -f -a %s -d '", name);
        quoted(group->subcommands[i]->summary, out);
        fprintf(out, "'\n");
        fish_options(group->subcommands[i], both, out);
    }
}

static void fish(FILE *out)
{
    size_t i;

    fprintf(out, "# fish completion for caisson; made by `caisson generate fish`\n");
    for (i = 0; cli_commands[i]; i++) {
        CLEANUP_FREE char *seen = xasprintf("__fish_seen_subcommand_from %s", cli_commands[i]->name);

        fprintf(out, "complete -c caisson -n __fish_use_subcommand -f -a %s -d '", cli_commands[i]->name);
        quoted(cli_commands[i]->summary, out);
        fprintf(out, "'\n");
        if (cli_commands[i]->subcommands)
            fish_group(cli_commands[i], seen, out);
        else
            fish_options(cli_commands[i], seen, out);
    }
}

/* Roff: a dot that begins a line is a request, a backslash an escape, and a hyphen of an option is a minus. */
static void roff(const char *text, FILE *out)
{
    bool begins = true;

    for (; *text; text++) {
        if (begins && (*text == '.' || *text == '\''))
            fputs("\\&", out);
        if (*text == '\\')
            fputs("\\e", out);
        else if (*text == '-')
            fputs("\\-", out);
        else
            fputc(*text, out);
        begins = *text == '\n';
    }
}

static void man_command(const struct cli_command *command, FILE *out)
{
    const struct cli_option *option;
    size_t i;

    for (i = 0; command->subcommands && command->subcommands[i]; i++)
        man_command(command->subcommands[i], out);
    if (command->subcommands)
        return;
    fprintf(out, ".SS caisson %s", command->name);
    if (command->arguments)
        fprintf(out, " %s", command->arguments);
    fprintf(out, "\n");
    roff(command->description ? command->description : command->summary, out);
    fprintf(out, "\n");
    for (option = command->options; option && option->name; option++) {
        fprintf(out, ".TP\n.B \\-\\-");
        roff(option->name, out);
        fprintf(out, "%s%s\n", option->argument ? " " : "", option->argument ? option->argument : "");
        roff(option->help, out);
        if (option->values)
            fprintf(out, " One of: %s.", option->values);
        fprintf(out, "\n");
    }
    for (i = 0; command->examples && command->examples[i]; i += 2) {
        fprintf(out, ".PP\n.RS\n.B ");
        roff(command->examples[i], out);
        fprintf(out, "\n.br\n");
        roff(command->examples[i + 1], out);
        fprintf(out, "\n.RE\n");
    }
}

static void man(FILE *out)
{
    enum error_class class;
    size_t i;

    fprintf(
        out,
        ".TH CAISSON 1 \"\" \"caisson " CAISSON_VERSION "\" \"User Commands\"\n.SH NAME\n"
        "caisson \\- container\\-native build\\-job runner for AWS ECS\n.SH SYNOPSIS\n"
        ".B caisson\n.I COMMAND\n[OPTIONS] [ARGUMENTS]\n.SH DESCRIPTION\n"
        "Clones a repository, builds it as an unprivileged user, publishes what came of it to a folder or to S3,\n"
        "reports, and exits with a code that means something. Made to be PID 1 of a builder image; runs by hand too.\n"
        ".SH COMMANDS\n");
    for (i = 0; cli_commands[i]; i++)
        man_command(cli_commands[i], out);
    fprintf(out, ".SH EXIT STATUS\n");
    for (i = 0; error_class_at(i, &class); i++)
        fprintf(out, ".TP\n.B %d\n%s\n", (int)class, error_class_summary(class));
    fprintf(out,
            ".SH ENVIRONMENT\n.TP\n.B CAISSON_JOB\nThe job spec: its text, or an s3:// or https:// address.\n"
            ".TP\n.B CAISSON_SANDBOX_SOCKET\nAs \\-\\-sandbox\\-socket of caisson run; not read under a profile.\n"
            ".SH FILES\n.TP\n.I /etc/caisson/operator.yaml\nThe operator's file: defaults, pins, limits, permissions.\n"
            ".SH SEE ALSO\nThe job spec is described in docs/spec.md; ");
    fprintf(out, "caisson schema prints its JSON Schema.\n");
}

static void spec(FILE *out)
{
    struct buf text;

    buf_init(&text, (size_t)1 << 20);
    spec_markdown(&text);
    fputs(buf_text(&text), out);
    buf_dispose(&text);
}

int cli_generate(const char *what, FILE *out)
{
    static const struct {
        const char *name;
        void (*generate)(FILE *out);
    } generators[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}, {"man", man}, {"spec", spec}};
    size_t i;

    for (i = 0; i < ARRAY_LEN(generators); i++)
        if (strcmp(generators[i].name, what) == 0) {
            generators[i].generate(out);
            return 0;
        }
    return -1;
}
