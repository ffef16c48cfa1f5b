#include "job/disk_usage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"

#define TIME_MAX_MS 2000
#define ENTRIES_MAX 500000
#define DEPTH_MAX 64 /* descriptors and stack; what lies deeper is not counted */
#define NAMED_DEPTH 2

struct look {
    struct disk_usage *usage;
    dev_t device;
    int64_t deadline_ms;
    size_t entries;
};

static bool out_of_time(struct look *look)
{
    if (!look->usage->cut && (look->entries > ENTRIES_MAX || clock_monotonic_ms() > look->deadline_ms))
        look->usage->cut = true;
    return look->usage->cut;
}

/* The build chose the name, and it goes into a message. */
static void join_name(char out[96], const char *parent, const char *name)
{
    size_t len;

    snprintf(out, 96, "%s%s%.60s", parent, *parent ? "/" : "", name);
    for (len = 0; out[len]; len++)
        if (out[len] <= 0x20 || out[len] >= 0x7F)
            out[len] = '?';
}

static void keep(struct disk_usage *usage, const char *name, int64_t bytes)
{
    size_t at = usage->len;

    if (bytes == 0)
        return;
    while (at > 0 && usage->folders[at - 1].bytes < bytes)
        at--;
    if (at == DISK_USAGE_FOLDERS)
        return;
    if (usage->len < DISK_USAGE_FOLDERS)
        usage->len++;
    memmove(&usage->folders[at + 1], &usage->folders[at], (usage->len - 1 - at) * sizeof *usage->folders);
    snprintf(usage->folders[at].name, sizeof usage->folders[at].name, "%s", name);
    usage->folders[at].bytes = bytes;
}

static int64_t sum_folder(struct look *look, int parent_fd, const char *entry_name, const char *name, int depth);

static int64_t sum_entries(struct look *look, DIR *folder, const char *name, int depth, int64_t *loose)
{
    const struct dirent *entry;
    int64_t sum = 0;
    char below[96];
    struct stat st;

    while ((entry = readdir(folder)) && !out_of_time(look)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        look->entries++;
        /* Not by the device of a file: overlayfs shows that of the layer. Of folders it shows its own. */
        if (fstatat(dirfd(folder), entry->d_name, &st, AT_SYMLINK_NOFOLLOW))
            continue;
        *loose += (int64_t)st.st_blocks * 512;
        if (!S_ISDIR(st.st_mode) || depth == DEPTH_MAX)
            continue;
        join_name(below, name, entry->d_name);
        sum += sum_folder(look, dirfd(folder), entry->d_name, below, depth + 1);
    }
    return sum;
}

/* What a folder and all below it have. Those at the named depth, and what lies loose above it, are kept. */
static int64_t sum_folder(struct look *look, int parent_fd, const char *entry_name, const char *name, int depth)
{
    int fd = openat(parent_fd, entry_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int64_t loose = 0, sum = 0;
    struct stat st;
    DIR *folder;

    if (fd < 0)
        return 0;
    if (fstat(fd, &st) || st.st_dev != look->device || !(folder = fdopendir(fd))) {
        close(fd);
        return 0;
    }
    sum = sum_entries(look, folder, name, depth, &loose);
    closedir(folder);
    if (depth > 0 && depth <= NAMED_DEPTH)
        keep(look->usage, name, depth == NAMED_DEPTH ? sum + loose : loose);
    return sum + loose;
}

int disk_usage_of(struct disk_usage *usage, int folder_fd)
{
    struct look look = {.usage = usage, .deadline_ms = clock_monotonic_ms() + TIME_MAX_MS};
    struct stat st;

    memset(usage, 0, sizeof *usage);
    if (fstat(folder_fd, &st))
        return -errno;
    look.device = st.st_dev;
    sum_folder(&look, folder_fd, ".", "", 0);
    return 0;
}
