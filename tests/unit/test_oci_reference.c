/* Names of repositories, tags and digests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/mem.h"
#include "oci/reference.h"

static void test_good_repositories(void **state)
{
    static const struct {
        const char *text, *registry, *name;
    } cases[] = {
        {"1234.dkr.ecr.eu-west-1.amazonaws.com/shop", "1234.dkr.ecr.eu-west-1.amazonaws.com", "shop"},
        {"ghcr.io/user/app", "ghcr.io", "user/app"},
        {"GHCR.io/user/app", "ghcr.io", "user/app"},
        {"localhost/a", "localhost", "a"},
        {"localhost:5000/a/b", "localhost:5000", "a/b"},
        {"registry:5000/a", "registry:5000", "a"},
        {"my_host.test/a", "my_host.test", "a"},
        {"127.0.0.1:5000/a", "127.0.0.1:5000", "a"},
        {"[::1]:5000/a", "[::1]:5000", "a"},
        {"[::1]/a", "[::1]", "a"},
        {"docker.io/library/node", "docker.io", "library/node"},
        {"r.io/a.b_c__d---e/0", "r.io", "a.b_c__d---e/0"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        struct oci_repository repository;
        struct error err = {0};

        if (oci_repository_parse(cases[i].text, &repository, &err))
            fail_msg("%s: %s", cases[i].text, err.message);
        assert_string_equal(repository.registry, cases[i].registry);
        assert_string_equal(repository.name, cases[i].name);
        oci_repository_dispose(&repository);
    }
}

static void test_bad_repositories(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "does not begin with its registry"},
        {"app", "does not begin with its registry"},
        {"user/app", "does not begin with its registry"},
        {"https://ghcr.io/user/app", "without a scheme"},
        {"ghcr.io/", "each part of its name"},
        {"ghcr.io//a", "each part of its name"},
        {"ghcr.io/a/", "each part of its name"},
        {"ghcr.io/a//b", "each part of its name"},
        {"ghcr.io/App", "lower case"},
        {"ghcr.io/myApp", "lower case"},
        {"ghcr.io/a:tag", "more than"},
        {"ghcr.io/a@sha256:0", "more than"},
        {"ghcr.io/a..b", "between letters or digits"},
        {"ghcr.io/a___b", "between letters or digits"},
        {"ghcr.io/a-", "between letters or digits"},
        {"ghcr.io/../a", "each part of its name"},
        {"ghcr.io/a b", "more than"},
        {"ghcr.io/a%2fb", "more than"},
        {"ghcr.io/a?b", "more than"},
        {"gh cr.io/a", "no host name"},
        {"user@ghcr.io/a", "no host name"},
        {"-ghcr.io/a", "no host name"},
        {"ghcr-.io/a", "no host name"},
        {"ghcr..io/a", "no host name"},
        {".ghcr.io/a", "no host name"},
        {"ghcr.io./a", "no host name"},
        {":5000/a", "no host name"},
        {"[::1/a", "no host name"},
        {"[]/a", "no host name"},
        {"ghcr.io:/a", "port"},
        {"ghcr.io:0/a", "port"},
        {"ghcr.io:65536/a", "port"},
        {"ghcr.io:80x/a", "port"},
        {"[::1]x/a", "port"},
    };
    struct oci_repository repository;
    struct error err;
    char name[300];
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        if (!oci_repository_parse(cases[i].text, &repository, &err))
            fail_msg("%s was taken", cases[i].text);
        assert_int_equal(err.class, CLASS_USAGE);
        assert_string_equal(err.reason, "bad-repository");
        if (!strstr(err.message, cases[i].says))
            fail_msg("%s: %s", cases[i].text, err.message);
    }
    memcpy(name, "r.io/", 5);
    memset(name + 5, 'a', 256);
    name[261] = '\0';
    assert_int_equal(oci_repository_parse(name, &repository, &err), -1);
    name[260] = '\0';
    assert_int_equal(oci_repository_parse(name, &repository, &err), 0);
    oci_repository_dispose(&repository);
}

static void test_tags(void **state)
{
    char tag[130];

    (void)state;
    assert_true(oci_tag_valid("latest"));
    assert_true(oci_tag_valid("_v1.2-3_X"));
    assert_true(oci_tag_valid("0"));
    assert_false(oci_tag_valid(""));
    assert_false(oci_tag_valid(".a"));
    assert_false(oci_tag_valid("-a"));
    assert_false(oci_tag_valid("a/b"));
    assert_false(oci_tag_valid("a b"));
    assert_false(oci_tag_valid("a?x"));
    assert_false(oci_tag_valid("a\r\nb"));
    memset(tag, 'a', sizeof tag);
    tag[128] = '\0';
    assert_true(oci_tag_valid(tag));
    tag[128] = 'a';
    tag[129] = '\0';
    assert_false(oci_tag_valid(tag));
}

static void test_digests(void **state)
{
    static const char good[] = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    char bad[sizeof good + 1];

    (void)state;
    assert_true(oci_digest_valid(good));
    memcpy(bad, good, sizeof good);
    bad[7] = 'E';
    assert_false(oci_digest_valid(bad));
    memcpy(bad, good, sizeof good);
    bad[sizeof good - 2] = '\0';
    assert_false(oci_digest_valid(bad));
    memcpy(bad, good, sizeof good);
    bad[sizeof good - 1] = '0';
    bad[sizeof good] = '\0';
    assert_false(oci_digest_valid(bad));
    assert_false(oci_digest_valid("sha512:00"));
    assert_false(oci_digest_valid("sha256:../../../etc/passwd"));
    assert_false(oci_digest_valid(""));
}

static void test_loopback(void **state)
{
    static const char *const here[] = {"localhost",   "localhost:5000", "127.0.0.1", "127.0.0.1:80",
                                       "127.9.9.9:5", "[::1]",          "[::1]:5000"};
    static const char *const elsewhere[] = {"localhost.evil.test",
                                            "127.evil.test",
                                            "127.0.0.1.evil.test",
                                            "ghcr.io",
                                            "128.0.0.1",
                                            "[::2]",
                                            "127.0.0.1evil:1",
                                            "127.0.0.1.1:5000",
                                            "127.0.0"};
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(here); i++)
        if (!oci_registry_is_loopback(here[i]))
            fail_msg("%s", here[i]);
    for (i = 0; i < ARRAY_LEN(elsewhere); i++)
        if (oci_registry_is_loopback(elsewhere[i]))
            fail_msg("%s", elsewhere[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_repositories), cmocka_unit_test(test_bad_repositories), cmocka_unit_test(test_tags),
        cmocka_unit_test(test_digests),           cmocka_unit_test(test_loopback),
    };

    return cmocka_run_group_tests_name("oci/reference", tests, NULL, NULL);
}
