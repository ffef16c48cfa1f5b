/* Names, answers and error documents of the services that keep secrets; the calls themselves are shown end to end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "aws/secret_answer.h"
#include "aws/secrets_manager.h"
#include "aws/ssm.h"
#include "core/arn.h"
#include "core/mem.h"

#define SECRET "secret-value-9"

static void arns(void **state)
{
    static const char *const bad[] = {
        "",
        "arn:",
        "arn:aws",
        "arn:aws:ssm:eu-west-1:123456789012",
        "arn:aws:ssm:eu-west-1:123456789012:",
        "arn:aws:ssm::123456789012:parameter/x",
        "arn:aws:ssm:eu-west-1:12345678901:x",
        "arn:azure:ssm:eu:123456789012:x",
        "arn:aws:ssm:eu-west-1.evil.test/:123456789012:x",
        "arn:aws:SSM:eu-west-1:123456789012:x",
        "arn:aws:ssm:eu-west-1-0123456789012345678901234567890:123456789012:x",
        "xarn:aws:ssm:eu-west-1:123456789012:x",
    };
    struct arn arn;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(arn_parse(bad[i], &arn));
    assert_true(arn_parse("arn:aws-us-gov:ssm:us-gov-west-1:123456789012:parameter/a:3", &arn));
    assert_string_equal(arn.partition, "aws-us-gov");
    assert_string_equal(arn.service, "ssm");
    assert_string_equal(arn.region, "us-gov-west-1");
    assert_string_equal(arn.account, "123456789012");
    assert_string_equal(arn.resource, "parameter/a:3");
}

static void check_text(const char *is, const char *expected)
{
    if (expected)
        assert_string_equal(is, expected);
    else
        assert_null(is);
}

#define ARN "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/db-AbCdEf"

static void references(void **state)
{
    static const struct {
        const char *text, *id, *key, *stage, *version; /* id NULL: refused */
    } vectors[] = {
        {"name", "name", NULL, NULL, NULL},
        {"shop/db#user name", "shop/db", "user name", NULL, NULL},
        {"name#a#b", "name", "a#b", NULL, NULL},
        {ARN, ARN, NULL, NULL, NULL},
        {ARN "#key", ARN, "key", NULL, NULL},
        {ARN "#k:e:y", ARN, "k:e:y", NULL, NULL},
        {ARN ":key::", ARN, "key", NULL, NULL},
        {ARN "::AWSPREVIOUS:", ARN, NULL, "AWSPREVIOUS", NULL},
        {ARN "::::", NULL, NULL, NULL, NULL},
        {ARN ":key:stage:version", ARN, "key", "stage", "version"},
        {ARN ":key", NULL, NULL, NULL, NULL},
        {ARN ":key:stage", NULL, NULL, NULL, NULL},
        {ARN ":key::#other", NULL, NULL, NULL, NULL},
        {"arn:aws:ssm:eu-west-1:123456789012:parameter/x", NULL, NULL, NULL, NULL},
        {"arn:x", NULL, NULL, NULL, NULL},
        {"", NULL, NULL, NULL, NULL},
        {"#key", NULL, NULL, NULL, NULL},
    };
    struct secret_reference reference;
    struct error err;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(vectors); i++) {
        assert_int_equal(secret_reference_parse(vectors[i].text, &reference, &err), vectors[i].id ? 0 : -1);
        check_text(reference.id, vectors[i].id);
        check_text(reference.key, vectors[i].key);
        check_text(reference.stage, vectors[i].stage);
        check_text(reference.version, vectors[i].version);
        if (!vectors[i].id)
            assert_string_equal(err.reason, "bad-secret-name");
        secret_reference_dispose(&reference);
    }
}

typedef int parse_answer(struct view answer, char **value, struct error *err);

