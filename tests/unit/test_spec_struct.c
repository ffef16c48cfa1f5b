/* The struct that the program works with, templates after the checkout, documents of profiles, the operator's file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/json.h"
#include "core/mem.h"
#include "spec/spec.h"
#include "support/vectors.h"

#define MINUTE INT64_C(60000)

static void load_text(struct spec *spec, const char *text)
{
    struct spec_context context = {.name = "spec", .default_id = "task-1"};
    struct problems problems = {0};
    struct error err = {0};

    if (spec_load(spec, view_of(text), &context, &problems, &err))
        fail_msg("%s", err.message);
}

static void whole_spec(void **state)
{
    struct spec spec;
    struct buf text;

    (void)state;
    vectors_read("vectors/spec", "whole.yaml", &text);
    load_text(&spec, buf_text(&text));
    assert_int_equal(spec.type, JOB_BUILD);
    assert_string_equal(spec.id, "abc123");
    assert_string_equal(spec.project, "shop");
    assert_int_equal(spec.labels.len, 2);
    assert_string_equal(spec.labels.items[1].name, "with space");
    assert_int_equal(spec.created_at_ms, INT64_C(1767960000000));
    assert_string_equal(spec.source.repository, "https://Example.COM:8443/group/repo.git");
    assert_string_equal(spec.source.ref, "feature/x");
    assert_string_equal(spec.source.commit, "0f3c1a9be27d40c58f6a1b2c3d4e5f6071829304");
    assert_string_equal(spec.source.directory, "frontend/app");
    assert_int_equal(spec.source.auth.token.kind, VALUE_NONE);
    assert_int_equal(spec.source.auth.username.kind, VALUE_TEXT);
    assert_string_equal(spec.source.auth.username.text, "me");
    assert_int_equal(spec.source.auth.password.kind, VALUE_ENV);
    assert_string_equal(spec.source.auth.password.text, "REPO_PASSWORD");
    assert_int_equal(spec.source.auth.password.at.line, 15);
    assert_int_equal(spec.env.len, 5);
    assert_string_equal(spec.env.items[3].name, "PORT");
    assert_string_equal(spec.env.items[3].value, "3000");
    assert_int_equal(spec.secrets_len, 3);
    assert_int_equal(spec.secrets[0].source.kind, VALUE_FILE);
    assert_int_equal(spec.secrets[0].steps.len, 1);
    assert_string_equal(spec.secrets[2].source.text, "in-the-text");
    assert_int_equal(spec.build.builder, BUILDER_NODE);
    assert_string_equal(spec.build.node, "18.10");
    assert_int_equal(spec.build.install.kind, COMMAND_TEXT);
    assert_int_equal(spec.build.command.kind, COMMAND_SKIP);
    assert_string_equal(spec.build.test, "npm test");
    assert_string_equal(spec.build.output, "/dist");
    assert_int_equal(spec.artifacts_len, 3);
    assert_string_equal(spec.artifacts[0].from, "dist");
    assert_int_equal(spec.artifacts[0].mode, ARTIFACT_MIRROR);
    assert_true(spec.artifacts[0].adopt);
    assert_string_equal(spec.artifacts[1].to, "file:/srv/www/");
    assert_null(spec.artifacts[1].from);
    assert_string_equal(spec.artifacts[2].headers[1].content_disposition, "attachment");
    assert_false(spec.artifacts[2].s3.path_style);
    assert_int_equal(spec.timeout_ms, 90 * MINUTE);
    assert_int_equal(spec.timeouts.publish_ms, 5 * MINUTE);
    assert_int_equal(spec.timeouts.idle_ms, 0);
    assert_int_equal(spec.retry.max_attempts, 5);
    assert_int_equal(spec.retry.backoff_ms, 500);
    assert_string_equal(spec.log, "file:logs/shop.gz");
    assert_int_equal(spec.limits.memory.bytes, (int64_t)3 << 30);
    assert_int_equal(spec.limits.memory.percent, 0);
    assert_int_equal(spec.limits.disk.percent, 75);
    assert_int_equal(spec.limits.output_bytes, 200 << 20);
    assert_int_equal(spec.limits.log_bytes, 1 << 20);
    spec_dispose(&spec);
    buf_dispose(&text);
}

static void defaults(void **state)
{
    struct spec spec;

    (void)state;
    load_text(&spec, "{version: 1, source: {repository: user/My.Repo.git}, build: {command: 'false'}}");
    assert_string_equal(spec.id, "task-1");
    assert_string_equal(spec.project, "My.Repo");
    assert_null(spec.source.ref);
    assert_string_equal(spec.source.directory, ".");
    assert_int_equal(spec.created_at_ms, 0);
    assert_int_equal(spec.build.builder, BUILDER_AUTO);
    assert_int_equal(spec.build.install.kind, COMMAND_UNSET);
    assert_int_equal(spec.build.command.kind, COMMAND_TEXT);
    assert_int_equal(spec.artifacts_len, 1);
    assert_string_equal(spec.artifacts[0].to, "file:out/");
    assert_int_equal(spec.timeout_ms, 30 * MINUTE);
    assert_int_equal(spec.timeouts.checkout_ms, 2 * MINUTE);
    assert_null(spec.result);
    spec_dispose(&spec);
}

static void endpoints(void **state)
{
    struct spec spec;

    (void)state;
    load_text(&spec, "{version: 1, source: {repository: a/b, directory: /}, artifacts: [{to: 's3://bkt/a/', s3: "
                     "{endpoint: 'http://m:9000'}}, {to: 's3://bkt/b', s3: {region: auto}}]}");
    assert_string_equal(spec.source.directory, ".");
    assert_true(spec.artifacts[0].s3.path_style);
    assert_false(spec.artifacts[1].s3.path_style);
    assert_string_equal(spec.artifacts[1].to, "s3://bkt/b/");
    spec_dispose(&spec);
}

/* ---- templates ---- */

