/* Repositories, endpoints and proxies. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/mem.h"
#include "spec/names.h"
#include "spec/paths.h"
#include "spec/problems.h"

#define URL_MAX 2048

static const char repository_forms[] = "https://host/path, http://host/path, owner/name (GitHub), file:///path";

static bool port_is_valid(const char *port, size_t len)
{
    long number = 0;
    size_t i;

    if (len == 0 || len > 5)
        return false;
    for (i = 0; i < len; i++) {
        if (!isdigit((unsigned char)port[i]))
            return false;
        number = number * 10 + (port[i] - '0');
    }
    return number > 0 && number < 65536;
}

bool host_is_valid(const char *host, size_t len)
{
    size_t i = 0;

    if (len && host[0] == '[') {
        for (i = 1; i < len && host[i] != ']'; i++)
            if (!isxdigit((unsigned char)host[i]) && host[i] != ':' && host[i] != '.')
                return false;
        if (i == len || i < 3)
            return false;
        i++;
    } else {
        while (i < len && (isalnum((unsigned char)host[i]) || host[i] == '.' || host[i] == '-' || host[i] == '_'))
            i++;
        if (i == 0 || host[0] == '.' || host[0] == '-')
            return false;
    }
    return i == len || (host[i] == ':' && port_is_valid(host + i + 1, len - i - 1));
}

static bool is_http(const char *url)
{
    return strncasecmp(url, "https://", 8) == 0 || strncasecmp(url, "http://", 7) == 0;
}

/* The host and what follows of a URL that is_http. */
static const char *after_scheme(const char *url)
{
    return strstr(url, "://") + 3;
}

static bool has_user_info(const char *rest)
{
    size_t authority = strcspn(rest, "/?#");

    return memchr(rest, '@', authority) != NULL;
}

static bool path_climbs(const char *path)
{
    char *normal = path_normalise(path);
    bool climbs = !normal;

    free(normal);
    return climbs;
}

static int check_http_repository(const char *text, struct remark *remark)
{
    const char *host = after_scheme(text);
    size_t host_len = strcspn(host, "/?#");
    const char *path = host + host_len;
    size_t len = strlen(text);
    char shown[QUOTE_SIZE];

    if (has_user_info(host))
        return remark_set(remark, "put them into source.auth: { token: … } or { username: …, password: … }",
                          "the URL holds credentials");
    if (!host_is_valid(host, host_len))
        return remark_set(remark, repository_forms, "%s has no valid host", quote(shown, text));
    if (strpbrk(text, "?#"))
        return remark_set(remark, "the address that git clone takes", "the URL has a query or a fragment");
    if (path[strspn(path, "/")] == '\0')
        return remark_set(remark, repository_forms, "the URL has no path");
    if (path_climbs(path))
        return remark_set(remark, NULL, "the URL's path has a part \"..\"");
    while (len > 1 && text[len - 1] == '/')
        len--;
    remark->normal = xstrndup(text, len);
    for (len = 0; remark->normal[len] != ':'; len++)
        remark->normal[len] = (char)tolower((unsigned char)remark->normal[len]);
    return 0;
}

static int check_file_repository(const char *path, struct remark *remark)
{
    CLEANUP_FREE char *normal = *path == '/' ? path_normalise(path) : NULL;

    if (*path != '/')
        return remark_set(remark, "file:///path", "a file: repository needs an absolute path and no host");
    if (!normal || strcmp(normal, "/") == 0)
        return remark_set(remark, "file:///path", "the path leads out with \"..\" or is the root");
    remark->normal = xasprintf("file://%s", normal);
    return 0;
}

/* owner/name as GitHub allows them. */
static bool is_short_form(const char *text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-";
    size_t owner = strspn(text, letters);
    const char *name = text + owner + 1;

    if (owner == 0 || owner > 39 || text[owner] != '/' || *text == '-')
        return false;
    return *name && *name != '-' && name[strcspn(name, "/")] == '\0' && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0 && strlen(name) <= 100 &&
           name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")] == '\0';
}

/* user@host:path of scp, and ssh://. */
static bool is_ssh(const char *text)
{
    const char *at = strchr(text, '@');
    const char *colon = strchr(text, ':');

    return strncasecmp(text, "ssh://", 6) == 0 || strncasecmp(text, "git+ssh://", 10) == 0 ||
           strncasecmp(text, "ssh+git://", 10) == 0 || (at && colon && at < colon && !strstr(text, "://"));
}

int check_repository(const char *text, struct remark *remark)
{
    const char *c;

    if (strlen(text) > URL_MAX)
        return remark_set(remark, NULL, "the URL is longer than %d bytes", URL_MAX);
    for (c = text; *c; c++)
        if ((unsigned char)*c <= 0x20 || *c == 0x7f || *c == '\\' || *c == '"')
            return remark_set(remark, repository_forms,
                              "blanks, quotes, backslashes and control characters are not allowed in a repository");
    if (is_http(text))
        return check_http_repository(text, remark);
    if (strncasecmp(text, "file://", 7) == 0)
        return check_file_repository(text + 7, remark);
    if (strncasecmp(text, "file:", 5) == 0)
        return check_file_repository(text + 5, remark);
    if (*text == '/')
        return check_file_repository(text, remark);
    if (is_ssh(text))
        return remark_set(remark, "use https:// with source.auth", "ssh is not supported by this version");
    if (is_short_form(text)) {
        remark->normal = xasprintf("https://github.com/%s", text);
        return 0;
    }
    /* Not quoted: it may hold credentials in a form that we do not know. */
    return remark_set(remark, repository_forms, "not a form of a repository that is known");
}

int check_endpoint(const char *text, struct remark *remark)
{
    const char *host = is_http(text) ? after_scheme(text) : "";
    size_t host_len = strcspn(host, "/?#");
    const char *rest = host + host_len;

    if (has_user_info(host))
        return remark_set(remark, NULL, "the URL holds credentials");
    if (strlen(text) > URL_MAX || text_has_control(text) || strchr(text, ' ') || !host_is_valid(host, host_len) ||
        (*rest && strcmp(rest, "/") != 0))
        return remark_set(remark, "https://host or http://host:port, without a path", "not the URL of a server");
    if (*rest)
        remark->normal = xstrndup(text, (size_t)(rest - text));
    return 0;
}

int check_proxy(const char *text, struct remark *remark)
{
    const char *host = is_http(text) ? after_scheme(text) : text;
    size_t authority = strcspn(host, "/?#");
    const char *user_end = memchr(host, '@', authority);
    const char *name = user_end ? user_end + 1 : host;
    size_t len = authority - (size_t)(name - host);

    if (strlen(text) > URL_MAX || text_has_control(text) || !host_is_valid(name, len) ||
        (host[authority] && strcmp(host + authority, "/") != 0))
        return remark_set(remark, "http://host:port", "not the URL of a proxy");
    return 0;
}

char *repository_name(const char *url)
{
    size_t len = strlen(url);
    const char *begin;
    char *name;
    char *c;

    while (len && url[len - 1] == '/')
        len--;
    if (len > 4 && strncmp(url + len - 4, ".git", 4) == 0)
        len -= 4;
    for (begin = url + len; begin > url && begin[-1] != '/'; begin--)
        ;
    len = (size_t)(url + len - begin);
    name = xstrndup(begin, len > 100 ? 100 : len);
    for (c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
            *c = '-';
    if (!isalnum((unsigned char)*name)) {
        free(name);
        return xstrdup("project");
    }
    return name;
}
