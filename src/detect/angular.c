#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "detect/parts.h"

/*
 * angular.json (Angular documentation, "Workspace configuration"): projects.<name>.architect.build.options.outputPath
 * is a text or {base, browser}. The application builder puts what browsers load into <outputPath>/browser; the older
 * browser builder into outputPath itself.
 */

static json_t *read_workspace(const struct project *project)
{
    json_t *json = NULL;
    struct buf text;

    buf_init(&text, PROJECT_PACKAGE_MAX);
    if (project_read(project, project->directory, "angular.json", PROJECT_PACKAGE_MAX, &text)) {
        json = json_loadb(buf_text(&text), text.len, JSON_ALLOW_NUL, NULL);
        if (!json)
            strings_add(project->warnings, "angular.json is not valid JSON (comments are not read): say build.output");
    }
    buf_dispose(&text);
    return json;
}

static const json_t *build_target(const json_t *application)
{
    const json_t *targets = json_object_get(application, "architect");

    return json_object_get(targets ? targets : json_object_get(application, "targets"), "build");
}

static bool is_application(const json_t *application)
{
    const char *type = json_string_value(json_object_get(application, "projectType"));

    return build_target(application) && !(type && strcmp(type, "library") == 0);
}

/* The default project, else the first application. */
static const json_t *find_application(json_t *workspace, const char **name)
{
    json_t *applications = json_object_get(workspace, "projects");
    const char *wanted = json_string_value(json_object_get(workspace, "defaultProject"));
    json_t *application;
    const char *key;

    if (wanted && is_application(json_object_get(applications, wanted))) {
        *name = wanted;
        return json_object_get(applications, wanted);
    }
    json_object_foreach(applications, key, application)
    {
        if (!is_application(application))
            continue;
        *name = key;
        return application;
    }
    return NULL;
}

static bool has_browser_folder(const json_t *target)
{
    const char *builder = json_string_value(json_object_get(target, "builder"));
    const char *colon = builder ? strrchr(builder, ':') : NULL;

    return colon && strcmp(colon, ":application") == 0;
}

char *angular_output(const struct project *project, char **from)
{
    json_t *workspace = read_workspace(project);
    const char *name = NULL;
    const json_t *target = build_target(find_application(workspace, &name));
    const json_t *said = json_object_get(json_object_get(target, "options"), "outputPath");
    const char *browser = has_browser_folder(target) ? "browser" : "";
    CLEANUP_FREE char *text = NULL;
    char *path = NULL;

    *from = NULL;
    if (json_is_string(said)) {
        text = xasprintf("%s/%s", json_string_value(said), browser);
    } else if (json_is_string(json_object_get(said, "base"))) {
        if (json_is_string(json_object_get(said, "browser")))
            browser = json_string_value(json_object_get(said, "browser"));
        text = xasprintf("%s/%s", json_string_value(json_object_get(said, "base")), browser);
    } else if (target) {
        text = xasprintf("dist/%s/%s", name, browser);
    }
    if (text && (path = project_resolve(project->directory, text)))
        *from = xstrdup(said ? "angular.json, outputPath" : "default of angular");
    json_decref(workspace);
    return path;
}
