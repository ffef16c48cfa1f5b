/* What the environment may say to us, and what it may not under a profile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/mem.h"
#include "job/platform.h"

static void fill(struct strings *env)
{
    static const char *const names[] = {
        "AWS_ENDPOINT_URL=http://evil.test",
        "AWS_ENDPOINT_URL_S3=http://evil.test",
        "HTTPS_PROXY=http://evil.test",
        "https_proxy=http://evil.test",
        "ALL_PROXY=http://evil.test",
        "NO_PROXY=none",
        "SSL_CERT_FILE=/evil.pem",
        "AWS_CA_BUNDLE=/evil.pem",
        "CAISSON_CA_BUNDLE=/evil.pem",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:1/evil",
        "AWS_SHARED_CREDENTIALS_FILE=/evil",
        "AWS_PROFILE=evil",
        "HOME=/evil",
        "ECS_CONTAINER_METADATA_URI_V4=http://evil.test/v4/x",
        "AWS_REGION=eu-central-1",
    };
    size_t i;

    for (i = 0; i < ARRAY_LEN(names); i++)
        strings_add(env, names[i]);
}

static void test_profile_takes_nothing_that_steers(void **state)
{
    struct strings env = {0};
    struct platform platform;

    (void)state;
    fill(&env);
    platform_init(&platform, &env, NULL, true);
    assert_null(platform.endpoint);
    assert_null(platform.ssm_endpoint);
    assert_null(platform.secrets_endpoint);
    assert_null(platform.sts_endpoint);
    assert_null(platform.proxy);
    assert_null(platform.no_proxy);
    assert_null(platform.ca_bundle);
    assert_null(platform.task_metadata);
    assert_int_equal(platform.credentials.kind, CREDENTIALS_NONE);
    assert_string_equal(platform.region, "eu-central-1");
    platform_dispose(&platform);
    strings_dispose(&env);
}

static void test_own_environment_is_honoured(void **state)
{
    struct strings env = {0};
    struct platform platform;

    (void)state;
    fill(&env);
    platform_init(&platform, &env, NULL, false);
    assert_string_equal(platform.endpoint, "http://evil.test");
    assert_string_equal(platform.ssm_endpoint, "http://evil.test");
    assert_string_equal(platform.secrets_endpoint, "http://evil.test");
    assert_string_equal(platform.sts_endpoint, "http://evil.test");
    assert_string_equal(platform.proxy, "http://evil.test");
    assert_string_equal(platform_proxy_for(&platform, "https://a.test/x"), "http://evil.test");
    assert_string_equal(platform_proxy_for(&platform, "http://a.test/x"), "http://evil.test");
    assert_string_equal(platform_proxy_for(&platform, NULL), "http://evil.test");
    assert_string_equal(platform.ca_bundle, "/evil.pem");
    assert_null(platform.task_metadata);
    assert_true(platform.path_style);
    platform_dispose(&platform);
    strings_dispose(&env);
}

/* HTTPS_PROXY is for https alone, and the upper-case HTTP_PROXY is not ours to read. */
static void test_proxies_are_for_their_scheme(void **state)
{
    struct strings env = {0};
    struct platform platform;

    (void)state;
    strings_add(&env, "HTTPS_PROXY=http://one.test");
    strings_add(&env, "HTTP_PROXY=http://two.test");
    platform_init(&platform, &env, NULL, false);
    assert_string_equal(platform_proxy_for(&platform, "https://a.test/x"), "http://one.test");
    assert_null(platform_proxy_for(&platform, "http://a.test/x"));
    platform_dispose(&platform);
    strings_dispose(&env);
}

static void test_operator_pins_win(void **state)
{
    struct strings env = {0};
    struct operator_file file = {0};
    struct platform platform;

    (void)state;
    fill(&env);
    file.pin_endpoint = xstrdup("https://pinned.test");
    file.pin_ssm_endpoint = xstrdup("https://ssm.pinned.test");
    file.pin_sts_endpoint = xstrdup("https://sts.pinned.test");
    file.pin_region = xstrdup("us-west-2");
    file.pin_proxy = xstrdup("http://proxy.test:3128");
    platform_init(&platform, &env, &file, false);
    assert_string_equal(platform.endpoint, "https://pinned.test");
    assert_string_equal(platform.ssm_endpoint, "https://ssm.pinned.test");
    assert_string_equal(platform.secrets_endpoint, "http://evil.test");
    assert_string_equal(platform.sts_endpoint, "https://sts.pinned.test");
    assert_string_equal(platform.region, "us-west-2");
    assert_string_equal(platform.proxy, "http://proxy.test:3128");
    platform_dispose(&platform);
    operator_file_dispose(&file);
    strings_dispose(&env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_profile_takes_nothing_that_steers),
        cmocka_unit_test(test_own_environment_is_honoured),
        cmocka_unit_test(test_proxies_are_for_their_scheme),
        cmocka_unit_test(test_operator_pins_win),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
