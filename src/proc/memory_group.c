#include "proc/memory_group.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"

#define FILE_MAX 16384
/* Version 1 says "unlimited" by a number that depends on the size of a page; nobody has so much. */
#define UNLIMITED (INT64_C(1) << 60)

/* Kernel files say no size: read until the end or the ceiling. 0 or -1; text is NUL-terminated. */
static int read_text(const char *folder, const char *name, char *text, size_t size)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", folder, name);
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    ssize_t got = 0;

    if (fd < 0)
        return -1;
    while (len < size - 1 && (got = read(fd, text + len, size - 1 - len)) > 0)
        len += (size_t)got;
    text[len] = '\0';
    return got < 0 ? -1 : 0;
}

/* The number that stands behind `key` and a space at the beginning of a line; -1: none does. */
static int64_t number_after(const char *text, const char *key)
{
    size_t len = strlen(key);
    const char *line;

    for (line = text; line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
        if (strncmp(line, key, len) == 0 && line[len] == ' ')
            return strtoll(line + len, NULL, 10);
    return -1;
}

static int64_t read_number(const char *folder, const char *name)
{
    char text[64];
    char *end;
    int64_t number;

    if (read_text(folder, name, text, sizeof text))
        return -1;
    number = strtoll(text, &end, 10);
    return end == text ? -1 : number; /* "max" */
}

/* ---- where it is ---- */

static bool has(const char *folder, const char *name)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", folder, name);

    return access(path, R_OK) == 0;
}

/* In a container the path is often the host's, while the mount shows our group alone. */
static bool found(struct memory_group *group, int version, const char *top, const char *path, const char *file)
{
    CLEANUP_FREE char *inner = xasprintf("%s%s", top, strcmp(path, "/") == 0 ? "" : path);
    const char *folder = strstr(path, "..") || !has(inner, file) ? top : inner;

    if (!has(folder, file))
        return false;
    *group = (struct memory_group){.version = version, .top = xstrdup(top), .folder = xstrdup(folder)};
    return true;
}

void memory_group_find(struct memory_group *group, const char *root)
{
    CLEANUP_FREE char *proc = xasprintf("%s/proc/self", root);
    CLEANUP_FREE char *first = xasprintf("%s/sys/fs/cgroup/memory", root);
    CLEANUP_FREE char *second = xasprintf("%s/sys/fs/cgroup", root);
    CLEANUP_FREE char *text = xmalloc(FILE_MAX);
    char *line, *rest = text;

    *group = (struct memory_group){0};
    if (read_text(proc, "cgroup", text, FILE_MAX))
        return;
    while (!group->version && (line = strsep(&rest, "\n"))) {
        char *controllers = strchr(line, ':');
        char *path = controllers ? strchr(controllers + 1, ':') : NULL;

        if (!path)
            continue;
        *path++ = '\0';
        if (strcmp(controllers + 1, "memory") == 0)
            found(group, 1, first, path, "memory.oom_control");
        else if (controllers[1] == '\0')
            found(group, 2, second, path, "memory.events");
    }
}

void memory_group_dispose(struct memory_group *group)
{
    free(group->top);
    free(group->folder);
    *group = (struct memory_group){0};
}

/* ---- what it says ---- */

int64_t memory_smaller_limit(int64_t limit, int64_t other)
{
    return other > 0 && other < UNLIMITED && (limit == 0 || other < limit) ? other : limit;
}

static int64_t limit_of_folder(int version, const char *folder)
{
    CLEANUP_FREE char *text = xmalloc(FILE_MAX);
    int64_t limit = 0;

    if (version == 2) {
        limit = memory_smaller_limit(limit, read_number(folder, "memory.max"));
        return memory_smaller_limit(limit, read_number(folder, "memory.high"));
    }
    limit = memory_smaller_limit(limit, read_number(folder, "memory.limit_in_bytes"));
    /* This one knows also of groups around ours that cannot be seen from here. */
    if (read_text(folder, "memory.stat", text, FILE_MAX) == 0)
        limit = memory_smaller_limit(limit, number_after(text, "hierarchical_memory_limit"));
    return limit;
}

int64_t memory_group_limit(const struct memory_group *group)
{
    CLEANUP_FREE char *folder = xstrdup(group->folder);
    int64_t limit = 0;
    char *slash;

    while (group->version) {
        limit = memory_smaller_limit(limit, limit_of_folder(group->version, folder));
        slash = strrchr(folder, '/');
        if (strlen(folder) <= strlen(group->top) || !slash)
            break;
        *slash = '\0';
    }
    return limit;
}

static int64_t at_least_0(int64_t number)
{
    return number < 0 ? 0 : number;
}

int64_t memory_group_used(const struct memory_group *group)
{
    const bool first = group->version == 1;
    CLEANUP_FREE char *text = xmalloc(FILE_MAX);
    int64_t used, cache;

    if (!group->version)
        return -1;
    used = read_number(group->folder, first ? "memory.usage_in_bytes" : "memory.current");
    if (used < 0 || read_text(group->folder, "memory.stat", text, FILE_MAX))
        return -1;
    /* Cache includes the files of memory file systems, which are nowhere else. */
    cache = at_least_0(number_after(text, first ? "total_cache" : "file")) -
            at_least_0(number_after(text, first ? "total_shmem" : "shmem"));
    if (!first)
        cache += at_least_0(number_after(text, "slab_reclaimable"));
    return at_least_0(used - at_least_0(cache));
}

int64_t memory_group_kills(const struct memory_group *group)
{
    CLEANUP_FREE char *text = xmalloc(FILE_MAX);

    if (!group->version ||
        read_text(group->folder, group->version == 1 ? "memory.oom_control" : "memory.events", text, FILE_MAX))
        return -1;
    return number_after(text, "oom_kill");
}

bool memory_group_is_own(const struct memory_group *group, bool alone)
{
    return group->version && (memory_group_limit(group) > 0 || (alone && group->version == 2));
}

int64_t memory_of_machine(const char *root)
{
    CLEANUP_FREE char *proc = xasprintf("%s/proc", root);
    char text[4096];
    int64_t kilobytes = -1;

    if (read_text(proc, "meminfo", text, sizeof text) == 0)
        kilobytes = number_after(text, "MemTotal:");
    return kilobytes > 0 ? kilobytes * 1024 : 0;
}
