/* What the files of ecr.h share. For aws/ only, its unit tests and fuzz targets. */
#ifndef CAISSON_AWS_ECR_INTERNAL_H
#define CAISSON_AWS_ECR_INTERNAL_H

#include <jansson.h>

#include "aws/ecr.h"
#include "aws/json_call.h"

#define ECR_ARN_SIZE 400
#define ECR_TARGET "AmazonEC2ContainerRegistry_V20150921."

struct ecr {
    struct json_service service;
    char account[13]; /* "": not known */
    char region[32];
    char *endpoint;
    const char *role; /* NULL: the task's */
    const bool *stop;
};

/* Whom a call is about: for what it says when it fails. */
struct ecr_subject {
    const char *action;     /* "CreateRepository" */
    const char *repository; /* NULL: the registry */
};

/* One call, pumping the loop. `request` is taken. The answer (caller frees with secret_document_free) or the error, as
 * ecr_failure makes it, with what the service said in *failure. */
int ecr_call(struct ecr *ecr, const struct ecr_subject *subject, json_t *request, json_t **answer,
             struct json_failure *failure, struct error *err);
/* A request about one repository. New reference. */
json_t *ecr_request(const struct ecr *ecr, const char *repository);

/* "arn:aws:ecr:eu-west-1:123456789012:repository/shop"; "*" for the registry: GetAuthorizationToken knows no other. */
void ecr_arn(const struct ecr *ecr, const char *repository, char arn[ECR_ARN_SIZE]);
/* From an error of json_call to one of ECR: its class, and what a policy must say when it was a refusal. */
void ecr_failure(const struct ecr *ecr, const struct ecr_subject *subject, const struct json_failure *failure,
                 struct error *err);
bool ecr_is_denied(const struct error *err);

/* ---- answers: hostile JSON ---- */

int ecr_token_parse(const json_t *answer, char **username, char **password, int64_t *expires_ms, struct error *err);
int ecr_image_parse(const json_t *answer, char digest[72], int64_t *size, struct error *err);
/* Sorts the images from `first` on, at most `count`, into removed, missing and failed. */
int ecr_removal_parse(const json_t *answer, const struct strings *images, size_t first, size_t count,
                      struct ecr_removal *removal, struct error *err);
/* "answer-unreadable" */
int ecr_unreadable(struct error *err, const char *what);

/* The text of a lifecycle policy; NULL when the options name no rule. Caller frees with free. */
char *ecr_lifecycle(const struct ecr_repository_options *options);
/* {"imageDigest": …} or {"imageTag": …}. New reference. */
json_t *ecr_image_id(const char *image);

#endif
