#include "oci/reference.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"

#define NAME_MAX_LEN 255
#define HOST_MAX_LEN 253
#define TAG_MAX_LEN 128
#define HEX_LEN 64

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
    return is_name_char(c) || (c >= 'A' && c <= 'Z');
}

/* Between letters and digits stand ".", "_", "__" or any number of "-". */
static size_t separator_length(const char *at)
{
    if (*at == '.')
        return 1;
    if (*at == '_')
        return at[1] == '_' ? 2 : 1;
    return strspn(at, "-");
}

/* What is wrong with a repository's path; NULL: nothing. */
static const char *name_problem(const char *name)
{
    const char *at = name;
    size_t length;

    if (strlen(name) > NAME_MAX_LEN)
        return "its name is longer than 255 characters";
    for (;;) {
        if (!is_name_char(*at))
            return isupper((unsigned char)*at) ? "names of repositories are in lower case"
                                               : "each part of its name begins with a lower-case letter or a digit";
        while (is_name_char(*at))
            at++;
        if (*at == '\0')
            return NULL;
        if (*at == '/') {
            at++;
            continue;
        }
        length = separator_length(at);
        if (length == 0)
            return isupper((unsigned char)*at)
                       ? "names of repositories are in lower case"
                       : "its name holds more than lower-case letters, digits, \".\", \"_\", \"-\" and \"/\"";
        at += length;
        if (!is_name_char(*at))
            return "a \".\", \"_\" or \"-\" of its name stands between letters or digits";
    }
}

static bool is_port(const char *text)
{
    size_t len = strspn(text, "0123456789");
    long port = strtol(text, NULL, 10);

    return len > 0 && len <= 5 && text[len] == '\0' && port >= 1 && port <= 65535;
}

/* The part of a registry before its port. */
static size_t host_length(const char *registry)
{
    const char *end = *registry == '[' ? strchr(registry, ']') : NULL;

    return end ? (size_t)(end - registry) + 1 : strcspn(registry, ":");
}

/* Labels of letters, digits, "_" and inner "-", with dots between them. */
static bool is_name_of_host(const char *host, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        bool first = i == 0 || host[i - 1] == '.';
        bool last = i == len - 1 || host[i + 1] == '.';

        if (host[i] == '.' && (first || i == len - 1))
            return false;
        if (host[i] == '-' && (first || last))
            return false;
        if (!is_name_char(host[i]) && !strchr("._-", host[i]))
            return false;
    }
    return true;
}

static bool is_host(const char *host, size_t len)
{
    if (len == 0 || len > HOST_MAX_LEN)
        return false;
    if (host[0] == '[')
        return len > 3 && host[len - 1] == ']' && strspn(host + 1, "0123456789abcdef:.") == len - 2;
    return is_name_of_host(host, len);
}

static const char *registry_problem(const char *registry)
{
    size_t len = host_length(registry);

    if (!is_host(registry, len))
        return "its registry is no host name";
    if (registry[len] != '\0' && (registry[len] != ':' || !is_port(registry + len + 1)))
        return "its registry's port is no number from 1 to 65535";
    /* "user/app" would otherwise be a registry called "user". */
    if (registry[len] == '\0' && !memchr(registry, '.', len) && registry[0] != '[' &&
        strcmp(registry, "localhost") != 0)
        return "it does not begin with its registry's host";
    return NULL;
}

int oci_repository_parse(const char *text, struct oci_repository *repository, struct error *err)
{
    const char *slash = strchr(text, '/');
    CLEANUP_FREE char *registry = xstrndup(text, slash ? (size_t)(slash - text) : 0);
    const char *problem;
    char *at;

    for (at = registry; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    if (strstr(text, "://"))
        problem = "it is written without a scheme";
    else if (!slash)
        problem = "it does not begin with its registry's host";
    else
        problem = registry_problem(registry);
    if (!problem)
        problem = name_problem(slash + 1);
    if (problem) {
        error_set(err, CLASS_USAGE, "bad-repository", "\"%.300s\" is no repository: %s", text, problem);
        return error_hint(err, "write it as registry.example.com/team/app, without a tag");
    }
    repository->registry = xstrdup(registry);
    repository->name = xstrdup(slash + 1);
    return 0;
}

void oci_repository_dispose(struct oci_repository *repository)
{
    free(repository->registry);
    free(repository->name);
    *repository = (struct oci_repository){0};
}

bool oci_tag_valid(const char *tag)
{
    size_t i;

    if (!is_alnum(tag[0]) && tag[0] != '_')
        return false;
    for (i = 1; tag[i] && i <= TAG_MAX_LEN; i++)
        if (!is_alnum(tag[i]) && tag[i] != '_' && tag[i] != '.' && tag[i] != '-')
            return false;
    return i <= TAG_MAX_LEN;
}

bool oci_digest_valid(const char *digest)
{
    return strncmp(digest, "sha256:", 7) == 0 && strspn(digest + 7, "0123456789abcdef") == HEX_LEN &&
           digest[7 + HEX_LEN] == '\0';
}

/* Four numbers, the first of them 127: "127.evil.example" is no address. */
static bool is_loopback_address(const char *host, size_t len)
{
    size_t i, dots = 0;

    if (len < 9 || strncmp(host, "127.", 4) != 0)
        return false;
    for (i = 0; i < len; i++) {
        dots += host[i] == '.';
        if (host[i] != '.' && !isdigit((unsigned char)host[i]))
            return false;
    }
    return dots == 3;
}

bool oci_registry_is_loopback(const char *registry)
{
    size_t len = host_length(registry);
    struct view host = {registry, len};

    return view_is(host, "localhost") || view_is(host, "[::1]") || is_loopback_address(registry, len);
}
