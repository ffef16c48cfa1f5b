#include "support/oci_hub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/mem.h"
#include "oci/layout_internal.h"

#define TAG_PATH "/v2/app/manifests/"
#define BLOB_PATH "/v2/app/blobs/"

static bool begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static const char *tag_of(const struct oci_hub *hub, const char *tag)
{
    size_t i, len = strlen(tag);

    for (i = hub->tags.len; i-- > 0;)
        if (strncmp(hub->tags.items[i], tag, len) == 0 && hub->tags.items[i][len] == '=')
            return hub->tags.items[i] + len + 1;
    return NULL;
}

/* ---- authentication ---- */

static bool is_authorized(struct oci_hub *hub, const struct loop_request *request)
{
    char value[256] = "", wanted[256];

    if (!hub->basic)
        return true;
    loop_request_header(request, "Authorization", value, sizeof value);
    if (hub->bearer)
        snprintf(wanted, sizeof wanted, "Bearer token-%d", hub->tokens);
    else
        snprintf(wanted, sizeof wanted, "Basic %s", hub->basic);
    return strcmp(value, wanted) == 0;
}

static void challenge(struct oci_hub *hub, struct buf *out)
{
    CLEANUP_FREE char *header =
        hub->bearer ? xasprintf("WWW-Authenticate: Bearer realm=\"http://%s/token\",service=\"the hub\"\r\n", hub->host)
                    : xstrdup("WWW-Authenticate: Basic realm=\"hub\"\r\n");

    loop_answer(out, 401, header, "{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"log in\"}]}");
}

static void give_token(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    CLEANUP_FREE char *body = NULL;
    char value[256] = "", wanted[256];

    loop_request_header(request, "Authorization", value, sizeof value);
    snprintf(wanted, sizeof wanted, "Basic %s", hub->basic);
    if (strcmp(value, wanted) != 0) {
        loop_answer(out, 401, "", "{\"details\":\"wrong password\"}");
        return;
    }
    body = xasprintf("{\"token\":\"token-%d\",\"expires_in\":%d}", ++hub->tokens, hub->lifetime_s);
    loop_answer(out, 200, "", body);
}

/* ---- blobs and manifests ---- */

static void answer_post(struct oci_hub *hub, const char *target, struct buf *out)
{
    const char *mount = strstr(target, "mount=");
    CLEANUP_FREE char *digest = mount ? xstrndup(mount + 6, OCI_DIGEST_SIZE - 1) : xstrdup("");
    CLEANUP_FREE char *location = NULL;

    if (strings_has(&hub->foreign, digest)) {
        strings_add(&hub->blobs, digest);
        loop_answer(out, 201, "", "");
        return;
    }
    location = xasprintf("Location: " BLOB_PATH "uploads/%d?_state=x%%3D\r\nRange: 0-99999\r\n", ++hub->uploads);
    loop_answer(out, 202, location, "");
}

static void answer_put_blob(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    const char *digest = strstr(request->target, "digest=");
    char found[OCI_DIGEST_SIZE];

    oci_digest(request->body.data, request->body.len, found);
    if (!digest || strcmp(digest + 7, found) != 0) {
        loop_answer(out, 400, "", "{\"errors\":[{\"code\":\"DIGEST_INVALID\",\"message\":\"not that\"}]}");
        return;
    }
    hub->uploaded += request->body.len;
    strings_add(&hub->blobs, found);
    loop_answer(out, 201, "", "");
}

static void answer_manifest(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    const char *tag = request->target + strlen(TAG_PATH);
    const char *there = tag_of(hub, tag);
    char digest[OCI_DIGEST_SIZE];
    CLEANUP_FREE char *header = NULL;

    if (strcmp(request->method, "PUT") == 0) {
        oci_digest(request->body.data, request->body.len, digest);
        strings_addf(&hub->tags, "%s=%s", tag, digest);
        header = xasprintf("Docker-Content-Digest: %s\r\n", digest);
        loop_answer(out, 201, header, "");
    } else if (strcmp(request->method, "DELETE") == 0) {
        loop_answer(out, 202, "", "");
    } else if (there) {
        header = xasprintf("Docker-Content-Digest: %s\r\n", there);
        loop_answer(out, 200, header, "");
    } else {
        loop_answer(out, 404, "", "");
    }
}

void oci_hub_answer(struct oci_hub *hub, const struct loop_request *request, struct buf *out)
{
    const char *target = request->target;

    if (begins(target, "/token"))
        give_token(hub, request, out);
    else if (!is_authorized(hub, request))
        challenge(hub, out);
    else if (strcmp(target, "/v2/") == 0)
        loop_answer(out, 200, "", "{}");
    else if (begins(target, TAG_PATH))
        answer_manifest(hub, request, out);
    else if (strcmp(request->method, "POST") == 0)
        answer_post(hub, target, out);
    else if (strcmp(request->method, "PUT") == 0)
        answer_put_blob(hub, request, out);
    else
        loop_answer(out, strings_has(&hub->blobs, target + strlen(BLOB_PATH)) ? 200 : 404, "", "");
}

