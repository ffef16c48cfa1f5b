#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/fs.h"
#include "core/mem.h"

/*
 * A folder that hostile code filled is removed with descriptors only: each folder is opened with O_NOFOLLOW below the
 * one that holds it, so no link leads out, and no path gets too long. Folders deeper than DEPTH_MAX are first moved up
 * into the top folder, so ten thousand levels need as many descriptors and as little stack as DEPTH_MAX levels.
 */
#define DEPTH_MAX 24
/* Passes over one folder that a file system whose listing skips names after a removal (or a process that still writes)
 * may cost. */
#define PASSES_MAX 8

struct removal {
    int top_fd; /* borrowed from remove_folder at depth 0 */
    dev_t device;
    uint64_t number;     /* of the next folder moved up */
    int64_t deadline_ms; /* monotonic; 0: none */
    int first_error;     /* 0 or -errno */
    bool moved;          /* something new is in the top folder */
};

static int remove_folder(struct removal *removal, int parent_fd, const char *name, int depth);

static void note(struct removal *removal, int errno_value)
{
    if (removal->first_error == 0 && errno_value != ENOENT)
        removal->first_error = -errno_value;
}

/* Opens a folder and makes it ours to list and change, as far as we may. fd or -errno. */
static int open_folder(int parent_fd, const char *name)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(parent_fd, name, flags);
    struct stat st;

    if (fd < 0 && errno == EACCES && fchmodat(parent_fd, name, S_IRWXU, AT_SYMLINK_NOFOLLOW) == 0)
        fd = openat(parent_fd, name, flags);
    if (fd < 0)
        return -errno;
    /* Where the mode cannot be changed, the removals below it fail and say why. */
    if (fstat(fd, &st) == 0 && (st.st_mode & S_IRWXU) != S_IRWXU)
        (void)fchmod(fd, S_IRWXU);
    return fd;
}

static int move_up(struct removal *removal, int parent_fd, const char *name)
{
    /* Moving a folder rewrites its "..", so it must be writable to whoever moves it. */
    int fd = open_folder(parent_fd, name);
    char moved[48];
    int attempt;

    if (fd < 0)
        return fd;
    close(fd);
    for (attempt = 0; attempt < 100; attempt++) {
        snprintf(moved, sizeof moved, ".removing-%016llx", (unsigned long long)removal->number++);
        if (renameat(parent_fd, name, removal->top_fd, moved) == 0) {
            removal->moved = true;
            return 0;
        }
        if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR)
            break;
    }
    return -errno;
}

/* One entry of a folder. True when it is gone from there. */
static bool remove_entry(struct removal *removal, int folder_fd, const struct dirent *entry, int depth)
{
    int result = 0;

    if (entry->d_type != DT_DIR) {
        if (unlinkat(folder_fd, entry->d_name, 0) == 0)
            return true;
        result = -errno;
    }
    if (entry->d_type == DT_DIR || result == -EISDIR)
        result = depth < DEPTH_MAX ? remove_folder(removal, folder_fd, entry->d_name, depth + 1)
                                   : move_up(removal, folder_fd, entry->d_name);
    if (result)
        note(removal, -result);
    return result == 0;
}

/* Asked for each entry: a build can leave more files than anybody wants to wait for. */
static bool out_of_time(struct removal *removal)
{
    if (removal->deadline_ms == 0 || clock_monotonic_ms() < removal->deadline_ms)
        return false;
    removal->first_error = -ETIMEDOUT;
    return true;
}

/* One pass over all entries. True when at least one went. */
static bool remove_entries(struct removal *removal, DIR *listing, int depth)
{
    const struct dirent *entry;
    bool progress = false;

    rewinddir(listing);
    while (!out_of_time(removal) && (entry = readdir(listing)) != NULL)
        if (!fs_is_dots(entry->d_name) && remove_entry(removal, dirfd(listing), entry, depth))
            progress = true;
    return progress;
}

/* 0 or -errno of the folder itself; errors of what is in it are noted. Takes the descriptor. */
static int empty_and_remove(struct removal *removal, int folder_fd, int parent_fd, const char *name, int depth)
{
    DIR *listing = fdopendir(folder_fd);
    int passes = 0;
    bool progress;
    int result;

    if (!listing) {
        result = -errno;
        close(folder_fd);
        return result;
    }
    do {
        if (depth == 0)
            removal->moved = false;
        progress = remove_entries(removal, listing, depth);
        result = unlinkat(parent_fd, name, AT_REMOVEDIR) ? -errno : 0;
        if (result != -ENOTEMPTY && result != -EEXIST)
            break;
        /* Passes in which folders were moved up do not count: they end with the depth of the tree. */
        if (!(depth == 0 && removal->moved))
            passes++;
    } while (progress && passes < PASSES_MAX);
    closedir(listing);
    return result == -ENOENT ? 0 : result;
}

static int remove_folder(struct removal *removal, int parent_fd, const char *name, int depth)
{
    struct stat st;
    int fd;

    /* What is mounted there is not ours to empty, also when it is of the same file system: the kernel says so before it
     * looks at what is in it. An empty folder is gone by this. */
    if (unlinkat(parent_fd, name, AT_REMOVEDIR) == 0)
        return 0;
    if (errno == EBUSY)
        return -EXDEV;
    fd = open_folder(parent_fd, name);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    if (fstat(fd, &st)) {
        close(fd);
        return -EIO;
    }
    if (depth == 0) {
        removal->top_fd = fd;
        removal->device = st.st_dev;
    }
    /* Another file system mounted in the tree is not ours to empty. */
    if (st.st_dev != removal->device) {
        close(fd);
        return -EXDEV;
    }
    return empty_and_remove(removal, fd, parent_fd, name, depth);
}

int fs_remove_tree_at(int folder_fd, const char *name)
{
    return fs_remove_tree_within(folder_fd, name, 0);
}

int fs_remove_tree_within(int folder_fd, const char *name, int64_t deadline_ms)
{
    struct removal removal = {.top_fd = -1, .deadline_ms = deadline_ms};
    struct stat st;
    int result;

    if (*name == '\0' || fs_is_dots(name) || strcmp(name, "/") == 0)
        return -EINVAL;
    if (fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISDIR(st.st_mode))
        return unlinkat(folder_fd, name, 0) && errno != ENOENT ? -errno : 0;
    /* Unforeseeable names, so that nobody fills the top folder with them beforehand. */
    if (getrandom(&removal.number, sizeof removal.number, 0) < 0)
        removal.number = 0;
    result = remove_folder(&removal, folder_fd, name, 0);
    return removal.first_error ? removal.first_error : result;
}

int fs_remove_tree(const char *path)
{
    CLEANUP_FREE char *trimmed = xstrdup(path);
    size_t len = strlen(trimmed);

    /* A slash at the end would follow a link. */
    while (len > 1 && trimmed[len - 1] == '/')
        trimmed[--len] = '\0';
    return fs_remove_tree_at(AT_FDCWD, trimmed);
}
