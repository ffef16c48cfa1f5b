#include <string.h>
#include <sys/statvfs.h>

#include "core/clock.h"
#include "core/mem.h"
#include "core/protection.h"
#include "job/disk_usage.h"
#include "job/guard.h"

/* Less than this counts as full: a build that failed at ENOSPC has usually removed something on its way out. */
#define DISK_RESERVE (2 * 1024 * 1024)
#define DISK_LOOK_MS 200
#define FOLDERS_NAMED 3

static int64_t free_bytes(const struct job *job)
{
    struct statvfs status;

    return fstatvfs(job->workspace_fd, &status) == 0 ? (int64_t)status.f_bavail * (int64_t)status.f_frsize : -1;
}

/* Publishing decides for itself when it can still turn back; and it writes what the build made, no more. */
static bool may_be_ended(const struct job *job)
{
    return strcmp(job->result->step_now, "publish") != 0;
}

static void end_what_runs(struct job *job)
{
    if (executor_end(job->options->executor, OUTCOME_DISK))
        job->disk_passed = true;
    if (job->options->workers != job->options->executor && executor_end(job->options->workers, OUTCOME_DISK))
        job->disk_passed = true;
}

/* What the file system lost since the start: on a task of its own that is the job's. */
static void on_disk_look(void *context)
{
    struct job *job = context;
    int64_t now = free_bytes(job);
    int64_t used = now >= 0 ? job->free_at_start - now : 0;

    if (used > job->result->peak_disk_bytes)
        job->result->peak_disk_bytes = used;
    if (job->disk_limit_bytes > 0 && used > job->disk_limit_bytes && may_be_ended(job) && PROTECTED(DISK_WATCH))
        end_what_runs(job);
    job->disk_watch = loop_timer_start(job->options->loop, DISK_LOOK_MS, on_disk_look, job);
}

void guard_disk_start(struct job *job)
{
    const struct limit *limit = &job->spec.limits.disk;

    job->free_at_start = free_bytes(job);
    job->disk_limit_bytes = limit->bytes;
    if (limit->percent > 0 && limit->percent < 100 && job->free_at_start > 0) {
        int64_t share = job->free_at_start / 100 * limit->percent;

        if (job->disk_limit_bytes == 0 || share < job->disk_limit_bytes)
            job->disk_limit_bytes = share;
    }
    job->result->disk_limit_bytes = job->disk_limit_bytes;
    job->disk_watch = loop_timer_start(job->options->loop, DISK_LOOK_MS, on_disk_look, job);
}

void guard_disk_stop(struct job *job)
{
    if (!job->disk_watch)
        return;
    loop_timer_stop(job->disk_watch);
    on_disk_look(job); /* the last word */
    loop_timer_stop(job->disk_watch);
    job->disk_watch = NULL;
}

bool guard_disk_full(const struct job *job)
{
    struct statvfs status;

    if (job->workspace_fd < 0 || fstatvfs(job->workspace_fd, &status) != 0)
        return false;
    return (uint64_t)status.f_bavail * status.f_frsize < DISK_RESERVE || (status.f_files && status.f_favail < 16);
}

/* "; the largest folders are source/node_modules (1.2 GiB) and tmp (300 MiB)" */
static void name_folders(const struct job *job, struct buf *out)
{
    struct disk_usage usage;
    char size[CLOCK_TEXT_SIZE];
    size_t i;

    if (job->workspace_fd < 0 || disk_usage_of(&usage, job->workspace_fd) || usage.len == 0)
        return;
    buf_adds(out, usage.cut ? "; the largest folders that were found in time are " : "; the largest folders are ");
    for (i = 0; i < usage.len && i < FOLDERS_NAMED; i++) {
        size_format(usage.folders[i].bytes, size);
        buf_addf(out, "%s%s (%s)", i ? ", " : "", usage.folders[i].name, size);
    }
}

int guard_disk_error(const struct job *job, const char *reason, const char *what, struct error *err)
{
    char limit[CLOCK_TEXT_SIZE];
    struct buf folders;

    buf_init(&folders, 1024);
    name_folders(job, &folders);
    size_format(job->disk_limit_bytes, limit);
    if (strcmp(reason, "disk-limit") == 0) {
        error_set(err, CLASS_DISK_FULL, reason, "%s used more disk than its limit of %s and was ended%s", what, limit,
                  buf_text(&folders));
        error_hint(err, "let the build write less, raise limits.disk, or give the task more ephemeral storage");
    } else {
        error_set(err, CLASS_DISK_FULL, reason, "%s%s", what, buf_text(&folders));
        error_hint(err, "give the task more ephemeral storage, or let the build write less");
    }
    buf_dispose(&folders);
    return -1;
}
