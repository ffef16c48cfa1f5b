/*
 * What the operator permits and pins of those whom a job is told to. The task shares its network with the build, which
 * may listen and answer there; and the address in a spec, or under a profile in a tenant's variable, is the job's word,
 * to which no credential of the system's may go.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/mem.h"
#include "spec/parse_state.h"
#include "spec/resolve.h"
#include "spec/template.h"

/* On a developer's machine nobody stands between a program and its loopback. */
static bool is_own_machine(const struct resolution *resolution, const char *text)
{
    return !resolution->context->pid1 && servers_are_loopback(text);
}

bool target_may_be_plain(const struct resolution *resolution, const char *text)
{
    const struct operator_file *file = resolution->context->operator_file;

    return (file && file->allow.plain_brokers) || is_own_machine(resolution, text);
}

bool target_may_be_private(const struct resolution *resolution, const char *text)
{
    const struct operator_file *file = resolution->context->operator_file;

    return (file && file->allow.private_http) || is_own_machine(resolution, text);
}

static bool is_one_of(const char *type, const char *const *types)
{
    for (; *types; types++)
        if (strcmp(type, *types) == 0)
            return true;
    return false;
}

static bool is_broker(const struct target *target)
{
    static const char *const types[] = {"redis", "amqp", "kafka", NULL};

    return is_one_of(target->type, types);
}

static bool is_url(const struct target *target)
{
    return strcmp(target->type, "http") == 0 || (strcmp(target->type, "sqs") == 0 && strstr(target->text, "://"));
}

static void check_broker_safety(struct resolution *resolution, const struct target *target, const char *path)
{
    if (!is_broker(target) || target_may_be_plain(resolution, target->text))
        return;
    if (scheme_is_plain(target->text))
        resolution_problem(resolution, path,
                           "take TLS (rediss://, amqps://; no scheme for kafka); the operator's file can allow it "
                           "(allow: [plain-brokers])",
                           "a broker without TLS: the build shares the task's network");
    if (!json_object_get(target->entry, "password") && !has_problem(resolution, target->path))
        resolution_problem(resolution, path,
                           "add password, and username; the operator's file can allow it (allow: [plain-brokers])",
                           "a broker that asks for no password: anybody could write there");
}

static void check_url_safety(struct resolution *resolution, const struct target *target, const char *path)
{
    bool plain = is_url(target) && scheme_is_plain(target->text);

    if (!is_url(target) || target_may_be_private(resolution, target->text) ||
        !(plain || servers_are_private(target->text)))
        return;
    resolution_problem(resolution, path,
                       plain ? "take https://; the operator's file can allow it (allow: [private-http])"
                             : "the operator's file can allow it (allow: [private-http])",
                       plain ? "plain http: the build shares the task's network" : "a private address");
}

/* ---- pins ---- */

static char *expand(const struct resolution *resolution, const char *pin)
{
    struct template_values values = {.project = json_string_value(resolved_at(resolution, "", "project")),
                                     .id = json_string_value(resolved_at(resolution, "", "id"))};

    return template_expand(pin, &values, VARIABLES_ALL);
}

/* Exact, or up to a "*" at its end. */
static bool matches_name(const char *pin, const char *text)
{
    size_t len = strlen(pin);

    if (len && pin[len - 1] == '*')
        return strncmp(pin, text, len - 1) == 0;
    return strcmp(pin, text) == 0;
}

/* Scheme and host in any case, the rest as it is; "…/a" holds for "…/a/b" and not for "…/ab". */
static bool matches_url(const char *pin, const char *text)
{
    size_t len = strlen(pin);
    const char *host = strstr(pin, "://");
    size_t head = host ? (size_t)(host + 3 - pin) + strcspn(host + 3, "/") : len;

    if (strncasecmp(pin, text, head) != 0 || strncmp(pin + head, text + head, len - head) != 0)
        return false;
    return pin[len - 1] == '/' || strchr("/?", text[len]) != NULL;
}

static bool matches_broker(const char *pin, const char *server)
{
    size_t len = strlen(pin);

    return strncasecmp(pin, server, len) == 0 &&
           (server[len] == '\0' || (server[len] == ':' && !strchr(server + len + 1, ':')));
}

