/* build: and what lies below it. */
#include "spec/table.h"

static const char *const builders[] = {"auto", "node", "commands", "none", NULL};
static const char *const builder_aliases[] = {"npm", "node", NULL};
static const char *const later_builders[] = {"dockerfile", "buildpack", "kaniko", NULL};

#define NODE_BUILDERS (FOR_AUTO | FOR_NODE)
#define BUILDERS_WITH_COMMANDS (FOR_AUTO | FOR_NODE | FOR_COMMANDS)
#define LATER_TEXT(key, sentence)                                                                                      \
    {                                                                                                                  \
        .name = (key), .type = TYPE_TEXT, .later = true, .doc = (sentence)                                             \
    }

const struct rule build_rules[] = {
    {.name = "builder",
     .type = TYPE_ENUM,
     .values = builders,
     .aliases = builder_aliases,
     .later_values = later_builders,
     .fallback = "auto",
     .doc = "`node` runs a package manager and a build script; `commands` runs your own commands; `none` builds "
            "nothing and publishes files of the repository as they are; `auto` takes `node` where there is a "
            "package.json, else `none`."},
    {.name = "node",
     .type = TYPE_TEXT,
     .check = check_node_version,
     .pattern = "^[0-9A-Za-z .*^~<>=|/-]{1,64}$",
     .builders = NODE_BUILDERS,
     .fallback_doc = "detected: `.nvmrc`, `.node-version`, `engines.node`",
     .doc = "The Node version that the build needs.",
     .example = "20"},
    {.name = "framework",
     .type = TYPE_TEXT,
     .check = check_id,
     .pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
     .builders = NODE_BUILDERS,
     .fallback_doc = "detected from package.json",
     .doc = "The framework; it decides the build command and the output folder where they are not given.",
     .example = "vite"},
    {.name = "install",
     .type = TYPE_COMMAND,
     .check = check_command,
     .builders = NODE_BUILDERS,
     .fallback_doc = "by the lockfile",
     .doc = "The install command, run by `/bin/sh`; `false` skips it.",
     .example = "npm ci"},
    {.name = "command",
     .type = TYPE_COMMAND,
     .check = check_command,
     .builders = NODE_BUILDERS,
     .fallback_doc = "the build script of package.json",
     .doc = "The build command, run by `/bin/sh`; `false` skips it.",
     .example = "npm run build"},
    {.name = "test",
     .type = TYPE_TEXT,
     .check = check_command,
     .builders = BUILDERS_WITH_COMMANDS,
     .doc = "A test command. Nothing is tested unless it is given.",
     .example = "npm test"},
    {.name = "commands",
     .type = TYPE_LIST,
     .check = check_command,
     .builders = FOR_COMMANDS,
     .doc = "What the builder `commands` runs, one after the other, each by `/bin/sh -e`.",
     .example = "[make, make dist]"},
    {.name = "output",
     .type = TYPE_TEXT,
     .check = check_folder,
     .fallback_doc = "by the framework",
     .doc = "The folder that the build leaves its files in.",
     .example = "dist"},
    LATER_TEXT("context", "The build context of a Dockerfile."),
    LATER_TEXT("dockerfile", "The Dockerfile."),
    {.name = "template", .type = TYPE_OBJECT, .later = true, .doc = "A Dockerfile of ours."},
    LATER_TEXT("target", "The stage of a Dockerfile."),
    LATER_TEXT("platform", "The platform of the image."),
    {.name = "args", .type = TYPE_TEXT_MAP, .later = true, .doc = "Build arguments."},
    {.name = "secrets", .type = TYPE_LIST, .later = true, .doc = "Secrets of a Dockerfile's RUN."},
    {.name = "dotenv",
     .type = TYPE_BOOL,
     .builders = BUILDERS_WITH_COMMANDS,
     .fallback_doc = "`false`",
     .doc = "`true`: `env`, and never `secrets`, is also written to the file `.env` of the project before the first "
            "command. A `.env` of the repository stays; what is written stands below it and wins. It is for tools that "
            "read the file alone."},
    {0},
};
