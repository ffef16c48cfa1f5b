#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aws/credentials.h"
#include "aws/credentials_endpoint.h"
#include "aws/credentials_parse.h"
#include "core/mem.h"

/* ---- sources ---- */

static void find(struct credentials_source *source, bool allow_full_uri, const char *const *env)
{
    struct strings list = {0};

    for (; *env; env++)
        strings_add(&list, *env);
    credentials_source_find(source, &list, allow_full_uri);
    strings_dispose(&list);
}
#define FIND(source, allow, ...) find(source, allow, (const char *const[]){__VA_ARGS__, NULL})

static void test_static_wins(void **state)
{
    struct credentials_source source;

    (void)state;
    FIND(&source, true, "AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=secret", "AWS_SESSION_TOKEN=token",
         "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/x", "AWS_PROFILE=p");
    assert_int_equal(source.kind, CREDENTIALS_STATIC);
    assert_string_equal(source.fixed.access_key, "AKID");
    assert_string_equal(source.fixed.secret_key, "secret");
    assert_string_equal(source.fixed.session_token, "token");
    assert_string_equal(credentials_source_name(&source), "AWS_ACCESS_KEY_ID");
    credentials_source_dispose(&source);
    FIND(&source, true, "AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=", "HOME=/nonexistent");
    assert_int_equal(source.kind, CREDENTIALS_NONE);
    assert_string_equal(credentials_source_name(&source), "nothing");
    credentials_source_dispose(&source);
    FIND(&source, true, "AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=s", "AWS_SESSION_TOKEN=");
    assert_null(source.fixed.session_token);
    credentials_source_dispose(&source);
}

static void test_container_sources(void **state)
{
    struct credentials_source source;

    (void)state;
    FIND(&source, true, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/credentials/id",
         "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1/x", "AWS_CONTAINER_AUTHORIZATION_TOKEN=t");
    assert_int_equal(source.kind, CREDENTIALS_ENDPOINT);
    assert_string_equal(source.endpoint, "http://169.254.170.2/v2/credentials/id");
    assert_null(source.endpoint_token);
    credentials_source_dispose(&source);

    FIND(&source, true, "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1/x", "AWS_CONTAINER_AUTHORIZATION_TOKEN=t",
         "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/f");
    assert_int_equal(source.kind, CREDENTIALS_ENDPOINT);
    assert_string_equal(source.endpoint_token, "t");
    assert_string_equal(source.endpoint_token_file, "/f");
    credentials_source_dispose(&source);

    FIND(&source, false, "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1/x", "HOME=/nonexistent");
    assert_int_equal(source.kind, CREDENTIALS_NONE);
    credentials_source_dispose(&source);

    /* A value without its slash must not become part of a host name. */
    FIND(&source, true, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=.evil.example/x");
    assert_string_equal(source.endpoint, "http://169.254.170.2/.evil.example/x");
    credentials_source_dispose(&source);
}

static void test_file_sources(void **state)
{
    struct credentials_source source;

    (void)state;
    FIND(&source, true, "AWS_SHARED_CREDENTIALS_FILE=/etc/c", "HOME=/root");
    assert_int_equal(source.kind, CREDENTIALS_FILE);
    assert_string_equal(source.file, "/etc/c");
    assert_string_equal(source.profile, "default");
    credentials_source_dispose(&source);
    FIND(&source, true, "AWS_PROFILE=dev", "HOME=/home/u");
    assert_string_equal(source.file, "/home/u/.aws/credentials");
    assert_string_equal(source.profile, "dev");
    assert_string_equal(credentials_source_name(&source), "profile dev of ~/.aws/credentials");
    credentials_source_dispose(&source);
}

static void test_endpoint_hosts(void **state)
{
    static const char *const good[] = {
        "http://169.254.170.2/v2/x",
        "http://169.254.170.23/v1/credentials",
        "http://127.0.0.1:8080/",
        "http://127.9.9.9/",
        "http://localhost:1234/x",
        "http://[::1]:80/",
        "http://[fd00:ec2::23]/v1/credentials",
        "https://example.com/x",
    };
    static const char *const bad[] = {
        "http://example.com/x",
        "http://169.254.169.254/latest",
        "http://169.254.170.2.evil.example/",
        "http://169.254.170.2@evil.example/",
        "http://10.0.0.1/",
        "http://localhost.evil.example/",
        "ftp://127.0.0.1/",
        "http://[::2]/",
        "file:///etc/passwd",
        "//",
        "",
        "http://127.evil.example/",
    };
    struct error err;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(good); i++)
        if (credentials_endpoint_check(good[i], &err))
            fail_msg("%s: %s", good[i], err.message);
    for (i = 0; i < ARRAY_LEN(bad); i++) {
        if (credentials_endpoint_check(bad[i], &err) == 0)
            fail_msg("%s was allowed", bad[i]);
        assert_int_equal(err.class, CLASS_CREDENTIALS);
    }
}

