#include "oci/registry.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "oci/layout_internal.h"
#include "oci/registry_internal.h"

#define MANIFEST_TYPES                                                                                                 \
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json, "               \
    "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json"

void registry_credentials_dispose(struct registry_credentials *credentials)
{
    free(credentials->username);
    wipe_free(credentials->password);
    *credentials = (struct registry_credentials){0};
}

/* Docker Hub is called docker.io, answers as registry-1.docker.io, and has its own images in "library". */
static void place(struct registry *registry)
{
    const char *name = registry->repository.registry;
    bool hub = strcmp(name, "docker.io") == 0 || strcmp(name, "index.docker.io") == 0;

    registry->host = xstrdup(hub ? "registry-1.docker.io" : name);
    registry->name = hub && !strchr(registry->repository.name, '/') ? xasprintf("library/%s", registry->repository.name)
                                                                    : xstrdup(registry->repository.name);
    registry->https = !registry->insecure && !oci_registry_is_loopback(name);
    registry->https_certain = registry->https;
}

int registry_new(struct registry **out, const struct registry_options *options, struct error *err)
{
    struct registry *registry = xcalloc(1, sizeof *registry);

    if (oci_repository_parse(options->repository, &registry->repository, err)) {
        free(registry);
        return -1;
    }
    registry->client = options->client;
    registry->loop = http_client_loop(options->client);
    registry->shown = xasprintf("%s/%s", registry->repository.registry, registry->repository.name);
    registry->insecure = options->insecure;
    registry->credentials = options->credentials;
    registry->context = options->context;
    registry->stop = options->stop;
    registry->max_attempts = options->max_attempts > 0 ? options->max_attempts : REGISTRY_ATTEMPTS;
    place(registry);
    registry_auth_init(registry);
    *out = registry;
    return 0;
}

void registry_free(struct registry *registry)
{
    if (!registry)
        return;
    registry_auth_dispose(registry);
    oci_repository_dispose(&registry->repository);
    free(registry->shown);
    free(registry->host);
    free(registry->name);
    free(registry);
}

struct retry registry_retry(const struct registry *registry)
{
    return (struct retry){
        .max_attempts = registry->max_attempts, .base_ms = REGISTRY_RETRY_BASE_MS, .cap_ms = REGISTRY_RETRY_CAP_MS};
}

bool registry_stopped(const struct registry *registry)
{
    return registry->stop && *registry->stop;
}

/* ---- manifests by their names ---- */

/* The digest that the answer's header says; of one that says none the content's. */
static int answer_digest(const struct registry_call *call, char digest[OCI_DIGEST_SIZE])
{
    const char *said = http_response_header(&call->response, "docker-content-digest");

    if (said && oci_digest_valid(said))
        memcpy(digest, said, OCI_DIGEST_SIZE);
    else if (strcmp(call->method, "GET") == 0)
        oci_digest(call->response.body.data, call->response.body.len, digest);
    else
        return -1;
    return 0;
}

static int ask_digest(struct registry *registry, const char *method, const char *tag, char digest[OCI_DIGEST_SIZE],
                      struct error *err)
{
    CLEANUP_FREE char *path = registry_path(registry, "manifests/%s", tag);
    CLEANUP_FREE char *what = xasprintf("looking for the tag %s", tag);
    struct registry_call call;
    int result;

    registry_call_init(&call, method, path, what);
    strings_add(&call.headers, "Accept: " MANIFEST_TYPES);
    call.max_response = OCI_MANIFEST_MAX;
    result = registry_perform(registry, &call, err);
    if (!result && call.response.status == 200)
        result = answer_digest(&call, digest) ? 1 : 0;
    else if (!result && call.response.status != 404)
        result = registry_refusal(registry, &call, err);
    registry_call_dispose(&call);
    return result;
}

int registry_tag_digest(struct registry *registry, const char *tag, char digest[OCI_DIGEST_SIZE], struct error *err)
{
    int result;

    digest[0] = '\0';
    result = ask_digest(registry, "HEAD", tag, digest, err);
    return result > 0 ? ask_digest(registry, "GET", tag, digest, err) : result;
}

void registry_wants_deletion(struct registry *registry)
{
    CLEANUP_FREE char *scope = xasprintf("repository:%s:delete", registry->name);

    if (!strings_has(&registry->auth.scopes, scope))
        strings_add(&registry->auth.scopes, scope);
}

int registry_delete(struct registry *registry, const char *digest, struct error *err)
{
    CLEANUP_FREE char *path = registry_path(registry, "manifests/%s", digest);
    CLEANUP_FREE char *what = xasprintf("removing %s", digest);
    struct registry_call call;
    int result;

    registry_wants_deletion(registry);
    registry_call_init(&call, "DELETE", path, what);
    result = registry_perform(registry, &call, err);
    if (!result && call.response.status == 405) {
        result = error_set(err, CLASS_PUSH_FAILED, "registry-denied", "%s of %s: the registry removes nothing", what,
                           registry->shown);
        error_hint(err, "let the registry remove manifests (for distribution: storage.delete.enabled)");
    } else if (!result && call.response.status != 404 && call.response.status / 100 != 2) {
        result = registry_refusal(registry, &call, err);
    }
    registry_call_dispose(&call);
    return result;
}
