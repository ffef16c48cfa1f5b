#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/setup.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/mem.h"
#include "detect/detect.h"

static void print_value(const char *path, const json_t *value, const json_t *origins)
{
    char *text =
        json_is_string(value) ? xstrdup(json_string_value(value)) : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

    printf("%-28s %-44s %s\n", path, text ? text : "", json_text(origins, path, ""));
    free(text);
}

/* Leaves only; lists are shown whole when their origin is that of the list. */
static void print_tree(const char *path, const json_t *value, const json_t *origins)
{
    const char *key;
    json_t *member;
    size_t i;

    if (json_is_object(value) && json_object_size(value)) {
        json_object_foreach((json_t *)value, key, member)
        {
            CLEANUP_FREE char *name = *path ? xasprintf("%s.%s", path, key) : xstrdup(key);

            print_tree(name, member, origins);
        }
    } else if (json_is_array(value) && json_array_size(value) && json_is_object(json_array_get(value, 0))) {
        json_array_foreach((json_t *)value, i, member)
        {
            CLEANUP_FREE char *name = xasprintf("%s[%zu]", path, i);

            print_tree(name, member, origins);
        }
    } else {
        print_value(path, value, origins);
    }
}

static void put_detected(json_t *resolved, json_t *origins, const char *key, const struct conclusion *conclusion)
{
    json_t *build = json_object_get(resolved, "build");
    CLEANUP_FREE char *path = xasprintf("build.%s", key);
    CLEANUP_FREE char *from = xasprintf("detected from %s", conclusion->from ? conclusion->from : "nothing");

    if (!build || !conclusion->value || json_object_get(build, key))
        return;
    json_put_text(build, key, conclusion->value);
    json_put_text(origins, path, from);
}

/* A Dockerfile is there, or a template stands in for it, or the build would fail. */
static const char *dockerfile_origin(const struct spec *spec, bool there)
{
    if (spec->build.template && spec->build.template_always)
        return "not used: the template takes its place";
    if (there)
        return NULL;
    return spec->build.template ? "not there: the template takes its place" : "not there, and no template is named";
}

static int add_dockerfile(const struct spec *spec, const char *root, struct error *err)
{
    const char *in_context = strcmp(spec->build.context, ".") == 0   ? ""
                             : strcmp(spec->build.context, "/") == 0 ? "/"
                                                                     : spec->build.context;
    CLEANUP_FREE char *path =
        spec->build.dockerfile
            ? xstrdup(spec->build.dockerfile)
            : xasprintf("%s%sDockerfile", in_context, *in_context && strcmp(in_context, "/") != 0 ? "/" : "");
    CLEANUP_FREE char *whole = *path == '/' || strcmp(spec->source.directory, ".") == 0
                                   ? xstrdup(path + (*path == '/'))
                                   : xasprintf("%s/%s", spec->source.directory, path);
    int folder = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    CLEANUP_FREE char *resolved = NULL;
    const char *origin;

    if (folder < 0)
        return error_set(err, CLASS_USAGE, "no-such-folder", "--dir %s: %s", root, strerror(errno));
    origin = dockerfile_origin(spec, fs_resolve_beneath(folder, whole, &resolved) == 0);
    close(folder);
    if (!spec->build.dockerfile || origin) {
        json_put_text(json_object_get(spec->resolved, "build"), "dockerfile", path);
        json_put_text(spec->origins, "build.dockerfile", origin ? origin : "detected in the context");
    }
    return 0;
}

/* What the checkout would add: the same detection on a folder that is there already. */
static int add_detection(const struct spec *spec, const char *folder, struct error *err)
{
    struct detect_hints hints = {.node = spec->build.node, .framework = spec->build.framework};
    CLEANUP_FREE char *root = realpath(folder, NULL);
    struct detection detection = {0};

    if (!root)
        return error_set(err, CLASS_USAGE, "no-such-folder", "--dir %s: no such folder", folder);
    if (spec->build.builder == BUILDER_DOCKERFILE)
        return add_dockerfile(spec, root, err);
    if (detect_project(root, spec->source.directory ? spec->source.directory : ".", &hints, &detection, err))
        return -1;
    if (!json_object_get(spec->resolved, "build"))
        json_object_set_new(spec->resolved, "build", json_object());
    put_detected(spec->resolved, spec->origins, "node", &detection.node);
    put_detected(spec->resolved, spec->origins, "framework", &detection.framework);
    put_detected(spec->resolved, spec->origins, "install", &detection.install);
    put_detected(spec->resolved, spec->origins, "command", &detection.build);
    put_detected(spec->resolved, spec->origins, "output", &detection.output);
    detection_dispose(&detection);
    return 0;
}

static void print(const struct spec *spec, bool json)
{
    if (!json) {
        print_tree("", spec->resolved, spec->origins);
        return;
    }
    json_t *document = json_pack("{s:O, s:O}", "spec", spec->resolved, "origins", spec->origins);

    json_dumpf(document, stdout, cli_json_flags() | JSON_INDENT(2));
    fputc('\n', stdout);
    json_decref(document);
}

static int run(const struct cli_call *call)
{
    bool json = cli_flag(call, "json");
    struct setup setup;
    struct spec spec = {0};
    struct problems problems = {0};
    struct strings warnings = {0};
    struct error err;
    char *name = NULL;
    size_t i;
    int status = setup_init(&setup, call, cli_value(call, "env-file"), &err);

    if (status == 0)
        status = setup_spec(&setup, &spec, &problems, &name, &warnings, &err);
    if (status == 0 && cli_value(call, "dir"))
        status = add_detection(&spec, cli_value(call, "dir"), &err);
    for (i = 0; i < warnings.len; i++)
        cli_print(stderr, "caisson: warning: ", warnings.items[i]);
    if (status == 0)
        print(&spec, json);
    else
        status = cli_fail(&err, json);
    spec_dispose(&spec);
    problems_dispose(&problems);
    strings_dispose(&warnings);
    setup_dispose(&setup);
    free(name);
    return status;
}

static const struct cli_option options[] = {
    SETUP_OPTIONS,
    {"dir", "DIR", "A checked-out tree: adds what would be detected there.", NULL},
    {"env-file", "FILE", "A captured environment instead of ours: a JSON list of name and value, or NAME=value lines.",
     NULL},
    {"json", NULL, "Print spec and origins as JSON.", NULL},
    {0},
};

static const char *const examples[] = {
    "caisson plan job.yaml --dir .",
    "print every value and where it comes from, detection included",
    "caisson plan --profile vercel-clone --env-file captured.json",
    "what a captured RunTask environment means",
    NULL,
};

const struct cli_command cmd_plan = {
    .name = "plan",
    .arguments = "[FILE|-]",
    .summary = "print what would be done and where each value comes from",
    .description =
        "Prints the resolved spec, each value with its origin (a line of the spec, a default, the operator's file, a\n"
        "profile's variable, a detected file), and does nothing.",
    .examples = examples,
    .options = options,
    .max_operands = 1,
    .run = run,
};
