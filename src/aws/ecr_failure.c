/* What a refusal of ECR means for the job, and what a policy must say so that it is none. */
#include <stdio.h>
#include <string.h>

#include "aws/ecr_internal.h"
#include "core/mem.h"

#define POLICY_SIZE 256

bool ecr_is_denied(const struct error *err)
{
    return strcmp(err->reason, "access-denied") == 0;
}

/* The word after `before`: letters, digits and what stands in actions and ARNs. */
static bool take_word(const char *text, const char *before, char *word, size_t size)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:/._*-";
    const char *at = strstr(text, before);
    size_t len;

    if (!at)
        return false;
    at += strlen(before);
    len = strspn(at, allowed);
    if (!len || len >= size)
        return false;
    memcpy(word, at, len);
    word[len] = '\0';
    return true;
}

/*
 * "User: arn:… is not authorized to perform: ecr:TagResource on resource: arn:… because no identity-based policy allows
 * the ecr:TagResource action": a call may need more actions than its own (tags, keys of KMS), and ECR names them.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
 */
static void find_permission(const struct ecr *ecr, const struct ecr_subject *subject,
                            const struct json_failure *failure, char action[80], char arn[ECR_ARN_SIZE])
{
    char own[80];

    snprintf(own, sizeof own, "ecr:%s", subject->action);
    if (take_word(failure->message, "to perform: ", action, 80) && strchr(action, ':') && strcmp(action, own) != 0) {
        if (!take_word(failure->message, "on resource: ", arn, ECR_ARN_SIZE))
            ecr_arn(ecr, subject->repository, arn);
        return;
    }
    snprintf(action, 80, "%s", own);
    ecr_arn(ecr, subject->repository, arn);
}

/* Which policy it is that has to change. */
static void name_policy(const struct ecr *ecr, const char *message, char *text, size_t size)
{
    static const struct {
        const char *phrase, *policy;
        bool of_role;
    } policies[] = {
        {"VPC endpoint policy", "in the VPC endpoint's policy", false},
        {"service control policy", "in the organization's service control policies", false},
        {"resource control policy", "in the organization's resource control policies", false},
        {"permissions boundary", "in the permissions boundary of ", true},
        {"session policy", "in the session policy of ", true},
        {"resource-based policy", "in the repository's policy", false},
        {"", "for ", true},
    };
    const char *role = ecr->role ? ecr->role : "the task's role";
    size_t i = 0;

    while (!strstr(message, policies[i].phrase))
        i++;
    snprintf(text, size, "%s%s", policies[i].policy, policies[i].of_role ? role : "");
}

static void describe_denial(const struct ecr *ecr, const struct ecr_subject *subject,
                            const struct json_failure *failure, struct error *err)
{
    char action[80], arn[ECR_ARN_SIZE], policy[POLICY_SIZE];

    find_permission(ecr, subject, failure, action, arn);
    name_policy(ecr, failure->message, policy, sizeof policy);
    error_context(err, "%s on %s is not allowed", action, arn);
    if (strstr(failure->message, "explicit deny"))
        error_hint(err, "an explicit deny of %s on %s must go %s", action, arn, policy);
    else
        error_hint(err, "allow %s on %s %s", action, arn, policy);
}

/* "AmazonEC2ContainerRegistry_V20150921.CreateRepository: 400 …": people know the action, and a denial says it itself. */
static void name_action(struct error *err)
{
    const char *action = err->message + strlen(ECR_TARGET);
    const char *rest = strstr(action, ": ");

    if (strncmp(err->message, ECR_TARGET, strlen(ECR_TARGET)) != 0 || !rest)
        return;
    if (ecr_is_denied(err)) {
        memmove(err->message, rest + 2, strlen(rest + 2) + 1);
    } else {
        memmove(err->message + 4, action, strlen(action) + 1);
        memcpy(err->message, "ecr:", 4);
    }
}

void ecr_failure(const struct ecr *ecr, const struct ecr_subject *subject, const struct json_failure *failure,
                 struct error *err)
{
    static const struct {
        const char *code, *reason, *hint;
    } known[] = {
        {"RepositoryNotFoundException", "repository-missing", "is it the right account and region?"},
        {"LimitExceededException", "quota-exceeded", "remove repositories, or ask AWS for a higher quota"},
        {"KmsException", "key-refused", "allow kms:DescribeKey and kms:CreateGrant on the key for the task's role"},
    };
    size_t i;

    if (err->class != CLASS_PLATFORM && err->class != CLASS_CREDENTIALS)
        return;
    if (err->class == CLASS_PLATFORM)
        err->class = CLASS_PUSH_FAILED;
    name_action(err);
    if (ecr_is_denied(err)) {
        describe_denial(ecr, subject, failure, err);
        return;
    }
    for (i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(failure->code, known[i].code) == 0) {
            snprintf(err->reason, sizeof err->reason, "%s", known[i].reason);
            error_hint(err, "%s", known[i].hint);
        }
}
