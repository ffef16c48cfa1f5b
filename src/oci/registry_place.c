/* Where requests go: the registry's own address, and the addresses that it names. */
#include <curl/curl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/mem.h"
#include "oci/registry_internal.h"

#define LOCATION_MAX 8192

char *registry_url(const struct registry *registry, const char *path)
{
    return xasprintf("%s://%s%s", registry->https ? "https" : "http", registry->host, path);
}

char *registry_path(const struct registry *registry, const char *format, ...)
{
    char *rest = NULL, *path;
    va_list args;

    va_start(args, format);
    if (vasprintf(&rest, format, args) < 0)
        abort();
    va_end(args);
    path = xasprintf("/v2/%s/%s", registry->name, rest);
    free(rest);
    return path;
}

bool registry_allows_http(const struct registry *registry, const char *host)
{
    /* A registry on this machine may send us elsewhere on it, and to other machines by https alone. */
    return !registry->https && (registry->insecure || oci_registry_is_loopback(host));
}

/* "host:port" with the scheme's own port when none is said. */
static char *authority(const char *scheme, const char *host, const char *port)
{
    return xasprintf("%s:%s", host, port ? port : strcmp(scheme, "https") == 0 ? "443" : "80");
}

static bool is_origin(const struct url *a, const struct url *b)
{
    CLEANUP_FREE char *first = authority(a->scheme, a->host, a->port);
    CLEANUP_FREE char *second = authority(b->scheme, b->host, b->port);

    return strcmp(a->scheme, b->scheme) == 0 && strcasecmp(first, second) == 0;
}

bool registry_is_own(const struct registry *registry, const char *text)
{
    CLEANUP_FREE char *own = registry_url(registry, "/");
    struct url here = {0}, there = {0};
    bool same;

    same = !url_parse(own, &here, NULL) && !url_parse(text, &there, NULL) && here.scheme && there.scheme && here.host &&
           there.host && is_origin(&here, &there);
    url_dispose(&here);
    url_dispose(&there);
    return same;
}

/* NULL when it is no address. */
static char *resolve(const char *asked, const char *location)
{
    CURLU *handle = curl_url();
    char *text = NULL, *copy = NULL;

    if (handle && curl_url_set(handle, CURLUPART_URL, asked, 0) == CURLUE_OK &&
        curl_url_set(handle, CURLUPART_URL, location, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
        curl_url_set(handle, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK &&
        curl_url_get(handle, CURLUPART_URL, &text, 0) == CURLUE_OK)
        copy = xstrdup(text);
    curl_free(text);
    curl_url_cleanup(handle);
    return copy;
}

static const char *problem_of(const struct registry *registry, const struct url *url)
{
    if (!url->scheme || !url->host || (strcmp(url->scheme, "https") != 0 && strcmp(url->scheme, "http") != 0))
        return "which is no address of http or https";
    if (url->user || url->password)
        return "an address with a user";
    if (strcmp(url->scheme, "http") == 0 && !registry_allows_http(registry, url->host))
        return "by plain http";
    return NULL;
}

/* A registry behind a proxy that ends TLS often names itself by http: what is meant is known. */
static void mend_scheme(const struct registry *registry, char **url)
{
    char *mended;

    if (!registry->https || strncmp(*url, "http://", 7) != 0)
        return;
    mended = xasprintf("https://%s", *url + 7);
    if (registry_is_own(registry, mended)) {
        free(*url);
        *url = mended;
    } else {
        free(mended);
    }
}

int registry_location(const struct registry *registry, const char *asked, const char *location, char **out,
                      struct error *err)
{
    char *resolved = location && strlen(location) <= LOCATION_MAX ? resolve(asked, location) : NULL;
    const char *problem = "nowhere that can be understood";
    struct url url = {0};

    if (resolved) {
        mend_scheme(registry, &resolved);
        if (!url_parse(resolved, &url, NULL))
            problem = problem_of(registry, &url);
    }
    if (!problem) {
        *out = resolved;
        url_dispose(&url);
        return 0;
    }
    error_set(err, CLASS_PUSH_FAILED, "redirect-refused", "the registry of %s sends us on to %.200s, %s",
              registry->shown, url.host ? url.host : "a place", problem);
    url_dispose(&url);
    free(resolved);
    return -1;
}
