/* Whether the services of AWS can be reached, by which way, and whether our clock is theirs. */
#include <stdlib.h>
#include <string.h>

#include "aws/ecr.h"
#include "aws/json_call.h"
#include "cli/doctor.h"
#include "core/address.h"
#include "core/arn.h"
#include "core/clock.h"
#include "core/mem.h"
#include "git/remote.h"
#include "oci/reference.h"

#define ENDPOINTS_MAX 16
#define CONNECT_MS 8000
#define SKEW_FAILS_MS ((int64_t)5 * 60 * 1000) /* requests that are more than this off are refused (SigV4) */
#define SKEW_WARNS_MS ((int64_t)30 * 1000)

int doctor_get(struct doctor *doctor, const char *url, const struct strings *headers, size_t max_response,
               struct http_response *response, struct error *err)
{
    struct http_request request;
    int status;

    http_request_init(&request, "GET", url);
    http_response_init(response);
    if (headers)
        strings_copy(&request.headers, headers);
    request.connect_timeout_ms = CONNECT_MS;
    request.max_response = max_response;
    request.max_redirects = headers ? 3 : 0;
    status = http_perform_unless(doctor->setup.client, &request, response, &doctor->stop, err);
    http_request_dispose(&request);
    return status;
}

/* ---- which endpoints ---- */

struct endpoint {
    struct doctor *doctor;
    const char *name;
    char *url;
    bool used; /* by this job */
    struct http_response response;
    struct http_transfer *transfer;
    bool failed;
    struct error error;
    size_t *waiting;
};

struct endpoints {
    struct endpoint items[ENDPOINTS_MAX];
    size_t len, waiting;
};

/* The one that is pinned, or AWS's own. */
static void add(struct endpoints *endpoints, const char *name, const char *pinned, const char *host, bool used)
{
    struct endpoint *endpoint = &endpoints->items[endpoints->len];

    if (endpoints->len == ENDPOINTS_MAX)
        return;
    *endpoint = (struct endpoint){.name = name, .used = used, .waiting = &endpoints->waiting};
    endpoint->url = pinned ? xstrdup(pinned) : xasprintf("https://%s/", host);
    endpoints->len++;
}

static bool uses_s3(const struct doctor *doctor)
{
    const struct spec *spec = &doctor->spec;
    const char *const places[] = {spec->result, spec->log, spec->cache.to, spec->control};
    size_t i;

    for (i = 0; i < ARRAY_LEN(places); i++)
        if (places[i] && strncmp(places[i], "s3://", 5) == 0)
            return true;
    for (i = 0; i < spec->artifacts_len; i++)
        if (strncmp(spec->artifacts[i].to, "s3://", 5) == 0 && !spec->artifacts[i].s3.endpoint)
            return true;
    return false;
}

/* ECR's two: its API, and the registry of the account. */
static void add_ecr(struct endpoints *endpoints, const struct doctor *doctor, const char *region, const char *domain)
{
    const char *image = doctor->spec.image.repository;
    CLEANUP_FREE char *api = xasprintf("api.ecr.%s.%s", region, domain);
    struct oci_repository repository = {0};
    struct ecr_host host;
    bool used =
        image && oci_repository_parse(image, &repository, NULL) == 0 && ecr_host_parse(repository.registry, &host);
    char endpoint[128];

    if (used)
        ecr_host_endpoint(&host, endpoint);
    add(endpoints, "ECR", used && !doctor->setup.platform.ecr_endpoint ? endpoint : doctor->setup.platform.ecr_endpoint,
        api, used);
    if (used)
        add(endpoints, "registry", NULL, repository.registry, true);
    oci_repository_dispose(&repository);
}

static bool has_url(const struct endpoints *endpoints, const char *url)
{
    size_t i;

    for (i = 0; i < endpoints->len; i++)
        if (strcmp(endpoints->items[i].url, url) == 0)
            return true;
    return false;
}

