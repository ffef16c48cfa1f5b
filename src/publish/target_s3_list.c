/* What lies beneath an S3 prefix. https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html */
#include <stdlib.h>
#include <string.h>

#include "aws/xml.h"
#include "core/mem.h"
#include "publish/target_s3.h"

#define PAGE_MAX_BYTES ((size_t)8 << 20) /* 1,000 keys of 1,024 bytes, each a reference of six at worst */
#define TOKEN_MAX 2048
#define KEY_TEXT_MAX 1100
#define STATE_FOLDER ".caisson/"
#define STATE_NAME "/manifest.json"

/* An ETag stands in quotes wherever it is used; some servers leave them out here. */
static void quote(char etag[260])
{
    size_t len = strlen(etag);

    if (len == 0 || etag[0] == '"' || len + 3 > 260)
        return;
    memmove(etag + 1, etag, len);
    etag[0] = etag[len + 1] = '"';
    etag[len + 2] = '\0';
}

static void read_entry(struct view entry, const struct s3_entries *entries)
{
    char key[KEY_TEXT_MAX], etag[260], size[24];

    /* No encoding-type=url: servers disagree about blank and plus. What XML cannot say plainly is an odd name. */
    if (!xml_text(entry, "Key", key, sizeof key) || strstr(key, "&#"))
        snprintf(key, sizeof key, "%s\x7f", entries->prefix);
    xml_text(entry, "ETag", etag, sizeof etag);
    xml_text(entry, "Size", size, sizeof size);
    quote(etag);
    entries->found(entries->context, key, etag[0] ? etag : NULL, strtoll(size, NULL, 10));
}

void s3_entries_read(struct view page, const struct s3_entries *entries)
{
    static const char open[] = "<Contents>", close[] = "</Contents>";
    const char *at = page.data, *end = page.data + page.len;

    while (at && (at = memmem(at, (size_t)(end - at), open, sizeof open - 1))) {
        const char *until = memmem(at, (size_t)(end - at), close, sizeof close - 1);

        if (!until)
            return;
        read_entry((struct view){at, (size_t)(until - at)}, entries);
        at = until;
    }
}

/* One page; *token is replaced by the next one's, "" at the end. */
static int list_page(struct s3_target *target, char token[TOKEN_MAX], const bool *stop,
                     const struct s3_entries *entries, struct error *err)
{
    CLEANUP_FREE char *query_text = NULL;
    struct s3_call call;
    struct view page;
    struct buf query;
    char truncated[8];
    int result;

    buf_init(&query, 16 << 10);
    buf_adds(&query, token[0] ? "continuation-token=" : "");
    url_encode(token, false, &query);
    buf_adds(&query, token[0] ? "&list-type=2&prefix=" : "list-type=2&prefix=");
    url_encode(entries->prefix, false, &query);
    query_text = buf_take(&query);
    s3_call_init(&call, "GET", NULL);
    call.query = query_text;
    call.max_response = PAGE_MAX_BYTES;
    result = s3_target_perform(target, &call, stop, err);
    page = (struct view){buf_text(&call.response.body), call.response.body.len};
    if (result == 0) {
        s3_entries_read(page, entries);
        xml_text(page, "IsTruncated", truncated, sizeof truncated);
        if (!xml_text(page, "NextContinuationToken", token, TOKEN_MAX) || strcmp(truncated, "true") != 0)
            token[0] = '\0';
        if (!token[0] && strcmp(truncated, "true") == 0)
            result = error_set(err, CLASS_UPLOAD_FAILED, "bad-answer", "%s: the list breaks off", target->base.uri);
    }
    s3_call_dispose(&call);
    return result;
}

static int list(struct s3_target *target, const bool *stop, const struct s3_entries *entries, struct error *err)
{
    char token[TOKEN_MAX] = "";

    do {
        if (list_page(target, token, stop, entries, err))
            return -1;
    } while (token[0]);
    return 0;
}

/* ---- targets within this one ---- */

struct within {
    struct s3_target *target;
    struct strings prefixes;
    void (*found)(void *context, const char *path, const char *etag, int64_t size);
    void *context;
};

/* ".caisson/a~1b/manifest.json" is the state of "a/b/". */
static void on_state(void *context, const char *key, const char *etag, int64_t size)
{
    struct within *within = context;
    size_t len = strlen(key), tail = sizeof STATE_NAME - 1, head = sizeof STATE_FOLDER - 1;
    struct buf prefix;
    const char *p;

    (void)etag;
    (void)size;
    if (len <= head + tail || strcmp(key + len - tail, STATE_NAME) != 0 || strcmp(key, within->target->state_key) == 0)
        return;
    buf_init(&prefix, 4096);
    for (p = key + head; p < key + len - tail; p++) {
        bool escaped = *p == '~' && (p[1] == '0' || p[1] == '1');

        buf_addc(&prefix, escaped ? (p[1] == '1' ? '/' : '~') : *p);
        p += escaped;
    }
    buf_addc(&prefix, '/');
    strings_add(&within->prefixes, buf_text(&prefix));
    buf_dispose(&prefix);
}

static void on_object(void *context, const char *key, const char *etag, int64_t size)
{
    const struct within *within = context;
    size_t prefix_len = strlen(within->target->prefix);
    size_t i;

    if (strncmp(key, within->target->prefix, prefix_len) != 0 ||
        strncmp(key, STATE_FOLDER, sizeof STATE_FOLDER - 1) == 0)
        return;
    for (i = 0; i < within->prefixes.len; i++)
        if (strncmp(key, within->prefixes.items[i], strlen(within->prefixes.items[i])) == 0)
            return;
    within->found(within->context, key + prefix_len, etag, size);
}

/* State keys of targets within this one begin like ours, with one more component; all others without a prefix. */
static char *states_within(const struct s3_target *target)
{
    if (!target->prefix[0])
        return xstrdup(STATE_FOLDER);
    return xasprintf("%.*s~1", (int)(strlen(target->state_key) - (sizeof STATE_NAME - 1)), target->state_key);
}

int s3_target_list(struct target *base, const bool *stop,
                   void (*found)(void *context, const char *path, const char *etag, int64_t size), void *context,
                   struct error *err)
{
    struct within within = {.target = (struct s3_target *)base, .found = found, .context = context};
    CLEANUP_FREE char *states = states_within(within.target);
    int result = list(within.target, stop, &(struct s3_entries){states, on_state, &within}, err);

    if (result == 0)
        result = list(within.target, stop, &(struct s3_entries){within.target->prefix, on_object, &within}, err);
    strings_dispose(&within.prefixes);
    return result;
}
