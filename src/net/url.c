#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "net/http_internal.h"

/* A part as malloc'd string of ours, NULL when absent. */
static char *part(CURLU *handle, CURLUPart what, unsigned flags)
{
    char *text = NULL, *copy;

    if (curl_url_get(handle, what, &text, flags) != CURLUE_OK)
        return NULL;
    copy = xstrdup(text);
    curl_free(text);
    return copy;
}

int url_parse(const char *text, struct url *url, struct error *err)
{
    CURLU *handle = curl_url();
    CURLUcode code =
        handle ? curl_url_set(handle, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) : CURLUE_OUT_OF_MEMORY;

    if (code != CURLUE_OK) {
        CLEANUP_FREE char *shown = url_without_userinfo(text);

        curl_url_cleanup(handle);
        error_set(err, CLASS_USAGE, "bad-url", "\"%.512s\" is not a URL: %s", shown, curl_url_strerror(code));
        return error_hint(err, "write it as https://host/path");
    }
    *url = (struct url){
        .scheme = part(handle, CURLUPART_SCHEME, 0),
        .host = part(handle, CURLUPART_HOST, 0),
        .port = part(handle, CURLUPART_PORT, CURLU_NO_DEFAULT_PORT),
        .path = part(handle, CURLUPART_PATH, 0),
        .query = part(handle, CURLUPART_QUERY, 0),
        .user = part(handle, CURLUPART_USER, CURLU_URLDECODE),
        .password = part(handle, CURLUPART_PASSWORD, CURLU_URLDECODE),
    };
    curl_url_cleanup(handle);
    return 0;
}

char *url_decode(const char *text)
{
    int len = 0;
    char *decoded = curl_easy_unescape(NULL, text, 0, &len);
    char *copy = xstrdup(decoded ? decoded : text);

    curl_free(decoded);
    return copy;
}

void url_dispose(struct url *url)
{
    free(url->scheme);
    free(url->host);
    free(url->port);
    free(url->path);
    wipe_free(url->query);
    wipe_free(url->user);
    wipe_free(url->password);
    *url = (struct url){0};
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

void url_encode(const char *text, bool keep_slash, struct buf *out)
{
    static const char digits[] = "0123456789ABCDEF";

    for (; *text; text++) {
        if (is_unreserved(*text) || (keep_slash && *text == '/')) {
            buf_addc(out, *text);
        } else { /* without printf: the body of a message is encoded by it too */
            buf_addc(out, '%');
            buf_addc(out, digits[(unsigned char)*text >> 4]);
            buf_addc(out, digits[(unsigned char)*text & 15]);
        }
    }
}

static bool parses(const char *text)
{
    CURLU *handle = curl_url();
    bool good = handle && curl_url_set(handle, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK;

    curl_url_cleanup(handle);
    return good;
}

char *url_without_userinfo(const char *text)
{
    const char *authority = strstr(text, "://");
    const char *end, *at = NULL, *scan;

    if (!authority)
        return xstrdup(text);
    authority += 3;
    /* Of a text that is no URL nobody knows where the password ends ("https://user:pa/ss@host"): cut generously. */
    end = authority + strcspn(authority, parses(text) ? "/?#" : "");
    for (scan = authority; scan < end; scan++)
        if (*scan == '@')
            at = scan;
    if (!at)
        return xstrdup(text);
    return xasprintf("%.*s%s", (int)(authority - text), text, at + 1);
}

char *http_target(const char *text)
{
    struct url url = {0};
    char *target;

    if (url_parse(text, &url, NULL))
        return xstrdup("a malformed URL");
    target = xasprintf("%s://%s%s%s", url.scheme ? url.scheme : "", url.host ? url.host : "", url.port ? ":" : "",
                       url.port ? url.port : "");
    url_dispose(&url);
    return target;
}
