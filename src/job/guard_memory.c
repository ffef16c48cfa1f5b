#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/fs.h"
#include "core/mem.h"
#include "job/guard.h"
#include "job/task_metadata.h"
#include "proc/memory_group.h"

/* Node's heap is not all that a build needs: its tools are several processes, and code and buffers lie outside it. */
#define HEAP_PERCENT 75
#define HEAP_LEAST_MIB 128

#define SHARED_MEMORY "/dev/shm"
#define MAKE_ROOM_MS 5000

static bool runs_here(const struct job *job)
{
    return strcmp(executor_name(job->options->executor), "local") == 0;
}

struct command_memory guard_memory(const struct job *job)
{
    return (struct command_memory){
        .known_limit_bytes = task_metadata_memory_bytes(job->metadata),
        .bytes = job->spec.limits.memory.bytes,
        .percent = job->spec.limits.memory.percent,
    };
}

int64_t guard_memory_limit(const struct job *job)
{
    int64_t limit = task_metadata_memory_bytes(job->metadata), of_group;
    struct memory_group group;

    if (!runs_here(job))
        return limit;
    memory_group_find(&group, "");
    of_group = memory_group_limit(&group);
    memory_group_dispose(&group);
    return memory_smaller_limit(limit, of_group);
}

void guard_node_heap(const struct job *job, struct strings *env)
{
    const char *own = env_get(env, "NODE_OPTIONS");
    int64_t mib = (guard_memory_limit(job) >> 20) * HEAP_PERCENT / 100;
    CLEANUP_FREE char *options = NULL;

    if (mib < HEAP_LEAST_MIB || (own && (strstr(own, "max-old-space-size") || strstr(own, "max_old_space_size"))))
        return;
    options = xasprintf("%s%s--max-old-space-size=%lld", own ? own : "", own && *own ? " " : "", (long long)mib);
    env_set(env, "NODE_OPTIONS", options);
}

void guard_note_memory(struct job *job, const struct outcome *outcome)
{
    const struct memory_use *use = &outcome->memory;
    struct result *result = job->result;

    if (use->limit_bytes)
        result->memory_limit_bytes = use->limit_bytes;
    if (use->peak_bytes > result->peak_memory_bytes)
        result->peak_memory_bytes = use->peak_bytes;
    if (use->biggest_bytes > result->biggest_bytes) {
        result->biggest_bytes = use->biggest_bytes;
        snprintf(result->biggest_name, sizeof result->biggest_name, "%s", use->biggest_name);
    }
}

/* "peak 1.9 GiB of 2 GiB, the biggest process was node (1.7 GiB)" */
static void describe(const struct memory_use *use, struct buf *out)
{
    char peak[CLOCK_TEXT_SIZE], limit[CLOCK_TEXT_SIZE], biggest[CLOCK_TEXT_SIZE];

    size_format(use->peak_bytes, peak);
    size_format(use->limit_bytes, limit);
    size_format(use->biggest_bytes, biggest);
    if (use->peak_bytes)
        buf_addf(out, "peak %s", peak);
    if (use->peak_bytes && use->limit_bytes)
        buf_addf(out, " of %s", limit);
    if (use->biggest_bytes)
        buf_addf(out, "%sthe biggest process was %s (%s)", out->len ? ", " : "",
                 *use->biggest_name ? use->biggest_name : "one that was too quick to be named", biggest);
}

static void hint(const struct job *job, const struct outcome *outcome, struct error *err)
{
    CLEANUP_FREE char *limit = NULL;
    char size[CLOCK_TEXT_SIZE];

    size_format(outcome->memory.limit_bytes, size);
    limit = outcome->memory.limit_bytes ? xasprintf(" than %s", size) : xstrdup("");
    if (outcome->kind == OUTCOME_MEMORY && job->spec.limits.memory.bytes)
        error_hint(err, "raise limits.memory, or let the build do less at once (fewer workers in parallel)");
    else
        error_hint(
            err,
            "give the task more memory%s, or let the build do less at once: fewer workers in parallel, a smaller "
            "NODE_OPTIONS=--max-old-space-size",
            limit);
}

int guard_memory_error(const struct job *job, const struct outcome *outcome, const char *step, const char *text,
                       struct error *err)
{
    char threshold[CLOCK_TEXT_SIZE];
    struct buf use;

    buf_init(&use, 512);
    describe(&outcome->memory, &use);
    size_format(outcome->memory.threshold_bytes, threshold);
    if (outcome->kind == OUTCOME_MEMORY)
        error_set(err, CLASS_OUT_OF_MEMORY, "memory-limit",
                  "%s used more memory than its limit of %s and was ended: %s", step, threshold, buf_text(&use));
    else
        error_set(err, CLASS_OUT_OF_MEMORY, "out-of-memory", "%s%s%s", text, use.len ? ": " : "", buf_text(&use));
    buf_dispose(&use);
    hint(job, outcome, err);
    return -1;
}

/* ---- afterwards ---- */

/* Files in memory outlive the processes that wrote them. */
static void empty_shared_memory(const struct job *job)
{
    int64_t deadline_ms = clock_monotonic_ms() + MAKE_ROOM_MS;
    int fd = open(SHARED_MEMORY, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    struct stat st;

    while (folder && (entry = readdir(folder)) && clock_monotonic_ms() < deadline_ms)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_uid == job->options->build_uid)
            (void)fs_remove_tree_within(fd, entry->d_name, deadline_ms);
    if (folder)
        closedir(folder);
    else if (fd >= 0)
        close(fd);
}

void guard_make_room(struct job *job)
{
    enum error_class class = job->result->error.class;

    if (class != CLASS_OUT_OF_MEMORY && class != CLASS_DISK_FULL)
        return;
    /* Elsewhere that folder is everybody's. */
    if (job->options->pid1 && job->options->build_uid != 0 && runs_here(job))
        empty_shared_memory(job);
    job_workspace_remove(job);
}
