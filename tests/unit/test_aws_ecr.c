/* ECR: names of registries, what is asked, what is answered, what a refusal means. The calls are shown end to end. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "aws/ecr_internal.h"
#include "core/clock.h"
#include "core/mem.h"

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct ecr ecr = {.account = "123456789012", .region = "eu-west-1"};

/* ---- names ---- */

static void hosts(void **state)
{
    static const struct {
        const char *host, *region, *endpoint;
        bool fips, dual_stack, china;
    } vectors[] = {
        {"123456789012.dkr.ecr.eu-west-1.amazonaws.com", "eu-west-1", "https://api.ecr.eu-west-1.amazonaws.com", 0, 0,
         0},
        {"123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1",
         "https://ecr-fips.us-gov-west-1.amazonaws.com", 1, 0, 0},
        {"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1",
         "https://api.ecr.cn-north-1.amazonaws.com.cn", 0, 0, 1},
        {"123456789012.dkr-ecr.ap-southeast-2.on.aws", "ap-southeast-2", "https://ecr.ap-southeast-2.api.aws", 0, 1, 0},
        {"123456789012.dkr-ecr-fips.us-east-1.on.aws", "us-east-1", "https://ecr-fips.us-east-1.api.aws", 1, 1, 0},
        {"123456789012.dkr-ecr.cn-northwest-1.on.amazonwebservices.com.cn", "cn-northwest-1",
         "https://ecr.cn-northwest-1.api.amazonwebservices.com.cn", 0, 1, 1},
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(vectors); i++) {
        struct ecr_host host;
        char endpoint[128];

        assert_true(ecr_host_parse(vectors[i].host, &host));
        assert_string_equal(host.account, "123456789012");
        assert_string_equal(host.region, vectors[i].region);
        assert_int_equal(host.fips, vectors[i].fips);
        assert_int_equal(host.dual_stack, vectors[i].dual_stack);
        assert_int_equal(host.china, vectors[i].china);
        ecr_host_endpoint(&host, endpoint);
        assert_string_equal(endpoint, vectors[i].endpoint);
    }
}

static void no_hosts(void **state)
{
    static const char *const bad[] = {
        "",
        "123456789012",
        "12345678901.dkr.ecr.eu-west-1.amazonaws.com",
        "1234567890123.dkr.ecr.eu-west-1.amazonaws.com",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com:443",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com.",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.test",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com.cn",
        "123456789012.dkr.ecr.cn-north-1.amazonaws.com",
        "123456789012.dkr.ecr..amazonaws.com",
        "123456789012.dkr.ecr.EU-west-1.amazonaws.com",
        "123456789012.dkr.ecr.eu-west-1.evil.amazonaws.com",
        "123456789012.dkr.ecr.eu/west.amazonaws.com",
        "123456789012.dkr-ecr.eu-west-1.amazonaws.com",
        "123456789012.dkr.ecr.eu-west-1.on.aws",
        "123456789012.dkr.ecr.a-region-that-is-longer-than-any-can-be.amazonaws.com",
        "public.ecr.aws",
        "evil.test/123456789012.dkr.ecr.eu-west-1.amazonaws.com",
        "ghcr.io",
    };
    struct ecr_host host;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(ecr_host_parse(bad[i], &host));
}

static void arns(void **state)
{
    struct ecr china = {.account = "123456789012", .region = "cn-north-1"};
    struct ecr unknown = {.account = "", .region = "us-gov-east-1"};
    char arn[ECR_ARN_SIZE];

    (void)state;
    ecr_arn(&ecr, "team/shop", arn);
    assert_string_equal(arn, "arn:aws:ecr:eu-west-1:123456789012:repository/team/shop");
    ecr_arn(&ecr, NULL, arn);
    assert_string_equal(arn, "*");
    ecr_arn(&china, "shop", arn);
    assert_string_equal(arn, "arn:aws-cn:ecr:cn-north-1:123456789012:repository/shop");
    ecr_arn(&unknown, "shop", arn);
    assert_string_equal(arn, "arn:aws-us-gov:ecr:us-gov-east-1:*:repository/shop");
}

