/* Images of a repository: looked up and removed. */
#include <stdio.h>
#include <string.h>

#include "aws/ecr_internal.h"
#include "core/json.h"
#include "core/mem.h"

#define IMAGES_A_CALL ((size_t)100)
#define DIGEST_LEN 71 /* "sha256:" and 64 digits */

json_t *ecr_image_id(const char *image)
{
    json_t *id = json_object();

    /* No tag has a colon. */
    json_put_text(id, strchr(image, ':') ? "imageDigest" : "imageTag", image);
    return id;
}

/* ---- finding ---- */

int ecr_image_parse(const json_t *answer, char digest[72], int64_t *size, struct error *err)
{
    const json_t *details = json_object_get(answer, "imageDetails");
    const json_t *detail = json_array_get(details, 0);
    const char *text = json_text(detail, "imageDigest", "");

    if (json_array_size(details) != 1)
        return ecr_unreadable(err, "does not describe one image");
    if (strncmp(text, "sha256:", 7) != 0 || strlen(text) != DIGEST_LEN ||
        strspn(text + 7, "0123456789abcdef") != DIGEST_LEN - 7)
        return ecr_unreadable(err, "holds no digest");
    memcpy(digest, text, DIGEST_LEN + 1);
    *size = json_int(detail, "imageSizeInBytes", 0);
    if (*size < 0)
        *size = 0;
    return 0;
}

int ecr_image_find(struct ecr *ecr, const char *name, const char *tag, char digest[72], int64_t *size,
                   struct error *err)
{
    struct ecr_subject subject = {.action = "DescribeImages", .repository = name};
    struct json_failure failure = {0};
    json_t *request = ecr_request(ecr, name);
    json_t *answer;
    int status;

    *digest = '\0';
    *size = 0;
    json_object_set_new(request, "imageIds", json_pack("[o]", ecr_image_id(tag)));
    if (ecr_call(ecr, &subject, request, &answer, &failure, err))
        return strcmp(failure.code, "ImageNotFoundException") == 0 ||
                       strcmp(failure.code, "RepositoryNotFoundException") == 0
                   ? 0
                   : -1;
    status = ecr_image_parse(answer, digest, size, err);
    json_decref(answer);
    return status ? error_context(err, "ecr:DescribeImages") : 0;
}

/* ---- removing ---- */

void ecr_removal_dispose(struct ecr_removal *removal)
{
    strings_dispose(&removal->removed);
    strings_dispose(&removal->missing);
    strings_dispose(&removal->failed);
}

static const json_t *failure_of(const json_t *failures, const char *image)
{
    const char *key = strchr(image, ':') ? "imageDigest" : "imageTag";
    const json_t *failure;
    size_t i;

    for (i = 0; i < json_array_size(failures); i++) {
        failure = json_array_get(failures, i);
        if (strcmp(json_text(json_object_get(failure, "imageId"), key, ""), image) == 0)
            return failure;
    }
    return NULL;
}

/* What another side says is shown to people. */
static void add_failed(struct ecr_removal *removal, const char *image, const char *code, const char *reason)
{
    char *text = xasprintf("%s: %.60s: %.200s", image, code, reason);
    char *at;

    for (at = text; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = ' ';
    strings_take(&removal->failed, text);
}

int ecr_removal_parse(const json_t *answer, const struct strings *images, size_t first, size_t count,
                      struct ecr_removal *removal, struct error *err)
{
    const json_t *failures = json_object_get(answer, "failures");
    size_t i, known = 0;

    if (!json_is_array(failures))
        return ecr_unreadable(err, "does not say what failed");
    for (i = first; i < images->len && i < first + count; i++)
        known += failure_of(failures, images->items[i]) != NULL;
    /* A failure of something else would make us say that all was removed. */
    if (known < json_array_size(failures))
        return ecr_unreadable(err, "names images that it was not asked for");
    for (i = first; i < images->len && i < first + count; i++) {
        const json_t *failure = failure_of(failures, images->items[i]);
        const char *code = json_text(failure, "failureCode", "unknown");

        if (!failure)
            strings_add(&removal->removed, images->items[i]);
        else if (strcmp(code, "ImageNotFound") == 0)
            strings_add(&removal->missing, images->items[i]);
        else
            add_failed(removal, images->items[i], code, json_text(failure, "failureReason", ""));
    }
    return 0;
}

static int remove_some(struct ecr *ecr, const char *name, const struct strings *images, size_t first,
                       struct ecr_removal *removal, struct error *err)
{
    struct ecr_subject subject = {.action = "BatchDeleteImage", .repository = name};
    json_t *request = ecr_request(ecr, name);
    json_t *ids = json_array();
    json_t *answer;
    size_t i;
    int status;

    for (i = first; i < images->len && i < first + IMAGES_A_CALL; i++)
        json_array_append_new(ids, ecr_image_id(images->items[i]));
    json_object_set_new(request, "imageIds", ids);
    if (ecr_call(ecr, &subject, request, &answer, NULL, err))
        return -1;
    status = ecr_removal_parse(answer, images, first, IMAGES_A_CALL, removal, err);
    json_decref(answer);
    return status ? error_context(err, "ecr:BatchDeleteImage") : 0;
}

int ecr_removal_check(const struct ecr_removal *removal, const char *name, struct error *err)
{
    struct buf text;
    size_t i;

    if (!removal->failed.len)
        return 0;
    buf_init(&text, 1500);
    for (i = 0; i < removal->failed.len; i++)
        if (buf_addf(&text, "%s%s", i ? "; " : "", removal->failed.items[i]))
            break;
    error_set(err, CLASS_PUSH_FAILED, "images-not-removed", "%zu of %s could not be removed: %s%s", removal->failed.len,
              name, buf_text(&text), i < removal->failed.len ? " …" : "");
    buf_dispose(&text);
    return -1;
}

int ecr_images_remove(struct ecr *ecr, const char *name, const struct strings *images, struct ecr_removal *removal,
                      struct error *err)
{
    struct strings once = {0};
    int status = 0;
    size_t i;

    *removal = (struct ecr_removal){0};
    for (i = 0; i < images->len; i++)
        if (!strings_has(&once, images->items[i]))
            strings_add(&once, images->items[i]);
    for (i = 0; i < once.len && status == 0; i += IMAGES_A_CALL)
        status = remove_some(ecr, name, &once, i, removal, err);
    strings_dispose(&once);
    return status ? status : ecr_removal_check(removal, name, err);
}
