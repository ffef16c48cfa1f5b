#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "aws/sign_internal.h"
#include "core/mem.h"

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c);
}

static bool is_escape(const char *text, size_t len)
{
    return len >= 3 && text[0] == '%' && isxdigit((unsigned char)text[1]) && isxdigit((unsigned char)text[2]);
}

/* "." and "..", empty segments: removed as RFC 3986 says, but that "//" counts as "/". Appends to out. */
static void normalize_path(const char *path, struct buf *out)
{
    const char *at = path;

    while (*at) {
        size_t len = strcspn(at + 1, "/");
        struct view segment = {at + 1, len};

        if (view_is(segment, "..")) {
            while (out->len && out->data[--out->len] != '/')
                ;
            if (out->data)
                out->data[out->len] = '\0';
        } else if (len && !view_is(segment, ".")) {
            buf_addc(out, '/');
            buf_add(out, segment.data, segment.len);
        }
        at += 1 + len;
    }
    if (!out->len || (at > path && at[-1] == '/'))
        buf_addc(out, '/');
}

void sign_canonical_path(const struct sign_request *request, struct buf *out)
{
    static const char digits[] = "0123456789ABCDEF";
    const char *path = *request->path ? request->path : "/";
    struct buf normal;
    const char *c;

    if (strcmp(request->service, "s3") == 0) {
        buf_adds(out, path);
        return;
    }
    buf_init(&normal, SIGN_TEXT_MAX);
    if (request->keep_path || *path != '/')
        buf_adds(&normal, path);
    else
        normalize_path(path, &normal);
    for (c = buf_text(&normal); *c; c++) {
        if (*c == '/' || is_unreserved(*c))
            buf_addc(out, *c);
        else
            buf_addf(out, "%%%c%c", digits[(unsigned char)*c >> 4], digits[*c & 15]);
    }
    buf_dispose(&normal);
}

/* What is percent-encoded already stays, in upper case; what should be and is not gets so. */
static char *encode_query_part(const char *text, size_t len)
{
    struct buf out;
    size_t i;

    buf_init(&out, SIGN_TEXT_MAX);
    for (i = 0; i < len; i++) {
        if (is_escape(text + i, len - i)) {
            buf_addf(&out, "%%%c%c", toupper((unsigned char)text[i + 1]), toupper((unsigned char)text[i + 2]));
            i += 2;
        } else if (is_unreserved(text[i])) {
            buf_addc(&out, text[i]);
        } else {
            buf_addf(&out, "%%%02X", (unsigned)(unsigned char)text[i]);
        }
    }
    return buf_take(&out);
}

struct parameter {
    char *name, *value;
};

static int compare_parameters(const void *a, const void *b)
{
    const struct parameter *left = a, *right = b;
    int by_name = strcmp(left->name, right->name);

    return by_name ? by_name : strcmp(left->value, right->value);
}

void sign_canonical_query(const char *query, struct buf *out)
{
    struct parameter *list = NULL;
    size_t len = 0;
    size_t i;
    const char *at = query ? query : "";

    while (*at) {
        size_t size = strcspn(at, "&");
        size_t name = strcspn(at, "=&");

        if (size) {
            list = xrealloc(list, len + 1, sizeof *list);
            list[len].name = encode_query_part(at, name);
            list[len++].value = name < size ? encode_query_part(at + name + 1, size - name - 1) : xstrdup("");
        }
        at += size + (at[size] == '&');
    }
    if (len)
        qsort(list, len, sizeof *list, compare_parameters);
    for (i = 0; i < len; i++) {
        buf_addf(out, "%s%s=%s", i ? "&" : "", list[i].name, list[i].value);
        free(list[i].name);
        free(list[i].value);
    }
    free(list);
}

static void add_header(struct sign_header_list *list, const char *name, size_t name_len, const char *value)
{
    struct sign_header *header = &list->items[list->len];
    size_t i;

    header->name = xstrndup(name, name_len);
    for (i = 0; i < name_len; i++)
        header->name[i] = (char)tolower((unsigned char)header->name[i]);
    header->value = value;
    header->order = list->len++;
}

/* By name; those of one name in their order. */
static int compare_headers(const void *a, const void *b)
{
    const struct sign_header *left = a, *right = b;
    int by_name = strcmp(left->name, right->name);

    return by_name ? by_name : (left->order > right->order) - (left->order < right->order);
}

void sign_header_list_init(struct sign_header_list *list, const struct sign_request *request,
                           const struct credentials *credentials)
{
    size_t given = request->headers ? request->headers->len : 0;
    size_t i;

    *list = (struct sign_header_list){.items = xcalloc(given + 4, sizeof *list->items)};
    sign_date(request->wall_ms, list->date);
    add_header(list, "host", 4, request->host);
    add_header(list, "x-amz-date", 10, list->date);
    if (credentials->session_token)
        add_header(list, "x-amz-security-token", 20, credentials->session_token);
    if (request->content_hash_header)
        add_header(list, "x-amz-content-sha256", 20, request->payload_hash);
    for (i = 0; i < given; i++) {
        const char *line = request->headers->items[i];
        const char *colon = strchr(line, ':');

        if (colon)
            add_header(list, line, (size_t)(colon - line), colon + 1);
    }
    qsort(list->items, list->len, sizeof *list->items, compare_headers);
}

void sign_header_list_dispose(struct sign_header_list *list)
{
    size_t i;

    for (i = 0; i < list->len; i++)
        free(list->items[i].name);
    free(list->items);
}

/* Without white space at both ends, and runs of it as one blank. */
static void add_trimmed(const char *value, struct buf *out)
{
    static const char blanks[] = " \t\r\n";
    size_t len;

    value += strspn(value, blanks);
    while (*value) {
        len = strcspn(value, blanks);
        buf_add(out, value, len);
        value += len;
        value += strspn(value, blanks);
        if (*value)
            buf_addc(out, ' ');
    }
}

void sign_canonical_headers(const struct sign_header_list *list, struct buf *out)
{
    size_t i;

    for (i = 0; i < list->len; i++) {
        bool again = i && strcmp(list->items[i].name, list->items[i - 1].name) == 0;

        if (i)
            buf_addc(out, again ? ',' : '\n');
        if (!again) {
            buf_adds(out, list->items[i].name);
            buf_addc(out, ':');
        }
        add_trimmed(list->items[i].value, out);
    }
    buf_addc(out, '\n');
}

void sign_signed_headers(const struct sign_header_list *list, struct buf *out)
{
    size_t i;

    for (i = 0; i < list->len; i++) {
        if (i && strcmp(list->items[i].name, list->items[i - 1].name) == 0)
            continue;
        if (i)
            buf_addc(out, ';');
        buf_adds(out, list->items[i].name);
    }
}
