/* The places in S3 that a job writes to. */
#include <stdlib.h>
#include <string.h>

#include "aws/s3.h"
#include "cli/doctor.h"
#include "core/mem.h"
#include "publish/target_s3.h"

#define ATTEMPTS 2
#define PROBE ".caisson-doctor"

struct place {
    struct s3_options options;            /* strings borrowed, but the bucket */
    char *bucket, *prefix;                /* the folder */
    const char *use;                      /* "artifacts", "result": for people */
    const struct spec_artifact *artifact; /* NULL: another place */
    bool read_only;                       /* a job only looks there */
};

/* ---- one call within the check's time ---- */

struct waiting {
    bool done, failed;
    struct error error;
};

static void on_done(void *context, const struct error *error)
{
    struct waiting *waiting = context;

    waiting->done = true;
    waiting->failed = error != NULL;
    if (error)
        waiting->error = *error;
}

static int perform(struct doctor *doctor, struct s3 *s3, struct s3_call *call, struct error *err)
{
    struct waiting waiting = {0};
    struct s3_operation *operation = s3_start(s3, call, on_done, &waiting);

    while (!waiting.done && !doctor->stop)
        loop_run_once(doctor->setup.loop, -1);
    if (!waiting.done) {
        s3_cancel(operation);
        return error_set(err, CLASS_INTERRUPTED, "interrupted", "stopped during %s", call->method);
    }
    if (waiting.failed)
        *err = waiting.error;
    return waiting.failed ? -1 : 0;
}

/* ---- what is looked at ---- */

static int list(struct doctor *doctor, struct s3 *s3, const char *prefix, char region[64], struct error *err)
{
    struct s3_call call;
    const char *told;
    struct buf query;
    int status;

    buf_init(&query, 8192);
    buf_adds(&query, "list-type=2&max-keys=1&prefix=");
    url_encode(prefix, false, &query);
    s3_call_init(&call, "GET", NULL);
    call.query = buf_text(&query);
    status = perform(doctor, s3, &call, err);
    told = http_response_header(&call.response, "x-amz-bucket-region");
    snprintf(region, 64, "%s", told ? told : s3_region(s3));
    s3_call_dispose(&call);
    buf_dispose(&query);
    return status;
}

/* A region that is not ours costs by the gigabyte, and a gateway endpoint does not lead there. */
static void compare_region(struct doctor *doctor, const char *subject, const char *region, const char *named)
{
    struct error err;

    if (!named || strcmp(named, "auto") == 0 || !*region || strcmp(region, named) == 0)
        return;
    error_set(&err, CLASS_PLATFORM, "wrong-region", "the bucket is in %.60s, and %.60s was named", region, named);
    error_hint(
        &err,
        "set s3.region of the artifact, or AWS_REGION, to the bucket's; a bucket in the task's own region costs no "
        "transfer, and needs no way out of the VPC");
    doctor_warn(doctor, subject, &err);
}

/* Put, then removed. What cannot be removed is named. */
static void try_to_write(struct doctor *doctor, struct s3 *s3, const struct place *place, const char *subject)
{
    CLEANUP_FREE char *key = xasprintf("%s" PROBE, place->prefix);
    struct s3_call put, removal;
    struct error err;

    s3_call_init(&put, "PUT", key);
    s3_call_init(&removal, "DELETE", key);
    strings_add(&put.headers, "Content-Type: text/plain");
    put.body = view_of("caisson doctor was here\n");
    if (perform(doctor, s3, &put, &err)) {
        doctor_fail(doctor, subject, &err);
    } else if (perform(doctor, s3, &removal, &err)) {
        CLEANUP_FREE char *uri = s3_uri(s3, key);

        error_context(&err, "may be written to, but %s could not be removed again", uri);
        if (!*err.hint)
            error_hint(&err, "remove it by hand");
        doctor_warn(doctor, subject, &err);
    } else {
        doctor_ok(doctor, subject, "%s may be written and removed", PROBE);
    }
    s3_call_dispose(&put);
    s3_call_dispose(&removal);
}

static bool is_denied(const struct error *err)
{
    return strcmp(err->reason, "access-denied") == 0;
}

/* By its state a publish knows what is newer than it, and what of the place is ours. S3 says "denied" also of what is not
 * there to those who may not list: `listed` tells whether the word counts. */
static void look_at_state(struct doctor *doctor, struct s3 *s3, const struct place *place, bool listed)
{
    CLEANUP_FREE char *key = s3_target_state_key(place->prefix);
    CLEANUP_FREE char *uri = s3_uri(s3, key);
    bool mirror = place->artifact->mode == ARTIFACT_MIRROR;
    struct s3_call call;
    struct error err;

    s3_call_init(&call, "HEAD", key);
    if (perform(doctor, s3, &call, &err) == 0 || strcmp(err.reason, "no-such-key") == 0) {
        doctor_ok(doctor, uri, "what keeps jobs in order may be read");
    } else if (is_denied(&err)) {
        if (mirror)
            error_context(&err, "mirror needs to read and write it");
        else
            error_context(&err, "without it jobs are not kept in order, and all files are sent each time");
        error_hint(&err, "allow s3:GetObject and s3:PutObject beneath .caisson/ of the bucket%s",
                   listed ? "" : "; without s3:ListBucket S3 says so also of what is not there yet");
        doctor_add(doctor, uri, mirror && listed ? DOCTOR_FAILED : DOCTOR_WARNING, &err);
    } else {
        doctor_fail(doctor, uri, &err);
    }
    s3_call_dispose(&call);
}

