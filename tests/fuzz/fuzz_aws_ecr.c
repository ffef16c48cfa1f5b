/* What ECR answers: tokens, images, what could not be removed; and hosts that may be its registries. */
#include <stdlib.h>
#include <string.h>

#include "aws/ecr_internal.h"
#include "core/json.h"
#include "core/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_token(const json_t *answer)
{
    char *username = NULL, *password = NULL;
    struct error err = {0};
    int64_t expires_ms;

    if (ecr_token_parse(answer, &username, &password, &expires_ms, &err) == 0) {
        if (!*username || strchr(username, ':') || !*password || strpbrk(password, "\r\n") || expires_ms <= 0)
            abort();
    } else if (username || password || err.class != CLASS_PUSH_FAILED) {
        abort();
    }
    free(username);
    free(password);
}

static void check_image(const json_t *answer)
{
    char digest[72] = "";
    int64_t bytes = 0;
    struct error err;

    if (ecr_image_parse(answer, digest, &bytes, &err) == 0 && (strlen(digest) != 71 || bytes < 0))
        abort();
}

static void check_removal(const json_t *answer)
{
    struct ecr_removal removal = {0};
    struct strings images = {0};
    struct error err;
    size_t i;

    strings_add(&images, "a");
    strings_add(&images, "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    if (ecr_removal_parse(answer, &images, 0, 100, &removal, &err) == 0 &&
        removal.removed.len + removal.missing.len + removal.failed.len != images.len)
        abort();
    for (i = 0; i < removal.failed.len; i++)
        if (strpbrk(removal.failed.items[i], "\x1b\r\n"))
            abort();
    ecr_removal_dispose(&removal);
    strings_dispose(&images);
}

static void check_host(const char *text)
{
    struct ecr_host host;
    char endpoint[128];

    if (!ecr_host_parse(text, &host))
        return;
    ecr_host_endpoint(&host, endpoint);
    if (strlen(host.account) != 12 || !json_service_region(host.region) || strpbrk(endpoint + 8, "/:@?# "))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = xstrndup(size ? (const char *)data : "", size);
    CLEANUP_JSON json_t *answer = NULL;
    struct error err;

    check_host(text);
    answer = json_parse(text, size, CLASS_PUSH_FAILED, "", &err);
    check_token(answer);
    check_image(answer);
    check_removal(answer);
    free(text);
    return 0;
}
