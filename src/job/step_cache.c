/*
 * The steps "restore" and "save" of the layer cache: the folder `cache` of the workspace before the build, and what is
 * in it after. A cache saves time and nothing else, so its failures are warnings.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/mem.h"
#include "job/cache_worker.h"
#include "job/image.h"
#include "job/worker_request.h"

#define CACHE_FOLDER "cache" /* of the workspace, the build's */
#define WORK_MS ((int64_t)10 * 60 * 1000)
#define GRACE_MS ((int64_t)10 * 1000)

bool step_restore_wanted(const struct job *job)
{
    return step_build_wanted(job) && image_wanted(job) && job->spec.cache.to;
}

bool step_save_wanted(const struct job *job)
{
    return job->cache_folder != NULL;
}

/* ---- whose cache ---- */

/* Without a project of its own a repository is one. No project's name has a blank. */
static char *project_of(const struct job *job)
{
    if (job->spec.project)
        return xstrdup(job->spec.project);
    return xasprintf("repository %s", job->result->repository ? job->result->repository : "");
}

/*
 * What the spec says, in full as the server has it. A ref that is not among the server's, and a commit without a ref,
 * have no cache of their own: nobody knows whose build that is. The child that asked the server may have been taken over
 * by what it fetched: it decides between branch and tag of that name, and no more.
 */
static const char *ref_of(const struct job *job)
{
    static const char *const prefixes[] = {"", "refs/", "refs/heads/", "refs/tags/"};
    const char *ref = job->spec.source.ref, *full = job->named_ref;
    size_t i;

    if (!ref)
        return job->spec.source.commit ? NULL : job->default_ref;
    for (i = 0; full && i < ARRAY_LEN(prefixes); i++)
        if (strncmp(full, prefixes[i], strlen(prefixes[i])) == 0 && strcmp(full + strlen(prefixes[i]), ref) == 0)
            return full;
    return NULL;
}

static const char *short_name(const char *ref)
{
    return strncmp(ref, "refs/heads/", 11) == 0 ? ref + 11 : ref;
}

/* ---- the child ---- */

static char *place(const struct job *job)
{
    const char *to = job->spec.cache.to;
    CLEANUP_FREE char *here = NULL;

    if (strncmp(to, "file:", 5) != 0 || to[5] == '/')
        return xstrdup(to);
    here = realpath(".", NULL);
    return xasprintf("file:%s/%s", here ? here : "", to + 5);
}

static json_t *request_of(const struct job *job, const char *action)
{
    const struct platform *platform = job->options->platform;
    CLEANUP_FREE char *project = project_of(job);
    CLEANUP_FREE char *to = place(job);
    json_t *request = json_object();

    json_put_text(request, "action", action);
    worker_request_put_workspace(request, job);
    json_put_text(request, "folder", CACHE_FOLDER);
    json_put_text(request, "to", to);
    json_put_text(request, "project", project);
    json_put_text(request, "ref", ref_of(job));
    json_put_text(request, "fallback_ref", job->default_ref);
    json_object_set_new(request, "max_age_ms", json_integer(job->spec.cache.max_age_ms));
    json_object_set_new(request, "max_bytes", json_integer(job->spec.cache.max_bytes));
    json_object_set_new(request, "time_ms", json_integer(WORK_MS));
    if (job->cache_broken)
        json_object_set(request, "distrust", job->cache_broken);
    json_put_text(request, "endpoint", platform->endpoint);
    json_put_text(request, "region", platform->region);
    json_object_set_new(request, "path_style", json_boolean(platform->path_style));
    worker_request_put_network(request, platform);
    return request;
}

static int call_worker(struct job *job, const char *action, json_t **value, struct error *err)
{
    CLEANUP_JSON json_t *request = request_of(job, action);
    struct worker_call call = {
        .name = cache_worker.name,
        .what = action,
        .request = request,
        .user = COMMAND_AS_SELF,
        /* It ends by itself before, with what it has got. */
        .timeout_ms = WORK_MS + GRACE_MS,
        .grace_ms = GRACE_MS,
        .crash_class = CLASS_PLATFORM,
    };
    struct outcome outcome;

    return worker_run(job->options->workers, job->options->log, &call, value, &outcome, err);
}

static void warn(const struct job *job, const char *what, const struct error *err)
{
    log_warning(job->options->log, "the layer cache was not %s: %s", what, err->message);
    if (err->hint[0])
        log_info(job->options->log, "%s", err->hint);
}

