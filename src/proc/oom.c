#include "proc/oom.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"

#define FILE_MAX 65536

/* Kernel files say no size: read until the end or the ceiling. 0 or -1; text is NUL-terminated. */
static int read_text(const char *path, char *text, size_t size)
{
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

/* The number after "oom_kill " at the start of a line; -1 when there is none. */
static int64_t count_in(const char *path)
{
    CLEANUP_FREE char *text = xmalloc(FILE_MAX);
    const char *line;

    if (read_text(path, text, FILE_MAX))
        return -1;
    for (line = text; line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
        if (strncmp(line, "oom_kill ", 9) == 0)
            return strtoll(line + 9, NULL, 10);
    return -1;
}

static int64_t count_in_group(const char *mount, const char *group, const char *file)
{
    CLEANUP_FREE char *inner = xasprintf("%s%s/%s", mount, strcmp(group, "/") == 0 ? "" : group, file);
    CLEANUP_FREE char *outer = xasprintf("%s/%s", mount, file);
    int64_t count = count_in(inner);

    /* In a container the path is often the host's, and the mount shows our group alone. */
    return count >= 0 ? count : count_in(outer);
}

int64_t oom_kill_count(void)
{
    CLEANUP_FREE char *text = xmalloc(FILE_MAX);
    char *line, *rest = text;
    int64_t count = -1;

    if (read_text("/proc/self/cgroup", text, FILE_MAX) == 0) {
        while (count < 0 && (line = strsep(&rest, "\n"))) {
            char *controllers = strchr(line, ':');
            char *group = controllers ? strchr(controllers + 1, ':') : NULL;

            if (!group)
                continue;
            *group++ = '\0';
            if (strcmp(controllers + 1, "memory") == 0)
                count = count_in_group("/sys/fs/cgroup/memory", group, "memory.oom_control");
            else if (controllers[1] == '\0')
                count = count_in_group("/sys/fs/cgroup", group, "memory.events");
        }
    }
    return count >= 0 ? count : count_in("/proc/vmstat");
}