static const char template_text[] = "{version: 1, id: j1, project: p1, source: {repository: a/b}, artifacts: [{to: "
                                    "'s3://bkt/${project}/$${id}/${id}/${ref}/${short_commit}'}, {to: "
                                    "'s3://bkt/$${ref}/x'}]}";

static void expansion(void **state)
{
    struct error err = {0};
    struct spec spec;

    (void)state;
    load_text(&spec, template_text);
    assert_string_equal(spec.artifacts[0].to, "s3://bkt/p1/$${id}/j1/${ref}/${short_commit}");
    assert_string_equal(spec.artifacts[1].to, "s3://bkt/${ref}/x/");
    assert_int_equal(spec_expand(&spec, "0f3c1a9be27d40c58f6a1b2c3d4e5f6071829304", "refs/heads/feature/x", &err), 0);
    assert_string_equal(spec.artifacts[0].to, "s3://bkt/p1/${id}/j1/feature/x/0f3c1a9/");
    assert_string_equal(spec.artifacts[1].to, "s3://bkt/${ref}/x/");
    /* what is complete stays */
    assert_int_equal(spec_expand(&spec, "ffff", "refs/tags/v1", &err), 0);
    assert_string_equal(spec.artifacts[0].to, "s3://bkt/p1/${id}/j1/feature/x/0f3c1a9/");
    spec_dispose(&spec);
}

static void unsafe_expansion(void **state)
{
    static const char *const refs[] = {"..", "a/../b", "refs/heads/a//b", "a\nb", "refs/tags/.", ""};
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(refs); i++) {
        struct error err = {0};
        struct spec spec;

        load_text(&spec, template_text);
        assert_int_equal(spec_expand(&spec, "0f3c1a9be2", refs[i], &err), -1);
        assert_int_equal(err.class, CLASS_SPEC_INVALID);
        assert_string_equal(err.reason, "template-unsafe");
        spec_dispose(&spec);
    }
}

