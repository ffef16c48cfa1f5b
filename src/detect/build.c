#include <stdlib.h>
#include <string.h>

#include "core/fs.h"
#include "core/mem.h"
#include "detect/parts.h"
#include "detect/range.h"

void build_dispose(struct build *build)
{
    script_dispose(&build->words);
    free(build->site);
    free(build->config);
    buf_dispose(&build->config_text);
    *build = (struct build){.framework = NULL};
}

/* The framework's tool in a script; fills tool and tool_end when it is there. */
static bool find_tool(struct build *build, const struct framework *framework)
{
    size_t i;

    build->tool = NULL;
    build->tool_end = -1;
    for (i = 0; i < FRAMEWORK_WORDS_MAX && framework->tools[i]; i++) {
        build->tool_end = script_find(&build->words, framework->tools[i]);
        if (build->tool_end < 0)
            continue;
        build->tool = framework->tools[i];
        return true;
    }
    return false;
}

/* Whether package.json has the framework; *from says where. */
static bool depends_on(const struct project *project, const struct framework *framework, char **from)
{
    const char *section;
    const char *version = NULL;
    struct range range;
    size_t i;

    for (i = 0; i < FRAMEWORK_WORDS_MAX && framework->dependencies[i]; i++) {
        section = project_dependency(project, framework->dependencies[i], &version);
        if (!section)
            continue;
        if (framework->below_major &&
            (!version || range_parse(&range, version) || range_highest_major(&range) >= framework->below_major))
            continue;
        *from = xasprintf("package.json, %s.%s", section, framework->dependencies[i]);
        return true;
    }
    return false;
}

static bool has_config(const struct project *project, const struct framework *framework, char **from)
{
    size_t i;

    for (i = 0; i < FRAMEWORK_WORDS_MAX && framework->configs[i]; i++) {
        *from = project_find_config(project, project->directory, framework->configs[i]);
        if (*from)
            return true;
    }
    return false;
}

static const struct framework *choose(const struct project *project, struct detection *detection,
                                      bool (*is_it)(const struct project *, const struct framework *, char **),
                                      struct build *scripted)
{
    const struct framework *framework;
    char *from = NULL;
    size_t i;

    for (i = 0; (framework = framework_at(i)); i++) {
        if (!is_it(project, framework, &from))
            continue;
        if (!scripted || find_tool(scripted, framework)) {
            conclude(&detection->framework, framework->name, "%s", from);
            free(from);
            return framework;
        }
        free(from);
    }
    return NULL;
}

/* What the build script runs says most; then what is installed; then configuration files; then index.html. */
static const struct framework *recognise(const struct project *project, struct detection *detection)
{
    static const char *const scripts[] = {"build", "generate", "docs:build", "build:docs"};
    const struct framework *framework = NULL;
    struct build scripted;
    size_t i;

    for (i = 0; i < ARRAY_LEN(scripts) && !framework; i++) {
        scripted = (struct build){.framework = NULL};
        script_read(&scripted.words, project, scripts[i]);
        framework = choose(project, detection, depends_on, &scripted);
        build_dispose(&scripted);
    }
    if (!framework)
        framework = choose(project, detection, depends_on, NULL);
    if (!framework && project->package)
        framework = choose(project, detection, has_config, NULL);
    if (!framework && !project_script(project, "build") &&
        (project_has(project, project->directory, "index.html") ||
         project_has(project, project->directory, "public/index.html"))) {
        framework = framework_named("static");
        conclude(&detection->framework, framework->name, "%s",
                 project_has(project, project->directory, "index.html") ? "index.html" : "public/index.html");
    }
    return framework;
}

static int take_hint(const char *hint, struct build *build, struct detection *detection, struct error *err)
{
    struct buf names;
    size_t i;

    build->framework = framework_named(hint);
    if (build->framework) {
        conclude(&detection->framework, hint, "build.framework");
        return 0;
    }
    buf_init(&names, 512);
    for (i = 0; framework_at(i); i++)
        buf_addf(&names, "%s%s", i ? ", " : "", framework_at(i)->name);
    error_set(err, CLASS_SPEC_INVALID, "unknown-framework", "build.framework: \"%.64s\" is not known", hint);
    error_hint(err, "one of %s; or leave it out and say build.command and build.output", buf_text(&names));
    buf_dispose(&names);
    return -1;
}

