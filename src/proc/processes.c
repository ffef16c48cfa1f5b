#include "proc/processes.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"

static int read_proc(pid_t pid, const char *name, char *text, size_t size)
{
    char path[64];
    ssize_t len;
    int fd;

    snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    len = read(fd, text, size - 1);
    close(fd);
    if (len <= 0)
        return -1;
    text[len] = '\0';
    return 0;
}

/* A process may call itself anything; the name goes into messages. */
static void copy_name(char name[16], const char *from, const char *end)
{
    size_t len = 0;

    for (; from < end && len < 15; from++)
        name[len++] = *from > 0x20 && *from < 0x7F ? *from : *from == ' ' ? ' ' : '?';
    name[len] = '\0';
}

/* proc(5), /proc/pid/stat: the name stands in parentheses and may itself hold any byte, so count from the last one. */
static int read_process(pid_t pid, struct process *process)
{
    char text[1024];
    const char *before, *after;
    long parent, pages;

    if (read_proc(pid, "stat", text, sizeof text) || !(before = strchr(text, '(')) || !(after = strrchr(text, ')')))
        return -1;
    process->pid = pid;
    /* 3 state, 4 ppid, … 22 starttime; the kernel's own text. NOLINTNEXTLINE(cert-err34-c) */
    if (sscanf(after + 1,
               " %c %ld %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %ld %*s %llu "
               "%*s %ld",
               &process->state, &parent, &process->threads, &process->start, &pages) != 5)
        return -1;
    process->parent = (pid_t)parent;
    process->resident_bytes = pages > 0 ? pages * sysconf(_SC_PAGESIZE) : 0;
    copy_name(process->name, before + 1, after);
    return 0;
}

int64_t process_private_bytes(const struct process *process)
{
    unsigned long long resident, shared;
    char text[256];

    if (read_proc(process->pid, "statm", text, sizeof text))
        return 0;
    /* the kernel's own text. NOLINTNEXTLINE(cert-err34-c) */
    if (sscanf(text, "%*s %llu %llu", &resident, &shared) != 2 || resident < shared)
        return 0;
    return (int64_t)(resident - shared) * sysconf(_SC_PAGESIZE);
}

static void add(struct processes *list, const struct process *process)
{
    if ((list->len & (list->len - 1)) == 0)
        list->items = xrealloc(list->items, list->len ? 2 * list->len : 1, sizeof *list->items);
    list->items[list->len++] = *process;
}

static int compare_parents(const void *a, const void *b)
{
    const struct process *left = a, *right = b;

    return (left->parent > right->parent) - (left->parent < right->parent);
}

int processes_read(struct processes *list)
{
    DIR *folder = opendir("/proc");
    struct dirent *entry;
    struct process process;

    *list = (struct processes){0};
    if (!folder)
        return -1;
    while ((entry = readdir(folder)))
        if (isdigit((unsigned char)entry->d_name[0]) &&
            read_process((pid_t)strtol(entry->d_name, NULL, 10), &process) == 0)
            add(list, &process);
    closedir(folder);
    if (list->len)
        qsort(list->items, list->len, sizeof *list->items, compare_parents);
    return list->len ? 0 : -1;
}

void processes_dispose(struct processes *list)
{
    free(list->items);
    *list = (struct processes){0};
}

void processes_children(const struct processes *all, pid_t parent, struct processes *children)
{
    size_t i;

    *children = (struct processes){0};
    for (i = 0; i < all->len; i++)
        if (all->items[i].parent == parent)
            add(children, &all->items[i]);
}

static bool is_in(const struct processes *list, const struct process *process)
{
    size_t i;

    for (i = 0; i < list->len; i++)
        if (list->items[i].pid == process->pid && list->items[i].start == process->start)
            return true;
    return false;
}

/* Index of the first process of that parent; the list is sorted by parent. */
static size_t first_child(const struct processes *all, pid_t parent)
{
    size_t low = 0, high = all->len;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (all->items[middle].parent < parent)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void processes_descendants(const struct processes *all, pid_t ancestor, const struct processes *except,
                           struct processes *found)
{
    /* A process number that is used again while we read could close a circle: each is visited once. */
    CLEANUP_FREE bool *seen = xcalloc(all->len + 1, sizeof *seen);
    struct processes family = {0};
    size_t at, i;

    *found = (struct processes){0};
    for (at = 0; at <= family.len; at++) {
        pid_t parent = at == 0 ? ancestor : family.items[at - 1].pid;

        for (i = first_child(all, parent); i < all->len && all->items[i].parent == parent; i++) {
            if (seen[i] || all->items[i].pid == ancestor || is_in(except, &all->items[i]))
                continue;
            seen[i] = true;
            add(&family, &all->items[i]);
        }
    }
    for (i = 0; i < family.len; i++)
        if (!process_is_dead(&family.items[i]))
            add(found, &family.items[i]);
    processes_dispose(&family);
}

/* Not the owner of the folder: that is root's when the process is not dumpable. */
static int read_uids(const struct process *process, unsigned uids[4])
{
    char text[2048];
    const char *line;

    if (process_is_dead(process) || read_proc(process->pid, "status", text, sizeof text) ||
        !(line = strstr(text, "\nUid:")))
        return -1;
    /* the kernel's own text. NOLINTNEXTLINE(cert-err34-c) */
    if (sscanf(line, " Uid: %u %u %u %u", &uids[0], &uids[1], &uids[2], &uids[3]) != 4)
        return -1;
    return 0;
}

bool process_has_uid(const struct process *process, uid_t uid)
{
    unsigned uids[4];

    return read_uids(process, uids) == 0 && (uids[0] == uid || uids[1] == uid || uids[2] == uid || uids[3] == uid);
}

int process_uid(const struct process *process, uid_t *uid)
{
    unsigned uids[4];

    if (read_uids(process, uids))
        return -1;
    *uid = uids[0];
    return 0;
}