static void places(void **state)
{
    static const struct {
        const char *host, *account, *region, *endpoint;   /* given */
        const char *to_account, *to_region, *to_endpoint; /* to_region NULL: refused */
    } vectors[] = {
        {"123456789012.dkr.ecr.eu-west-1.amazonaws.com", NULL, NULL, NULL, "123456789012", "eu-west-1",
         "https://api.ecr.eu-west-1.amazonaws.com"},
        {"123456789012.dkr.ecr.eu-west-1.amazonaws.com", NULL, NULL, "http://x:1", "123456789012", "eu-west-1",
         "http://x:1"},
        {"registry.test", "210987654321", "cn-north-1", NULL, "210987654321", "cn-north-1",
         "https://api.ecr.cn-north-1.amazonaws.com.cn"},
        {"registry.test", NULL, "eu-west-1", NULL, "", "eu-west-1", "https://api.ecr.eu-west-1.amazonaws.com"},
        {"registry.test", NULL, NULL, NULL, NULL, NULL, NULL},
        {"registry.test", NULL, "evil.test/", NULL, NULL, NULL, NULL},
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(vectors); i++) {
        struct ecr_options options = {.host = vectors[i].host,
                                      .account = vectors[i].account,
                                      .region = vectors[i].region,
                                      .endpoint = vectors[i].endpoint};
        struct ecr *made = NULL;
        struct error err;

        assert_int_equal(ecr_new(&made, &options, &err), vectors[i].to_region ? 0 : -1);
        if (made) {
            assert_string_equal(made->account, vectors[i].to_account);
            assert_string_equal(made->region, vectors[i].to_region);
            assert_string_equal(made->endpoint, vectors[i].to_endpoint);
        } else {
            assert_string_equal(err.reason, "not-ecr");
        }
        ecr_free(made);
    }
}

/* ---- what is asked ---- */

static void check_lifecycle(int keep, int untagged_days, const char *expected)
{
    struct ecr_repository_options options = {.keep = keep, .untagged_days = untagged_days};
    CLEANUP_FREE char *text = ecr_lifecycle(&options);

    if (expected)
        assert_string_equal(text, expected);
    else
        assert_null(text);
}

#define UNTAGGED(priority)                                                                                             \
    "{\"rulePriority\":" priority ",\"description\":\"images without a tag, by age\",\"selection\":{"                  \
    "\"tagStatus\":\"untagged\",\"countType\":\"sinceImagePushed\",\"countUnit\":\"days\",\"countNumber\":7},"         \
    "\"action\":{\"type\":\"expire\"}}"
#define KEPT(priority)                                                                                                 \
    "{\"rulePriority\":" priority ",\"description\":\"all but the newest images\",\"selection\":{"                     \
    "\"tagStatus\":\"any\",\"countType\":\"imageCountMoreThan\",\"countNumber\":10},"                                  \
    "\"action\":{\"type\":\"expire\"}}"

static void lifecycles(void **state)
{
    (void)state;
    check_lifecycle(0, 0, NULL);
    check_lifecycle(-1, -5, NULL);
    check_lifecycle(10, 0, "{\"rules\":[" KEPT("1") "]}");
    check_lifecycle(0, 7, "{\"rules\":[" UNTAGGED("1") "]}");
    check_lifecycle(10, 7, "{\"rules\":[" UNTAGGED("1") "," KEPT("2") "]}");
}

/* ---- what is answered ---- */

