/*
 * Whether the repository can be read: the first question of a clone, over our own HTTP.
 * https://git-scm.com/docs/http-protocol#_smart_clients
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "cli/doctor.h"
#include "core/mem.h"

#define REFS_MAX ((size_t)8 << 20)
#define SERVICE "# service=git-upload-pack"

/* Whether "…/NAME\n" or "…/NAME\0" stands behind "refs/heads/", "refs/tags/", or as the whole name. */
static bool names_ref(struct view body, const char *ref)
{
    static const char *const prefixes[] = {" refs/heads/", " refs/tags/", " "};
    size_t i;

    for (i = 0; i < ARRAY_LEN(prefixes); i++) {
        CLEANUP_FREE char *wanted = xasprintf("%s%s", prefixes[i], ref);
        size_t len = strlen(wanted), from = 0;
        const char *at;

        while ((at = memmem(body.data + from, body.len - from, wanted, len))) {
            from = (size_t)(at - body.data) + len;
            if (from < body.len && (body.data[from] == '\n' || body.data[from] == '\0'))
                return true;
        }
    }
    return false;
}

int doctor_read_refs(struct view body, const char *ref, struct error *err)
{
    if (body.len < 8 || !memmem(body.data, body.len < 64 ? body.len : 64, SERVICE, strlen(SERVICE))) {
        error_set(err, CLASS_SOURCE_UNREACHABLE, "not-git", "what answers there is no git repository");
        return error_hint(err, "check source.repository");
    }
    if (!ref || names_ref(body, ref))
        return 0;
    error_set(err, CLASS_REF_NOT_FOUND, "ref-not-found", "the repository has no branch or tag %.200s", ref);
    return error_hint(err, "check source.ref");
}

/* "Authorization: Basic …". The caller wipes the list. */
static int add_login(struct doctor *doctor, struct strings *headers, struct error *err)
{
    const struct spec *spec = &doctor->spec;
    const struct value_source *secret =
        spec->source.auth.token.kind != VALUE_NONE ? &spec->source.auth.token : &spec->source.auth.password;
    char *password, *username, *pair, *encoded;
    size_t len;

    if (secret->kind == VALUE_NONE)
        return 0;
    doctor_fetch_values(doctor);
    password = doctor_value(doctor, secret, err);
    if (!password)
        return -1;
    username = spec->source.auth.username.kind == VALUE_NONE ? xstrdup("x-access-token")
                                                             : doctor_value(doctor, &spec->source.auth.username, err);
    if (!username) {
        wipe_free(password);
        return -1;
    }
    pair = xasprintf("%s:%s", username, password);
    len = strlen(pair);
    encoded = xmalloc(4 * ((len + 2) / 3) + 1);
    EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)pair, (int)len);
    strings_addf(headers, "Authorization: Basic %s", encoded);
    wipe_free(encoded);
    wipe_free(pair);
    wipe_free(username);
    wipe_free(password);
    return 0;
}

static int judge(const struct doctor *doctor, const struct http_response *response, struct error *err)
{
    const struct spec *spec = &doctor->spec;
    const char *ref = spec->source.commit ? NULL : spec->source.ref;

    if (response->status == 200)
        return doctor_read_refs((struct view){buf_text(&response->body), response->body.len}, ref, err);
    if (response->status == 401 || response->status == 403 || response->status == 404) {
        bool login = spec->source.auth.token.kind != VALUE_NONE || spec->source.auth.password.kind != VALUE_NONE;

        error_set(err, CLASS_SOURCE_NOT_AUTHORIZED, "source-not-authorized", "the server answers %ld%s",
                  response->status, login ? " to the login of source.auth" : ", and the spec names no login");
        return error_hint(err, "%s",
                          login ? "check the token's value, its end, and that it may read this repository"
                                : "check source.repository, or give source.auth a token");
    }
    error_set(err, CLASS_SOURCE_UNREACHABLE, "source-unreachable", "the server answers %ld", response->status);
    return error_hint(err, "check source.repository, and try again later");
}

/* With more references than we read it is a repository all the same. */
static bool is_too_large(const struct error *err)
{
    return strcmp(err->reason, "response-too-large") == 0;
}

static void ask(struct doctor *doctor, const char *repository, const char *subject)
{
    CLEANUP_FREE char *url = xasprintf("%s/info/refs?service=git-upload-pack", repository);
    struct http_response response;
    struct strings headers = {0};
    struct error err;
    int status;

    if (add_login(doctor, &headers, &err)) {
        strings_wipe(&headers);
        doctor_fail(doctor, subject, &err);
        return;
    }
    strings_add(&headers, "Accept: */*");
    status = doctor_get(doctor, url, &headers, REFS_MAX, &response, &err);
    strings_wipe(&headers);
    if (status && is_too_large(&err))
        doctor_ok(doctor, subject, "answers, with more references than were read");
    else if (status) {
        if (err.class == CLASS_PLATFORM)
            err.class = CLASS_SOURCE_UNREACHABLE;
        doctor_fail(doctor, subject, &err);
    } else if (judge(doctor, &response, &err))
        doctor_fail(doctor, subject, &err);
    else
        doctor_ok(doctor, subject, "answers%s%s%s", doctor->spec.source.ref ? ", has " : "",
                  doctor->spec.source.ref ? doctor->spec.source.ref : "",
                  doctor->spec.source.commit ? "; whether the commit is there shows in the clone" : "");
    http_response_dispose(&response);
}

void doctor_check_source(struct doctor *doctor)
{
    const char *repository = doctor->spec.source.repository;
    CLEANUP_FREE char *subject = NULL;
    size_t len;

    if (!doctor->has_spec || !repository) {
        doctor_skip(doctor, "repository", "no spec names one");
        return;
    }
    subject = url_without_userinfo(repository);
    if (strncmp(repository, "http://", 7) != 0 && strncmp(repository, "https://", 8) != 0) {
        doctor_skip(doctor, subject, "no server that is asked by http");
        return;
    }
    subject[strcspn(subject, "?#")] = '\0';
    len = strlen(subject);
    while (len && subject[len - 1] == '/')
        subject[--len] = '\0';
    ask(doctor, subject, subject);
}
