#include "detect/project.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/mem.h"

#define PATH_TEXT_MAX 1024
#define PATH_DEPTH_MAX 64

static char *path_of(const char *folder, const char *name)
{
    return strcmp(folder, ".") == 0 ? xstrdup(name) : xasprintf("%s/%s", folder, name);
}

static int open_file(const struct project *project, const char *folder, const char *name)
{
    CLEANUP_FREE char *path = path_of(folder, name);
    struct stat st;
    int fd = fs_open_beneath(project->root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);

    if (fd < 0)
        return fd;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return fd;
    close(fd);
    return -EINVAL;
}

bool project_has(const struct project *project, const char *folder, const char *name)
{
    CLEANUP_CLOSE int fd = open_file(project, folder, name);

    return fd >= 0;
}

/* Why a file that is there is not taken, in words. */
static const char *refusal(int errno_value)
{
    switch (errno_value) {
    case EFBIG: return "it is too large";
    case ELOOP: return "it is a symbolic link, or lies behind one, and links are not followed";
    case EINVAL: return "it is not a regular file";
    default: return strerror(errno_value);
    }
}

static bool is_missing(int errno_value)
{
    return errno_value == ENOENT || errno_value == ENOTDIR;
}

static int read_file(const struct project *project, const char *folder, const char *name, size_t max, struct buf *out)
{
    CLEANUP_FREE char *path = path_of(folder, name);

    return -fs_read_at(project->root_fd, path, max, out);
}

bool project_read(const struct project *project, const char *folder, const char *name, size_t max, struct buf *out)
{
    int errno_value = read_file(project, folder, name, max, out);

    if (errno_value && !is_missing(errno_value))
        strings_addf(project->warnings, "%s is not read: %s", name, refusal(errno_value));
    return errno_value == 0;
}

bool project_read_head(const struct project *project, const char *folder, const char *name, size_t max, struct buf *out)
{
    CLEANUP_CLOSE int fd = open_file(project, folder, name);
    char chunk[4096];
    ssize_t got;

    if (fd < 0)
        return false;
    while (max > 0) {
        got = read(fd, chunk, max < sizeof chunk ? max : sizeof chunk);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || buf_add(out, chunk, (size_t)got))
            break;
        max -= (size_t)got;
    }
    return true;
}

/* Byte order mark and repeated keys: npm takes both, so do we. */
static json_t *parse_package(const struct buf *text, json_error_t *where)
{
    const char *data = buf_text(text);
    size_t len = text->len;

    if (len >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0) {
        data += 3;
        len -= 3;
    }
    return json_loadb(data, len, JSON_ALLOW_NUL, where);
}

static int bad_package(struct error *err, const char *folder, const char *why)
{
    CLEANUP_FREE char *path = path_of(folder, "package.json");

    error_set(err, CLASS_BUILD_FAILED, "bad-package-json", "%s: %s", path, why);
    return error_hint(err, "npm reads the same file: `npm pkg get name` in that folder shows whether it accepts it");
}

/* 0 with *package NULL when there is none. */
static int load_package(const struct project *project, const char *folder, json_t **package, struct error *err)
{
    json_error_t where;
    struct buf text;
    char why[JSON_ERROR_TEXT_LENGTH + 64];
    int errno_value;
    char *quote;

    *package = NULL;
    buf_init(&text, PROJECT_PACKAGE_MAX);
    errno_value = read_file(project, folder, "package.json", PROJECT_PACKAGE_MAX, &text);
    if (errno_value) {
        buf_dispose(&text);
        return is_missing(errno_value) ? 0 : bad_package(err, folder, refusal(errno_value));
    }
    *package = parse_package(&text, &where);
    buf_dispose(&text);
    if (json_is_object(*package))
        return 0;
    if (*package) {
        json_decref(*package);
        *package = NULL;
        return bad_package(err, folder, "it holds no JSON object");
    }
    quote = strstr(where.text, " near ");
    if (quote)
        *quote = '\0';
    snprintf(why, sizeof why, "not valid JSON: line %d, column %d: %s", where.line, where.column, where.text);
    return bad_package(err, folder, why);
}

static char *parent_of(const char *folder)
{
    const char *slash = strrchr(folder, '/');

    if (strcmp(folder, ".") == 0)
        return NULL;
    return slash ? xstrndup(folder, (size_t)(slash - folder)) : xstrdup(".");
}

/* A workspace's root is the nearest folder above that says it is one. What cannot be read there is none. */
static void find_workspace(struct project *project)
{
    char *folder = parent_of(project->directory);
    json_t *package;
    char *next;

    project->workspace = xstrdup(project->directory);
    while (folder) {
        if (load_package(project, folder, &package, NULL))
            package = NULL;
        if (project_has(project, folder, "pnpm-workspace.yaml") || json_object_get(package, "workspaces")) {
            free(project->workspace);
            project->workspace = folder;
            project->workspace_package = package;
            return;
        }
        json_decref(package);
        next = parent_of(folder);
        free(folder);
        folder = next;
    }
}