static void check_token(const char *answer, const char *user, const char *word, int64_t expires_ms)
{
    json_t *document = json_loads(answer, JSON_DECODE_ANY, NULL);
    char *username = NULL, *password = NULL;
    int64_t expires = 0;
    struct error err;

    assert_int_equal(ecr_token_parse(document, &username, &password, &expires, &err), user ? 0 : -1);
    if (user) {
        assert_string_equal(username, user);
        assert_string_equal(password, word);
        if (expires_ms)
            assert_int_equal(expires, expires_ms);
        else
            assert_in_range(expires, clock_wall_ms() + 11 * 3600000LL, clock_wall_ms() + 13 * 3600000LL);
    } else {
        assert_null(username);
        assert_null(password);
        assert_int_equal(err.class, CLASS_PUSH_FAILED);
        assert_string_equal(err.reason, "answer-unreadable");
        assert_null(strstr(err.message, "AWS"));
    }
    free(username);
    free(password);
    json_decref(document);
}

#define TOKEN(text) "{\"authorizationData\":[{\"authorizationToken\":\"" text "\",\"expiresAt\":1.7000000005E9}]}"

static void tokens(void **state)
{
    char longest[20000];

    (void)state;
    check_token(TOKEN("QVdTOndvcmQ="), "AWS", "word", 1700000000500);
    check_token(TOKEN("QVdTOndvcmQ6MQ=="), "AWS", "word:1", 1700000000500);
    check_token(TOKEN("QVdTOndvcmRz"), "AWS", "words", 1700000000500);
    check_token("{\"authorizationData\":[{\"authorizationToken\":\"QVdTOndvcmQ=\"}]}", "AWS", "word", 0);
    check_token("{\"authorizationData\":[{\"authorizationToken\":\"QVdTOndvcmQ=\",\"expiresAt\":-1}]}", "AWS", "word",
                0);
    check_token("{\"authorizationData\":[{\"authorizationToken\":\"QVdTOndvcmQ=\",\"expiresAt\":1e300}]}", "AWS",
                "word", 0);
    check_token("{}", NULL, NULL, 0);
    check_token("[]", NULL, NULL, 0);
    check_token("{\"authorizationData\":[]}", NULL, NULL, 0);
    check_token("{\"authorizationData\":{\"authorizationToken\":\"QVdTOndvcmQ=\"}}", NULL, NULL, 0);
    check_token("{\"authorizationData\":[{\"authorizationToken\":5}]}", NULL, NULL, 0);
    check_token(TOKEN(""), NULL, NULL, 0);
    check_token(TOKEN("QVdTOndvcmQ"), NULL, NULL, 0);      /* cut off */
    check_token(TOKEN("QVdTOndvcm*="), NULL, NULL, 0);     /* no Base64 */
    check_token(TOKEN("d29yZA=="), NULL, NULL, 0);         /* "word" */
    check_token(TOKEN("OndvcmQ="), NULL, NULL, 0);         /* ":word" */
    check_token(TOKEN("QVdTOg=="), NULL, NULL, 0);         /* "AWS:" */
    check_token(TOKEN("QVdTOndvcmQKWDog"), NULL, NULL, 0); /* "AWS:word\nX: " */
    check_token(TOKEN("QVdTOgB3b3Jk"), NULL, NULL, 0);     /* "AWS:\0word" */
    check_token(TOKEN("===="), NULL, NULL, 0);
    snprintf(longest, sizeof longest, TOKEN("%017000d"), 0);
    check_token(longest, NULL, NULL, 0);
}

static void check_image(const char *answer, const char *expected, int64_t expected_size)
{
    json_t *document = json_loads(answer, JSON_DECODE_ANY, NULL);
    char digest[72] = "";
    int64_t size = 0;
    struct error err;

    assert_int_equal(ecr_image_parse(document, digest, &size, &err), expected ? 0 : -1);
    if (expected) {
        assert_string_equal(digest, expected);
        assert_int_equal(size, expected_size);
    } else {
        assert_string_equal(err.reason, "answer-unreadable");
    }
    json_decref(document);
}

