#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/mem.h"
#include "job/job.h"

/* Less than this counts as full: a build that failed at ENOSPC has usually removed something on its way out. */
#define DISK_RESERVE (2 * 1024 * 1024)

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

int job_workspace_make(struct job *job, struct error *err)
{
    const char *parent = job->options->workspace_parent;
    int code = fs_make_folders(parent, 0755);

    if (code == 0)
        code = fs_make_temp(parent, "caisson-", &job->workspace);
    if (code) {
        error_set_errno(err, -code == ENOSPC ? CLASS_DISK_FULL : CLASS_INTERNAL, "workspace-failed", -code,
                        "making a workspace in %s", parent);
        return error_hint(err, "name a folder that can be written with --workspace");
    }
    /* The build's user passes through, and lists nothing. */
    if (chmod(job->workspace, 0711) != 0)
        return error_set_errno(err, CLASS_INTERNAL, "workspace-failed", errno, "opening %s", job->workspace);
    if (make_folder(job, &job->source, "source", err) || make_folder(job, &job->home, "home", err) ||
        make_folder(job, &job->temp, "tmp", err))
        return -1;
    job->project = xstrdup(job->source);
    return 0;
}

void job_workspace_remove(struct job *job)
{
    int code;

    if (!job->workspace)
        return;
    code = fs_remove_tree(job->workspace);
    if (code)
        log_warning(job->options->log, "the workspace %s could not be removed whole: %s", job->workspace,
                    strerror(-code));
}

bool job_disk_full(const struct job *job)
{
    struct statvfs status;

    if (!job->workspace || statvfs(job->workspace, &status) != 0)
        return false;
    return (uint64_t)status.f_bavail * status.f_frsize < DISK_RESERVE || (status.f_files && status.f_favail < 16);
}
