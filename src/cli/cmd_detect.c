#include <stdlib.h>

#include "cli/commands.h"
#include "core/json.h"
#include "core/mem.h"
#include "detect/detect.h"

static void line(const char *what, const struct conclusion *conclusion)
{
    printf("%-16s %-32s %s\n", what, conclusion->value ? conclusion->value : "-",
           conclusion->from ? conclusion->from : "");
}

static void print(const struct detection *detection)
{
    size_t i;

    line("package manager", &detection->package_manager);
    line("version", &detection->package_manager_version);
    line("node", &detection->node);
    line("node major", &detection->node_major);
    line("framework", &detection->framework);
    line("install", &detection->install);
    line("build", &detection->build);
    line("output", &detection->output);
    for (i = 0; i < detection->warnings.len; i++)
        printf("warning: %s\n", detection->warnings.items[i]);
}

static int run(const struct cli_call *call)
{
    const char *folder = call->operands_len ? call->operands[0] : ".";
    CLEANUP_FREE char *root = realpath(folder, NULL);
    struct detect_hints hints = {.node = cli_value(call, "node"), .framework = cli_value(call, "framework")};
    struct detection detection = {0};
    bool json = cli_flag(call, "json");
    struct error err;

    if (!root) {
        error_set(&err, CLASS_USAGE, "no-such-folder", "%s: no such folder", folder);
        error_hint(&err, "caisson detect DIR");
        return cli_fail(&err, json);
    }
    if (detect_project(root, ".", &hints, &detection, &err))
        return cli_fail(&err, json);
    if (json) {
        CLEANUP_JSON json_t *document = detection_to_json(&detection);

        json_dumpf(document, stdout, cli_json_flags() | JSON_INDENT(2));
        fputc('\n', stdout);
    } else {
        print(&detection);
    }
    detection_dispose(&detection);
    return 0;
}

static const struct cli_option options[] = {
    {"node", "VERSION", "As build.node of a spec.", NULL},
    {"framework", "NAME", "As build.framework of a spec.", NULL},
    {"json", NULL, "Print JSON.", NULL},
    {0},
};

static const char *const examples[] = {
    "caisson detect .",
    "say what the project is, and from which file each conclusion was drawn",
    NULL,
};

const struct cli_command cmd_detect = {
    .name = "detect",
    .arguments = "[DIR]",
    .summary = "say what a project is and what that was drawn from",
    .examples = examples,
    .options = options,
    .max_operands = 1,
    .run = run,
};