/* ---- the steps ---- */

/* Anew: nothing may be there that we have not put there. */
static int make_folder(struct job *job, struct error *err)
{
    int code = fs_remove_tree_at(job->workspace_fd, CACHE_FOLDER);

    if (code && code != -ENOENT)
        return error_set_errno(err, CLASS_INTERNAL, "workspace-failed", -code, "emptying %s/" CACHE_FOLDER,
                               job->workspace);
    free(job->cache_folder);
    job->cache_folder = NULL;
    return job_build_folder(job, &job->cache_folder, CACHE_FOLDER, err);
}

static void tell_restored(struct job *job, const json_t *answer, int64_t begin_ms)
{
    struct result_cache *cache = &job->result->cache;
    char bytes[CLOCK_TEXT_SIZE], time[CLOCK_TEXT_SIZE];
    int64_t fallback = json_int(answer, "from_fallback", 0);

    cache->restored = json_int(answer, "entries", 0);
    cache->restored_bytes = json_int(answer, "bytes", 0);
    cache->from_default = fallback;
    cache->restore_ms = clock_monotonic_ms() - begin_ms;
    if (!cache->restored) {
        log_info(job->options->log, "layer cache: there is nothing yet in %s", job->spec.cache.to);
        return;
    }
    size_format(cache->restored_bytes, bytes);
    duration_format(cache->restore_ms, time);
    log_info(job->options->log, "layer cache: %lld layers, %s, in %s (%lld of the default branch)",
             (long long)cache->restored, bytes, time, (long long)fallback);
}

int step_restore(struct job *job, struct error *err)
{
    int64_t begin_ms = clock_monotonic_ms();
    CLEANUP_JSON json_t *answer = NULL;
    const char *ref = ref_of(job);
    struct error problem;

    if (strcmp(engine_name(job->engine), "kaniko") != 0) {
        log_info(job->options->log, "the layer cache is kaniko's: %s builds without one", engine_name(job->engine));
        return 0;
    }
    if (make_folder(job, err))
        return -1;
    job->result->cache.wanted = true;
    if (!ref)
        log_info(job->options->log,
                 "layer cache: the job names no branch or tag of the server, so nothing is saved at its end");
    if (!ref && !job->default_ref)
        return 0;
    if (call_worker(job, CACHE_RESTORE, &answer, &problem)) {
        if (job->stopping) {
            *err = problem;
            return -1;
        }
        warn(job, "restored", &problem);
        return make_folder(job, err);
    }
    json_decref(job->cache_broken);
    job->cache_broken = json_incref(json_object_get(answer, "broken"));
    tell_restored(job, answer, begin_ms);
    return 0;
}

static void tell_saved(struct job *job, const json_t *answer, int64_t begin_ms)
{
    struct result_cache *cache = &job->result->cache;
    char sent[CLOCK_TEXT_SIZE], bytes[CLOCK_TEXT_SIZE], time[CLOCK_TEXT_SIZE];

    cache->used = json_int(answer, "used", 0);
    cache->added = json_int(answer, "added", 0);
    cache->dropped = json_int(answer, "dropped", 0);
    cache->sent_bytes = json_int(answer, "transferred_bytes", 0);
    cache->saved = json_int(answer, "entries", 0);
    cache->saved_bytes = json_int(answer, "bytes", 0);
    cache->save_ms = clock_monotonic_ms() - begin_ms;
    size_format(cache->sent_bytes, sent);
    size_format(cache->saved_bytes, bytes);
    duration_format(cache->save_ms, time);
    log_info(job->options->log,
             "layer cache: %lld used, %lld new, %lld dropped; sent %s in %s; %s has %lld layers now, %s",
             (long long)cache->used, (long long)cache->added, (long long)cache->dropped, sent, time,
             short_name(ref_of(job)), (long long)cache->saved, bytes);
}

int step_save(struct job *job, struct error *err)
{
    int64_t begin_ms = clock_monotonic_ms();
    CLEANUP_JSON json_t *answer = NULL;
    struct error problem;

    if (!ref_of(job))
        return 0;
    /* Nothing of the build writes to the folder any more, and our connections go by our own files. */
    (void)err;
    if (job_build_over(job, &problem) || call_worker(job, CACHE_SAVE, &answer, &problem))
        warn(job, "saved", &problem);
    else
        tell_saved(job, answer, begin_ms);
    return 0;
}