static void check_round_trip(const struct credentials_source *source)
{
    struct credentials_source copy;
    struct error err;
    json_t *json = credentials_source_to_json(source);
    json_t *again;

    assert_int_equal(credentials_source_from_json(&copy, json, &err), 0);
    again = credentials_source_to_json(&copy);
    assert_true(json_equal(json, again));
    assert_int_equal(copy.kind, source->kind);
    json_decref(json);
    json_decref(again);
    credentials_source_dispose(&copy);
}

static void test_json(void **state)
{
    static const char *const bad[] = {"{}",
                                      "[]",
                                      "null",
                                      "{\"kind\":\"magic\"}",
                                      "{\"kind\":\"static\"}",
                                      "{\"kind\":\"endpoint\",\"endpoint\":7}",
                                      "{\"kind\":\"file\",\"file\":\"x\"}"};
    struct credentials_source source;
    struct error err;
    size_t i;

    (void)state;
    FIND(&source, true, "AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=secret", "AWS_SESSION_TOKEN=token");
    source.fixed.expires_ms = 1234567890123;
    check_round_trip(&source);
    credentials_source_dispose(&source);
    FIND(&source, true, "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1/x", "AWS_CONTAINER_AUTHORIZATION_TOKEN=t",
         "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/f");
    check_round_trip(&source);
    credentials_source_dispose(&source);
    FIND(&source, true, "AWS_SHARED_CREDENTIALS_FILE=/etc/c");
    check_round_trip(&source);
    credentials_source_dispose(&source);
    for (i = 0; i < ARRAY_LEN(bad); i++) {
        json_t *json = json_loads(bad[i], JSON_DECODE_ANY, NULL);

        assert_int_equal(credentials_source_from_json(&source, json, &err), -1);
        json_decref(json);
    }
}

/* ---- documents and files ---- */

static void test_documents(void **state)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{\"AccessKeyId\":\"A\"}",
        "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":7}",
        "{\"AccessKeyId\":\"A\\nX: y\",\"SecretAccessKey\":\"s\"}",
        "{\"AccessKeyId\":\"A B\",\"SecretAccessKey\":\"s\"}",
        "{\"AccessKeyId\":\"\",\"SecretAccessKey\":\"s\"}",
        "{\"AccessKeyId\":\"\xC3\xBC\",\"SecretAccessKey\":\"s\"}",
        "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\",\"Expiration\":\"tomorrow\"}",
        "{\"AccessKeyId\":\"A\",\"AccessKeyId\":\"B\",\"SecretAccessKey\":\"s\"}",
    };
    const char *good = "{\"RoleArn\":\"r\",\"AccessKeyId\":\"ASIA\",\"SecretAccessKey\":\"s/+\",\"Token\":\"t==\","
                       "\"Expiration\":\"2026-01-09T12:00:00Z\",\"Extra\":[1]}";
    struct credentials found;
    struct error err;
    size_t i;

    (void)state;
    assert_int_equal(credentials_parse_document(view_of(good), &found, &err), 0);
    assert_string_equal(found.access_key, "ASIA");
    assert_string_equal(found.secret_key, "s/+");
    assert_string_equal(found.session_token, "t==");
    assert_true(found.expires_ms == INT64_C(1767960000000));
    credentials_dispose(&found);
    for (i = 0; i < ARRAY_LEN(bad); i++) {
        if (credentials_parse_document(view_of(bad[i]), &found, &err) == 0)
            fail_msg("accepted %s", bad[i]);
        assert_int_equal(err.class, CLASS_CREDENTIALS);
        assert_false(err.retryable);
    }
}

