#include "aws/s3.h"

#include <stdlib.h>
#include <string.h>

#include "aws/s3_internal.h"
#include "core/mem.h"

#define DEFAULT_ATTEMPTS 5

int s3_new(struct s3 **out, struct http_client *client, struct credentials_provider *provider,
           const struct s3_options *options, struct error *err)
{
    struct s3 *s3;

    if (s3_place_check(options, err))
        return -1;
    s3 = xcalloc(1, sizeof *s3);
    s3->client = client;
    s3->provider = provider;
    s3->loop = http_client_loop(client);
    s3->bucket = xstrdup(options->bucket);
    s3->endpoint = options->endpoint && *options->endpoint ? xstrdup(options->endpoint) : NULL;
    s3->options = (struct s3_options){
        .bucket = s3->bucket,
        .endpoint = s3->endpoint,
        .path_style = options->path_style,
        .max_attempts = options->max_attempts > 0 ? options->max_attempts : DEFAULT_ATTEMPTS,
        .patience_ms = options->patience_ms,
    };
    pace_init(&s3->queue.pace);
    s3_place_region(options, s3->region);
    s3_place_init(&s3->place, &s3->options, s3->region);
    *out = s3;
    return 0;
}

void s3_free(struct s3 *s3)
{
    if (!s3)
        return;
    s3_uploads_free(s3);
    while (s3->running)
        s3_cancel(s3->running);
    wipe(&s3->cache, sizeof s3->cache);
    s3_place_dispose(&s3->place);
    free(s3->bucket);
    free(s3->endpoint);
    free(s3);
}

char *s3_uri(const struct s3 *s3, const char *key)
{
    return xasprintf("s3://%s/%s", s3->bucket, key ? key : "");
}

const char *s3_region(const struct s3 *s3)
{
    return s3->region;
}

struct s3_stats s3_stats(const struct s3 *s3)
{
    struct s3_stats stats = s3->stats;

    stats.pace = s3->queue.pace.rate;
    return stats;
}

void s3_call_init(struct s3_call *call, const char *method, const char *key)
{
    *call = (struct s3_call){.method = method, .key = key, .body_fd = -1};
    http_response_init(&call->response);
}

void s3_call_dispose(struct s3_call *call)
{
    strings_dispose(&call->headers);
    http_response_dispose(&call->response);
}

const char *s3_etag(const struct s3_call *call)
{
    return http_response_header(&call->response, "etag");
}