/* Tries one script of package.json; true when it is the one to run. */
static bool take_script(const struct project *project, const char *name, struct build *build)
{
    bool found;

    if (!project_script(project, name))
        return false;
    script_read(&build->words, project, name);
    found = build->framework && find_tool(build, build->framework);
    if (found || !build->framework || !build->framework->script_must_build) {
        build->script = name;
        return true;
    }
    script_dispose(&build->words);
    return false;
}

/* Where the tool's own marker folder says that the site is docs/. */
static const char *default_site(const struct project *project, const struct framework *framework)
{
    CLEANUP_FREE char *config = NULL;
    CLEANUP_FREE char *docs = project_resolve(project->directory, "docs");
    size_t i;

    if (!framework->site_marker || !docs)
        return "";
    for (i = 0; i < FRAMEWORK_WORDS_MAX && framework->configs[i] && !config; i++)
        config = project_find_config(project, docs, framework->configs[i]);
    return config ? " docs" : "";
}

static void choose_command(const struct project *project, const struct package_manager *manager, struct build *build,
                           struct detection *detection)
{
    CLEANUP_FREE char *command = NULL;
    size_t i;

    if (build->framework)
        for (i = 0; i < FRAMEWORK_WORDS_MAX && build->framework->scripts[i] && !build->script; i++)
            take_script(project, build->framework->scripts[i], build);
    if (!build->script && !(build->framework && build->framework->scripts[0]))
        take_script(project, "build", build);
    if (build->script) {
        command = xasprintf("%s %s", manager->run, build->script);
        conclude(&detection->build, command, "package.json, scripts.%s", build->script);
        return;
    }
    if (!build->framework || !build->framework->tools[0]) {
        conclude(&detection->build, NULL, "package.json, no scripts.build");
        return;
    }
    command = xasprintf("%s %s%s", manager->exec, build->framework->tools[0], default_site(project, build->framework));
    script_read_text(&build->words, command);
    find_tool(build, build->framework);
    conclude(&detection->build, command, "default of %s", build->framework->name);
}

int conclude_build(const struct project *project, const char *framework_hint, const struct package_manager *manager,
                   struct build *build, struct detection *detection, struct error *err)
{
    *build = (struct build){.framework = NULL, .tool_end = -1};
    if (framework_hint) {
        if (take_hint(framework_hint, build, detection, err))
            return -1;
    } else {
        build->framework = recognise(project, detection);
    }
    if (!build->framework && !project->package)
        strings_add(&detection->warnings, "neither package.json nor index.html in the project's folder: is "
                                          "source.directory right?");
    else if (!build->framework)
        strings_add(&detection->warnings, "no known framework in package.json: say build.output");
    if (!manager)
        conclude(&detection->build, NULL, "no package.json");
    else if (build->framework && strcmp(build->framework->name, "static") == 0)
        conclude(&detection->build, NULL, "default of static");
    else
        choose_command(project, manager, build, detection);
    build_find_config(project, build);
    return 0;
}

void build_find_config(const struct project *project, struct build *build)
{
    const char *argument = NULL;
    const char *flag = NULL;
    size_t i;

    buf_init(&build->config_text, PROJECT_CONFIG_MAX);
    if (build->tool && build->framework->site_argument)
        argument = script_argument(&build->words, build->tool_end);
    if (argument)
        build->site = project_resolve(project->directory, argument);
    build->site_said = build->site != NULL;
    if (!build->site)
        build->site = xstrdup(project->directory);
    if (!build->framework)
        return;
    if (build->tool)
        flag = script_flag(&build->words, build->tool_end, "--config");
    if (flag && fs_is_confined(flag, false))
        build->config = xstrdup(flag);
    for (i = 0; i < FRAMEWORK_WORDS_MAX && build->framework->configs[i] && !build->config; i++)
        build->config = project_find_config(project, build->site, build->framework->configs[i]);
    if (build->config && !build->framework->angular)
        project_read(project, build->site, build->config, PROJECT_CONFIG_MAX, &build->config_text);
}