/* Whatever comes: a value or an error that quotes nothing of it. */
static void check_answer(parse_answer *parse, const char *answer, const char *value, const char *reason)
{
    char *found = NULL;
    struct error err;

    assert_int_equal(parse(view_of(answer), &found, &err), value ? 0 : -1);
    check_text(found, value);
    if (!value) {
        assert_int_equal(err.class, CLASS_SECRET_UNAVAILABLE);
        assert_string_equal(err.reason, reason);
        assert_null(strstr(err.message, SECRET));
        assert_null(strstr(err.hint, SECRET));
    }
    wipe_free(found);
}

static void answers(void **state)
{
    static const char unreadable[] = "secret-unreadable";
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "null",
        "\"" SECRET "\"",
        "{\"Parameter\": \"" SECRET "\"}",
        "{\"Parameter\": {\"Value\": 5}}",
        "{\"Parameter\": {\"Value\": null}}",
        "{\"Parameter\": [{\"Value\": \"" SECRET "\"}]}",
        "{\"Value\": \"" SECRET "\"}",
        "{\"Parameter\": {\"Value\": \"" SECRET "\", \"Value\": \"x\"}}",
        "{\"Parameter\": {\"Value\": \"" SECRET "\\u0000\"}}",
        "{\"Parameter\": {\"Value\": \"" SECRET "\xff\"}}",
        "{\"Parameter\": {\"Value\": \"" SECRET "\"}} x",
        "{\"SecretString\": [\"" SECRET "\"]}",
    };
    char long_answer[80 * 1024];
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(bad); i++) {
        check_answer(ssm_answer_parse, bad[i], NULL, unreadable);
        check_answer(secret_answer_parse, bad[i], NULL, unreadable);
    }
    check_answer(ssm_answer_parse, "{\"Parameter\": {\"Value\": \"" SECRET "\"}}", SECRET, NULL);
    check_answer(ssm_answer_parse, "{\"Parameter\": {\"Value\": \"\"}}", "", NULL);
    check_answer(secret_answer_parse, "{\"SecretString\": \"\\ud83d\\ude00\\n" SECRET "\"}",
                 "\xf0\x9f\x98\x80\n" SECRET, NULL);
    check_answer(secret_answer_parse, "{\"SecretBinary\": \"" SECRET "\"}", NULL, "secret-binary");
    memset(long_answer, 'x', sizeof long_answer);
    memcpy(long_answer, "{\"SecretString\": \"", 18);
    memcpy(long_answer + sizeof long_answer - 3, "\"}", 3);
    check_answer(secret_answer_parse, long_answer, NULL, unreadable);
}

