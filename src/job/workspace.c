#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/fs.h"
#include "core/mem.h"
#include "job/guard.h"
#include "job/job.h"
#include "job/leftovers.h"

/* Of what a job leaves; a host that is used again cleans up what is left when the next one starts. */
#define REMOVE_MS (30 * 1000)

static int make_folder(const struct job *job, char **path, const char *name, struct error *err)
{
    *path = xasprintf("%s/%s", job->workspace, name);
    if (mkdir(*path, 0755) != 0)
        return error_set_errno(err, errno == ENOSPC ? CLASS_DISK_FULL : CLASS_INTERNAL, "workspace-failed", errno,
                               "making the folder %s", *path);
    if (geteuid() == 0 && chown(*path, job->options->build_uid, job->options->build_gid) != 0)
        return error_set_errno(err, CLASS_INTERNAL, "workspace-failed", errno, "giving %s to the build's user", *path);
    return 0;
}

int workspace_parent_make(const char *parent)
{
    /* The build's user must get through folders that we make, whatever our own umask is. */
    mode_t old_umask = umask(022);
    int code = fs_make_folders(parent, 0755);

    umask(old_umask);
    return code;
}

int job_workspace_make(struct job *job, struct error *err)
{
    const char *parent = job->options->workspace_parent;
    int code = workspace_parent_make(parent);

    if (code == 0)
        code = fs_make_temp(parent, WORKSPACE_PREFIX, &job->workspace);
    if (code) {
        error_set_errno(err, -code == ENOSPC ? CLASS_DISK_FULL : CLASS_INTERNAL, "workspace-failed", -code,
                        "making a workspace in %s", parent);
        return error_hint(err, "name a folder that can be written with --workspace");
    }
    job->workspace_lock = workspace_lock(AT_FDCWD, job->workspace);
    /* The build's user passes through, and lists nothing. */
    if (chmod(job->workspace, 0711) != 0)
        return error_set_errno(err, CLASS_INTERNAL, "workspace-failed", errno, "opening %s", job->workspace);
    if (make_folder(job, &job->source, "source", err) || make_folder(job, &job->home, "home", err) ||
        make_folder(job, &job->temp, "tmp", err))
        return -1;
    job->project = xstrdup(job->source);
    guard_disk_start(job);
    return 0;
}

void job_workspace_remove(struct job *job)
{
    int code;

    if (!job->workspace || job->workspace_removed)
        return;
    job->workspace_removed = true;
    code = fs_remove_tree_within(AT_FDCWD, job->workspace, clock_monotonic_ms() + REMOVE_MS);
    if (code)
        log_warning(job->options->log, "the workspace %s could not be removed whole: %s", job->workspace,
                    code == -ETIMEDOUT ? "it holds too much to be removed in time" : strerror(-code));
    if (job->workspace_lock >= 0)
        close(job->workspace_lock);
    job->workspace_lock = -1;
}
