#include "detect/detect.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "detect/parts.h"

void conclude(struct conclusion *conclusion, const char *value, const char *from_format, ...)
{
    char *copy = xstrdup(value);
    char *from = NULL;
    va_list args;

    va_start(args, from_format);
    if (vasprintf(&from, from_format, args) < 0)
        from = xstrdup("");
    va_end(args);
    free(conclusion->value);
    free(conclusion->from);
    conclusion->value = copy;
    conclusion->from = from;
}

static int detect_all(const struct project *project, const struct detect_hints *hints, struct detection *detection,
                      struct error *err)
{
    const struct package_manager *manager;
    struct build build;

    if (conclude_node(project, hints, detection, err))
        return -1;
    manager = conclude_package_manager(project, detection);
    if (conclude_build(project, hints->framework, manager, &build, detection, err))
        return -1;
    check_static(project, &build, detection);
    conclude_output(project, &build, detection);
    build_dispose(&build);
    if (!detection->build.value && detection->install.value && detection->framework.value)
        conclude(&detection->install, NULL, "nothing to build");
    return 0;
}

int detect_project(const char *root, const char *directory, const struct detect_hints *hints,
                   struct detection *detection, struct error *err)
{
    static const struct detect_hints none = {.node = NULL};
    struct project project;
    int result;

    *detection = (struct detection){.warnings = {0}};
    result = project_open(&project, root, directory ? directory : ".", &detection->warnings, err);
    if (result == 0)
        result = detect_all(&project, hints ? hints : &none, detection, err);
    project_dispose(&project);
    if (result)
        detection_dispose(detection);
    return result;
}