static void images(void **state)
{
    (void)state;
    check_image("{\"imageDetails\":[{\"imageDigest\":\"" DIGEST "\",\"imageSizeInBytes\":77}]}", DIGEST, 77);
    check_image("{\"imageDetails\":[{\"imageDigest\":\"" DIGEST "\"}]}", DIGEST, 0);
    check_image("{\"imageDetails\":[{\"imageDigest\":\"" DIGEST "\",\"imageSizeInBytes\":-7}]}", DIGEST, 0);
    check_image("{\"imageDetails\":[{\"imageDigest\":\"" DIGEST "0\"}]}", NULL, 0);
    check_image("{\"imageDetails\":[{\"imageDigest\":\"sha256:0\"}]}", NULL, 0);
    check_image("{\"imageDetails\":[{\"imageDigest\":\"md5:000" DIGEST "\"}]}", NULL, 0);
    check_image("{\"imageDetails\":[{\"imageDigest\":5}]}", NULL, 0);
    check_image("{\"imageDetails\":[{\"imageDigest\":\"" DIGEST "\"},{\"imageDigest\":\"" DIGEST "\"}]}", NULL, 0);
    check_image("{\"imageDetails\":[]}", NULL, 0);
    check_image("{\"imageDetails\":7}", NULL, 0);
    check_image("{}", NULL, 0);
}

static void check_list(const struct strings *list, const char *expected)
{
    char text[600] = "";
    size_t i;

    for (i = 0; i < list->len; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? "," : "", list->items[i]);
    assert_string_equal(text, expected);
}

/* NULL: refused. */
static void check_removal(const char *answer, const char *removed, const char *missing, const char *failed)
{
    struct strings named = {0};
    struct ecr_removal removal = {0};
    json_t *document = json_loads(answer, JSON_DECODE_ANY, NULL);
    struct error err;

    strings_add(&named, "before");
    strings_add(&named, "a");
    strings_add(&named, "b");
    strings_add(&named, DIGEST);
    assert_int_equal(ecr_removal_parse(document, &named, 1, 100, &removal, &err), removed ? 0 : -1);
    check_list(&removal.removed, removed ? removed : "");
    check_list(&removal.missing, removed ? missing : "");
    check_list(&removal.failed, removed ? failed : "");
    if (!removed)
        assert_string_equal(err.reason, "answer-unreadable");
    ecr_removal_dispose(&removal);
    strings_dispose(&named);
    json_decref(document);
}

static void removals(void **state)
{
    (void)state;
    check_removal("{\"imageIds\":[],\"failures\":[]}", "a,b," DIGEST, "", "");
    check_removal("{\"failures\":[{\"imageId\":{\"imageTag\":\"a\"},\"failureCode\":\"ImageNotFound\"},"
                  "{\"imageId\":{\"imageDigest\":\"" DIGEST "\"},\"failureCode\":\"ImageReferencedByManifestList\","
                  "\"failureReason\":\"Requested image\\u001b[2J referenced by manifest list\"}]}",
                  "b", "a", DIGEST ": ImageReferencedByManifestList: Requested image [2J referenced by manifest list");
    check_removal("{\"failures\":[{\"imageId\":{\"imageTag\":\"a\"}}]}", "b," DIGEST, "", "a: unknown: ");
    check_removal("{\"failures\":[{\"imageId\":{\"imageTag\":\"before\"},\"failureCode\":\"ImageNotFound\"}]}", NULL,
                  NULL, NULL);
    check_removal("{\"failures\":[{\"failureCode\":\"KmsError\"}]}", NULL, NULL, NULL);
    check_removal("{\"failures\":[7]}", NULL, NULL, NULL);
    check_removal("{\"failures\":\"all\"}", NULL, NULL, NULL);
    check_removal("{}", NULL, NULL, NULL);
}

/* ---- what a refusal means ---- */

#define REFUSED "User: arn:aws:sts::123456789012:assumed-role/build/0 is not authorized to perform: "

