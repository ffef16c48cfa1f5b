#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/mem.h"
#include "job/image.h"
#include "job/publish_worker.h"

bool step_publish_wanted(const struct job *job)
{
    return (job->spec.type == JOB_BUILD && job->spec.artifacts_len > 0 && !job->image_exists) ||
           image_publish_wanted(job);
}

/* `from` as an absolute path: relative to the project, or to the repository with a leading slash. */
static char *source_folder(const struct job *job, const char *from)
{
    if (from[0] == '/')
        return xasprintf("%s%s", job->source, from);
    return strcmp(from, ".") == 0 ? xstrdup(job->project) : xasprintf("%s/%s", job->project, from);
}

static const char *output_of(const struct job *job, const struct spec_artifact *artifact)
{
    if (artifact->from)
        return artifact->from;
    if (job->spec.build.output)
        return job->spec.build.output;
    return job->detection.output.value ? job->detection.output.value : job->found_output;
}

/* Nothing says where the output is: the one usual folder that the build has left. */
static void find_output(struct job *job)
{
    static const char *const usual[] = {"dist", "build", "out", "public", "_site"};
    CLEANUP_CLOSE int project = -1;
    const char *found = NULL;
    struct stat status;
    size_t i;

    if (job->detection.output.value || job->spec.build.output || job->found_output)
        return;
    project = fs_open_beneath(job->source_fd, job->spec.source.directory, O_PATH | O_DIRECTORY, 0);
    if (project < 0)
        return;
    for (i = 0; i < ARRAY_LEN(usual); i++) {
        if (fstatat(project, usual[i], &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(status.st_mode))
            continue;
        if (found)
            return; /* two: a guess would publish the wrong one */
        found = usual[i];
    }
    if (!found)
        return;
    job->found_output = found;
    log_info(job->options->log, "output: %s (the one usual folder that is there after the build)", found);
}

/* A file target is relative to where caisson was started. */
static char *target(const char *to)
{
    char here[PATH_MAX];

    if (strncmp(to, "file:", 5) != 0 || to[5] == '/')
        return xstrdup(to);
    return getcwd(here, sizeof here) ? xasprintf("file:%s/%s", here, to + 5) : xstrdup(to);
}

static void copy_rules(struct publish_request *request, const struct spec_artifact *artifact)
{
    size_t i;

    request->headers = xcalloc(artifact->headers_len, sizeof *request->headers);
    request->headers_len = artifact->headers_len;
    for (i = 0; i < artifact->headers_len; i++) {
        request->headers[i].match = xstrdup(artifact->headers[i].match);
        request->headers[i].cache_control = xstrdup(artifact->headers[i].cache_control);
        request->headers[i].content_type = xstrdup(artifact->headers[i].content_type);
        request->headers[i].content_disposition = xstrdup(artifact->headers[i].content_disposition);
        request->headers[i].content_language = xstrdup(artifact->headers[i].content_language);
    }
}

struct secrets_copy {
    struct publish_request *request;
    const struct spec *spec;
};

static void copy_secret(void *context, const char *name, struct view value)
{
    const struct secrets_copy *copy = context;
    size_t i;

    for (i = 0; i < copy->spec->secrets_len; i++)
        if (copy->spec->secrets[i].is_public && strcmp(copy->spec->secrets[i].name, name) == 0)
            return;
    strings_take(&copy->request->secrets, xstrndup(value.data, value.len));
    strings_add(&copy->request->secret_names, name);
}

/* All that is hidden in the log, too, may not be published, unless it is meant to be. */
static void copy_secrets(struct publish_request *request, const struct job *job)
{
    struct secrets_copy copy = {request, &job->spec};

    redactor_each(job->options->redactor, copy_secret, &copy);
}

/* A child is a process of its own: the source goes there as a copy by its JSON form. */
static int copy_credentials(struct publish_request *request, const struct job *job, struct error *err)
{
    json_t *json = credentials_source_to_json(&job->options->platform->credentials);
    int status = credentials_source_from_json(&request->credentials, json, err);

    json_decref(json);
    return status;
}

/*
 * A site without a build is often the checkout itself. What is there for git and for the developer's machine is not
 * part of it; whoever wants them says so with include or exclude. (Files of secrets are left out wherever they are:
 * publish/tree_walk.c.)
 */
static void exclude_private(struct publish_request *request, const struct spec_artifact *artifact)
{
    static const char *const private[] = {".env*", "**/.env*", ".git*", "**/.git*", ".git*/**", "**/.git*/**"};
    size_t i;

    if (artifact->include.len || artifact->exclude.len || strcmp(request->from, request->root) != 0)
        return;
    for (i = 0; i < ARRAY_LEN(private); i++)
        strings_add(&request->exclude, private[i]);
}

/* NULL: AWS's own. */
static const char *endpoint_of(const struct job *job, const struct spec_artifact *artifact)
{
    return artifact->s3.endpoint ? artifact->s3.endpoint : job->options->platform->endpoint;
}

static int fill(struct publish_request *request, const struct job *job, const struct spec_artifact *artifact,
                struct error *err)
{
    const struct platform *platform = job->options->platform;
    const char *from = output_of(job, artifact);
    struct stat status;

    if (!from) {
        error_set(err, CLASS_NO_OUTPUT, "output-unknown", "nothing says which folder holds the build's output");
        return error_hint(err, "set build.output");
    }
    request->from = source_folder(job, from);
    request->root = xstrdup(job->source);
    if (fstat(job->source_fd, &status) == 0) {
        request->root_device = status.st_dev;
        request->root_inode = status.st_ino;
    }
    request->to = target(artifact->to);
    request->mode = artifact->mode == ARTIFACT_MIRROR ? PUBLISH_MIRROR : PUBLISH_ADD;
    request->adopt = artifact->adopt;
    strings_copy(&request->include, &artifact->include);
    strings_copy(&request->exclude, &artifact->exclude);
    exclude_private(request, artifact);
    copy_rules(request, artifact);
    request->job_id = xstrdup(job->spec.id);
    request->created_at_ms = job->spec.created_at_ms;
    request->began_ms = job->result->began_ms;
    request->endpoint = xstrdup(endpoint_of(job, artifact));
    request->region = xstrdup(artifact->s3.region ? artifact->s3.region : platform->region);
    request->path_style = artifact->s3.path_style || (!artifact->s3.endpoint && platform->path_style);
    request->ca_bundle = xstrdup(platform->ca_bundle);
    request->proxy = xstrdup(platform_proxy_for(platform, request->endpoint));
    request->no_proxy = xstrdup(platform->no_proxy);
    request->build_uid = geteuid() == 0 ? job->options->build_uid : (uid_t)-1;
    request->reader_uid = geteuid() == 0 ? job->options->worker_uid : (uid_t)-1;
    request->reader_gid = geteuid() == 0 ? job->options->worker_gid : (gid_t)-1;
    request->max_bytes = job->spec.limits.output_bytes;
    copy_secrets(request, job);
    return copy_credentials(request, job, err);
}

static void keep(struct job *job, const struct spec_artifact *artifact, const struct publish_result *published)
{
    struct result_artifact *record = result_artifact_add(job->result);

    record->from = xstrdup(output_of(job, artifact));
    record->mode = xstrdup(artifact_mode_name(artifact->mode));
    record->url = xstrdup(published->url);
    if (strncmp(published->url, "s3://", 5) == 0)
        record->endpoint = endpoint_of(job, artifact) ? url_without_userinfo(endpoint_of(job, artifact)) : NULL;
    record->digest = xstrdup(published->digest);
    record->files = published->files;
    record->bytes = published->bytes;
    record->written = published->written;
    record->unchanged = published->unchanged;
    record->removed = published->removed;
    record->duration_ms = published->duration_ms;
    record->ordered = published->ordered;
}

/* An attempt may have passed the point of no return, and a later one have ended before it: what people see is a mix all
 * the same. (The tree of a job that a newer one superseded is that one's affair.) */
static int fail(const struct job *job, struct error *err)
{
    static const char words[] = "the publish is incomplete";

    if (!job->committing || err->class == CLASS_SUPERSEDED || strncmp(err->message, words, sizeof words - 1) == 0)
        return -1;
    error_context(err, "%s, some files are new, some old", words);
    return err->hint[0] ? -1 : error_hint(err, "run the job again: the next publish completes it");
}

int step_publish(struct job *job, struct error *err)
{
    size_t i;

    if (job_build_over(job, err))
        return -1;
    if (image_publish_wanted(job) && !job->result->image.published && image_publish(job, err))
        return -1;
    if (job->spec.artifacts_len && job_source_check(job, err))
        return -1;
    find_output(job);
    /* A second attempt goes on where the first failed. */
    for (i = job->result->artifacts_len; i < job->spec.artifacts_len; i++) {
        const struct spec_artifact *artifact = &job->spec.artifacts[i];
        struct publish_request request;
        struct publish_result published = {0};
        int status;

        publish_request_init(&request);
        status = fill(&request, job, artifact, err);
        if (status == 0)
            status = publish_run(job, &request, &published, err);
        if (status == 0)
            keep(job, artifact, &published);
        publish_result_dispose(&published);
        publish_request_dispose(&request);
        if (status)
            return fail(job, err);
        job->committing = false;
        if (job->stopping && i + 1 < job->spec.artifacts_len)
            return error_set(err, CLASS_INTERRUPTED, "publish-incomplete", "stopped between two artifacts");
    }
    return 0;
}