/* Of a service of AWS that notify names, in the region of the receiver; github's by the way. */
static void add_receiver(struct endpoints *endpoints, const struct doctor *doctor, const struct spec_notify *entry,
                         const char *region, const char *domain)
{
    const struct platform *platform = &doctor->setup.platform;
    const struct {
        const char *type, *label, *host, *pinned;
    } services[] = {{"sns", "SNS", "sns", platform->sns_endpoint},
                    {"sqs", "SQS", "sqs", platform->sqs_endpoint},
                    {"eventbridge", "EventBridge", "events", platform->events_endpoint},
                    {"github", "GitHub", NULL, platform->github_endpoint}};
    struct arn arn;
    size_t i;

    for (i = 0; i < ARRAY_LEN(services); i++) {
        CLEANUP_FREE char *host = NULL;
        CLEANUP_FREE char *url = NULL;

        if (strcmp(entry->type, services[i].type) != 0)
            continue;
        host =
            !services[i].host ? xstrdup("api.github.com")
            : strncmp(entry->target, "http", 4) == 0
                ? xstrndup(strstr(entry->target, "://") + 3, strcspn(strstr(entry->target, "://") + 3, "/"))
                : xasprintf("%s.%s.%s", services[i].host, arn_parse(entry->target, &arn) ? arn.region : region, domain);
        url = services[i].pinned ? xstrdup(services[i].pinned) : xasprintf("https://%s/", host);
        if (!has_url(endpoints, url))
            add(endpoints, services[i].label, services[i].pinned, host, true);
    }
}

static bool tells(const struct spec *spec, const char *type)
{
    size_t i;

    for (i = 0; i < spec->notify_len; i++)
        if (strcmp(spec->notify[i].type, type) == 0)
            return true;
    return false;
}

static void find(struct endpoints *endpoints, const struct doctor *doctor, const char *region)
{
    const struct platform *platform = &doctor->setup.platform;
    const char *domain = strncmp(region, "cn-", 3) == 0 ? "amazonaws.com.cn" : "amazonaws.com";
    static const char *const names[] = {"s3", "sts", "logs", "ssm", "secretsmanager"};
    static const char *const labels[] = {"S3", "STS", "CloudWatch Logs", "Parameter Store", "Secrets Manager"};
    const char *const pinned[] = {platform->endpoint, platform->sts_endpoint, platform->logs_endpoint,
                                  platform->ssm_endpoint, platform->secrets_endpoint};
    const bool used[] = {uses_s3(doctor), doctor->spec.image.pull_auth.role != NULL,
                         tells(&doctor->spec, "cloudwatch_logs"), doctor_uses(&doctor->spec, VALUE_SSM),
                         doctor_uses(&doctor->spec, VALUE_SECRET)};
    size_t i;

    for (i = 0; i < ARRAY_LEN(names); i++) {
        CLEANUP_FREE char *host = xasprintf("%s.%s.%s", names[i], region, domain);

        add(endpoints, labels[i], pinned[i], host, used[i]);
    }
    add_ecr(endpoints, doctor, region, domain);
    for (i = 0; i < doctor->spec.notify_len; i++)
        add_receiver(endpoints, doctor, &doctor->spec.notify[i], region, domain);
}

/* ---- all at once ---- */

static void on_answer(void *context, const struct error *error)
{
    struct endpoint *endpoint = context;

    endpoint->transfer = NULL;
    endpoint->failed = error != NULL;
    if (error)
        endpoint->error = *error;
    (*endpoint->waiting)--;
}

static void ask(struct doctor *doctor, struct endpoints *endpoints)
{
    struct http_request request;
    size_t i;

    for (i = 0; i < endpoints->len; i++) {
        struct endpoint *endpoint = &endpoints->items[i];

        http_request_init(&request, "GET", endpoint->url);
        http_response_init(&endpoint->response);
        request.connect_timeout_ms = CONNECT_MS;
        endpoints->waiting++;
        endpoint->transfer = http_start(doctor->setup.client, &request, &endpoint->response, on_answer, endpoint);
        http_request_dispose(&request);
    }
    while (endpoints->waiting && !doctor->stop)
        loop_run_once(doctor->setup.loop, -1);
    for (i = 0; i < endpoints->len; i++) {
        struct endpoint *endpoint = &endpoints->items[i];

        if (!endpoint->transfer)
            continue;
        http_cancel(endpoint->transfer);
        endpoint->failed = true;
        error_set(&endpoint->error, CLASS_INTERRUPTED, "interrupted", "stopped before an answer came");
    }
}

/* An answer of more than we read is one too. */
static bool has_answered(const struct endpoint *endpoint)
{
    return !endpoint->failed || strcmp(endpoint->error.reason, "response-too-large") == 0;
}

static bool goes_through_proxy(const struct doctor *doctor, const char *text)
{
    const struct platform *platform = &doctor->setup.platform;
    struct url url;
    bool direct;

    if (!platform_proxy_for(platform, text) || url_parse(text, &url, NULL))
        return false;
    direct = no_proxy_has(platform->no_proxy, url.host,
                          url.port                           ? url.port
                          : strcmp(url.scheme, "https") == 0 ? "443"
                                                             : "80");
    url_dispose(&url);
    return !direct;
}

