/* The registry that an image goes to, and the mirrors that base images come from. */
#include <stdlib.h>
#include <string.h>

#include "aws/ecr.h"
#include "aws/ecr_pull.h"
#include "cli/doctor.h"
#include "core/mem.h"
#include "oci/registry.h"

#define ATTEMPTS 2
#define NO_TAG "caisson-doctor" /* nobody has such a tag: the question proves the way there and the login */

struct session {
    struct doctor *doctor;
    struct ecr *ecr; /* NULL: another registry */
};

static int give_credentials(void *context, bool renew, struct registry_credentials *credentials, struct error *err)
{
    const struct session *session = context;
    const struct spec *spec = &session->doctor->spec;
    int64_t expires_ms;

    (void)renew;
    if (spec->image.auth.password.kind == VALUE_NONE)
        return session->ecr ? ecr_login(session->ecr, &credentials->username, &credentials->password, &expires_ms, err)
                            : 0;
    doctor_fetch_values(session->doctor);
    credentials->password = doctor_value(session->doctor, &spec->image.auth.password, err);
    if (!credentials->password)
        return -1;
    credentials->username = doctor_value(session->doctor, &spec->image.auth.username, err);
    if (!credentials->username && spec->image.auth.username.kind == VALUE_NONE)
        credentials->username = xstrdup("");
    return credentials->username ? 0 : -1;
}

/* ---- ECR's API ---- */

static void judge_repository(struct session *session, const char *subject, const char *name)
{
    struct doctor *doctor = session->doctor;
    bool exists, made = doctor->spec.image.create.wanted;
    struct error err;

    if (ecr_repository_find(session->ecr, name, &exists, &err)) {
        /* A role that may push but not describe can do its work all the same. */
        doctor_add(doctor, subject, strcmp(err.reason, "access-denied") == 0 ? DOCTOR_WARNING : DOCTOR_FAILED, &err);
    } else if (exists) {
        doctor_ok(doctor, subject, "ECR has it");
    } else if (made) {
        doctor_ok(doctor, subject, "ECR has it not yet: image.create makes it");
    } else {
        error_set(&err, CLASS_PUSH_FAILED, "repository-missing", "ECR has no repository %s in this account and region",
                  name);
        error_hint(&err, "create it, or let the job do so: image.create");
        doctor_fail(doctor, subject, &err);
    }
}

static int open_ecr(struct session *session, const char *host, struct error *err)
{
    const struct ecr_options options = {
        .client = session->doctor->setup.client,
        .provider = session->doctor->setup.credentials,
        .host = host,
        .endpoint = session->doctor->setup.platform.ecr_endpoint,
        .stop = &session->doctor->stop,
        .max_attempts = ATTEMPTS,
    };
    struct ecr_host parsed;

    return ecr_host_parse(host, &parsed) ? ecr_new(&session->ecr, &options, err) : 0;
}

/* ---- the registry itself ---- */

static void ask_registry(struct session *session, const char *repository)
{
    struct doctor *doctor = session->doctor;
    const struct registry_options options = {.client = doctor->setup.client,
                                             .repository = repository,
                                             .insecure = doctor->spec.image.insecure,
                                             .credentials = give_credentials,
                                             .context = session,
                                             .stop = &doctor->stop,
                                             .max_attempts = ATTEMPTS};
    CLEANUP_FREE char *subject = xasprintf("login to %s", repository);
    char digest[OCI_DIGEST_SIZE];
    struct registry *registry;
    struct error err;

    if (registry_new(&registry, &options, &err)) {
        doctor_fail(doctor, subject, &err);
        return;
    }
    if (registry_tag_digest(registry, NO_TAG, digest, &err) == 0)
        doctor_ok(doctor, subject, "the registry answers and takes it");
    else
        doctor_fail(doctor, subject, &err);
    registry_free(registry);
}

static void look_at_repository(struct doctor *doctor, const char *repository)
{
    struct session session = {.doctor = doctor};
    struct oci_repository parsed;
    struct error err;

    if (oci_repository_parse(repository, &parsed, &err)) {
        doctor_fail(doctor, repository, &err);
        return;
    }
    if (open_ecr(&session, parsed.registry, &err)) {
        doctor_fail(doctor, repository, &err);
    } else if (session.ecr && doctor->no_credentials) {
        doctor_skip(doctor, repository, "without credentials nothing can be asked");
    } else {
        if (session.ecr)
            judge_repository(&session, repository, parsed.name);
        if (!doctor->stop)
            ask_registry(&session, repository);
    }
    ecr_free(session.ecr);
    oci_repository_dispose(&parsed);
}

/* ---- where base images come from ---- */

/* Whether there is a registry: it says so, or who it lets in.
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#determining-support */
static void look_at_mirror(struct doctor *doctor, const struct spec_pair *mirror)
{
    CLEANUP_FREE char *subject = xasprintf("mirror of %s: %s", mirror->name, mirror->value);
    CLEANUP_FREE char *host = xstrndup(mirror->value, strcspn(mirror->value, "/"));
    CLEANUP_FREE char *url = xasprintf(
        "%s://%s/v2/", doctor->spec.image.insecure || oci_registry_is_loopback(host) ? "http" : "https", host);
    struct http_response response;
    struct error err;

    if (doctor_get(doctor, url, NULL, 0, &response, &err)) {
        doctor_fail(doctor, subject, &err);
    } else if (response.status == 200 || response.status == 401) {
        doctor_ok(doctor, subject, "a registry answers%s", response.status == 401 ? ", to those who log in" : "");
    } else {
        error_set(&err, CLASS_BASE_IMAGE, "mirror-unusable", "what answers there is no registry: %ld", response.status);
        error_hint(&err, "check image.mirrors");
        doctor_fail(doctor, subject, &err);
    }
    http_response_dispose(&response);
}

static void look_at_pull_role(struct doctor *doctor)
{
    const struct platform *platform = &doctor->setup.platform;
    const struct ecr_pull_options options = {
        .client = doctor->setup.client,
        .provider = doctor->setup.credentials,
        .host = doctor->spec.image.pull_auth.registry,
        .role = doctor->spec.image.pull_auth.role,
        .id = doctor->spec.id,
        .region = platform->region,
        .sts_endpoint = platform->sts_endpoint,
        .ecr_endpoint = platform->ecr_endpoint,
        .stop = &doctor->stop,
    };
    char *username, *password;
    struct error err;

    if (!options.role)
        return;
    if (ecr_pull_login(&options, &username, &password, &err)) {
        doctor_fail(doctor, options.role, &err);
        return;
    }
    wipe_free(username);
    wipe_free(password);
    doctor_ok(doctor, options.role, "may be assumed, and logs in to %s", options.host);
}

void doctor_check_registry(struct doctor *doctor)
{
    const struct spec *spec = &doctor->spec;
    const char *repository = spec->image.repository;
    size_t i;

    if (!repository) {
        doctor_skip(doctor, "image", doctor->has_spec ? "the job builds none" : "no spec names one");
        return;
    }
    if (strncmp(repository, "oci:", 4) == 0)
        doctor_skip(doctor, "image", "it stays in a folder: %s", repository + 4);
    else
        look_at_repository(doctor, repository);
    for (i = 0; i < spec->image.mirrors.len && !doctor->stop; i++)
        look_at_mirror(doctor, &spec->image.mirrors.items[i]);
    if (!doctor->no_credentials && !doctor->stop)
        look_at_pull_role(doctor);
}
