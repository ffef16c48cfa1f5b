/* A repository that is there when a push begins. */
#include <stdlib.h>
#include <string.h>

#include "aws/ecr_internal.h"
#include "aws/secret_answer.h"
#include "core/json.h"
#include "core/mem.h"

static bool is_code(const struct json_failure *failure, const char *code)
{
    return strcmp(failure->code, code) == 0;
}

/* ---- lifecycle ---- */

static json_t *rule(int priority, const char *description, json_t *selection)
{
    return json_pack("{s:i, s:s, s:o, s:{s:s}}", "rulePriority", priority, "description", description, "selection",
                     selection, "action", "type", "expire");
}

/*
 * Rules are applied by ascending priority, and one about any tag must be the last: what is untagged goes by its age
 * before all that is left is counted.
 * https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html
 */
char *ecr_lifecycle(const struct ecr_repository_options *options)
{
    json_t *rules, *document;
    int priority = 1;
    char *text;

    if (options->untagged_days <= 0 && options->keep <= 0)
        return NULL;
    rules = json_array();
    if (options->untagged_days > 0)
        json_array_append_new(
            rules, rule(priority++, "images without a tag, by age",
                        json_pack("{s:s, s:s, s:s, s:i}", "tagStatus", "untagged", "countType", "sinceImagePushed",
                                  "countUnit", "days", "countNumber", options->untagged_days)));
    if (options->keep > 0)
        json_array_append_new(rules, rule(priority, "all but the newest images",
                                          json_pack("{s:s, s:s, s:i}", "tagStatus", "any", "countType",
                                                    "imageCountMoreThan", "countNumber", options->keep)));
    document = json_pack("{s:o}", "rules", rules);
    text = json_dumps(document, JSON_COMPACT);
    json_decref(document);
    return text;
}

static int call(struct ecr *ecr, const char *action, const char *name, json_t *request, struct json_failure *failure,
                struct error *err)
{
    struct ecr_subject subject = {.action = action, .repository = name};
    json_t *answer;

    if (ecr_call(ecr, &subject, request, &answer, failure, err))
        return -1;
    json_decref(answer);
    return 0;
}

static void warn(struct strings *warnings, const char *what, const struct error *err)
{
    if (warnings)
        strings_addf(warnings, "%s: %s%s%s", what, err->message, *err->hint ? "; try: " : "", err->hint);
}

/* Of a repository that we have just made. Without a lifecycle it takes images all the same. */
static int put_lifecycle(struct ecr *ecr, const char *name, const struct ecr_repository_options *options,
                         struct strings *warnings, struct error *err)
{
    CLEANUP_FREE char *text = ecr_lifecycle(options);
    json_t *request;
    struct error refused;

    if (!text)
        return 0;
    request = ecr_request(ecr, name);
    json_put_text(request, "lifecyclePolicyText", text);
    if (call(ecr, "PutLifecyclePolicy", name, request, NULL, &refused) == 0)
        return 0;
    if (refused.class == CLASS_INTERRUPTED) {
        *err = refused;
        return -1;
    }
    warn(warnings, "the new repository keeps every image, its lifecycle could not be set", &refused);
    return 0;
}

/* ---- the repository ---- */

static void put_tags(json_t *request, const struct strings *tags)
{
    json_t *list = json_array();
    size_t i;

    for (i = 0; i < tags->len; i++) {
        size_t len = strcspn(tags->items[i], "=");
        CLEANUP_FREE char *key = xstrndup(tags->items[i], len);
        json_t *tag = json_object();

        json_put_text(tag, "Key", key);
        json_put_text(tag, "Value", tags->items[i][len] ? tags->items[i] + len + 1 : "");
        json_array_append_new(list, tag);
    }
    json_object_set_new(request, "tags", list);
}