static int directory_not_found(struct error *err, const char *directory, int errno_value)
{
    error_set(err, CLASS_REF_NOT_FOUND, "directory-not-found", "source.directory %s: %s", directory,
              errno_value == ELOOP    ? "it is a symbolic link, or lies behind one, and links are not followed"
              : errno_value == ENOENT ? "the repository has no such folder"
              : errno_value == EXDEV  ? "it leads out of the repository"
                                      : strerror(errno_value));
    return error_hint(err, "source.directory is relative to the repository's root, without \"..\"");
}

int project_open(struct project *project, const char *root, const char *directory, struct strings *warnings,
                 struct error *err)
{
    int fd;

    *project = (struct project){.root_fd = -1, .warnings = warnings};
    project->root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (project->root_fd < 0)
        return error_set_errno(err, CLASS_REF_NOT_FOUND, "directory-not-found", errno, "%s", root);
    project->directory = project_resolve(".", directory);
    if (!project->directory)
        return directory_not_found(err, directory, EXDEV);
    fd = fs_open_beneath(project->root_fd, project->directory, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return directory_not_found(err, directory, -fd);
    close(fd);
    if (load_package(project, project->directory, &project->package, err))
        return -1;
    find_workspace(project);
    return 0;
}

void project_dispose(struct project *project)
{
    if (project->root_fd >= 0)
        close(project->root_fd);
    free(project->directory);
    free(project->workspace);
    json_decref(project->package);
    json_decref(project->workspace_package);
    *project = (struct project){.root_fd = -1};
}

const char *project_dependency(const struct project *project, const char *name, const char **version)
{
    static const char *const sections[] = {"dependencies", "devDependencies", "optionalDependencies"};
    const json_t *found;
    size_t i;

    for (i = 0; i < ARRAY_LEN(sections); i++) {
        found = json_object_get(json_object_get(project->package, sections[i]), name);
        if (!found)
            continue;
        if (version)
            *version = json_string_value(found);
        return sections[i];
    }
    return NULL;
}

const char *project_script(const struct project *project, const char *name)
{
    return json_string_value(json_object_get(json_object_get(project->package, "scripts"), name));
}

char *project_find_config(const struct project *project, const char *folder, const char *pattern)
{
    static const char *const extensions[] = {"ts", "js", "mjs", "mts", "cjs", "cts"};
    size_t stem = strcspn(pattern, "*");
    char *name;
    size_t i;

    if (pattern[stem] == '\0')
        return project_has(project, folder, pattern) ? xstrdup(pattern) : NULL;
    for (i = 0; i < ARRAY_LEN(extensions); i++) {
        name = xasprintf("%.*s%s", (int)stem, pattern, extensions[i]);
        if (project_has(project, folder, name))
            return name;
        free(name);
    }
    return NULL;
}

/* Puts the components of `path` on the stack; false when it climbs out. */
static bool walk(struct view stack[PATH_DEPTH_MAX], size_t *depth, const char *path)
{
    size_t len;

    for (;; path += len + 1) {
        len = strcspn(path, "/");
        if (len == 2 && path[0] == '.' && path[1] == '.') {
            if (*depth == 0)
                return false;
            (*depth)--;
        } else if (len > 0 && !(len == 1 && path[0] == '.')) {
            if (*depth == PATH_DEPTH_MAX)
                return false;
            stack[(*depth)++] = (struct view){path, len};
        }
        if (path[len] == '\0')
            return true;
    }
}

static bool is_plain(const char *path)
{
    const char *at;

    if (*path == '/' || strlen(path) > PATH_TEXT_MAX)
        return false;
    for (at = path; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f || *at == '\\')
            return false;
    return true;
}

char *project_resolve(const char *folder, const char *path)
{
    struct view stack[PATH_DEPTH_MAX];
    struct buf joined;
    size_t depth = 0;
    size_t i;

    if (!is_plain(path) || !walk(stack, &depth, folder) || !walk(stack, &depth, path))
        return NULL;
    if (depth == 0)
        return xstrdup(".");
    buf_init(&joined, 4 * PATH_TEXT_MAX);
    for (i = 0; i < depth; i++) {
        if (i > 0)
            buf_addc(&joined, '/');
        buf_add(&joined, stack[i].data, stack[i].len);
    }
    return buf_take(&joined);
}

char *project_relative(const struct project *project, const char *path)
{
    size_t len = strlen(project->directory);

    if (strcmp(project->directory, ".") == 0 || strcmp(path, project->directory) == 0)
        return xstrdup(strcmp(path, project->directory) == 0 ? "." : path);
    if (strncmp(path, project->directory, len) == 0 && path[len] == '/')
        return xstrdup(path + len + 1);
    return strcmp(path, ".") == 0 ? xstrdup("/") : xasprintf("/%s", path);
}
