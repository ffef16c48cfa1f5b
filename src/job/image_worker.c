#include "job/image_worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aws/ecr.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/mem.h"
#include "job/worker_loop.h"
#include "job/worker_request.h"
#include "oci/layout.h"
#include "oci/registry.h"

/* All that a request needs; what was not needed stays NULL. */
struct session {
    struct worker *worker;
    const json_t *request; /* borrowed */
    struct worker_loop loop;
    struct http_client *client;
    struct credentials_source source;
    struct credentials_provider *provider;
    struct oci_repository repository;
    struct strings tags, mount_from;
    struct ecr *ecr; /* NULL: another registry */
    struct registry *registry;
    struct oci_image image;
};

static const char *text_of(const struct session *session, const char *key)
{
    return json_text(session->request, key, NULL);
}

static void list_of(const json_t *array, struct strings *list)
{
    size_t i;

    for (i = 0; i < json_array_size(array); i++)
        if (json_is_string(json_array_get(array, i)))
            strings_add(list, json_string_value(json_array_get(array, i)));
}

/* ---- who we are for the registry ---- */

static int give_credentials(void *context, bool renew, struct registry_credentials *credentials, struct error *err)
{
    const struct session *session = context;
    int64_t expires_ms;

    (void)renew; /* ECR's are asked for anew each time; those of the spec are all that there is */
    if (session->ecr && !text_of(session, "password"))
        return ecr_login(session->ecr, &credentials->username, &credentials->password, &expires_ms, err);
    credentials->username = xstrdup(text_of(session, "password") ? json_text(session->request, "username", "") : NULL);
    credentials->password = xstrdup(text_of(session, "password"));
    return 0;
}

static void open_client(struct session *session)
{
    const struct http_options options = worker_request_http(session->request);

    session->client = http_client_new(session->loop.loop, &options);
}

static int open_ecr(struct session *session, struct error *err)
{
    struct ecr_options options = {
        .client = session->client,
        .host = session->repository.registry,
        .endpoint = text_of(session, "ecr_endpoint"),
        .stop = &session->loop.stop,
    };
    struct ecr_host host;

    if (!ecr_host_parse(session->repository.registry, &host))
        return 0;
    if (credentials_source_from_json(&session->source, json_object_get(session->request, "credentials"), err))
        return -1;
    session->provider = credentials_provider_new(&session->source, session->client);
    options.provider = session->provider;
    return ecr_new(&session->ecr, &options, err);
}

static int open_registry(struct session *session, struct error *err)
{
    struct registry_options options = {
        .repository = text_of(session, "repository"),
        .insecure = json_flag(session->request, "insecure", false),
        .credentials = give_credentials,
        .context = session,
        .stop = &session->loop.stop,
    };

    if (oci_repository_parse(json_text(session->request, "repository", ""), &session->repository, err))
        return -1;
    open_client(session);
    options.client = session->client;
    return open_ecr(session, err) || registry_new(&session->registry, &options, err) ? -1 : 0;
}

/* ---- look ---- */

static int find_tag(struct session *session, const char *tag, char digest[OCI_DIGEST_SIZE], struct error *err)
{
    struct error refused;
    int64_t size;

    if (session->ecr && !text_of(session, "password")) {
        if (ecr_image_find(session->ecr, session->repository.name, tag, digest, &size, &refused) == 0)
            return 0;
        /* A role that may push but not describe has what the registry itself asks for. */
        if (strcmp(refused.reason, "access-denied") != 0) {
            *err = refused;
            return -1;
        }
    }
    return registry_tag_digest(session->registry, tag, digest, err);
}

/* All tags must be there, and mean the same image. */
static json_t *look(struct session *session, struct error *err)
{
    char first[OCI_DIGEST_SIZE] = "", digest[OCI_DIGEST_SIZE];
    json_t *answer;
    size_t i;

    if (open_registry(session, err))
        return NULL;
    for (i = 0; i < session->tags.len; i++) {
        if (find_tag(session, session->tags.items[i], digest, err))
            return NULL;
        if (i == 0)
            memcpy(first, digest, sizeof first);
        if (!*digest || strcmp(first, digest) != 0)
            return json_object();
    }
    answer = json_object();
    json_put_text(answer, "digest", first);
    return answer;
}

/* ---- the layout ---- */

static int open_layout(struct session *session, struct error *err)
{
    const struct oci_layout_limits limits = {.max_bytes = json_int(session->request, "max_bytes", 0),
                                             .platform = text_of(session, "platform")};
    CLEANUP_CLOSE int workspace = worker_request_open_workspace(session->request, err);
    CLEANUP_CLOSE int folder = -1;

    if (workspace < 0)
        return -1;
    folder = fs_open_beneath(workspace, json_text(session->request, "layout", ""), O_RDONLY | O_DIRECTORY, 0);
    if (folder == -ENOENT)
        return error_set(err, CLASS_NO_OUTPUT, "layout-missing", "the engine has left no image");
    if (folder < 0)
        return error_set_errno(err, CLASS_OUTPUT_REFUSED, "layout-link", -folder, "opening the image's layout");
    if (oci_layout_open(&session->image, folder, &limits, err))
        return -1;
    return oci_layout_verify(&session->image, worker_loop_stopped, &session->loop, err);
}