static void denials(void **state)
{
    static const struct {
        const char *action, *repository, *message, *named, *hint;
    } vectors[] = {
        {"CreateRepository", "shop",
         REFUSED "ecr:CreateRepository on resource: arn:aws:ecr:eu-west-1:123456789012:repository/shop because no "
                 "identity-based policy allows the ecr:CreateRepository action",
         "ecr:CreateRepository on arn:aws:ecr:eu-west-1:123456789012:repository/shop is not allowed: 400 Acc",
         "allow ecr:CreateRepository on arn:aws:ecr:eu-west-1:123456789012:repository/shop for the task's role"},
        {"GetAuthorizationToken", NULL,
         REFUSED "ecr:GetAuthorizationToken on resource: * because no identity-based policy allows it",
         "ecr:GetAuthorizationToken on * is not allowed: 400 Acc",
         "allow ecr:GetAuthorizationToken on * for the task's role"},
        {"CreateRepository", "shop",
         REFUSED "ecr:TagResource on resource: arn:aws:ecr:eu-west-1:123456789012:repository/* because no",
         "ecr:TagResource on arn:aws:ecr:eu-west-1:123456789012:repository/* is not allowed: 400 Acc",
         "allow ecr:TagResource on arn:aws:ecr:eu-west-1:123456789012:repository/* for the task's role"},
        {"CreateRepository", "shop", REFUSED "kms:CreateGrant", "kms:CreateGrant on arn:aws:ecr:",
         "allow kms:CreateGrant on arn:aws:ecr:eu-west-1:123456789012:repository/shop for the task's role"},
        {"DescribeImages", "a/b", "", "ecr:DescribeImages on arn:aws:ecr:eu-west-1:123456789012:repository/a/b is ",
         "allow ecr:DescribeImages on arn:aws:ecr:eu-west-1:123456789012:repository/a/b for the task's role"},
        {"DescribeImages", "b",
         REFUSED "ecr:DescribeImages on resource: x with an explicit deny in a service control policy",
         "ecr:DescribeImages on arn:",
         "an explicit deny of ecr:DescribeImages on arn:aws:ecr:eu-west-1:123456789012:repository/b must go in the "
         "organization's service control policies"},
        {"DescribeImages", "b", REFUSED "ecr:DescribeImages because no VPC endpoint policy allows it",
         "ecr:DescribeImages on arn:",
         "allow ecr:DescribeImages on arn:aws:ecr:eu-west-1:123456789012:repository/b in the VPC endpoint's policy"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(vectors); i++) {
        struct ecr_subject subject = {.action = vectors[i].action, .repository = vectors[i].repository};
        struct json_failure failure = {.code = "AccessDeniedException"};
        struct error err;

        snprintf(failure.message, sizeof failure.message, "%s", vectors[i].message);
        error_set(&err, CLASS_PLATFORM, "access-denied", "400 AccessDeniedException: %s", failure.message);
        error_context(&err, "AmazonEC2ContainerRegistry_V20150921.%s", vectors[i].action);
        ecr_failure(&ecr, &subject, &failure, &err);
        assert_int_equal(err.class, CLASS_PUSH_FAILED);
        assert_string_equal(err.reason, "access-denied");
        assert_int_equal(strncmp(err.message, vectors[i].named, strlen(vectors[i].named)), 0);
        assert_null(strstr(err.message, "AmazonEC2"));
        assert_string_equal(err.hint, vectors[i].hint);
    }
}

static void failures(void **state)
{
    static const struct {
        const char *code, *reason, *expected, *hint; /* hint: a word of it */
        enum error_class class, expected_class;
        bool retryable;
    } vectors[] = {
        {"RepositoryNotFoundException", "request-refused", "repository-missing", "region", CLASS_PLATFORM,
         CLASS_PUSH_FAILED, false},
        {"LimitExceededException", "request-refused", "quota-exceeded", "quota", CLASS_PLATFORM, CLASS_PUSH_FAILED,
         false},
        {"KmsException", "request-refused", "key-refused", "kms:CreateGrant", CLASS_PLATFORM, CLASS_PUSH_FAILED, false},
        {"InvalidParameterException", "request-refused", "request-refused", "", CLASS_PLATFORM, CLASS_PUSH_FAILED,
         false},
        {"ThrottlingException", "slow-down", "slow-down", "", CLASS_PLATFORM, CLASS_PUSH_FAILED, true},
        {"", "connect-failed", "connect-failed", "", CLASS_PLATFORM, CLASS_PUSH_FAILED, true},
        {"ExpiredTokenException", "expired-token", "expired-token", "", CLASS_CREDENTIALS, CLASS_CREDENTIALS, false},
    };
    struct ecr_subject subject = {.action = "CreateRepository", .repository = "shop"};
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(vectors); i++) {
        struct json_failure failure = {0};
        struct error err;

        snprintf(failure.code, sizeof failure.code, "%s", vectors[i].code);
        error_set(&err, vectors[i].class, vectors[i].reason, "400 %s", vectors[i].code);
        if (vectors[i].retryable)
            error_retryable(&err, 0);
        error_context(&err, "AmazonEC2ContainerRegistry_V20150921.CreateRepository");
        ecr_failure(&ecr, &subject, &failure, &err);
        assert_int_equal(err.class, vectors[i].expected_class);
        assert_string_equal(err.reason, vectors[i].expected);
        assert_int_equal(err.retryable, vectors[i].retryable);
        assert_non_null(strstr(err.hint, vectors[i].hint));
        assert_int_equal(strncmp(err.message, "ecr:CreateRepository: 400 ", 26), 0);
    }
}

