/* Whom a job is told to: URLs, ARNs, brokers, names. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/address.h"
#include "core/arn.h"
#include "core/mem.h"
#include "spec/names.h"
#include "spec/paths.h"
#include "spec/problems.h"

#define URL_MAX 2048
#define SHORT_MAX 255 /* of AMQP's short strings; longer ones serve nobody */
#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static const char callback_hint[] = "https://host/path";

int check_short_text(const char *text, struct remark *remark)
{
    if (strlen(text) > SHORT_MAX)
        return remark_set(remark, NULL, "longer than %d bytes", SHORT_MAX);
    return check_text(text, remark);
}

/* ---- servers ---- */

struct scheme {
    const char *name, *port;
    bool plain;
};
static const struct scheme schemes[] = {
    {"https://", "443", false},  {"http://", "80", true},   {"rediss://", "6379", false}, {"redis://", "6379", true},
    {"amqps://", "5671", false}, {"amqp://", "5672", true}, {"kafka://", "9092", true},
};

static const struct scheme *scheme_of(const char *url)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(schemes); i++)
        if (strncasecmp(url, schemes[i].name, strlen(schemes[i].name)) == 0)
            return &schemes[i];
    return NULL;
}

bool scheme_is_plain(const char *url)
{
    const struct scheme *scheme = scheme_of(url);

    return scheme && scheme->plain;
}

/* Where the port of "host:port" stands, NULL: it has none. */
static const char *port_of(const char *server, size_t len)
{
    const char *bracket = memchr(server, ']', len);
    const char *from = bracket ? bracket : server;
    const char *colon = memchr(from, ':', len - (size_t)(from - server));

    return colon ? colon + 1 : NULL;
}

