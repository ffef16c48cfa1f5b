#include "job/leftovers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/fs.h"
#include "core/mem.h"
#include "job/job.h"

#define RANDOM_LEN 6 /* of mkdtemp */
#define CANDIDATES_MAX 1000
/* Between a folder's birth and its lock there are some instructions of its job. */
#define MIN_AGE_MS (60 * 1000)
#define TIME_MAX_MS 5000

struct candidate {
    char name[sizeof WORKSPACE_PREFIX + RANDOM_LEN];
    int64_t changed_ms;
};

int workspace_lock(int folder_fd, const char *name)
{
    int fd = openat(folder_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool has_our_name(const char *name)
{
    const size_t prefix = sizeof WORKSPACE_PREFIX - 1;
    size_t i;

    if (strncmp(name, WORKSPACE_PREFIX, prefix) != 0 || strlen(name) != prefix + RANDOM_LEN)
        return false;
    for (i = prefix; name[i]; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", name[i]))
            return false;
    return true;
}

/* The folder's own times: what a build does within its subfolders does not change them. */
static bool is_ours(int parent_fd, const char *name, int64_t min_age_ms, struct candidate *candidate)
{
    struct stat parent, st;

    if (!has_our_name(name) || fstat(parent_fd, &parent) || fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW))
        return false;
    candidate->changed_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
    snprintf(candidate->name, sizeof candidate->name, "%s", name);
    return S_ISDIR(st.st_mode) && st.st_uid == geteuid() && st.st_dev == parent.st_dev &&
           clock_wall_ms() - candidate->changed_ms >= min_age_ms;
}

static int by_age(const void *a, const void *b)
{
    const struct candidate *left = a, *right = b;

    return (left->changed_ms > right->changed_ms) - (left->changed_ms < right->changed_ms);
}

/* Holds the lock meanwhile, so that no two that start at once work on the same one. */
static void remove_one(int parent_fd, const char *name, int64_t deadline_ms, struct leftovers *leftovers)
{
    int lock = workspace_lock(parent_fd, name);

    if (lock < 0)
        return;
    if (clock_monotonic_ms() < deadline_ms && fs_remove_tree_within(parent_fd, name, deadline_ms) == 0)
        leftovers->removed++;
    else
        leftovers->kept++;
    close(lock);
}

int leftovers_remove(const char *parent, int64_t min_age_ms, int64_t deadline_ms, struct leftovers *leftovers)
{
    CLEANUP_FREE struct candidate *found = xcalloc(CANDIDATES_MAX, sizeof *found);
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    size_t len = 0, i;

    *leftovers = (struct leftovers){0};
    if (!folder) {
        int reason = errno;

        if (fd >= 0)
            close(fd);
        return -reason;
    }
    while (len < CANDIDATES_MAX && (entry = readdir(folder)) && clock_monotonic_ms() < deadline_ms)
        if (is_ours(fd, entry->d_name, min_age_ms, &found[len]))
            len++;
    qsort(found, len, sizeof *found, by_age);
    for (i = 0; i < len; i++)
        remove_one(fd, found[i].name, deadline_ms, leftovers);
    closedir(folder);
    return 0;
}

void job_leftovers_remove(const struct job *job)
{
    struct leftovers leftovers;

    /* A parent that is not there yet has none; one that cannot be read is the workspace's matter. */
    if (leftovers_remove(job->options->workspace_parent, MIN_AGE_MS, clock_monotonic_ms() + TIME_MAX_MS, &leftovers))
        return;
    if (leftovers.removed)
        log_info(job->options->log, "removed %zu left-over workspace%s of earlier jobs", leftovers.removed,
                 leftovers.removed == 1 ? "" : "s");
    if (leftovers.kept)
        log_warning(job->options->log, "%zu left-over workspace%s of earlier jobs in %s could not be removed",
                    leftovers.kept, leftovers.kept == 1 ? "" : "s", job->options->workspace_parent);
}
