/* The parts of a detection, in the order in which detect_project asks them. Inner header of the layer. */
#ifndef CAISSON_DETECT_PARTS_H
#define CAISSON_DETECT_PARTS_H

#include "detect/detect.h"
#include "detect/frameworks.h"
#include "detect/project.h"
#include "detect/script.h"

struct package_manager {
    const char *name;
    const char *run;     /* "npm run": before a script's name */
    const char *exec;    /* "npx": before a tool of the project */
    const char *frozen;  /* install with a lockfile */
    const char *install; /* install without one */
};

/* What builds the project: a script of package.json, or the framework's own command. */
struct build {
    const struct framework *framework; /* NULL: none was recognised */
    const char *script;                /* name of the script that is run; NULL: command, or nothing to run */
    struct script words;               /* what it runs */
    const char *tool;                  /* of the framework, as found in words; NULL: not found */
    int tool_end;                      /* index past the tool in words */
    char *site;                        /* what the tool takes as its root: "docs" of "vitepress build docs" */
    bool site_said;                    /* by the script */
    char *config;                      /* name of the configuration file in site; NULL: there is none */
    struct buf config_text;            /* empty when it could not be read */
};
void build_dispose(struct build *build);

void conclude(struct conclusion *conclusion, const char *value, const char *from_format, ...)
    __attribute__((format(printf, 3, 4)));

int conclude_node(const struct project *project, const struct detect_hints *hints, struct detection *detection,
                  struct error *err);
/* Fills package_manager, its version and install; the manager to run scripts with, NULL without a package.json. */
const struct package_manager *conclude_package_manager(const struct project *project, struct detection *detection);
/* Fills framework and build. Fails on an unknown hint alone. */
int conclude_build(const struct project *project, const char *framework_hint, const struct package_manager *manager,
                   struct build *build, struct detection *detection, struct error *err);
void conclude_output(const struct project *project, const struct build *build, struct detection *detection);
/* Warns where a framework that may need a server is not set up to give static files. */
void check_static(const struct project *project, const struct build *build, struct detection *detection);
/* Finds site and configuration file of a build whose command is known. */
void build_find_config(const struct project *project, struct build *build);
/* angular.json's word on the output folder, relative to the checkout; NULL. Caller frees both. */
char *angular_output(const struct project *project, char **from);

#endif
