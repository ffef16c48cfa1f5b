/*
 * ECR's own API: who we are for its registry, repositories, lifecycle, images.
 * https://docs.aws.amazon.com/AmazonECR/latest/APIReference/Welcome.html
 */
#ifndef CAISSON_AWS_ECR_H
#define CAISSON_AWS_ECR_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/credentials.h"
#include "core/error.h"
#include "core/strings.h"
#include "net/http.h"

/* What a registry's host says: 123456789012.dkr.ecr.eu-west-1.amazonaws.com, with -fips behind ecr, .amazonaws.com.cn in
 * China, and the dual-stack names 123456789012.dkr-ecr.eu-west-1.on.aws and …on.amazonwebservices.com.cn.
 * https://docs.aws.amazon.com/general/latest/gr/ecr.html */
struct ecr_host {
    char account[13];
    char region[32];
    bool fips, dual_stack, china;
};
/* False for what is no such host (lower case, no port). */
bool ecr_host_parse(const char *host, struct ecr_host *parsed);
/* The API of that registry: "https://api.ecr.eu-west-1.amazonaws.com". */
void ecr_host_endpoint(const struct ecr_host *host, char endpoint[128]);

struct ecr_options {
    struct http_client *client;            /* borrowed */
    struct credentials_provider *provider; /* borrowed */
    const char *host;                      /* of the registry; borrowed. Not ECR's form: account and region below */
    const char *account, *region;          /* NULL: from the host; account "": the role's own */
    const char *endpoint;                  /* of the API; NULL: AWS's own for the region */
    const char *role;                      /* whose the credentials are, for hints; NULL: the task's role. Borrowed */
    const bool *stop;                      /* borrowed; NULL: never */
    int max_attempts;                      /* 0: 5 */
};
struct ecr;
int ecr_new(struct ecr **ecr, const struct ecr_options *options, struct error *err);
void ecr_free(struct ecr *ecr);

/* All calls pump the loop. Errors are of CLASS_PUSH_FAILED; what the role may not do names the action and the ARN that
 * the policy needs ("ecr:CreateRepository on arn:aws:ecr:…:repository/shop"), reason "access-denied". */

/* Caller frees (wiping) user and password; *expires_ms is wall time. */
int ecr_login(struct ecr *ecr, char **username, char **password, int64_t *expires_ms, struct error *err);

struct ecr_repository_options {
    bool immutable;             /* tags cannot be moved */
    bool scan;                  /* on push */
    const char *kms_key;        /* NULL: AES256; "": the account's own key for ECR; else its ARN, id or alias */
    const struct strings *tags; /* "Key=Value"; NULL: none */
    int keep;                   /* lifecycle: so many images stay; 0: no such rule */
    int untagged_days;          /* lifecycle: images without a tag go after so many days; 0: no such rule */
};
/* Makes the repository when it is missing; *created says so. One that is there is left as it is, its lifecycle too: it
 * is somebody's. Two that race make it once. What does not stand in the way of a push is no failure but one sentence in
 * `warnings` (may be NULL): a role that may neither look nor create (whether the repository is there, the push will
 * show), a lifecycle that could not be set. */
int ecr_repository_ensure(struct ecr *ecr, const char *name, const struct ecr_repository_options *options,
                          bool *created, struct strings *warnings, struct error *err);
/* Whether there is one of that name. */
int ecr_repository_find(struct ecr *ecr, const char *name, bool *exists, struct error *err);
/* The digest of a tag, "" when there is no such repository or tag; *size of the image in bytes (0: not said). */
int ecr_image_find(struct ecr *ecr, const char *name, const char *tag, char digest[72], int64_t *size,
                   struct error *err);

struct ecr_removal {
    struct strings removed, missing; /* of the images named, each once */
    struct strings failed;           /* "latest: ImageReferencedByManifestList: the service's words" */
};
void ecr_removal_dispose(struct ecr_removal *removal);
/* 0, or "images-not-removed" that names those. */
int ecr_removal_check(const struct ecr_removal *removal, const char *name, struct error *err);
/* Removes images by tag ("latest": the tag, and the image when that was its last) or digest ("sha256:…": the image and
 * all its tags), a hundred a call. What was not there is no failure, a missing repository is ("repository-missing").
 * Fails with "images-not-removed" when some could not be removed, the others having been; *removal tells also then. */
int ecr_images_remove(struct ecr *ecr, const char *name, const struct strings *images, struct ecr_removal *removal,
                      struct error *err);

#endif