/* A branch may be called ${id}: what is put in is never looked at again. */
static void no_second_expansion(void **state)
{
    struct error err = {0};
    struct spec spec;

    (void)state;
    load_text(&spec, "{version: 1, id: j1, source: {repository: a/b, ref: 'x${id}'}, artifacts: [{to: "
                     "'s3://bkt/${ref}/${commit}/'}, {to: 's3://bkt/${ref}/'}]}");
    assert_string_equal(spec.artifacts[1].to, "s3://bkt/x${id}/");
    assert_int_equal(spec_expand(&spec, "abcdef0123", NULL, &err), 0);
    assert_string_equal(spec.artifacts[0].to, "s3://bkt/x${id}/abcdef0123/");
    assert_string_equal(spec.artifacts[1].to, "s3://bkt/x${id}/");
    spec_dispose(&spec);
}

/* ---- documents of profiles ---- */

static int load_document(json_t *document, json_t *origins, struct spec *spec, struct problems *problems,
                         struct error *err)
{
    struct spec_context context = {.name = "profile x", .default_id = "task-1", .pid1 = true};
    int rc = spec_load_json(spec, document, origins, &context, problems, err);

    json_decref(document);
    json_decref(origins);
    return rc;
}

static void document_with_origins(void **state)
{
    struct problems problems = {0};
    struct error err = {0};
    struct spec spec;

    (void)state;
    assert_int_equal(load_document(json_pack("{s:i, s:{s:s, s:s}, s:[{s:s, s:s}], s:{s:s}}", "version", 1, "source",
                                             "repository", "a/b", "ref", "no", "artifacts", "to",
                                             "s3://bkt/${project}/", "mode", "add", "env", "N", "1.10"),
                                   json_pack("{s:s}", "source.ref", "profile variable BRANCH"), &spec, &problems, &err),
                     0);
    assert_string_equal(spec.source.ref, "no");
    assert_string_equal(spec.env.items[0].value, "1.10");
    assert_string_equal(json_text(spec.origins, "source.ref", ""), "profile variable BRANCH");
    assert_string_equal(json_text(spec.origins, "source.repository", ""), "profile");
    assert_string_equal(json_text(spec.origins, "artifacts[0].mode", ""), "profile");
    spec_dispose(&spec);
}

static void document_with_mistakes(void **state)
{
    struct problems problems = {0};
    struct error err = {0};
    struct spec spec;
    struct buf out;
    json_t *json;

    (void)state;
    assert_int_equal(
        load_document(json_pack("{s:i, s:{s:s, s:s}, s:[{s:s}], s:s, s:i}", "version", 1, "source", "repository", "a/b",
                                "ref", "a..b", "artifacts", "to", "s3://bkt/x/", "project", "../x", "timeouts", 1),
                      json_pack("{s:s}", "project", "profile variable PROJECT_ID"), &spec, &problems, &err),
        -1);
    buf_init(&out, 4096);
    problems_print(&problems, "profile x", &out);
    assert_non_null(strstr(buf_text(&out), "profile x: project: \"../x\" is not allowed here (from profile variable "
                                           "PROJECT_ID); letters"));
    assert_null(strstr(buf_text(&out), ":0"));
    assert_int_equal(problems.len, 3);
    assert_true(strncmp(err.message, "3 mistakes:\n", 12) == 0);
    json = problems_to_json(&problems);
    assert_int_equal(json_array_size(json), 3);
    assert_null(json_object_get(json_array_get(json, 0), "line"));
    json_decref(json);
    buf_dispose(&out);
    problems_dispose(&problems);
}

static void problems_as_json(void **state)
{
    struct spec_context context = {.name = "spec"};
    struct problems problems = {0};
    struct error err = {0};
    struct spec spec;
    json_t *json;
    json_t *first;

    (void)state;
    assert_int_equal(spec_load(&spec, view_of("version: 1\nsource:\n  repositry: a/b\n"), &context, &problems, &err),
                     -1);
    json = problems_to_json(&problems);
    /* after "is missing", which stands at the same place */
    first = json_array_get(json, 1);
    assert_int_equal(json_int(first, "line", 0), 3);
    assert_int_equal(json_int(first, "column", 0), 3);
    assert_string_equal(json_text(first, "path", ""), "source.repositry");
    assert_string_equal(json_text(first, "message", ""), "unknown key");
    assert_string_equal(json_text(first, "hint", ""), "did you mean repository?");
    assert_string_equal(err.reason, "spec-invalid");
    json_decref(json);
    problems_dispose(&problems);
}