static bool is_pinned(const struct resolution *resolution, const struct strings *pins, const char *text,
                      bool (*matches)(const char *pin, const char *text))
{
    size_t i;

    for (i = 0; i < pins->len; i++) {
        CLEANUP_FREE char *pin = expand(resolution, pins->items[i]);

        if (matches(pin, text))
            return true;
    }
    return false;
}

static bool are_brokers_pinned(const struct resolution *resolution, const struct strings *pins, const char *text)
{
    const char *at = text;

    while (at && *at) {
        CLEANUP_FREE char *server = next_server(&at);

        if (!is_pinned(resolution, pins, server, matches_broker))
            return false;
    }
    return true;
}

static void check_topic(struct resolution *resolution, const struct target *target, const char *key)
{
    const char *text = json_string_value(json_object_get(target->entry, key));
    CLEANUP_FREE char *path = path_join(target->path, key);

    if (text && !is_pinned(resolution, &resolution->context->operator_file->pin_topics, text, matches_name))
        resolution_problem(resolution, path, "the operator's file lists them (pins: { topics: […] })",
                           "messages may not go to \"%s\"", text);
}

static void check_topics(struct resolution *resolution, const struct target *target)
{
    static const char *const themselves[] = {"sns", "sqs", "eventbridge", "cloudwatch_logs", NULL};

    if (is_one_of(target->type, themselves))
        check_topic(resolution, target, target->type);
    if (!is_broker(target))
        return;
    check_topic(resolution, target, "channel");
    check_topic(resolution, target, "stream");
    check_topic(resolution, target, "topic");
    /* What goes to the default exchange goes to the queue that the key names. */
    check_topic(resolution, target, json_object_get(target->entry, "exchange") ? "exchange" : "routing_key");
}

static bool has_credential(const struct target *target)
{
    static const char *const keys[] = {"secret", "token", "api_key", "headers", "password"};
    size_t i;

    for (i = 0; i < ARRAY_LEN(keys); i++)
        if (json_object_get(target->entry, keys[i]))
            return true;
    return false;
}

/* A list that was given holds for all; without one a credential goes nowhere under a profile. */
static void check_place(struct resolution *resolution, const struct target *target, const char *path)
{
    static const struct strings none = {0};
    const struct operator_file *file = resolution->context->operator_file;
    bool http = strcmp(target->type, "http") == 0;
    const struct strings *pins = !file ? &none : http ? &file->pin_callbacks : &file->pin_brokers;
    bool guarded = pins->len || (resolution->context->profile && has_credential(target));

    if ((!http && !is_broker(target)) || !guarded ||
        (http ? is_pinned(resolution, pins, target->text, matches_url)
              : are_brokers_pinned(resolution, pins, target->text)))
        return;
    resolution_problem(resolution, path,
                       http ? "the operator's file lists those that may (pins: { callbacks: […] })"
                            : "the operator's file lists those that may (pins: { brokers: […] })",
                       pins->len ? "is none of those that the operator's file names"
                                 : "a profile's credentials go only where the operator's file says");
}

void crosscheck_broker(struct resolution *resolution, const struct target *target)
{
    CLEANUP_FREE char *path = path_join(target->path, target->type);

    if (has_problem(resolution, path))
        return;
    check_broker_safety(resolution, target, path);
    if (!is_of_operator(resolution, path))
        check_place(resolution, target, path);
}

void crosscheck_target(struct resolution *resolution, const struct target *target)
{
    const struct operator_file *file = resolution->context->operator_file;
    CLEANUP_FREE char *path = path_join(target->path, target->type);

    if (has_problem(resolution, path))
        return;
    if (strcmp(target->type, "file") == 0)
        check_file_target(resolution, path, "file:");
    check_broker_safety(resolution, target, path);
    check_url_safety(resolution, target, path);
    if (is_of_operator(resolution, path))
        return;
    check_place(resolution, target, path);
    if (file && file->pin_topics.len)
        check_topics(resolution, target);
}
