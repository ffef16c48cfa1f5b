/* STS: its answers and error documents, names of sessions, and the policy that makes a session one for pulling. The
 * calls themselves are shown end to end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "aws/ecr_pull.h"
#include "aws/json_call.h"
#include "aws/sts.h"
#include "core/clock.h"
#include "core/mem.h"

#define SECRET "canary/of+sts"
#define KEYS                                                                                                           \
    "<AccessKeyId>ASIAX</AccessKeyId><SecretAccessKey>" SECRET "</SecretAccessKey><SessionToken>Fwo=</SessionToken>"
#define END "<Expiration>2026-11-21T20:00:00Z</Expiration>"
#define ANSWER(inner)                                                                                                  \
    "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>" inner    \
    "</Credentials></AssumeRoleResult></AssumeRoleResponse>"

static void answers(void **state)
{
    struct credentials found = {0};
    struct error err = {0};
    int64_t expires_ms;

    (void)state;
    assert_int_equal(sts_answer_parse(view_of(ANSWER(KEYS END)), &found, &err), 0);
    assert_string_equal(found.access_key, "ASIAX");
    assert_string_equal(found.secret_key, SECRET);
    assert_string_equal(found.session_token, "Fwo=");
    assert_int_equal(clock_parse("2026-11-21T20:00:00Z", &expires_ms), 0);
    assert_int_equal(found.expires_ms, expires_ms);
    credentials_dispose(&found);
}

static void no_answers(void **state)
{
    static const char *const bad[] = {
        "",
        "<",
        "{\"AssumeRoleResponse\": {}}",
        "<html><AssumeRoleResponse>" KEYS END "</AssumeRoleResponse></html>",
        "<AssumeRoleResponses>" KEYS END "</AssumeRoleResponses>",
        ANSWER(""),
        ANSWER(KEYS),
        ANSWER(END),
        ANSWER(KEYS "<Expiration>tomorrow</Expiration>"),
        ANSWER(KEYS "<Expiration/>"),
        ANSWER("<AccessKeyId>A</AccessKeyId><SecretAccessKey>" SECRET "</SecretAccessKey>" END),
        ANSWER("<AccessKeyId>A</AccessKeyId><SecretAccessKey/><SessionToken>" SECRET "</SessionToken>" END),
        ANSWER("<AccessKeyId>A&#10;B</AccessKeyId><SecretAccessKey>" SECRET
               "</SecretAccessKey><SessionToken>a b</SessionToken>" END),
        ANSWER("<AccessKeyId>A</AccessKeyId><SecretAccessKey>" SECRET
               " x</SecretAccessKey><SessionToken>t</SessionToken>" END),
        ANSWER("<AccessKeyId>A</AccessKeyId><SecretAccessKey>" SECRET "</SecretAccessKey><SessionToken>t"),
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(bad); i++) {
        struct credentials found = {0};
        struct error err = {0};

        if (sts_answer_parse(view_of(bad[i]), &found, &err) == 0)
            fail_msg("taken: %s", bad[i]);
        assert_null(found.access_key);
        assert_int_equal(err.class, CLASS_PLATFORM);
        assert_string_equal(err.reason, "answer-unreadable");
        assert_null(strstr(err.message, SECRET));
    }
}

static void a_value_has_its_ceiling(void **state)
{
    struct credentials found = {0};
    struct error err;
    struct buf body;

    (void)state;
    buf_init(&body, 1 << 20);
    buf_adds(&body,
             "<AssumeRoleResponse><AccessKeyId>A</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>");
    while (body.len < 40000)
        buf_adds(&body, "tokentokentoken");
    buf_adds(&body, "</SessionToken>" END "</AssumeRoleResponse>");
    assert_int_equal(sts_answer_parse((struct view){body.data, body.len}, &found, &err), -1);
    assert_string_equal(err.reason, "answer-unreadable");
    buf_dispose(&body);
}

static void error_documents(void **state)
{
    static const struct {
        const char *body, *code, *message;
    } vectors[] = {
        {"<ErrorResponse xmlns=\"x\"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: a is not "
         "authorized &amp; &quot;more&quot;</Message></Error><RequestId>0-1</RequestId></ErrorResponse>",
         "AccessDenied", "User: a is not authorized & \"more\""},
        {"<ErrorResponse><Error><Code>Access Denied</Code><Message>a&#10;b\x1b[2J\nc</Message></Error></ErrorResponse>",
         "", "a&#10;b [2J c"},
        {"<html><body>Bad gateway</body></html>", "", ""},
        {"", "", ""},
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(vectors); i++) {
        struct json_failure failure;

        query_failure_parse(view_of(vectors[i].body), &failure);
        assert_string_equal(failure.code, vectors[i].code);
        assert_string_equal(failure.message, vectors[i].message);
        assert_string_equal(failure.request_id, i == 0 ? "0-1" : "");
    }
}

/* What STS takes: [\w+=,.@-]{2,64} */
static void session_names(void **state)
{
    char name[STS_SESSION_NAME_SIZE], *id = xcalloc(1, 200);

    (void)state;
    sts_session_name("abc123", name);
    assert_string_equal(name, "caisson-abc123");
    sts_session_name("a/b c\xc3\xa9:*", name);
    assert_string_equal(name, "caisson-a-b-c----");
    memset(id, 'x', 199);
    sts_session_name(id, name);
    assert_int_equal(strlen(name), 64);
    free(id);
}

static void policies(void **state)
{
    struct ecr_host host;
    char *text;

    (void)state;
    assert_true(ecr_host_parse("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", &host));
    text = ecr_pull_policy(&host);
    assert_string_equal(
        text,
        "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"ecr:GetAuthorizationToken\","
        "\"Resource\":\"*\"},{\"Effect\":\"Allow\",\"Action\":[\"ecr:BatchCheckLayerAvailability\","
        "\"ecr:BatchGetImage\",\"ecr:GetDownloadUrlForLayer\",\"ecr:BatchImportUpstreamImage\","
        "\"ecr:CreateRepository\",\"ecr:TagResource\"],\"Resource\":\"arn:aws-cn:ecr:cn-north-1:123456789012:"
        "repository/*\"}]}");
    assert_true(strlen(text) <= 2048); /* STS takes no more */
    free(text);
}

#define IDENTITY(inner)                                                                                                \
    "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>" inner   \
    "</GetCallerIdentityResult></GetCallerIdentityResponse>"

static void identities(void **state)
{
    static const char *const bad[] = {
        "",
        "<",
        ANSWER(KEYS END),
        IDENTITY(""),
        IDENTITY("<Arn/>"),
        IDENTITY("<Arn>root</Arn>"),
        "<html><GetCallerIdentityResponse><Arn>arn:aws:iam::1:user/x</Arn></GetCallerIdentityResponse></html>",
    };
    char arn[STS_ARN_SIZE];
    struct error err = {0};
    size_t i;

    (void)state;
    assert_int_equal(sts_identity_parse(view_of(IDENTITY("<UserId>A:B</UserId><Arn>arn:aws:sts::123456789012:"
                                                         "assumed-role/build/0123</Arn>")),
                                        arn, &err),
                     0);
    assert_string_equal(arn, "arn:aws:sts::123456789012:assumed-role/build/0123");
    for (i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(sts_identity_parse(view_of(bad[i]), arn, &err), -1);
        assert_string_equal(err.reason, "answer-unreadable");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identities),      cmocka_unit_test(answers),
        cmocka_unit_test(no_answers),      cmocka_unit_test(a_value_has_its_ceiling),
        cmocka_unit_test(error_documents), cmocka_unit_test(session_names),
        cmocka_unit_test(policies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
