#include "job/cache_worker.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cache/cache.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/mem.h"
#include "job/worker_loop.h"
#include "job/worker_request.h"

#define CONNECTIONS 32
#define AT_ONCE 16 /* of up to 1 MiB each in memory */
#define PATIENCE_MS ((int64_t)60 * 1000)
#define WARNINGS_MAX 20

struct session {
    struct worker *worker;
    const json_t *request; /* borrowed */
    struct worker_loop loop;
    struct http_client *client;
    struct credentials_source source;
    struct credentials_provider *provider;
    struct s3 *s3;
    int warnings;
};

static const char *text_of(const struct session *session, const char *key)
{
    return json_text(session->request, key, NULL);
}

static void on_warning(void *context, const char *text)
{
    struct session *session = context;

    if (session->warnings++ < WARNINGS_MAX)
        worker_warning(session->worker, "%s", text);
}

static void on_progress(void *context, int64_t done_bytes, int64_t all_bytes)
{
    const struct session *session = context;
    char done[CLOCK_TEXT_SIZE], all[CLOCK_TEXT_SIZE];

    size_format(done_bytes, done);
    size_format(all_bytes, all);
    worker_progress(session->worker, "layer cache: %s%s%s", done, all_bytes ? " of " : "", all_bytes ? all : "");
}

static int open_s3(struct session *session, const char *to, struct error *err)
{
    struct s3_options options = {
        .region = text_of(session, "region"),
        .endpoint = text_of(session, "endpoint"),
        .path_style = json_flag(session->request, "path_style", false),
        .patience_ms = PATIENCE_MS,
    };
    struct http_options http = worker_request_http(session->request);
    CLEANUP_FREE char *bucket = NULL;
    CLEANUP_FREE char *key = NULL;

    if (s3_uri_parse(to, &bucket, &key, err) ||
        credentials_source_from_json(&session->source, json_object_get(session->request, "credentials"), err))
        return -1;
    options.bucket = bucket;
    http.max_connections = CONNECTIONS;
    session->client = http_client_new(session->loop.loop, &http);
    session->provider = credentials_provider_new(&session->source, session->client);
    return s3_new(&session->s3, session->client, session->provider, &options, err);
}

static void dispose(struct session *session)
{
    if (session->s3)
        s3_free(session->s3);
    if (session->provider)
        credentials_provider_free(session->provider);
    credentials_source_dispose(&session->source);
    if (session->client)
        http_client_free(session->client);
    worker_loop_dispose(&session->loop);
}

static json_t *answer_of(const struct cache_result *result)
{
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o}", "entries", (json_int_t)result->entries, "bytes",
                     (json_int_t)result->bytes, "from_fallback", (json_int_t)result->from_fallback, "used",
                     (json_int_t)result->used, "added", (json_int_t)result->added, "files",
                     (json_int_t)result->transferred_files, "transferred_bytes", (json_int_t)result->transferred_bytes,
                     "dropped", (json_int_t)result->dropped, "broken", json_of_strings(&result->broken));
}

static int open_folder(const struct session *session, struct error *err)
{
    CLEANUP_CLOSE int workspace = worker_request_open_workspace(session->request, err);
    int folder = -1;

    if (workspace < 0)
        return -1;
    folder = fs_open_beneath(workspace, json_text(session->request, "folder", ""), O_RDONLY | O_DIRECTORY, 0);
    if (folder < 0)
        return error_set_errno(err, CLASS_OUTPUT_REFUSED, "cache-folder", -folder,
                               "opening the layer cache's folder in the workspace");
    return folder;
}

static json_t *work(struct session *session, struct error *err)
{
    bool restore = strcmp(json_text(session->request, "action", ""), CACHE_RESTORE) == 0;
    const json_t *distrusted = json_object_get(session->request, "distrust");
    CLEANUP_CLOSE int folder = open_folder(session, err);
    struct strings distrust = {.items = NULL};
    struct cache_options options = {
        .to = json_text(session->request, "to", ""),
        .loop = session->loop.loop,
        .project = json_text(session->request, "project", ""),
        .ref = text_of(session, "ref"),
        .fallback_ref = text_of(session, "fallback_ref"),
        .distrust = &distrust,
        .max_age_ms = json_int(session->request, "max_age_ms", 0),
        .max_bytes = json_int(session->request, "max_bytes", 0),
        .now_ms = clock_wall_ms(),
        .deadline_ms = clock_monotonic_ms() + json_int(session->request, "time_ms", 0),
        .stop = &session->loop.stop,
        .stopped = worker_loop_stopped,
        .stopped_context = &session->loop,
        .at_once = AT_ONCE,
        .on_warning = on_warning,
        .on_progress = on_progress,
        .context = session,
    };
    struct cache_result result = {.entries = 0};
    json_t *answer = NULL;
    size_t i;

    if (folder < 0 || (strncmp(options.to, "s3://", 5) == 0 && open_s3(session, options.to, err)))
        return NULL;
    options.s3 = session->s3;
    for (i = 0; i < json_array_size(distrusted); i++)
        if (json_is_string(json_array_get(distrusted, i)))
            strings_add(&distrust, json_string_value(json_array_get(distrusted, i)));
    if ((restore ? cache_restore : cache_save)(&options, folder, &result, err) == 0)
        answer = answer_of(&result);
    if (session->warnings > WARNINGS_MAX)
        worker_warning(session->worker, "… and %d more of the layer cache", session->warnings - WARNINGS_MAX);
    cache_result_dispose(&result);
    strings_dispose(&distrust);
    return answer;
}

static json_t *run(struct worker *worker, const json_t *request, struct error *err)
{
    struct session session = {.worker = worker, .request = request};
    json_t *answer = NULL;

    if (worker_loop_init(&session.loop, err) == 0)
        answer = work(&session, err);
    dispose(&session);
    return answer;
}

const struct worker_entry cache_worker = {"cache", run};
