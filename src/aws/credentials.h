/*
 * AWS credentials from the places that the SDKs look in, in their order: static (environment), the ECS container
 * endpoint, a profile file (local use). What was found is a *source*: plain data that can be handed to a child as
 * JSON; a *provider* turns it into credentials and renews them before they expire.
 * https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
 */
#ifndef CAISSON_AWS_CREDENTIALS_H
#define CAISSON_AWS_CREDENTIALS_H

#include <jansson.h>

#include "core/error.h"
#include "core/strings.h"
#include "net/http.h"

struct credentials {
    char *access_key;
    char *secret_key;
    char *session_token; /* NULL: none */
    int64_t expires_ms;  /* wall time, by our clock; 0: never */
};
void credentials_dispose(struct credentials *credentials); /* wipes */

struct credentials_source {
    enum { CREDENTIALS_NONE, CREDENTIALS_STATIC, CREDENTIALS_ENDPOINT, CREDENTIALS_FILE } kind;
    struct credentials fixed;  /* CREDENTIALS_STATIC */
    char *endpoint;            /* URL of the container endpoint */
    char *endpoint_token;      /* Authorization header for it; NULL: none */
    char *endpoint_token_file; /* file that holds it, read anew at each renewal; wins; NULL: none */
    char *file;                /* shared credentials file */
    char *profile;             /* its section */
    char *name;                /* credentials_source_name */
};
/*
 * Looks in `env`, our own environment as captured at the start ("NAME=value" list): AWS_ACCESS_KEY_ID…, then
 * AWS_CONTAINER_CREDENTIALS_RELATIVE_URI (169.254.170.2), AWS_CONTAINER_CREDENTIALS_FULL_URI (loopback, 169.254.170.2
 * or .23, or https only; not looked at unless `allow_full_uri`) with AWS_CONTAINER_AUTHORIZATION_TOKEN(_FILE), then
 * AWS_SHARED_CREDENTIALS_FILE / ~/.aws/credentials with AWS_PROFILE. Reads no file. Never fails: kind
 * CREDENTIALS_NONE; what the rules refuse is said when credentials are asked for.
 */
void credentials_source_find(struct credentials_source *source, const struct strings *env, bool allow_full_uri);
void credentials_source_dispose(struct credentials_source *source); /* wipes */
/* For the request of a worker. New reference / filled source. */
json_t *credentials_source_to_json(const struct credentials_source *source);
int credentials_source_from_json(struct credentials_source *source, const json_t *json, struct error *err);
/* "the ECS container endpoint", "AWS_ACCESS_KEY_ID", "profile x of ~/.aws/credentials", "nothing": for messages. */
const char *credentials_source_name(const struct credentials_source *source);

struct credentials_provider;
/* Both borrowed; of the client only its loop is used. The container endpoint is asked by a client of the provider's own
 * that knows no proxy and follows no redirect. */
struct credentials_provider *credentials_provider_new(const struct credentials_source *source,
                                                      struct http_client *client);
void credentials_provider_free(struct credentials_provider *provider);
/* Borrowed until the next call. Renews when less than 5 minutes are left (or `renew`: after an ExpiredToken answer);
 * retries the endpoint with backoff; keeps what is still valid when renewing fails. CLASS_CREDENTIALS. */
int credentials_get(struct credentials_provider *provider, bool renew, const struct credentials **credentials,
                    struct error *err);

/*
 * The same for many callers at once, without pumping the loop: use what credentials_now gives; when that is NULL, or
 * when S3 says that they have expired, wait for a renewal. One renewal serves all that wait.
 */
/* Borrowed until the loop runs; NULL when a renewal must come first. */
const struct credentials *credentials_now(struct credentials_provider *provider);
/* Changes whenever other credentials than before have come: after a renewal that brought nothing new it has not. */
uint64_t credentials_generation(const struct credentials_provider *provider);
struct credentials_wait;
/* `done` is called from the loop, with credentials (borrowed until the loop runs on) or an error. */
struct credentials_wait *credentials_renew(struct credentials_provider *provider,
                                           void (*done)(void *context, const struct credentials *credentials,
                                                        const struct error *error),
                                           void *context);
/* Ends it without calling done. NULL is fine. */
void credentials_cancel(struct credentials_wait *wait);

/* Each value that must never be seen (secret key, token, endpoint path) is given to `call`, now and at each renewal. */
void credentials_on_secret(struct credentials_provider *provider, void (*call)(void *context, const char *value),
                           void *context);

#endif