static void keys(void **state)
{
    static const char text[] = "{\"a\": \"" SECRET "\", \"empty\": \"\", \"port\": 5432, \"half\": 0.5, \"yes\": true,"
                               "\"no\": false, \"null\": null, \"list\": [\"" SECRET "\"], \"object\": {\"a\": 1}}";
    static const struct {
        const char *text, *key, *value, *reason;
    } vectors[] = {
        {text, "a", SECRET, NULL},
        {text, "empty", "", NULL},
        {text, "port", "5432", NULL},
        {text, "half", "0.5", NULL},
        {text, "yes", "true", NULL},
        {text, "no", "false", NULL},
        {text, "null", NULL, "secret-key-unusable"},
        {text, "list", NULL, "secret-key-unusable"},
        {text, "object", NULL, "secret-key-unusable"},
        {text, "A", NULL, "secret-key-missing"},
        {text, NULL, text, NULL},
        {SECRET, "a", NULL, "secret-not-json"},
        {"[\"" SECRET "\"]", "a", NULL, "secret-not-json"},
        {"{\"a\": \"" SECRET "\", \"a\": 1}", "a", NULL, "secret-not-json"},
        {"", "a", NULL, "secret-not-json"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(vectors); i++) {
        char *value = NULL;
        struct error err;

        assert_int_equal(secret_pick(vectors[i].text, vectors[i].key, &value, &err), vectors[i].value ? 0 : -1);
        check_text(value, vectors[i].value);
        if (!vectors[i].value) {
            assert_string_equal(err.reason, vectors[i].reason);
            assert_null(strstr(err.message, SECRET));
        }
        wipe_free(value);
    }
}

static void error_documents(void **state)
{
    static const struct {
        const char *header, *body, *code, *message;
    } vectors[] = {
        {NULL, "{\"__type\": \"ParameterNotFound\"}", "ParameterNotFound", ""},
        {NULL, "{\"__type\": \"com.amazonaws.ssm#ParameterNotFound\", \"message\": \"gone\"}", "ParameterNotFound",
         "gone"},
        {NULL, "{\"__type\": \"a#B:http://x/\", \"Message\": \"M\"}", "B", "M"},
        {"ThrottlingException:http://internal.amazon.com/coral/com.amazon.coral.availability/", "",
         "ThrottlingException", ""},
        {"A", "{\"__type\": \"B\"}", "A", ""},
        {NULL, "{\"__type\": \"<script>\", \"message\": \"a\\u001b[31mb\\nc\"}", "", "a [31mb c"},
        {NULL, "{\"__type\": 5, \"message\": []}", "", ""},
        {NULL, "<html>", "", ""},
        {NULL, "", "", ""},
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(vectors); i++) {
        struct http_response response;
        struct json_failure failure;

        http_response_init(&response);
        buf_init(&response.body, 4096);
        buf_adds(&response.body, vectors[i].body);
        if (vectors[i].header)
            strings_addf(&response.headers, "x-amzn-errortype: %s", vectors[i].header);
        strings_add(&response.headers, "x-amzn-requestid: id\x1b-1");
        json_failure_parse(&response, &failure);
        assert_string_equal(failure.code, vectors[i].code);
        assert_string_equal(failure.message, vectors[i].message);
        assert_string_equal(failure.request_id, "id -1");
        http_response_dispose(&response);
    }
}

static void failures(void **state)
{
    static const struct {
        const char *code, *message, *reason;
        bool retryable;
        const char *expected;
        enum error_class class;
    } vectors[] = {
        {"ParameterNotFound", "", "request-refused", false, "secret-not-found", CLASS_SECRET_UNAVAILABLE},
        {"ResourceNotFoundException", "", "request-refused", false, "secret-not-found", CLASS_SECRET_UNAVAILABLE},
        {"AccessDeniedException", "not authorized to perform: ssm:GetParameter", "access-denied", false,
         "secret-denied", CLASS_SECRET_UNAVAILABLE},
        {"AccessDeniedException", "not authorized to perform: kms:Decrypt on", "access-denied", false,
         "secret-key-refused", CLASS_SECRET_UNAVAILABLE},
        {"InvalidKeyId", "", "request-refused", false, "secret-key-refused", CLASS_SECRET_UNAVAILABLE},
        {"DecryptionFailure", "", "request-refused", false, "secret-key-refused", CLASS_SECRET_UNAVAILABLE},
        {"InvalidRequestException", "marked for deletion", "request-refused", false, "secret-refused",
         CLASS_SECRET_UNAVAILABLE},
        {"ThrottlingException", "", "slow-down", true, "slow-down", CLASS_PLATFORM},
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(vectors); i++) {
        struct json_failure failure = {0};
        struct error err;

        snprintf(failure.code, sizeof failure.code, "%s", vectors[i].code);
        snprintf(failure.message, sizeof failure.message, "%s", vectors[i].message);
        error_set(&err, CLASS_PLATFORM, vectors[i].reason, "400");
        if (vectors[i].retryable)
            error_retryable(&err, 0);
        secret_failure(&failure, "ssm:GetParameter", "arn:x", &err);
        assert_string_equal(err.reason, vectors[i].expected);
        assert_int_equal(err.class, vectors[i].class);
        if (strcmp(err.reason, "secret-denied") == 0)
            assert_string_equal(err.hint, "allow ssm:GetParameter on arn:x for the task's role");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arns), cmocka_unit_test(references),      cmocka_unit_test(answers),
        cmocka_unit_test(keys), cmocka_unit_test(error_documents), cmocka_unit_test(failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
