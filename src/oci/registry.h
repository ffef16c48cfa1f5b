/*
 * A registry over HTTP: authentication (basic, and the bearer token flow with scopes, renewed when a token runs out),
 * retries by class, errors in the registry's own words. Requests are asynchronous over the loop.
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
 * https://distribution.github.io/distribution/spec/auth/token/
 */
#ifndef CAISSON_OCI_REGISTRY_H
#define CAISSON_OCI_REGISTRY_H

#include <stdbool.h>

#include "core/error.h"
#include "net/http.h"
#include "oci/layout.h"
#include "oci/reference.h"

struct registry_credentials {
    char *username, *password; /* username NULL: anonymous */
};
void registry_credentials_dispose(struct registry_credentials *credentials); /* wipes */

struct registry_options {
    struct http_client *client; /* borrowed */
    const char *repository;     /* borrowed: "host/path" */
    bool insecure;              /* plain http; without it only for loopback */
    /* The user and password for the registry; asked at first need, and again with `renew` after a 401 on what worked
     * before (ECR's tokens live 12 hours). Blocking (pumps the loop). NULL: anonymous. */
    int (*credentials)(void *context, bool renew, struct registry_credentials *credentials, struct error *err);
    void *context;
    const bool *stop; /* borrowed: ends waits with CLASS_INTERRUPTED; NULL: never */
    int max_attempts; /* of each request; 0: 5 */
};

struct registry;
int registry_new(struct registry **registry, const struct registry_options *options, struct error *err);
void registry_free(struct registry *registry);

struct push_request {
    const struct oci_image *image;    /* verified */
    const struct strings *tags;       /* at least one */
    const struct strings *mount_from; /* names of repositories of the same registry to mount blobs from; may be empty */
    int at_once;                      /* blobs; 0: 4 */
    void (*on_progress)(void *context, int64_t sent_bytes, int64_t total_bytes);
    /* Just before the first tag is written: from there on others see the image. */
    void (*on_committing)(void *context);
    void *context;
};
struct push_result {
    size_t blobs_sent, blobs_there, blobs_mounted;
    int64_t bytes_sent;
    struct strings tags_written, tags_there; /* there: the tag pointed to the same digest already */
    int64_t duration_ms;
};
void push_result_dispose(struct push_result *result);
/* Blobs first, the manifest last, by each tag. Pumps the loop. Errors are of CLASS_PUSH_FAILED (reasons
 * "registry-unauthorized", "registry-denied", "repository-missing", "tag-immutable" (it holds another digest, which the
 * message names), "digest-refused", "manifest-refused", "too-large", "rate-limited", "registry-error", those of
 * net/http.h) or CLASS_OUTPUT_REFUSED ("blob-changed"). */
int registry_push(struct registry *registry, const struct push_request *request, struct push_result *result,
                  struct error *err);
/* The digest that a tag points to: 0 and "" when there is none (no repository, no tag). */
int registry_tag_digest(struct registry *registry, const char *tag, char digest[OCI_DIGEST_SIZE], struct error *err);
/* All tags, in the registry's order; none when there is no repository. */
int registry_tags(struct registry *registry, struct strings *tags, struct error *err);
/* Removes a tag and not the image. *removed: not every registry can (distribution from version 3 on). */
int registry_untag(struct registry *registry, const char *tag, bool *removed, struct error *err);
/* Removes a manifest by its digest, and all tags with it. 0, also when it was not there. */
int registry_delete(struct registry *registry, const char *digest, struct error *err);

#endif