char *next_server(const char **at)
{
    const struct scheme *scheme = scheme_of(*at);
    const char *server = *at + (scheme ? strlen(scheme->name) : 0);
    size_t len = strcspn(server, ",/?#");
    bool has_port = port_of(server, len) != NULL;
    char *out = xasprintf("%.*s%s%s", (int)len, server, has_port ? "" : ":",
                          has_port ? ""
                          : scheme ? scheme->port
                                   : "");
    char *c;

    for (c = out; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    *at = server[len] == ',' ? server + len + 1 : NULL;
    return out;
}

/* Whether it holds of all of them, or of any. */
static bool servers_are(const char *target, bool (*what)(const char *host), bool all)
{
    const char *at = target;

    while (at && *at) {
        CLEANUP_FREE char *server = next_server(&at);
        char *port = (char *)port_of(server, strlen(server));

        if (port)
            port[-1] = '\0';
        if (what(server) != all)
            return !all;
    }
    return all;
}

bool servers_are_loopback(const char *target)
{
    return servers_are(target, host_is_loopback, true);
}

bool servers_are_private(const char *target)
{
    return servers_are(target, host_is_private, false);
}

/* ---- URLs ---- */

/* Not quoted in messages: it may hold a credential in any form. */
static int check_url(const char *text, const char *hint, struct remark *remark)
{
    const struct scheme *scheme = scheme_of(text);
    const char *host = text + (scheme ? strlen(scheme->name) : 0);
    size_t len = strcspn(host, "/?#");
    const char *c;

    if (strlen(text) > URL_MAX)
        return remark_set(remark, NULL, "the URL is longer than %d bytes", URL_MAX);
    for (c = text; *c; c++)
        if ((unsigned char)*c <= 0x20 || (unsigned char)*c >= 0x7f || strchr("\\\"<>^`{|}", *c))
            return remark_set(remark, hint, "the URL holds a character that has to be percent-encoded");
    if (memchr(host, '@', len))
        return remark_set(remark, "no URL of a spec holds any; a target's go into keys beside it",
                          "the URL holds credentials");
    if (!host_is_valid(host, len))
        return remark_set(remark, hint, "the URL has no valid host");
    return 0;
}

static bool begins(const char *text, const char *first, const char *second)
{
    return strncasecmp(text, first, strlen(first)) == 0 || strncasecmp(text, second, strlen(second)) == 0;
}

/* How long what parts a path is, as servers read it who decode first: "/", "\\" percent-encoded too. 0: it is none. */
static size_t separator(const char *at)
{
    if (*at == '/')
        return 1;
    return strncasecmp(at, "%2f", 3) == 0 || strncasecmp(at, "%5c", 3) == 0 ? 3 : 0;
}

/* Parts "." and "..", also percent-encoded, and with parameters, which some servers take off ("..;x"): who compares prefixes
 * must see where a URL leads. */
static bool url_climbs(const char *url)
{
    const char *at = strstr(url, "://") + 3, *end;

    at += strcspn(at, "/?#");
    for (end = at + strcspn(at, "?#"); at < end; at++) {
        const char *part = at + separator(at);
        size_t dots = 0;

        if (part == at)
            continue;
        for (; *part == '.' || strncasecmp(part, "%2e", 3) == 0; dots++)
            part += *part == '.' ? 1 : 3;
        if ((dots == 1 || dots == 2) &&
            (part == end || *part == ';' || strncasecmp(part, "%3b", 3) == 0 || separator(part)))
            return true;
    }
    return false;
}

int check_callback(const char *text, struct remark *remark)
{
    if (!begins(text, "https://", "http://"))
        return remark_set(remark, callback_hint, "not an http:// or https:// URL");
    if (check_url(text, callback_hint, remark))
        return -1;
    if (strchr(text, '#'))
        return remark_set(remark, NULL, "the URL has a fragment, which no server would see");
    if (url_climbs(text))
        return remark_set(remark, NULL, "the URL's path has a part \".\" or \"..\"");
    return 0;
}

int check_callback_prefix(const char *text, struct remark *remark)
{
    if (check_callback(text, remark))
        return -1;
    if (strchr(text, '?'))
        return remark_set(remark, "https://host/path/", "a prefix has no query");
    return 0;
}

int check_control(const char *text, struct remark *remark)
{
    if (strncmp(text, "s3://", 5) == 0)
        return check_object(text, remark);
    if (strncasecmp(text, "https://", 8) == 0)
        return check_callback(text, remark);
    return remark_set(remark, NULL, "s3://bucket/key or an https:// URL is expected");
}

/* What stands behind the host: one part at most, e.g. a database or a virtual host. */
static const char *single_path(const char *url)
{
    const char *path = strstr(url, "://") + 3;

    path += strcspn(path, "/?#");
    if (*path == '/')
        path++;
    return strpbrk(path, "/?#") ? NULL : path;
}

int check_redis(const char *text, struct remark *remark)
{
    static const char hint[] = "rediss://host[:port][/database]";
    const char *path;

    if (!begins(text, "rediss://", "redis://"))
        return remark_set(remark, hint, "not a rediss:// or redis:// URL");
    if (check_url(text, "rediss://host[:port][/database]; user and password go to username and password", remark))
        return -1;
    path = single_path(text);
    if (!path || strlen(path) > 5 || path[strspn(path, "0123456789")])
        return remark_set(remark, hint, "behind the host stands no number of a database");
    return 0;
}

int check_amqp(const char *text, struct remark *remark)
{
    static const char hint[] = "amqps://host[:port][/vhost], a slash within the name as %2F";
    const char *path;

    if (!begins(text, "amqps://", "amqp://"))
        return remark_set(remark, hint, "not an amqps:// or amqp:// URL");
    if (check_url(text, hint, remark))
        return -1;
    path = single_path(text);
    for (; path && (path = strchr(path, '%')); path++)
        if (!isxdigit((unsigned char)path[1]) || !isxdigit((unsigned char)path[2]) || strncmp(path, "%00", 3) == 0)
            return remark_set(remark, hint, "the virtual host's name is not percent-encoded as it should be");
    if (!single_path(text))
        return remark_set(remark, hint, "behind the host stands more than a virtual host");
    return 0;
}

int check_kafka(const char *text, struct remark *remark)
{
    static const char hint[] = "host:port, or several of them with commas between; kafka://host:port is without TLS";
    const char *at = text + (strncmp(text, "kafka://", 8) == 0 ? 8 : 0);

    if (strlen(text) > URL_MAX)
        return remark_set(remark, NULL, "longer than %d bytes", URL_MAX);
    if (strchr(text, '@'))
        return remark_set(remark, "user and password go to username and password", "the brokers hold credentials");
    for (;;) {
        size_t len = strcspn(at, ",");

        if (!host_is_valid(at, len) || !port_of(at, len))
            return remark_set(remark, hint, "not a list of brokers");
        if (at[len] == '\0')
            return 0;
        at += len + 1;
    }
}

int check_broker(const char *text, struct remark *remark)
{
    char shown[QUOTE_SIZE];

    if (host_is_valid(text, strlen(text)))
        return 0;
    return remark_set(remark, "host or host:port", "%s is not the address of a broker", quote(shown, text));
}

/* ---- AWS ---- */

/* https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html, and the same of SQS's queues. */
static bool name_is_valid(const char *name, size_t max)
{
    size_t len = strlen(name);

    if (len > 5 && len <= max && strcmp(name + len - 5, ".fifo") == 0)
        len -= 5;
    else if (len > max)
        return false;
    return len > 0 && strspn(name, ALNUM "_-") == len;
}

static bool is_arn_of(const char *text, const char *service, struct arn *arn)
{
    return arn_parse(text, arn) && strcmp(arn->service, service) == 0;
}

int check_sns_topic(const char *text, struct remark *remark)
{
    char shown[QUOTE_SIZE];
    struct arn arn;

    if (is_arn_of(text, "sns", &arn) && name_is_valid(arn.resource, 256))
        return 0;
    return remark_set(remark, "arn:aws:sns:REGION:ACCOUNT:NAME", "%s is not the ARN of a topic", quote(shown, text));
}

/* https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html */
static bool is_queue_path(const char *path)
{
    return *path == '/' && strspn(path + 1, "0123456789") == 12 && path[13] == '/' && name_is_valid(path + 14, 80);
}

int check_queue(const char *text, struct remark *remark)
{
    static const char hint[] = "https://sqs.REGION.amazonaws.com/ACCOUNT/NAME or arn:aws:sqs:REGION:ACCOUNT:NAME";
    const char *path;
    struct arn arn;

    if (is_arn_of(text, "sqs", &arn) && name_is_valid(arn.resource, 80))
        return 0;
    if (!begins(text, "https://", "http://"))
        return remark_set(remark, hint, "not the URL or the ARN of a queue");
    if (check_url(text, hint, remark))
        return -1;
    path = strstr(text, "://") + 3;
    path += strcspn(path, "/?#");
    return is_queue_path(path) ? 0 : remark_set(remark, hint, "the URL's path is not that of a queue");
}

/* https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html */
int check_event_bus(const char *text, struct remark *remark)
{
    const char *name = text;
    char shown[QUOTE_SIZE];
    struct arn arn;

    if (arn_looks_like(text))
        name = is_arn_of(text, "events", &arn) && strncmp(arn.resource, "event-bus/", 10) == 0 ? arn.resource + 10 : "";
    if (*name && strlen(name) <= 256 && strspn(name, ALNUM "/_.-") == strlen(name))
        return 0;
    return remark_set(remark, "a name, or arn:aws:events:REGION:ACCOUNT:event-bus/NAME",
                      "%s is not the name or the ARN of an event bus", quote(shown, text));
}

/* https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html */
int check_log_group(const char *text, struct remark *remark)
{
    char shown[QUOTE_SIZE];

    if (strlen(text) <= 512 && strspn(text, ALNUM "/_.#-") == strlen(text))
        return 0;
    return remark_set(remark, "letters, digits, _, -, /, . and #, at most 512", "%s is not the name of a log group",
                      quote(shown, text));
}

/* ---- others ---- */

int check_kafka_topic(const char *text, struct remark *remark)
{
    size_t len = strlen(text);
    char shown[QUOTE_SIZE];

    if (len <= 249 && strspn(text, ALNUM "._-") == len && strcmp(text, ".") != 0 && strcmp(text, "..") != 0)
        return 0;
    return remark_set(remark, "letters, digits, ., _ and -, at most 249", "%s is not the name of a topic",
                      quote(shown, text));
}

int check_github(const char *text, struct remark *remark)
{
    struct remark ignored = {0};
    char shown[QUOTE_SIZE];
    bool known = strcmp(text, "source") == 0 ||
                 (*text != '/' && check_repository(text, &ignored) == 0 &&
                  strncmp(ignored.normal, "https://github.com/", 19) == 0 && strcmp(ignored.normal + 19, text) == 0);

    free(ignored.normal);
    return known ? 0
                 : remark_set(remark, "owner/name, or source for the job's own", "%s is not a repository of GitHub",
                              quote(shown, text));
}

int check_event_file(const char *text, struct remark *remark)
{
    if (text[strlen(text) - 1] == '/')
        return remark_set(remark, NULL, "a file is meant, not a folder: it ends in /");
    if (strncmp(text, "file:", 5) == 0)
        return remark_set(remark, "the path alone", "the key is file already");
    return check_folder(text, remark);
}

/* RFC 9110, 5.6.2, and what is not for a spec to say. */
int check_callback_header(const char *text, struct remark *remark)
{
    static const char *const ours[] = {"authorization",
                                       "proxy-authorization",
                                       "proxy-connection",
                                       "host",
                                       "content-length",
                                       "content-type",
                                       "content-encoding",
                                       "transfer-encoding",
                                       "connection",
                                       "keep-alive",
                                       "upgrade",
                                       "te",
                                       "trailer",
                                       "expect",
                                       "date",
                                       "x-api-key"};
    char shown[QUOTE_SIZE];
    size_t i;

    if (*text == '\0' || strlen(text) > 128 || strspn(text, ALNUM "!#$%&'*+-.^_`|~") != strlen(text))
        return remark_set(remark, NULL, "%s is not the name of a header", quote(shown, text));
    for (i = 0; i < ARRAY_LEN(ours); i++)
        if (strcasecmp(text, ours[i]) == 0)
            return remark_set(remark, "token makes Authorization, api_key makes x-api-key", "%s is made by caisson",
                              text);
    if (strncasecmp(text, "webhook-", 8) == 0 || strncasecmp(text, "ce-", 3) == 0)
        return remark_set(remark, NULL, "names that begin with webhook- or ce- are made by caisson");
    return 0;
}

int check_event_format(const char *text, struct remark *remark)
{
    size_t len = strlen(text);
    char shown[QUOTE_SIZE];

    if (len <= 41 && *text >= 'a' && *text <= 'z' && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == len)
        return 0;
    return remark_set(remark, "for example cloudevents or plain", "%s is not the name of a format", quote(shown, text));
}