static void note(struct strings *log, const struct loop_request *request)
{
    char value[256] = "";

    loop_request_header(request, "Authorization", value, sizeof value);
    strings_addf(log, "%s %s%s%s", request->method, request->target, *value ? " " : "", value);
}

static void on_request(void *context, const struct loop_request *request, struct buf *out)
{
    struct oci_hub *hub = context;

    note(&hub->log, request);
    if (!hub->meddle || !hub->meddle(hub, request, out))
        oci_hub_answer(hub, request, out);
}

static void on_request_elsewhere(void *context, const struct loop_request *request, struct buf *out)
{
    struct oci_hub *hub = context;

    note(&hub->elsewhere_log, request);
    if (strcmp(request->method, "PUT") == 0)
        answer_put_blob(hub, request, out);
    else
        loop_answer(out, 404, "", "");
}

/* ---- the client ---- */

static int give_credentials(void *context, bool renew, struct registry_credentials *credentials, struct error *err)
{
    struct oci_hub *hub = context;

    (void)err;
    hub->asked++;
    hub->renewed += renew;
    credentials->username = xstrdup(hub->given.username);
    credentials->password = xstrdup(hub->given.password);
    return 0;
}

void oci_hub_connect(struct oci_hub *hub, int max_attempts)
{
    CLEANUP_FREE char *repository = xasprintf("%s/app", hub->host);
    struct registry_options options = {
        .client = hub->client,
        .repository = repository,
        .credentials = hub->given.username ? give_credentials : NULL,
        .context = hub,
        .stop = &hub->stop,
        .max_attempts = max_attempts,
    };

    registry_free(hub->registry);
    assert_int_equal(registry_new(&hub->registry, &options, NULL), 0);
}

int oci_hub_push(struct oci_hub *hub, const char *tags, struct push_result *result, struct error *err)
{
    const char *comma = strchr(tags, ',');
    struct strings list = {0}, from = {0};
    struct push_request request = {.image = &hub->image, .tags = &list, .mount_from = &from};
    int status;

    strings_take(&list, xstrndup(tags, strcspn(tags, ",")));
    if (comma)
        strings_add(&list, comma + 1);
    if (hub->foreign.len)
        strings_add(&from, "base");
    if (!hub->registry)
        oci_hub_connect(hub, 3);
    memset(result, 0, sizeof *result);
    status = registry_push(hub->registry, &request, result, err);
    strings_dispose(&list);
    strings_dispose(&from);
    return status;
}

size_t oci_hub_count(const struct strings *log, const char *prefix)
{
    size_t i, count = 0;

    for (i = 0; i < log->len; i++)
        count += begins(log->items[i], prefix);
    return count;
}

int oci_hub_setup(void **state)
{
    static const char *const layers[] = {"the first layer", "the second one, which is larger"};
    const struct oci_layout_limits limits = {0};
    struct oci_hub *hub = xcalloc(1, sizeof *hub);

    hub->loop = loop_new();
    hub->client = http_client_new(hub->loop, &(struct http_options){0});
    hub->server = loop_server_start(hub->loop, on_request, hub);
    hub->elsewhere = loop_server_start(hub->loop, on_request_elsewhere, hub);
    hub->host = xasprintf("127.0.0.1:%d", loop_server_port(hub->server));
    hub->other_host = xasprintf("127.0.0.1:%d", loop_server_port(hub->elsewhere));
    hub->lifetime_s = 300;
    oci_bed_init(&hub->bed);
    oci_bed_image(&hub->bed, layers, 2);
    assert_int_equal(oci_layout_open(&hub->image, hub->bed.fd, &limits, NULL), 0);
    assert_int_equal(oci_layout_verify(&hub->image, NULL, NULL, NULL), 0);
    *state = hub;
    return 0;
}

int oci_hub_teardown(void **state)
{
    struct oci_hub *hub = *state;

    registry_free(hub->registry);
    oci_image_dispose(&hub->image);
    oci_bed_dispose(&hub->bed);
    loop_server_stop(hub->server);
    loop_server_stop(hub->elsewhere);
    http_client_free(hub->client);
    loop_free(hub->loop);
    strings_dispose(&hub->log);
    strings_dispose(&hub->elsewhere_log);
    strings_dispose(&hub->blobs);
    strings_dispose(&hub->foreign);
    strings_dispose(&hub->tags);
    registry_credentials_dispose(&hub->given);
    free(hub->host);
    free(hub->other_host);
    free(hub);
    return 0;
}
