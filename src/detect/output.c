#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "detect/literal.h"
#include "detect/parts.h"

#define VALUE_MAX 1024

/* Takes a path relative to the checkout as the conclusion. */
static void take(const struct project *project, struct detection *detection, const char *path, const char *from)
{
    CLEANUP_FREE char *shown = project_relative(project, path);

    conclude(&detection->output, shown, "%s", from);
}

/* Takes `value`, relative to `folder`; false, with a warning, when it leads out of the repository. */
static bool take_beneath(const struct project *project, struct detection *detection, const char *folder,
                         const char *value, const char *from)
{
    CLEANUP_FREE char *path = project_resolve(folder, value);

    if (!path) {
        strings_addf(&detection->warnings, "%s leads out of the repository and is ignored", from);
        return false;
    }
    take(project, detection, path, from);
    return true;
}

static enum literal_state read_key(const struct build *build, const char *key, struct buf *value)
{
    if (!key || build->config_text.len == 0)
        return LITERAL_ABSENT;
    return literal_find((struct view){build->config_text.data, build->config_text.len}, key, value);
}

static bool from_flags(const struct project *project, const struct build *build, const char *site, int tool_end,
                       struct detection *detection)
{
    const struct framework *framework = build->framework;
    const char *value = NULL;
    char *from;
    bool taken;
    size_t i;

    for (i = 0; i < FRAMEWORK_WORDS_MAX && framework->flags[i] && !value; i++)
        value = script_flag(&build->words, tool_end, framework->flags[i]);
    if (!value)
        return false;
    from = build->script ? xasprintf("package.json, scripts.%s", build->script) : xstrdup("build command");
    taken = take_beneath(project, detection, framework->flags_from_site ? site : project->directory, value, from);
    free(from);
    return taken;
}

static bool from_config(const struct project *project, const struct build *build, const char *site,
                        struct detection *detection)
{
    const struct framework *framework = build->framework;
    bool taken = false;
    struct buf value;
    char *from;

    buf_init(&value, VALUE_MAX);
    switch (read_key(build, framework->output_key, &value)) {
    case LITERAL_FOUND:
        from = xasprintf("%s, %s", build->config, framework->output_key);
        taken = take_beneath(project, detection, site, buf_text(&value), from);
        free(from);
        break;
    case LITERAL_DYNAMIC:
        strings_addf(&detection->warnings,
                     "%s computes %s, which is not executed here: say build.output if it is not "
                     "%s's default",
                     build->config, framework->output_key, framework->name);
        break;
    case LITERAL_ABSENT: break;
    }
    buf_dispose(&value);
    return taken;
}

/* The site, moved to where the configuration file's root says. Caller frees. */
static char *find_root(const struct build *build, struct detection *detection)
{
    char *root = NULL;
    struct buf value;

    buf_init(&value, VALUE_MAX);
    switch (read_key(build, build->framework->root_key, &value)) {
    case LITERAL_FOUND: root = project_resolve(build->site, buf_text(&value)); break;
    case LITERAL_DYNAMIC:
        strings_addf(&detection->warnings,
                     "%s computes %s, which is not executed here: say build.output if the output "
                     "is not in the project's folder",
                     build->config, build->framework->root_key);
        break;
    case LITERAL_ABSENT: break;
    }
    buf_dispose(&value);
    return root ? root : xstrdup(build->site);
}

static void from_default(const struct project *project, const struct build *build, const char *site,
                         struct detection *detection)
{
    CLEANUP_FREE char *from = NULL;

    if (strcmp(site, build->site) != 0)
        from = xasprintf("%s, %s", build->config, build->framework->root_key);
    else if (build->site_said && build->script)
        from = xasprintf("package.json, scripts.%s", build->script);
    else
        from = xasprintf("default of %s", build->framework->name);
    take_beneath(project, detection, site, build->framework->output, from);
}

static void static_output(const struct project *project, struct detection *detection)
{
    bool public_only = !project_has(project, project->directory, "index.html") &&
                       project_has(project, project->directory, "public/index.html");

    conclude(&detection->output, public_only ? "public" : ".", "%s", public_only ? "public/index.html" : "index.html");
}

void conclude_output(const struct project *project, const struct build *build, struct detection *detection)
{
    const struct framework *framework = build->framework;
    CLEANUP_FREE char *site = NULL;
    CLEANUP_FREE char *path = NULL;
    CLEANUP_FREE char *from = NULL;
    int exported;

    if (!framework) {
        conclude(&detection->output, NULL, "no known framework");
        return;
    }
    if (strcmp(framework->name, "static") == 0) {
        static_output(project, detection);
        return;
    }
    if (framework->angular) {
        path = angular_output(project, &from);
        if (path)
            take(project, detection, path, from);
        else
            conclude(&detection->output, NULL, "angular.json names no application to build");
        return;
    }
    site = find_root(build, detection);
    exported = framework->proof.tool ? script_find(&build->words, framework->proof.tool) : -1;
    if (exported >= 0 && from_flags(project, build, site, exported, detection))
        return;
    if (build->tool && from_flags(project, build, site, build->tool_end, detection))
        return;
    /* Next's older export command writes beside distDir, not into it. */
    if (exported < 0 && from_config(project, build, site, detection))
        return;
    from_default(project, build, site, detection);
}

void check_static(const struct project *project, const struct build *build, struct detection *detection)
{
    const struct static_proof *proof = build->framework ? &build->framework->proof : NULL;
    enum literal_state state;
    struct buf value;
    bool shown;

    if (!proof || !proof->advice || (proof->tool && script_find(&build->words, proof->tool) >= 0))
        return;
    buf_init(&value, VALUE_MAX);
    state = read_key(build, proof->key, &value);
    if (proof->dependency)
        shown = project_dependency(project, proof->dependency, NULL) != NULL;
    else if (proof->forbidden)
        shown = !(state == LITERAL_FOUND && strcmp(buf_text(&value), proof->forbidden) == 0);
    else
        shown = state == LITERAL_FOUND && strcmp(buf_text(&value), proof->value) == 0;
    if (!shown && state == LITERAL_DYNAMIC)
        strings_addf(&detection->warnings, "%s computes %s, which is not executed here; if it is not %s: %s",
                     build->config, proof->key, proof->value, proof->advice);
    else if (!shown)
        strings_add(&detection->warnings, proof->advice);
    buf_dispose(&value);
}