static void tell(struct doctor *doctor, const struct endpoint *endpoint)
{
    CLEANUP_FREE char *plain = url_without_userinfo(endpoint->url);
    CLEANUP_FREE char *subject = xasprintf("%s (%s)", endpoint->name, plain);
    bool proxied = goes_through_proxy(doctor, endpoint->url);
    const char *peer = endpoint->response.peer;
    struct error err;

    if (has_answered(endpoint)) {
        doctor_ok(doctor, subject, "answers%s%s%s", *peer && !proxied ? " at " : "", proxied ? "" : peer,
                  proxied                          ? " through the proxy"
                  : *peer && host_is_private(peer) ? ", a private address: a VPC endpoint"
                                                   : "");
        return;
    }
    err = endpoint->error;
    if (!endpoint->used)
        error_context(&err, "not needed by what is known of the job");
    doctor_add(doctor, subject, endpoint->used ? DOCTOR_FAILED : DOCTOR_WARNING, &err);
}

void doctor_check_endpoints(struct doctor *doctor)
{
    struct endpoints endpoints = {0};
    const char *region = doctor_region(doctor);
    size_t i;

    if (!doctor_needs_aws(doctor)) {
        doctor_skip(doctor, "endpoints", "nothing here asks AWS");
        return;
    }
    if (!region || !json_service_region(region)) {
        doctor_skip(doctor, "endpoints", "in which region is not known");
        return;
    }
    find(&endpoints, doctor, region);
    ask(doctor, &endpoints);
    for (i = 0; i < endpoints.len; i++) {
        tell(doctor, &endpoints.items[i]);
        http_response_dispose(&endpoints.items[i].response);
        free(endpoints.items[i].url);
    }
}

/* ---- the clock ---- */

void doctor_judge_clock(struct doctor *doctor, const char *server, int64_t off_ms)
{
    int64_t size_ms = off_ms < 0 ? -off_ms : off_ms;
    const char *way = off_ms < 0 ? "ahead of" : "behind";
    char text[CLOCK_TEXT_SIZE];
    struct error err;

    duration_format(size_ms / 1000 * 1000, text);
    if (size_ms < SKEW_WARNS_MS) {
        doctor_ok(doctor, server, "our clock is the server's, within %d s", (int)(SKEW_WARNS_MS / 1000));
        return;
    }
    error_set(&err, CLASS_PLATFORM, "clock-skew", "our clock is %s %s the server's", text, way);
    error_hint(&err, "set the clock of this machine%s",
               size_ms > SKEW_FAILS_MS
                   ? ": AWS refuses requests that are more than 5 minutes off, and certificates end "
                     "early or begin late"
                   : "");
    doctor_add(doctor, server, size_ms > SKEW_FAILS_MS ? DOCTOR_FAILED : DOCTOR_WARNING, &err);
}

/* Somebody who would be asked anyway. Caller frees; NULL: nobody. */
static char *clock_server(const struct doctor *doctor)
{
    const struct platform *platform = &doctor->setup.platform;
    const char *repository = doctor->spec.source.repository;
    const char *endpoint = platform->endpoint;
    size_t i;

    for (i = 0; !endpoint && i < doctor->spec.artifacts_len; i++)
        endpoint = doctor->spec.artifacts[i].s3.endpoint;
    if (endpoint)
        return xstrdup(endpoint);
    if (platform->region && json_service_region(platform->region) && doctor_needs_aws(doctor))
        return xasprintf("https://s3.%s.amazonaws.com%s/", platform->region,
                         strncmp(platform->region, "cn-", 3) == 0 ? ".cn" : "");
    if (repository && strncmp(repository, "http", 4) == 0)
        return xstrdup(repository);
    return NULL;
}

void doctor_check_clock(struct doctor *doctor)
{
    CLEANUP_FREE char *url = clock_server(doctor);
    CLEANUP_FREE char *server = url ? url_without_userinfo(url) : NULL;
    struct http_response response;
    struct error err;
    int status;

    if (!url) {
        doctor_skip(doctor, "clock", "there is no server whose time could be asked for");
        return;
    }
    status = doctor_get(doctor, url, NULL, 0, &response, &err);
    if (response.date_ms)
        doctor_judge_clock(doctor, server, response.date_ms - clock_wall_ms());
    else if (status == 0)
        doctor_skip(doctor, server, "its answer names no time");
    else
        doctor_warn(doctor, server, &err);
    http_response_dispose(&response);
}