static json_t *image_answer(const struct session *session)
{
    const struct oci_image *image = &session->image;
    CLEANUP_FREE char *platform = xasprintf("%s/%s", image->os, image->architecture);
    json_t *answer = json_object();

    json_put_text(answer, "digest", image->digest);
    json_put_text(answer, "platform", platform);
    json_object_set_new(answer, "bytes", json_integer(image->bytes));
    json_object_set_new(answer, "layers", json_integer((json_int_t)image->layers));
    return answer;
}

/* From here on a stop comes too late: what was begun is brought to its end. */
static void commit(void *context)
{
    struct session *session = context;

    session->loop.deaf = true;
    worker_mark(session->worker, json_pack("{s:s}", "mark", "committing"));
}

/* ---- push ---- */

static void on_progress(void *context, int64_t sent_bytes, int64_t total_bytes)
{
    const struct session *session = context;
    char sent[CLOCK_TEXT_SIZE], total[CLOCK_TEXT_SIZE];

    size_format(sent_bytes, sent);
    size_format(total_bytes, total);
    worker_progress(session->worker, "pushing %s of %s (%d %%)", sent, total,
                    total_bytes > 0 ? (int)(sent_bytes * 100 / total_bytes) : 100);
}

static int ensure_repository(struct session *session, bool *created, struct error *err)
{
    const json_t *create = json_object_get(session->request, "create");
    struct strings tags = {0}, warnings = {0};
    struct ecr_repository_options options = {
        .immutable = json_flag(create, "immutable", false),
        .scan = json_flag(create, "scan", false),
        .kms_key = json_text(create, "kms_key", NULL),
        .tags = &tags,
        .keep = (int)json_int(create, "keep", 0),
        .untagged_days = (int)json_int(create, "untagged_days", 0),
    };
    size_t i;
    int status;

    if (!session->ecr || !create)
        return 0;
    list_of(json_object_get(create, "tags"), &tags);
    status = ecr_repository_ensure(session->ecr, session->repository.name, &options, created, &warnings, err);
    for (i = 0; i < warnings.len; i++)
        worker_warning(session->worker, "%s", warnings.items[i]);
    if (status == 0 && *created)
        worker_info(session->worker, "made the repository %s", session->repository.name);
    strings_dispose(&tags);
    strings_dispose(&warnings);
    return status;
}

static json_t *push(struct session *session, struct error *err)
{
    const struct push_request request = {
        .image = &session->image,
        .tags = &session->tags,
        .mount_from = &session->mount_from,
        .on_progress = on_progress,
        .on_committing = commit,
        .context = session,
    };
    struct push_result result = {0};
    json_t *answer = NULL;
    bool created = false;

    if (open_layout(session, err) || open_registry(session, err) || ensure_repository(session, &created, err))
        return NULL;
    if (registry_push(session->registry, &request, &result, err) == 0) {
        answer = image_answer(session);
        json_object_set_new(answer, "created", json_boolean(created));
        json_object_set_new(answer, "existing",
                            json_integer((json_int_t)result.blobs_there + (json_int_t)result.blobs_mounted));
        json_object_set_new(answer, "sent_bytes", json_integer(result.bytes_sent));
        json_object_set_new(answer, "duration_ms", json_integer(result.duration_ms));
        json_object_set_new(answer, "tags_there", json_of_strings(&result.tags_there));
    }
    push_result_dispose(&result);
    return answer;
}

/* ---- save ---- */

static json_t *save(struct session *session, struct error *err)
{
    int64_t started_ms = clock_monotonic_ms();
    json_t *answer;

    if (open_layout(session, err))
        return NULL;
    if (worker_loop_stopped(&session->loop)) {
        error_set(err, CLASS_INTERRUPTED, "interrupted", "stopped before the image was saved");
        return NULL;
    }
    commit(session);
    if (oci_layout_save(&session->image, json_text(session->request, "folder", ""), &session->tags, err))
        return NULL;
    answer = image_answer(session);
    json_object_set_new(answer, "duration_ms", json_integer(clock_monotonic_ms() - started_ms));
    return answer;
}

static void dispose(struct session *session)
{
    oci_image_dispose(&session->image);
    if (session->registry)
        registry_free(session->registry);
    if (session->ecr)
        ecr_free(session->ecr);
    if (session->provider)
        credentials_provider_free(session->provider);
    credentials_source_dispose(&session->source);
    if (session->client)
        http_client_free(session->client);
    oci_repository_dispose(&session->repository);
    strings_dispose(&session->tags);
    strings_dispose(&session->mount_from);
    worker_loop_dispose(&session->loop);
}

static json_t *run(struct worker *worker, const json_t *request, struct error *err)
{
    static const struct {
        const char *name;
        json_t *(*run)(struct session *session, struct error *err);
    } actions[] = {{IMAGE_LOOK, look}, {IMAGE_PUSH, push}, {IMAGE_SAVE, save}};
    struct session session = {.worker = worker, .request = request};
    const char *action = json_text(request, "action", "");
    json_t *answer = NULL;
    size_t i;

    list_of(json_object_get(request, "tags"), &session.tags);
    list_of(json_object_get(request, "mount_from"), &session.mount_from);
    if (worker_loop_init(&session.loop, err) == 0) {
        error_set(err, CLASS_INTERNAL, "bad-request", "no such action");
        for (i = 0; i < ARRAY_LEN(actions); i++)
            if (strcmp(actions[i].name, action) == 0)
                answer = actions[i].run(&session, err);
    }
    dispose(&session);
    return answer;
}

const struct worker_entry image_worker = {"image", run};