/* An error's message is bounded: whole lines, and a mark that there is more. */
static void message_is_cut(void **state)
{
    struct spec_context context = {.name = "spec"};
    struct problems problems = {0};
    struct error err = {0};
    struct spec spec;
    struct buf text;
    int i;

    (void)state;
    buf_init(&text, 100000);
    for (i = 0; i < 200; i++)
        buf_addf(&text, "unknown-key-%d: x\n", i);
    assert_int_equal(spec_load(&spec, view_of(buf_text(&text)), &context, &problems, &err), -1);
    assert_int_equal(problems.len, 100);
    assert_true(problems.more);
    assert_true(strncmp(err.message, "100 or more mistakes:\n", 22) == 0);
    assert_string_equal(err.message + strlen(err.message) - strlen("\n…"), "\n…");
    problems_dispose(&problems);
    buf_dispose(&text);
}

/* Each of the list, and what begins like one. */
static const char *const reserved[] = {
    "AWS_SECRET_ACCESS_KEY",
    "AWS_ENDPOINT_URL_S3",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_",
    "ECS_CONTAINER_METADATA_URI_V4",
    "CAISSON_JOB",
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "LD_AUDIT",
    "DYLD_INSERT_LIBRARIES",
    "OPENSSL_CONF",
    "MIMALLOC_SHOW_STATS",
    "BASH_FUNC_ls%%",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "PWD",
    "OLDPWD",
    "TMPDIR",
    "BASH_ENV",
    "SHELLOPTS",
    "BASHOPTS",
    "PS4",
    "IFS",
    "NETRC",
    "GCONV_PATH",
    "LOCPATH",
    "GLIBC_TUNABLES",
    "HOSTALIASES",
    "LOCALDOMAIN",
    "RES_OPTIONS",
    "RESOLV_HOST_CONF",
    "SSH_ASKPASS",
    "SSH_AUTH_SOCK",
    "SSLKEYLOGFILE",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "XDG_CONFIG_HOME",
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "Ftp_Proxy",
    "No_Proxy",
};

static void reserved_names(void **state)
{
    /* The build's own affair: no process of ours reads them. */
    static const char *const free_names[] = {
        "NODE_ENV",
        "CI",
        "AWSX",
        "NODE_OPTIONS",
        "PORT",
        "MY_AWS_KEY",
        "TZ",
        "GIT_SHA",
        "GIT_TOKEN",
        "GIT_SSH_COMMAND",
        "npm_config_userconfig",
        "ENV",
        "LD",
        "PATHS",
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(reserved); i++)
        assert_true(env_name_reserved(reserved[i]));
    for (i = 0; i < ARRAY_LEN(free_names); i++)
        assert_false(env_name_reserved(free_names[i]));
    assert_true(env_name_valid("_a9"));
    assert_false(env_name_valid(""));
    assert_false(env_name_valid("9a"));
    assert_false(env_name_valid("a-b"));
    assert_false(env_name_valid("a=b"));
    assert_string_equal(artifact_mode_name(ARTIFACT_ADD), "add");
    assert_string_equal(artifact_mode_name(ARTIFACT_MIRROR), "mirror");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_spec),
        cmocka_unit_test(defaults),
        cmocka_unit_test(endpoints),
        cmocka_unit_test(expansion),
        cmocka_unit_test(unsafe_expansion),
        cmocka_unit_test(no_second_expansion),
        cmocka_unit_test(document_with_origins),
        cmocka_unit_test(document_with_mistakes),
        cmocka_unit_test(problems_as_json),
        cmocka_unit_test(message_is_cut),
        cmocka_unit_test(reserved_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
