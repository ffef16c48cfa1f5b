/* The tags of a repository: listed, and taken away. */
#include <string.h>

#include "core/json.h"
#include "core/mem.h"
#include "oci/registry_internal.h"

#define PAGE_MAX ((size_t)4 << 20)
#define TAGS_A_PAGE 1000
#define TAGS_MAX 20000

static int take_page(const struct registry_call *call, struct strings *tags, struct error *err)
{
    CLEANUP_JSON json_t *page = NULL;
    const json_t *list;
    size_t i;

    page = json_parse(buf_text(&call->response.body), call->response.body.len, CLASS_PUSH_FAILED, call->what, err);
    if (!page)
        return -1;
    list = json_object_get(page, "tags");
    for (i = 0; i < json_array_size(list); i++) {
        const char *tag = json_string_value(json_array_get(list, i));

        if (!tag || !oci_tag_valid(tag))
            return error_set(err, CLASS_PUSH_FAILED, "registry-error", "%s: what is listed there is no tag",
                             call->what);
        strings_add(tags, tag);
    }
    if (tags->len <= TAGS_MAX)
        return 0;
    return error_set(err, CLASS_PUSH_FAILED, "registry-error", "%s: there are more than %d tags", call->what, TAGS_MAX);
}

/* *more: there is another page behind it. */
static int list_page(struct registry *registry, struct strings *tags, bool *more, struct error *err)
{
    const char *last = tags->len ? tags->items[tags->len - 1] : NULL;
    CLEANUP_FREE char *path = last ? registry_path(registry, "tags/list?n=%d&last=%s", TAGS_A_PAGE, last)
                                   : registry_path(registry, "tags/list?n=%d", TAGS_A_PAGE);
    CLEANUP_FREE char *what = xasprintf("listing the tags of %s", registry->shown);
    size_t before = tags->len;
    struct registry_call call;
    int status;

    *more = false;
    registry_call_init(&call, "GET", path, what);
    call.max_response = PAGE_MAX;
    status = registry_perform(registry, &call, err);
    if (!status && call.response.status == 200) {
        status = take_page(&call, tags, err);
        *more = tags->len > before && http_response_header(&call.response, "link");
    } else if (!status && call.response.status != 404) {
        status = registry_refusal(registry, &call, err);
    }
    registry_call_dispose(&call);
    return status;
}

int registry_tags(struct registry *registry, struct strings *tags, struct error *err)
{
    bool more = true;

    while (more)
        if (list_page(registry, tags, &more, err))
            return -1;
    return 0;
}

int registry_untag(struct registry *registry, const char *tag, bool *removed, struct error *err)
{
    CLEANUP_FREE char *path = registry_path(registry, "manifests/%s", tag);
    CLEANUP_FREE char *what = xasprintf("removing the tag %s", tag);
    struct registry_call call;
    int status;

    *removed = false;
    registry_wants_deletion(registry);
    registry_call_init(&call, "DELETE", path, what);
    status = registry_perform(registry, &call, err);
    if (!status && call.response.status / 100 == 2)
        *removed = true;
    else if (!status && (call.response.status == 401 || call.response.status == 403))
        status = registry_refusal(registry, &call, err);
    registry_call_dispose(&call);
    return status;
}