static void test_documents_are_bounded_and_not_quoted(void **state)
{
    struct credentials found;
    struct error err;
    struct buf text;

    (void)state;
    buf_init(&text, 1 << 20);
    buf_adds(&text, "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"");
    while (text.len < 2000)
        buf_adds(&text, "TOPSECRET");
    buf_adds(&text, "\"}");
    assert_int_equal(credentials_parse_document((struct view){text.data, text.len}, &found, &err), -1);
    assert_null(strstr(err.message, "TOPSECRET"));
    while (text.len <= CREDENTIALS_DOCUMENT_MAX)
        buf_adds(&text, "          ");
    assert_int_equal(credentials_parse_document((struct view){text.data, text.len}, &found, &err), -1);
    assert_non_null(strstr(err.message, "larger than"));
    buf_dispose(&text);
}

static int parse_profile(const char *text, const char *profile, struct credentials *found, struct error *err)
{
    return credentials_parse_profile(view_of(text), "FILE", profile, found, err);
}

static void test_profiles(void **state)
{
    const char *text =
        "\xEF\xBB\xBF# comment\n[default]\naws_access_key_id = A1\r\naws_secret_access_key=S1\n; no\n"
        "\n[ dev ]  # second\n  aws_access_key_id=A2\naws_secret_access_key = S=2\naws_session_token = T2\n"
        "region = x\n[role]\nrole_arn = arn\nsource_profile = default\n[half]\naws_access_key_id = A\n"
        "[empty]\naws_access_key_id =\naws_secret_access_key =\n[notoken]\naws_access_key_id = A3\n"
        "aws_secret_access_key = S3\naws_session_token =";
    struct credentials found;
    struct error err;

    (void)state;
    assert_int_equal(parse_profile(text, "default", &found, &err), 0);
    assert_string_equal(found.access_key, "A1");
    assert_string_equal(found.secret_key, "S1");
    assert_null(found.session_token);
    credentials_dispose(&found);
    assert_int_equal(parse_profile(text, "dev", &found, &err), 0);
    assert_string_equal(found.secret_key, "S=2");
    assert_string_equal(found.session_token, "T2");
    credentials_dispose(&found);
    assert_int_equal(parse_profile(text, "notoken", &found, &err), 0);
    assert_null(found.session_token);
    credentials_dispose(&found);
    assert_int_equal(parse_profile(text, "missing", &found, &err), -1);
    assert_string_equal(err.reason, "profile-not-found");
    assert_int_equal(parse_profile(text, "role", &found, &err), -1);
    assert_string_equal(err.reason, "profile-not-supported");
    assert_int_equal(parse_profile(text, "half", &found, &err), -1);
    assert_int_equal(parse_profile(text, "empty", &found, &err), -1);
    assert_int_equal(parse_profile("[", "", &found, &err), -1);
    assert_int_equal(parse_profile("", "default", &found, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_static_wins),
        cmocka_unit_test(test_container_sources),
        cmocka_unit_test(test_file_sources),
        cmocka_unit_test(test_endpoint_hosts),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_documents_are_bounded_and_not_quoted),
        cmocka_unit_test(test_profiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