static void look_further(struct doctor *doctor, struct s3 *s3, const struct place *place, const char *subject,
                         bool listed)
{
    /* Of a place that only the checkout will know the state is not known either. */
    if (place->artifact && !strstr(place->artifact->to, "${"))
        look_at_state(doctor, s3, place, listed);
    if (doctor->write && !place->read_only)
        try_to_write(doctor, s3, place, subject);
}

/* Roles that may put and nothing else are usual. */
static void tell_denied(struct doctor *doctor, const struct place *place, const char *subject, struct error *err)
{
    if (place->read_only) {
        error_context(err, "may not be listed: what is not there yet cannot be told from what may not be read");
        error_hint(err, "allow s3:GetObject and s3:ListBucket there");
    } else {
        error_context(err, "may not be listed, which only adopt needs");
        if (!doctor->write)
            error_hint(err, "whether it may be written to is shown by caisson doctor --write");
    }
    doctor_warn(doctor, subject, err);
}

static void look_at(struct doctor *doctor, const struct place *place)
{
    CLEANUP_FREE char *subject = xasprintf("s3://%s/%s (%s)", place->bucket, place->prefix, place->use);
    struct error err;
    char region[64];
    struct s3 *s3;

    if (doctor->stop) {
        doctor_skip(doctor, subject, "not looked at: the time of this check is over");
        return;
    }
    if (s3_new(&s3, doctor->setup.client, doctor->setup.credentials, &place->options, &err)) {
        doctor_fail(doctor, subject, &err);
        return;
    }
    if (list(doctor, s3, place->prefix, region, &err) == 0) {
        doctor_ok(doctor, subject, "the bucket is there and answers%s%s", *region ? ", region " : "", region);
        compare_region(doctor, subject, region, place->options.region);
        look_further(doctor, s3, place, subject, true);
    } else if (is_denied(&err) && !(place->artifact && place->artifact->adopt)) {
        tell_denied(doctor, place, subject, &err);
        look_further(doctor, s3, place, subject, false);
    } else {
        doctor_fail(doctor, subject, &err);
    }
    s3_free(s3);
}

/* ---- which places there are ---- */

/* The folder of a key; what only the checkout will know is not part of it. */
static void cut_to_folder(char *key)
{
    char *unknown = strstr(key, "${"), *slash;

    if (unknown)
        *unknown = '\0';
    slash = strrchr(key, '/');
    if (slash)
        slash[1] = '\0';
    else
        *key = '\0';
}

/* `s3`: whose S3 it is; NULL: what surrounds the job. */
static void look_at_uri(struct doctor *doctor, const char *uri, const char *use, const struct spec_artifact *s3,
                        bool is_artifact)
{
    const struct platform *platform = &doctor->setup.platform;
    struct place place = {.use = use, .artifact = is_artifact ? s3 : NULL, .read_only = uri == doctor->spec.control};
    struct error err;

    if (!uri || strncmp(uri, "s3://", 5) != 0)
        return;
    if (s3_uri_parse(uri, &place.bucket, &place.prefix, &err)) {
        doctor_fail(doctor, uri, &err);
        return;
    }
    cut_to_folder(place.prefix);
    place.options = (struct s3_options){.bucket = place.bucket,
                                        .region = platform->region,
                                        .endpoint = platform->endpoint,
                                        .path_style = platform->path_style,
                                        .max_attempts = ATTEMPTS};
    if (s3) {
        if (s3->s3.region)
            place.options.region = s3->s3.region;
        if (s3->s3.endpoint)
            place.options.endpoint = s3->s3.endpoint;
        place.options.path_style = s3->s3.path_style || (!s3->s3.endpoint && platform->path_style);
    }
    look_at(doctor, &place);
    free(place.bucket);
    free(place.prefix);
}

/* Result and log of a bucket that an artifact has an endpoint for go there as well (job/deliver.c). */
static const struct spec_artifact *same_bucket(const struct spec *spec, const char *uri)
{
    const char *key = uri && strncmp(uri, "s3://", 5) == 0 ? strchr(uri + 5, '/') : NULL;
    size_t i;

    for (i = 0; key && i < spec->artifacts_len; i++)
        if (spec->artifacts[i].s3.endpoint && strncmp(spec->artifacts[i].to, uri, (size_t)(key - uri + 1)) == 0)
            return &spec->artifacts[i];
    return NULL;
}

static void look_at_pinned(struct doctor *doctor)
{
    const struct operator_file *operator_file = &doctor->setup.operator_file;
    CLEANUP_FREE char *uri = NULL;

    if (!operator_file->pin_bucket) {
        doctor_skip(doctor, "places in S3", "neither a spec nor the operator's file names one");
        return;
    }
    uri =
        xasprintf("s3://%s/%s", operator_file->pin_bucket, operator_file->pin_prefix ? operator_file->pin_prefix : "");
    look_at_uri(doctor, uri, "pinned by the operator", NULL, false);
}

void doctor_check_bucket(struct doctor *doctor)
{
    const struct spec *spec = &doctor->spec;
    size_t i, before = doctor->rows_len;

    if (doctor->no_credentials) {
        doctor_skip(doctor, "places in S3", "without credentials nothing can be asked");
        return;
    }
    if (!doctor->has_spec) {
        look_at_pinned(doctor);
        return;
    }
    for (i = 0; i < spec->artifacts_len; i++)
        look_at_uri(doctor, spec->artifacts[i].to, "artifacts", &spec->artifacts[i], true);
    look_at_uri(doctor, spec->result, "result", same_bucket(spec, spec->result), false);
    look_at_uri(doctor, spec->log, "log", same_bucket(spec, spec->log), false);
    look_at_uri(doctor, spec->cache.to, "cache", NULL, false);
    look_at_uri(doctor, spec->control, "control", same_bucket(spec, spec->control), false);
    if (doctor->rows_len == before)
        doctor_skip(doctor, "places in S3", "the spec names none");
}
