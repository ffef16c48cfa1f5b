/* Region and credentials: whose they are, how long they last, where they come from. */
#include <stdlib.h>
#include <string.h>

#include "aws/json_call.h"
#include "aws/sts.h"
#include "cli/doctor.h"
#include "core/clock.h"
#include "core/mem.h"

#define EXPIRES_SOON_MS ((int64_t)10 * 60 * 1000) /* ECS renews long before */

static bool is_s3(const char *place)
{
    return place && strncmp(place, "s3://", 5) == 0;
}

/* Whom a job tells by AWS's services. */
static bool tells_by_aws(const struct spec *spec)
{
    static const char *const types[] = {"sns", "sqs", "eventbridge", "cloudwatch_logs"};
    size_t i, j;

    for (i = 0; i < spec->notify_len; i++)
        for (j = 0; j < ARRAY_LEN(types); j++)
            if (strcmp(spec->notify[i].type, types[j]) == 0)
                return true;
    return false;
}

bool doctor_needs_aws(const struct doctor *doctor)
{
    const struct spec *spec = &doctor->spec;
    const char *registry = spec->image.repository;
    size_t i;

    if (!doctor->has_spec)
        return doctor->in_task || doctor->setup.operator_file.pin_bucket;
    for (i = 0; i < spec->artifacts_len; i++)
        if (is_s3(spec->artifacts[i].to))
            return true;
    return is_s3(spec->result) || is_s3(spec->log) || is_s3(spec->cache.to) || is_s3(spec->control) ||
           spec->image.pull_auth.role || tells_by_aws(spec) ||
           (registry && (strstr(registry, ".amazonaws.com") || strstr(registry, ".dkr-ecr."))) ||
           doctor_uses(spec, VALUE_SSM) || doctor_uses(spec, VALUE_SECRET);
}

const char *doctor_region(const struct doctor *doctor)
{
    return doctor->setup.platform.region;
}

void doctor_check_region(struct doctor *doctor)
{
    const char *region = doctor_region(doctor);
    struct error err;

    if (region && json_service_region(region)) {
        doctor_ok(doctor, region, "services of AWS are called in this region");
    } else if (region) {
        error_set(&err, CLASS_PLATFORM, "bad-region", "that is not the name of a region");
        error_hint(&err, "set AWS_REGION to one such as eu-west-1, or pin it in the operator's file (pins: region)");
        doctor_fail(doctor, region, &err);
    } else if (doctor_needs_aws(doctor)) {
        error_set(&err, CLASS_PLATFORM, "region-unknown", "neither AWS_REGION nor the operator's file names one");
        error_hint(&err, "set AWS_REGION, or pin it in the operator's file (pins: region); ECS sets it on Fargate");
        doctor_warn(doctor, "AWS_REGION", &err);
    } else {
        doctor_skip(doctor, "AWS_REGION", "not set, and nothing here asks AWS");
    }
}

/* ---- the credentials themselves ---- */

struct waiting {
    bool done, failed;
    int64_t expires_ms;
    struct error error;
};

static void on_credentials(void *context, const struct credentials *credentials, const struct error *error)
{
    struct waiting *waiting = context;

    waiting->done = true;
    waiting->failed = error != NULL;
    if (error)
        waiting->error = *error;
    else
        waiting->expires_ms = credentials->expires_ms;
}

static int fetch(struct doctor *doctor, int64_t *expires_ms, struct error *err)
{
    struct waiting waiting = {0};
    struct credentials_wait *wait = credentials_renew(doctor->setup.credentials, on_credentials, &waiting);

    while (!waiting.done && !doctor->stop)
        loop_run_once(doctor->setup.loop, -1);
    if (!waiting.done) {
        credentials_cancel(wait);
        error_set(err, CLASS_CREDENTIALS, "timed-out", "no answer within %d s", DOCTOR_CHECK_MS / 1000);
        return error_hint(err,
                          "nothing may stand between the task and 169.254.170.2: no proxy, no firewall of the image");
    }
    *expires_ms = waiting.expires_ms;
    if (waiting.failed)
        *err = waiting.error;
    return waiting.failed ? -1 : 0;
}

