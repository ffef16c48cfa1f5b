#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "detect/parts.h"
#include "detect/range.h"

#define VERSION_FILE_MAX 4096

/* The major versions that builder images exist for, the newest first. */
static const uint32_t supported[] = {24, 22, 20, 18};
static const char default_node[] = "20";

/* Text that others wrote comes into messages only when it is short and plain. */
static bool is_plain(const char *text)
{
    const char *at;

    for (at = text; *at; at++)
        if ((unsigned char)*at < 0x20 || (unsigned char)*at > 0x7e)
            return false;
    return at - text <= RANGE_TEXT_MAX;
}

/* Takes a text as the wanted version when it is one. */
static bool take(struct detection *detection, const char *text, const char *from)
{
    struct range range;

    if (is_plain(text) && range_parse(&range, text) == 0) {
        conclude(&detection->node, text, "%s", from);
        return true;
    }
    strings_addf(&detection->warnings, "%s: %s%s%s is no Node version or range and is ignored", from,
                 is_plain(text) ? "\"" : "", is_plain(text) ? text : "its text", is_plain(text) ? "\"" : "");
    return false;
}

/* The first line that is neither empty nor a comment, without its blanks; false when there is none. */
static bool first_line(char *text, const char **line)
{
    char *rest = NULL;
    char *at;

    for (at = strtok_r(text, "\r\n", &rest); at; at = strtok_r(NULL, "\r\n", &rest)) {
        at += strspn(at, " \t");
        at[strcspn(at, "#")] = '\0';
        while (*at && strchr(" \t", at[strlen(at) - 1]))
            at[strlen(at) - 1] = '\0';
        *line = at;
        if (*at)
            return true;
    }
    return false;
}

static bool take_file(const struct project *project, const char *folder, const char *name, struct detection *detection)
{
    CLEANUP_FREE char *path = project_resolve(folder, name);
    CLEANUP_FREE char *text = NULL;
    const char *line;
    struct buf content;
    bool there;

    buf_init(&content, VERSION_FILE_MAX);
    there = project_read(project, folder, name, VERSION_FILE_MAX, &content);
    text = buf_take(&content);
    return there && first_line(text, &line) && take(detection, line, strcmp(folder, ".") == 0 ? name : path);
}

static bool take_field(const json_t *package, const char *section, const char *label, struct detection *detection)
{
    CLEANUP_FREE char *from = xasprintf("%s, %s.node", label, section);
    const char *text = json_string_value(json_object_get(json_object_get(package, section), "node"));

    return text && take(detection, text, from);
}

static bool take_folder(const struct project *project, const char *folder, const json_t *package, const char *label,
                        struct detection *detection)
{
    return take_file(project, folder, ".nvmrc", detection) || take_file(project, folder, ".node-version", detection) ||
           take_field(package, "volta", label, detection) || take_field(package, "engines", label, detection);
}

static void choose_major(const char *fallback, struct detection *detection)
{
    struct range range;
    char text[16];
    size_t i;

    if (range_parse(&range, detection->node.value) || range.len == 0) {
        strings_addf(&detection->warnings, "%s: no Node version satisfies \"%s\"; taking %s", detection->node.from,
                     detection->node.value, fallback);
        conclude(&detection->node_major, fallback, "default");
        return;
    }
    for (i = 0; i < ARRAY_LEN(supported) && !range_has_major(&range, supported[i]); i++)
        ;
    if (i == ARRAY_LEN(supported))
        strings_addf(&detection->warnings, "%s asks for Node \"%s\"; there are builder images for 18, 20, 22 and 24",
                     detection->node.from, detection->node.value);
    snprintf(text, sizeof text, "%lld",
             i < ARRAY_LEN(supported) ? (long long)supported[i] : (long long)range_highest_major(&range));
    conclude(&detection->node_major, text, "%s", detection->node.from);
}

int conclude_node(const struct project *project, const struct detect_hints *hints, struct detection *detection,
                  struct error *err)
{
    const char *fallback = hints->node_default ? hints->node_default : default_node;
    struct range range;

    if (hints->node) {
        if (range_parse(&range, hints->node)) {
            error_set(err, CLASS_SPEC_INVALID, "bad-node-version", "build.node: \"%.80s\" is no Node version or range",
                      is_plain(hints->node) ? hints->node : "?");
            return error_hint(err, "write a major version (20), a version (20.11.1), a range (^20 || ^22) or lts/*");
        }
        conclude(&detection->node, hints->node, "build.node");
    } else if (!take_folder(project, project->directory, project->package, "package.json", detection) &&
               (strcmp(project->workspace, project->directory) == 0 ||
                !take_folder(project, project->workspace, project->workspace_package, "the workspace's package.json",
                             detection)) &&
               (strcmp(project->directory, ".") == 0 || strcmp(project->workspace, ".") == 0 ||
                !(take_file(project, ".", ".nvmrc", detection) ||
                  take_file(project, ".", ".node-version", detection)))) {
        conclude(&detection->node, fallback, "default");
    }
    choose_major(fallback, detection);
    return 0;
}

bool node_version_satisfies(const char *version, const char *wanted)
{
    struct range range;
    uint64_t point;

    return range_parse_version(&point, version) == 0 && range_parse(&range, wanted) == 0 && range_has(&range, point);
}

bool node_major_satisfies(const char *version, const char *wanted)
{
    struct range range;
    uint64_t point;

    return range_parse_version(&point, version) == 0 && range_parse(&range, wanted) == 0 &&
           range_has_major(&range, range_major(point));
}
