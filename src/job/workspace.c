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

#define DISK_LOOK_MS 1000

static int64_t free_bytes(const struct job *job)
{
    struct statvfs status;

    return statvfs(job->workspace, &status) == 0 ? (int64_t)status.f_bavail * (int64_t)status.f_frsize : -1;
}

/* What the file system lost since the start, looked at once a second: on a task of its own that is the job's. */
static void on_disk_look(void *context)
{
    struct job *job = context;
    int64_t now = free_bytes(job);

    if (now >= 0 && job->free_at_start - now > job->peak_disk_bytes)
        job->peak_disk_bytes = job->free_at_start - now;
    job->disk_watch = loop_timer_start(job->options->loop, DISK_LOOK_MS, on_disk_look, job);
}

void job_disk_watch_stop(struct job *job)
{
    if (!job->disk_watch)
        return;
    loop_timer_stop(job->disk_watch);
    on_disk_look(job); /* the last word */
    loop_timer_stop(job->disk_watch);
    job->disk_watch = NULL;
}

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
    job->free_at_start = free_bytes(job);
    job->disk_watch = loop_timer_start(job->options->loop, DISK_LOOK_MS, on_disk_look, job);
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
