#include "report/links.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "core/json.h"
#include "core/lines.h"
#include "core/mem.h"
#include "net/http.h"

#define ADDRESS_MAX 2000 /* terminals take a little more, and ignore what is longer */
#define TEXT_MAX 1000
#define PUBLISHED_MAX 8

/* ---- addresses ---- */

static bool is_address(const char *url)
{
    return strncasecmp(url, "https://", 8) == 0 || strncasecmp(url, "http://", 7) == 0 ||
           strncasecmp(url, "file:/", 6) == 0;
}

/* What RFC 3986 has a place for. */
static bool stands_in_addresses(unsigned char c)
{
    return isalnum(c) || (c && strchr("-._~:/?#[]@!$&'()*+,;=%", c));
}

char *link_address(const char *url)
{
    CLEANUP_FREE char *shown = NULL;
    const unsigned char *at;
    struct buf out;

    if (!is_address(url) || strlen(url) > ADDRESS_MAX)
        return NULL;
    shown = strncasecmp(url, "file:/", 6) == 0 && url[6] != '/' ? xasprintf("file://%s", url + 5)
                                                                : url_without_userinfo(url);
    buf_init(&out, 3 * ADDRESS_MAX + 1);
    for (at = (const unsigned char *)shown; *at; at++)
        if (*at < 0x80 && stands_in_addresses(*at))
            buf_addc(&out, (char)*at);
        else
            buf_addf(&out, "%%%02X", *at);
    if (out.len <= ADDRESS_MAX)
        return buf_take(&out);
    buf_dispose(&out);
    return NULL;
}

void link_add(struct buf *out, const char *url, const char *text)
{
    CLEANUP_FREE char *address = url ? link_address(url) : NULL;

    if (address)
        buf_addf(out, "\033]8;;%s\033\\%s\033]8;;\033\\", address, text);
    else
        buf_adds(out, text);
}

bool links_shown(const struct strings *env, int fd)
{
    const char *terminal = env_get(env, "TERM");
    const char *no_colour = env_get(env, "NO_COLOR");
    const char *ci = env_get(env, "CI");

    return isatty(fd) && terminal && *terminal && strcmp(terminal, "dumb") != 0 && !(no_colour && *no_colour) &&
           !(ci && *ci && strcmp(ci, "false") != 0);
}

/* ---- pages ---- */

static bool is_host(const char *host, const char *name)
{
    size_t len = strlen(name);

    return strcmp(host, name) == 0 || (strncmp(host, name, len) == 0 && host[len] == '.');
}

/* The forges whose pages are known: github.com, gitlab.com and those that are called gitlab.…, bitbucket.org. */
static char *page_of_commit(const char *repository, const char *commit)
{
    struct url url;
    struct error err;
    const char *between = NULL;
    char *page = NULL;
    size_t len;

    if (url_parse(repository, &url, &err))
        return NULL;
    if (url.host && url.path && strcmp(url.scheme, "https") == 0) {
        between = strcmp(url.host, "github.com") == 0      ? "/commit/"
                  : is_host(url.host, "gitlab")            ? "/-/commit/"
                  : strcmp(url.host, "bitbucket.org") == 0 ? "/commits/"
                                                           : NULL;
    }
    if (between) {
        len = strlen(url.path);
        if (len > 4 && strcmp(url.path + len - 4, ".git") == 0)
            len -= 4;
        page = xasprintf("https://%s%s%s%.*s%s%s", url.host, url.port ? ":" : "", url.port ? url.port : "", (int)len,
                         url.path, between, commit);
    }
    url_dispose(&url);
    return page;
}

/* A folder or an object of a bucket in the console. */
static char *page_of_bucket(const char *uri)
{
    const char *bucket = uri + strlen("s3://");
    size_t len = strcspn(bucket, "/");
    const char *key = bucket[len] ? bucket + len + 1 : "";
    bool is_object = *key && key[strlen(key) - 1] != '/';
    struct buf encoded;
    char *page;

    if (len == 0 || len > 255)
        return NULL;
    buf_init(&encoded, 4096);
    url_encode(key, true, &encoded);
    page = xasprintf("https://s3.console.aws.amazon.com/s3/%s/%.*s?prefix=%s", is_object ? "object" : "buckets",
                     (int)len, bucket, buf_text(&encoded));
    buf_dispose(&encoded);
    return page;
}

/* Storage that is another's than AWS's has its endpoint beside it. */
static char *page_of_artifact(const json_t *artifact)
{
    const char *url = json_text(artifact, "url", "");

    if (strncmp(url, "s3://", 5) == 0)
        return json_text(artifact, "endpoint", NULL) ? NULL : page_of_bucket(url);
    return link_address(url);
}

/* "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/web": the console; else the registry's own page of that name. */
static char *page_of_image(const char *repository)
{
    size_t host_len = strcspn(repository, "/");
    const char *region = strstr(repository, ".dkr.ecr."), *name = repository + host_len + 1;
    size_t region_len = region ? strcspn(region + strlen(".dkr.ecr."), "./") : 0;

    if (repository[host_len] == '\0' || strncmp(repository, "oci:", 4) == 0 || !strchr(repository, '.'))
        return NULL;
    if (strncmp(repository, "docker.io/", 10) == 0)
        return strncmp(name, "library/", 8) == 0 ? xasprintf("https://hub.docker.com/_/%s", name + 8)
                                                 : xasprintf("https://hub.docker.com/r/%s", name);
    if (region && region < repository + host_len && strspn(repository, "0123456789") == 12 && region == repository + 12)
        return xasprintf("https://%.*s.console.aws.amazon.com/ecr/repositories/private/%.12s/%s", (int)region_len,
                         region + strlen(".dkr.ecr."), repository, name);
    return xasprintf("https://%s", repository);
}

/* ---- of a result ---- */

/* Takes the page. */
static void add(struct result_link *links, size_t *len, const char *label, const char *text, char *page)
{
    if (*text && *len < RESULT_LINKS_MAX)
        links[(*len)++] = (struct result_link){label, lines_one(text, TEXT_MAX), page ? link_address(page) : NULL};
    free(page);
}

static void add_image(struct result_link *links, size_t *len, const json_t *image)
{
    const char *repository = json_text(image, "repository", "");
    const char *tag = json_string_value(json_array_get(json_object_get(image, "tags"), 0));
    CLEANUP_FREE char *text = xasprintf("%s%s%s", repository, tag ? ":" : "", tag ? tag : "");

    if (*repository && (json_flag(image, "published", false) || json_flag(image, "existed", false)))
        add(links, len, "image", text, page_of_image(repository));
}

size_t result_links(const json_t *document, struct result_link links[RESULT_LINKS_MAX])
{
    const json_t *source = json_object_get(document, "source"), *artifacts = json_object_get(document, "artifacts");
    const char *commit = json_text(source, "commit", ""), *log = json_text(document, "log_url", "");
    size_t len = 0, i;

    add(links, &len, "commit", commit, page_of_commit(json_text(source, "repository", ""), commit));
    for (i = 0; i < json_array_size(artifacts) && i < PUBLISHED_MAX; i++) {
        const json_t *artifact = json_array_get(artifacts, i);

        add(links, &len, "published", json_text(artifact, "url", ""), page_of_artifact(artifact));
    }
    add_image(links, &len, json_object_get(document, "image"));
    add(links, &len, "log", log, link_address(log));
    return len;
}

void result_links_free(struct result_link *links, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        free(links[i].text);
        free(links[i].url);
    }
}