/* ---- a call ---- */

static void set(void *flag)
{
    *(bool *)flag = true;
}

/* A server that takes the connection and says nothing: the stop ends the wait, whatever call it is. */
static void stopped(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct credentials_source source = {.kind = CREDENTIALS_STATIC};
    struct ecr_repository_options repository = {.keep = 3};
    struct strings warnings = {0}, names = {0};
    struct ecr_removal removal = {0};
    struct http_options http = {0};
    struct loop *loop = loop_new();
    struct http_client *client = http_client_new(loop, &http);
    struct credentials_provider *provider;
    CLEANUP_CLOSE int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof address;
    char *user = NULL, *word = NULL, endpoint[64], digest[72];
    bool stop = false, created;
    struct ecr_options options = {
        .client = client, .host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com", .endpoint = endpoint, .stop = &stop};
    struct ecr *made;
    struct error errors[4];
    int64_t number;
    size_t i;

    (void)state;
    assert_int_equal(bind(server, (struct sockaddr *)&address, len) || listen(server, 4), 0);
    getsockname(server, (struct sockaddr *)&address, &len);
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%d", ntohs(address.sin_port));
    source.fixed = (struct credentials){.access_key = secret_dup("AKID"), .secret_key = secret_dup("secret")};
    provider = credentials_provider_new(&source, client);
    options.provider = provider;
    strings_add(&names, "latest");
    assert_int_equal(ecr_new(&made, &options, &errors[0]), 0);
    loop_timer_start(loop, 50, set, &stop);
    assert_int_equal(ecr_login(made, &user, &word, &number, &errors[0]), -1);
    assert_int_equal(ecr_repository_ensure(made, "shop", &repository, &created, &warnings, &errors[1]), -1);
    assert_int_equal(ecr_image_find(made, "shop", "latest", digest, &number, &errors[2]), -1);
    assert_int_equal(ecr_images_remove(made, "shop", &names, &removal, &errors[3]), -1);
    for (i = 0; i < ARRAY_LEN(errors); i++) {
        assert_int_equal(errors[i].class, CLASS_INTERRUPTED);
        assert_string_equal(errors[i].reason, "interrupted");
    }
    assert_int_equal(warnings.len, 0);
    assert_null(user);
    ecr_removal_dispose(&removal);
    strings_dispose(&names);
    strings_dispose(&warnings);
    ecr_free(made);
    credentials_provider_free(provider);
    credentials_source_dispose(&source);
    http_client_free(client);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts),      cmocka_unit_test(no_hosts), cmocka_unit_test(arns),    cmocka_unit_test(places),
        cmocka_unit_test(lifecycles), cmocka_unit_test(tokens),   cmocka_unit_test(images),  cmocka_unit_test(removals),
        cmocka_unit_test(denials),    cmocka_unit_test(failures), cmocka_unit_test(stopped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
