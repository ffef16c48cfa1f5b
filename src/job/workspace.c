#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/fs.h"
#include "core/mem.h"
#include "core/protection.h"
#include "job/guard.h"
#include "job/job.h"
#include "job/leftovers.h"

/* Of what a job leaves; a host that is used again cleans up what is left when the next one starts. */
#define REMOVE_MS (30 * 1000)

#define SOURCE "source"

static int fail(const char *path, int errno_value, const char *what, struct error *err)
{
    return error_set_errno(err, errno_value == ENOSPC ? CLASS_DISK_FULL : CLASS_INTERNAL, "workspace-failed",
                           errno_value, "%s %s", what, path);
}

/* Its descriptor, or -1. */
static int make_folder(const struct job *job, const char *name, uid_t uid, gid_t gid, struct error *err)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", job->workspace, name);
    int fd;

    if (mkdirat(job->workspace_fd, name, 0755) != 0)
        return fail(path, errno, "making the folder", err);
    fd = openat(job->workspace_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return fail(path, errno, "opening the folder", err);
    if (geteuid() != 0 || fchown(fd, uid, gid) == 0)
        return fd;
    fail(path, errno, "giving to its user the folder", err);
    close(fd);
    return -1;
}

int job_build_folder(const struct job *job, char **path, const char *name, struct error *err)
{
    int fd = make_folder(job, name, job->options->build_uid, job->options->build_gid, err);

    *path = xasprintf("%s/%s", job->workspace, name);
    if (fd < 0)
        return -1;
    close(fd);
    return 0;
}

static int make_source(struct job *job, struct error *err)
{
    job->source_fd = make_folder(job, SOURCE, job->options->worker_uid, job->options->worker_gid, err);
    return job->source_fd < 0 ? -1 : 0;
}

int job_source_remake(struct job *job, struct error *err)
{
    int code = fs_remove_tree_at(job->workspace_fd, SOURCE);

    close(job->source_fd);
    job->source_fd = -1;
    return code ? fail(job->source, -code, "emptying the folder", err) : make_source(job, err);
}

int job_source_give(const struct job *job, struct error *err)
{
    const struct job_options *options = job->options;
    int code = 0;

    if (geteuid() == 0 && options->worker_uid != options->build_uid)
        code = fs_give_tree(job->source_fd, options->build_uid, options->build_gid);
    return code ? fail(job->source, -code, "giving to the build's user the folder", err) : 0;
}

int job_source_check(const struct job *job, struct error *err)
{
    struct stat ours, there;

    if (!PROTECTED(SAME_CHECKOUT))
        return 0;
    if (fstat(job->source_fd, &ours) == 0 && lstat(job->source, &there) == 0 && ours.st_dev == there.st_dev &&
        ours.st_ino == there.st_ino)
        return 0;
    error_set(err, CLASS_OUTPUT_REFUSED, "checkout-replaced",
              "the build has put something else in the place of the checkout's folder");
    return error_hint(err, "let the build write into the folder that it starts in, and leave that folder in its place");
}

int workspace_parent_make(const char *parent)
{
    /* The build's user must get through folders that we make, whatever our own umask is. */
    mode_t old_umask = umask(022);
    int code = fs_make_folders(parent, 0755);

    umask(old_umask);
    return code;
}

/* From here on the path is for others: we go by descriptors. */
static int hold(struct job *job, struct error *err)
{
    job->parent_fd = open(job->options->workspace_parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (job->parent_fd < 0)
        return fail(job->options->workspace_parent, errno, "opening the folder", err);
    job->workspace_fd =
        openat(job->parent_fd, strrchr(job->workspace, '/') + 1, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    /* The build's user passes through, and lists nothing. */
    if (job->workspace_fd < 0 || fchmod(job->workspace_fd, 0711) != 0)
        return fail(job->workspace, errno, "opening", err);
    job->workspace_lock = workspace_lock(job->workspace_fd, ".");
    return 0;
}

/* Steps are somewhere else than we. */
static int make_absolute(char **path)
{
    char *absolute = (*path)[0] == '/' ? xstrdup(*path) : realpath(*path, NULL);

    if (!absolute)
        return -errno;
    free(*path);
    *path = absolute;
    return 0;
}

int job_workspace_make(struct job *job, struct error *err)
{
    const char *parent = job->options->workspace_parent;
    int code = workspace_parent_make(parent);

    if (code == 0)
        code = fs_make_temp(parent, WORKSPACE_PREFIX, &job->workspace);
    if (code == 0)
        code = make_absolute(&job->workspace);
    if (code) {
        error_set_errno(err, -code == ENOSPC ? CLASS_DISK_FULL : CLASS_INTERNAL, "workspace-failed", -code,
                        "making a workspace in %s", parent);
        return error_hint(err, "name a folder that can be written with --workspace");
    }
    if (hold(job, err))
        return -1;
    job->source = xasprintf("%s/" SOURCE, job->workspace);
    job->project = xstrdup(job->source);
    if (make_source(job, err) || job_build_folder(job, &job->home, "home", err) ||
        job_build_folder(job, &job->temp, "tmp", err))
        return -1;
    guard_disk_start(job);
    return 0;
}

void job_workspace_remove(struct job *job)
{
    int code;

    if (!job->workspace || job->workspace_removed)
        return;
    job->workspace_removed = true;
    /* What was put in its place lies on its file system, too, or is a link, of which only the link goes. */
    code = job->parent_fd < 0 ? 0
                              : fs_remove_tree_within(job->parent_fd, strrchr(job->workspace, '/') + 1,
                                                      clock_monotonic_ms() + REMOVE_MS);
    if (code)
        log_warning(job->options->log, "the workspace %s could not be removed whole: %s", job->workspace,
                    code == -ETIMEDOUT ? "it holds too much to be removed in time" : strerror(-code));
    if (job->workspace_lock >= 0)
        close(job->workspace_lock);
    job->workspace_lock = -1;
}