static json_t *creation(const struct ecr *ecr, const char *name, const struct ecr_repository_options *options)
{
    json_t *request = ecr_request(ecr, name);
    json_t *encryption = json_object();

    json_put_text(request, "imageTagMutability", options->immutable ? "IMMUTABLE" : "MUTABLE");
    json_object_set_new(request, "imageScanningConfiguration", json_pack("{s:b}", "scanOnPush", options->scan));
    json_put_text(encryption, "encryptionType", options->kms_key ? "KMS" : "AES256");
    if (options->kms_key && *options->kms_key)
        json_put_text(encryption, "kmsKey", options->kms_key);
    json_object_set_new(request, "encryptionConfiguration", encryption);
    if (options->tags && options->tags->len)
        put_tags(request, options->tags);
    return request;
}

/* It exists after an attempt of ours whose answer was lost: who made it is not known, but one that is without a lifecycle
 * is ours, or of somebody who wants what we want. */
static int finish_lost_creation(struct ecr *ecr, const char *name, const struct ecr_repository_options *options,
                                bool *created, struct strings *warnings, struct error *err)
{
    struct json_failure failure = {0};
    struct error refused;

    if (call(ecr, "GetLifecyclePolicy", name, ecr_request(ecr, name), &failure, &refused) == 0)
        return 0;
    if (is_code(&failure, "LifecyclePolicyNotFoundException")) {
        *created = true;
        return put_lifecycle(ecr, name, options, warnings, err);
    }
    if (refused.class == CLASS_INTERRUPTED) {
        *err = refused;
        return -1;
    }
    warn(warnings, "whether the new repository has a lifecycle is not known", &refused);
    return 0;
}

/* 0: it is there now. Who comes second leaves the lifecycle to who came first. */
static int create(struct ecr *ecr, const char *name, const struct ecr_repository_options *options, bool *created,
                  struct strings *warnings, struct error *err)
{
    struct json_failure failure = {0};

    if (call(ecr, "CreateRepository", name, creation(ecr, name, options), &failure, err) == 0) {
        *created = true;
        return put_lifecycle(ecr, name, options, warnings, err);
    }
    if (!is_code(&failure, "RepositoryAlreadyExistsException"))
        return -1;
    return failure.attempts > 1 && (options->keep > 0 || options->untagged_days > 0)
               ? finish_lost_creation(ecr, name, options, created, warnings, err)
               : 0;
}

int ecr_repository_find(struct ecr *ecr, const char *name, bool *exists, struct error *err)
{
    struct ecr_subject subject = {.action = "DescribeRepositories", .repository = name};
    struct json_failure failure = {0};
    json_t *request = json_pack("{s:[s]}", "repositoryNames", name);
    json_t *answer;

    if (*ecr->account)
        json_put_text(request, "registryId", ecr->account);
    if (ecr_call(ecr, &subject, request, &answer, &failure, err)) {
        *exists = false;
        return is_code(&failure, "RepositoryNotFoundException") ? 0 : -1;
    }
    *exists = json_array_size(json_object_get(answer, "repositories")) > 0;
    json_decref(answer);
    return 0;
}

/* A role that may not look may still push, and perhaps create. */
static int create_unseen(struct ecr *ecr, const char *name, const struct ecr_repository_options *options, bool *created,
                         struct strings *warnings, const struct error *unseen, struct error *err)
{
    struct error refused;

    if (create(ecr, name, options, created, warnings, &refused) == 0)
        return 0;
    if (refused.class == CLASS_INTERRUPTED) {
        *err = refused;
        return -1;
    }
    warn(warnings, "whether the repository is there will show when the image is pushed", unseen);
    return 0;
}

int ecr_repository_ensure(struct ecr *ecr, const char *name, const struct ecr_repository_options *options,
                          bool *created, struct strings *warnings, struct error *err)
{
    bool exists;

    *created = false;
    if (ecr_repository_find(ecr, name, &exists, err)) {
        struct error unseen = *err;

        return ecr_is_denied(&unseen) ? create_unseen(ecr, name, options, created, warnings, &unseen, err) : -1;
    }
    if (exists || create(ecr, name, options, created, warnings, err) == 0)
        return 0;
    error_context(err, "the repository %s does not exist and could not be created", name);
    if (ecr_is_denied(err)) {
        char hint[sizeof err->hint];

        snprintf(hint, sizeof hint, "%s", err->hint);
        error_hint(err, "%s, or create the repository beforehand", hint);
    }
    return -1;
}
