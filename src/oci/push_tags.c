/* The manifest, by each tag: what makes the image seen. */
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "oci/push_internal.h"

static bool says(const struct registry_call *call, const char *text)
{
    return strcasestr(call->failure.code, text) || strcasestr(call->failure.message, text);
}

/* Nobody has standardised how a registry says that a tag stays: ECR 400 TAG_INVALID or ImageTagAlreadyExistsException,
 * Harbor 412, others 409 or 403. */
static bool is_immutable(const struct registry_call *call)
{
    switch (call->response.status) {
    case 409:
    case 412: return true;
    case 400:
    case 403:
        return says(call, "immutable") || says(call, "TAG_INVALID") || says(call, "AlreadyExists") ||
               says(call, "cannot be overwritten");
    default: return false;
    }
}

/* 0: it holds our digest, so somebody (perhaps we, with an answer that was lost) has written it. */
static int meet_immutable(struct push *push, const char *tag, const struct registry_call *call, struct error *err)
{
    const char *own = push->request->image->digest;
    char there[OCI_DIGEST_SIZE];
    struct error failure = {0};

    if (registry_tag_digest(push->registry, tag, there, &failure) || !*there)
        /* What it holds may be kept from us. */
        return error_set(err, CLASS_PUSH_FAILED, "tag-immutable",
                         "the tag %s cannot be moved, and what it holds cannot be seen: the registry answers %ld%s%s: "
                         "%s",
                         tag, call->response.status, *call->failure.code ? " " : "", call->failure.code,
                         call->failure.message);
    if (strcmp(there, own) == 0)
        return 0;
    error_set(err, CLASS_PUSH_FAILED, "tag-immutable",
              "the tag %s cannot be moved: it holds %s, and the image is %s (the registry answers %ld%s%s)", tag, there,
              own, call->response.status, *call->failure.code ? " " : "", call->failure.code);
    return error_hint(err, "push under another tag, or let the repository's tags be moved");
}

static int check_written(const struct push *push, const struct registry_call *call, struct error *err)
{
    const char *digest = http_response_header(&call->response, "docker-content-digest");

    if (!digest || !oci_digest_valid(digest) || strcmp(digest, push->request->image->digest) == 0)
        return 0;
    return error_set(err, CLASS_PUSH_FAILED, "manifest-refused", "%s: the registry says that it has got %s, not %s",
                     call->what, digest, push->request->image->digest);
}

static int write_tag(struct push *push, const char *tag, struct error *err)
{
    const struct oci_image *image = push->request->image;
    CLEANUP_FREE char *path = registry_path(push->registry, "manifests/%s", tag);
    CLEANUP_FREE char *what = xasprintf("writing the tag %s", tag);
    struct registry_call call;
    int result;

    registry_call_init(&call, "PUT", path, what);
    strings_addf(&call.headers, "Content-Type: %s", image->media_type);
    call.body = (struct view){image->manifest.data, image->manifest.len};
    result = registry_perform(push->registry, &call, err);
    if (!result) {
        if (call.response.status / 100 == 2)
            result = check_written(push, &call, err);
        else if (is_immutable(&call))
            result = meet_immutable(push, tag, &call, err);
        else
            result = registry_refusal(push->registry, &call, err);
    }
    registry_call_dispose(&call);
    return result;
}

/* A role that may push and not read is not told what a tag holds. Kaniko pushes with such a role, and so do we: whether
 * the tag may be written is said when it is. */
static int look_for_tag(struct push *push, const char *tag, char there[OCI_DIGEST_SIZE], struct error *err)
{
    struct error failure = {0};

    if (registry_tag_digest(push->registry, tag, there, &failure) == 0)
        return 0;
    if (strcmp(failure.reason, "registry-denied") != 0) {
        if (err)
            *err = failure;
        return -1;
    }
    there[0] = '\0';
    return 0;
}

int push_tags(struct push *push, struct error *err)
{
    const struct strings *tags = push->request->tags;
    bool committing = false;
    size_t i;

    for (i = 0; i < tags->len; i++) {
        char there[OCI_DIGEST_SIZE];

        if (look_for_tag(push, tags->items[i], there, err))
            return -1;
        if (strcmp(there, push->request->image->digest) == 0) {
            strings_add(&push->result->tags_there, tags->items[i]);
            continue;
        }
        if (!committing && push->request->on_committing)
            push->request->on_committing(push->request->context);
        committing = true;
        if (write_tag(push, tags->items[i], err))
            return -1;
        strings_add(&push->result->tags_written, tags->items[i]);
    }
    return 0;
}
