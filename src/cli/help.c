#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/json.h"
#include "core/lines.h"

static void print_options(const struct cli_command *command, FILE *out)
{
    const struct cli_option *option;
    char left[64];

    fprintf(out, "\nOptions:\n");
    for (option = command->options; option && option->name; option++) {
        snprintf(left, sizeof left, "--%s%s%s", option->name, option->argument ? " " : "",
                 option->argument ? option->argument : "");
        fprintf(out, "  %-24s %s\n", left, option->help);
        if (option->values)
            fprintf(out, "  %-24s (%s)\n", "", option->values);
    }
    fprintf(out, "  %-24s %s\n", "--help", "Print this help.");
}

static void print_group(const struct cli_command *group, FILE *out)
{
    size_t i;

    fprintf(out, "Usage: caisson %s COMMAND [OPTIONS] [ARGUMENTS]\n\n%s\n\nCommands:\n", group->name,
            group->description ? group->description : group->summary);
    for (i = 0; group->subcommands[i]; i++)
        fprintf(out, "  %-14s %s\n", group->subcommands[i]->name, group->subcommands[i]->summary);
    fprintf(out, "\ncaisson help %s is all about one.\n", group->subcommands[0]->name);
}

void cli_help_command(const struct cli_command *command, FILE *out)
{
    size_t i;

    if (command->subcommands) {
        print_group(command, out);
        return;
    }
    fprintf(out, "Usage: caisson %s%s%s%s\n\n%s\n", command->name, command->options ? " [OPTIONS]" : "",
            command->arguments ? " " : "", command->arguments ? command->arguments : "",
            command->description ? command->description : command->summary);
    print_options(command, out);
    if (!command->examples)
        return;
    fprintf(out, "\nExamples:\n");
    for (i = 0; command->examples[i]; i += 2)
        fprintf(out, "  %s\n      %s\n", command->examples[i], command->examples[i + 1]);
}

void cli_help(FILE *out)
{
    enum error_class class;
    size_t i;

    fprintf(out,
            "caisson " CAISSON_VERSION ": clones, builds and publishes a job, as PID 1 of a container or by hand\n\n"
            "Usage: caisson COMMAND [OPTIONS] [ARGUMENTS]\n\nCommands:\n");
    for (i = 0; cli_commands[i]; i++)
        fprintf(out, "  %-10s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
    fprintf(out, "\nExamples:\n"
                 "  caisson run job.yaml\n      run the job that the file describes\n"
                 "  caisson plan job.yaml\n      print what would be done, and where each value comes from\n"
                 "  caisson help run\n      all about one command\n\nExit codes:\n");
    for (i = 0; error_class_at(i, &class); i++)
        fprintf(out, "  %-3d %-22s %s\n", (int)class, error_class_name(class), error_class_summary(class));
}

void cli_put_error(json_t *document, const struct error *err)
{
    json_put_text(document, "class", error_class_name(err->class));
    json_object_set_new(document, "exit_code", json_integer((json_int_t)err->class));
    json_put_text(document, "reason", err->reason);
    json_put_text(document, "message", err->message);
    if (*err->hint)
        json_put_text(document, "hint", err->hint);
}

struct pieces {
    FILE *to;
    int printed;
};

static void on_piece(void *context, const char *text, size_t len)
{
    struct pieces *pieces = context;

    if (pieces->printed++)
        fputs("\n  ", pieces->to);
    fwrite(text, 1, len, pieces->to);
}

void cli_print(FILE *to, const char *before, const char *text)
{
    struct pieces pieces = {.to = to};
    struct lines lines;

    fputs(before, to);
    lines_init(&lines, false, on_piece, &pieces);
    lines_feed(&lines, view_of(text));
    lines_end(&lines);
    lines_dispose(&lines);
    fputc('\n', to);
}

size_t cli_json_flags(void)
{
    return isatty(STDOUT_FILENO) ? JSON_ENSURE_ASCII : 0;
}

int cli_fail(const struct error *err, bool json)
{
    if (json) {
        json_t *document = json_object();

        cli_put_error(document, err);
        json_dumpf(document, stdout, cli_json_flags() | JSON_INDENT(2));
        fputc('\n', stdout);
        json_decref(document);
    } else {
        cli_print(stderr, "caisson: ", err->message);
        if (*err->hint)
            cli_print(stderr, "  try: ", err->hint);
    }
    return (int)err->class;
}
