#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "aws/s3_internal.h"
#include "core/mem.h"

#define DEFAULT_REGION "us-east-1"
#define AWS_DOMAIN "amazonaws.com"

bool s3_is_region(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len < S3_REGION_MAX && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-_") == len;
}

/* Characters only: the rest S3 says itself, and other servers allow more than AWS. */
static bool is_bucket(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    size_t len = name ? strlen(name) : 0;

    return len > 0 && len <= 255 && strspn(name, allowed) == len && isalnum((unsigned char)name[0]);
}

/* Whether the name can be the first label of a host under a wildcard certificate. */
static bool is_label(const char *bucket, bool secure)
{
    const char *allowed = secure ? "abcdefghijklmnopqrstuvwxyz0123456789-" : "abcdefghijklmnopqrstuvwxyz0123456789-.";

    return strspn(bucket, allowed) == strlen(bucket) && strlen(bucket) <= 63;
}

static bool is_address(const char *host)
{
    struct in_addr v4;

    return host[0] == '[' || strchr(host, ':') || inet_pton(AF_INET, host, &v4) == 1;
}

static int check_endpoint(const char *endpoint, struct error *err)
{
    struct url url;
    bool good;

    if (url_parse(endpoint, &url, err))
        return error_context(err, "the S3 endpoint");
    good = url.scheme && url.host && (strcmp(url.scheme, "https") == 0 || strcmp(url.scheme, "http") == 0) &&
           !url.user && !url.password && !url.query;
    url_dispose(&url);
    if (good)
        return 0;
    error_set(err, CLASS_USAGE, "bad-endpoint", "the S3 endpoint must be http or https, a host and a port only");
    return error_hint(err, "write it as https://s3.eu-west-1.amazonaws.com");
}

int s3_place_check(const struct s3_options *options, struct error *err)
{
    if (!is_bucket(options->bucket)) {
        error_set(err, CLASS_USAGE, "bad-bucket", "\"%.255s\" is not the name of a bucket",
                  options->bucket ? options->bucket : "");
        return error_hint(err, "a bucket's name has letters, digits, dots and dashes");
    }
    if (options->region && !s3_is_region(options->region))
        return error_set(err, CLASS_USAGE, "bad-region", "\"%.64s\" is not the name of a region", options->region);
    return options->endpoint ? check_endpoint(options->endpoint, err) : 0;
}

/* "s3.REGION.amazonaws.com", "s3.dualstack.REGION…", "bucket.s3-fips.REGION…": the label before the domain. */
static void region_of_host(const char *host, char region[S3_REGION_MAX])
{
    const char *domain = strstr(host, "." AWS_DOMAIN);
    const char *start;
    size_t len;

    if (!domain || (strcmp(domain, "." AWS_DOMAIN) != 0 && strcmp(domain, "." AWS_DOMAIN ".cn") != 0))
        return;
    for (start = domain; start > host && start[-1] != '.'; start--)
        ;
    len = (size_t)(domain - start);
    if (start > host && len < S3_REGION_MAX && memchr(start, '-', len) && strncmp(start, "s3", 2) != 0) {
        memcpy(region, start, len);
        region[len] = '\0';
    }
}

void s3_place_region(const struct s3_options *options, char region[S3_REGION_MAX])
{
    struct url url;

    snprintf(region, S3_REGION_MAX, "%s", DEFAULT_REGION);
    if (options->region && strcmp(options->region, "auto") != 0) {
        snprintf(region, S3_REGION_MAX, "%s", options->region);
    } else if (options->endpoint && url_parse(options->endpoint, &url, NULL) == 0) {
        region_of_host(url.host, region);
        url_dispose(&url);
    }
}

static void lower(char *text)
{
    for (; *text; text++)
        *text = (char)tolower((unsigned char)*text);
}

void s3_place_init(struct s3_place *place, const struct s3_options *options, const char *region)
{
    CLEANUP_FREE char *own =
        xasprintf("https://s3.%s." AWS_DOMAIN "%s", region, strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
    struct url url = {0};
    const char *base;
    size_t base_len;
    bool in_path;

    *place = (struct s3_place){0};
    if (url_parse(options->endpoint ? options->endpoint : own, &url, NULL))
        abort(); /* both were checked */
    place->secure = strcmp(url.scheme, "https") == 0;
    base = url.path ? url.path : "";
    base_len = strlen(base);
    while (base_len && base[base_len - 1] == '/')
        base_len--;
    in_path = options->path_style || is_address(url.host) || !is_label(options->bucket, place->secure);
    place->host = xasprintf("%s%s%s%s%s", in_path ? "" : options->bucket, in_path ? "" : ".", url.host,
                            url.port ? ":" : "", url.port ? url.port : "");
    place->prefix = xasprintf("%.*s%s%s", (int)base_len, base, in_path ? "/" : "", in_path ? options->bucket : "");
    lower(place->host);
    url_dispose(&url);
}

void s3_place_dispose(struct s3_place *place)
{
    free(place->host);
    free(place->prefix);
    *place = (struct s3_place){0};
}