static void tell_expiry(struct doctor *doctor, const char *name, int64_t expires_ms)
{
    int64_t left_ms = expires_ms - clock_wall_ms();
    char until[CLOCK_TEXT_SIZE], left[CLOCK_TEXT_SIZE];
    struct error err;

    if (!expires_ms) {
        doctor_ok(doctor, name, "there, without an end");
        return;
    }
    clock_format(expires_ms / 1000 * 1000, until);
    duration_format((left_ms < 0 ? 0 : left_ms) / 60000 * 60000, left);
    if (left_ms > EXPIRES_SOON_MS) {
        doctor_ok(doctor, name, "valid for %s, until %s", left, until);
        return;
    }
    error_set(&err, CLASS_CREDENTIALS, "credentials-expire-soon", "they end at %s", until);
    error_hint(&err, "get new ones; if those of ECS are meant, compare the machine's clock (check clock)");
    doctor_warn(doctor, name, &err);
}

/* Keys that were put into the environment outlive the task, and whoever reads the task definition has them. */
static void look_for_static_keys(struct doctor *doctor)
{
    struct error err;

    if (!doctor->in_task || doctor->setup.platform.credentials.kind != CREDENTIALS_STATIC)
        return;
    error_set(&err, CLASS_CREDENTIALS, "static-keys",
              "keys stand in the task's environment, and are used instead of the task's role");
    error_hint(&err, "give the task a role (taskRoleArn) and take the keys out of its environment");
    doctor_warn(doctor, "AWS_ACCESS_KEY_ID", &err);
}

static bool is_bad(const struct error *err)
{
    return err->class == CLASS_CREDENTIALS;
}

static void ask_who(struct doctor *doctor)
{
    const struct platform *platform = &doctor->setup.platform;
    const struct sts_options options = {.client = doctor->setup.client,
                                        .provider = doctor->setup.credentials,
                                        .region = platform->region,
                                        .endpoint = platform->sts_endpoint,
                                        .stop = &doctor->stop};
    char arn[STS_ARN_SIZE];
    struct error err;

    /* Keys of another maker's storage are nobody at AWS. */
    if (platform->endpoint && !platform->sts_endpoint && !doctor->in_task) {
        doctor_skip(doctor, "who that is", "the endpoint of S3 is not AWS's own");
        return;
    }
    if (!platform->region || !json_service_region(platform->region)) {
        doctor_skip(doctor, "who that is", "asked in a region, and none is known");
        return;
    }
    if (sts_caller_identity(&options, arn, &err) == 0) {
        doctor_ok(doctor, "who that is", "%s", arn);
        return;
    }
    if (!is_bad(&err)) { /* nobody but pull_auth.role needs STS */
        if (err.class != CLASS_INTERRUPTED)
            error_hint(&err, "caisson itself asks STS for image.pull_auth.role alone: that this fails need not matter");
        doctor_warn(doctor, "who that is", &err);
        return;
    }
    doctor->no_credentials = true;
    doctor_fail(doctor, "who that is", &err);
}

void doctor_check_credentials(struct doctor *doctor)
{
    const struct credentials_source *source = &doctor->setup.platform.credentials;
    const char *name = credentials_source_name(source);
    int64_t expires_ms = 0;
    struct error err;

    if (source->kind == CREDENTIALS_NONE && !doctor_needs_aws(doctor)) {
        doctor_skip(doctor, "credentials of AWS", "there are none, and nothing here asks AWS");
        return;
    }
    if (source->kind == CREDENTIALS_NONE) {
        error_set(&err, CLASS_CREDENTIALS, "no-credentials", "found no AWS credentials");
        error_hint(&err, doctor->in_task ? "the task has no role: name one by taskRoleArn in the task definition or in "
                                           "RunTask's overrides"
                                         : "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE");
        doctor->no_credentials = true;
        doctor_fail(doctor, "credentials of AWS", &err);
        return;
    }
    look_for_static_keys(doctor);
    if (fetch(doctor, &expires_ms, &err)) {
        doctor->no_credentials = true;
        doctor_fail(doctor, name, &err);
        return;
    }
    tell_expiry(doctor, name, expires_ms);
    ask_who(doctor);
}
