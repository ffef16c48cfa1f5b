/* The checkout over smart HTTP, TLS, a proxy and from a folder: ways in, and ways to be turned away. */
#include <unit/support/git_bed.h>

#include "core/fs.h"
#include "core/json.h"
#include "core/mem.h"
#include "git/checkout.h"

static void test_default_branch(void **state)
{
    struct stat st;
    char target[64] = "";
    int transport;

    (void)state;
    for (transport = 0; transport < 2; transport++) {
        CLEANUP_FREE char *link = xasprintf("%s/link", request.directory);
        CLEANUP_FREE char *program = xasprintf("%s/prögram x", request.directory);

        set_plain(transport);
        expect_ok();
        assert_string_equal(result.commit, bed.second);
        assert_string_equal(result.ref, "refs/heads/main");
        assert_string_equal(result.default_ref, "refs/heads/main");
        assert_null(result.named_ref);
        assert_string_equal(result.subject, "Sécond ☺ subject");
        assert_int_equal(result.commit_time_ms, 1767225600000);
        assert_int_equal(result.files, 4);
        assert_true(result.objects >= 7);
        expect_content("src/deep/file", "one\n");
        expect_content("second", "two\n");
        assert_true(readlink(link, target, sizeof target - 1) > 0);
        assert_string_equal(target, "src/deep/file");
        assert_int_equal(stat(program, &st), 0);
        assert_true(st.st_mode & 0100);
        expect_content(".git/HEAD", "ref: refs/heads/main\n");
        expect_clean();
        {
            CLEANUP_FREE char *shallow = content(".git/shallow");

            assert_memory_equal(shallow, bed.second, 40);
        }
    }
}

static void test_refs(void **state)
{
    const struct {
        const char *ref, *full, *commit;
    } refs[] = {
        {"main", "refs/heads/main", bed.second},
        {"develop", "refs/heads/develop", bed.first},
        {"feature/x", "refs/heads/feature/x", bed.third},
        {"v1.0", "refs/tags/v1.0", bed.second},
        {"light", "refs/tags/light", bed.second},
        {"refs/heads/develop", "refs/heads/develop", bed.first},
        {"heads/develop", "refs/heads/develop", bed.first},
        {"refs/tags/v1.0", "refs/tags/v1.0", bed.second},
    };
    size_t i;

    (void)state;
    for (i = 0; i < 2 * ARRAY_LEN(refs); i++) {
        set_plain((int)(i & 1));
        set(&request.ref, refs[i / 2].ref);
        expect_ok();
        assert_string_equal(result.ref, refs[i / 2].full);
        assert_string_equal(result.named_ref, refs[i / 2].full);
        assert_string_equal(result.default_ref, "refs/heads/main");
        assert_string_equal(result.commit, refs[i / 2].commit);
        expect_clean();
    }
}

static void test_unknown_refs(void **state)
{
    int transport;

    (void)state;
    for (transport = 0; transport < 2; transport++) {
        set_plain(transport);
        set(&request.ref, "mian");
        expect_error(CLASS_REF_NOT_FOUND, "ref-not-found", false, "no branch or tag \"mian\" in ");
        assert_non_null(strstr(err.hint, "nearest: main"));
        set(&request.ref, "blob");
        expect_error(CLASS_REF_NOT_FOUND, "not-a-commit", false, "names no commit");
        assert_false(exists("second"));
    }
    set(&request.ref, NULL);
    set_url("http", bed.http_port, "open/empty.git");
    expect_error(CLASS_REF_NOT_FOUND, "repository-empty", false, "has no commits");
    set_url("http", bed.http_port, "open/headless.git");
    expect_error(CLASS_REF_NOT_FOUND, "ref-not-found", false, "no default branch");
    assert_non_null(strstr(err.hint, "main"));
    set(&request.repository, "file:///nonexistent/repository");
    expect_error(CLASS_REF_NOT_FOUND, "repository-not-found", false, "/nonexistent/repository");
}

/* By id, where the server gives commits by id, where it does not, and from a folder. */
static void test_commits(void **state)
{
    static const char *const places[] = {"open/any.git", "open/plain.git"};
    const char *const commits[] = {bed.first, bed.second, bed.third};
    size_t i;

    (void)state;
    for (i = 0; i < 9; i++) {
        set_plain(1);
        if (i / 3 < 2)
            set_url("http", bed.http_port, places[i / 3]);
        set(&request.commit, commits[i % 3]);
        set(&request.ref, i < 3 ? "develop" : NULL);
        expect_ok();
        assert_string_equal(result.commit, commits[i % 3]);
        assert_null(result.ref);
        if (i < 3)
            assert_string_equal(result.named_ref, "refs/heads/develop");
        else
            assert_null(result.named_ref);
        assert_string_equal(result.default_ref, "refs/heads/main");
        {
            CLEANUP_FREE char *head = content(".git/HEAD");

            assert_memory_equal(head, commits[i % 3], 40);
        }
        expect_clean();
    }
}

static void test_unknown_commits(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < 3; i++) {
        set_plain(1);
        if (i < 2)
            set_url("http", bed.http_port, i == 0 ? "open/any.git" : "open/plain.git");
        set(&request.commit, "1234567890123456789012345678901234567890");
        expect_error(CLASS_REF_NOT_FOUND, "commit-not-found", false, "no commit 1234567890");
        set(&request.commit, "12345678");
        expect_error(CLASS_REF_NOT_FOUND, "bad-commit", false, "not a full commit id");
    }
}

static void test_credentials(void **state)
{
    (void)state;
    set_url("http", bed.http_port, "basic/plain.git");
    expect_error(CLASS_SOURCE_NOT_AUTHORIZED, "not-authorized", false, "wants credentials");
    set(&request.username, "ann");
    set(&request.password, "p:w ü");
    expect_ok();
    {
        CLEANUP_FREE char *config = content(".git/config");

        assert_null(strstr(config, "ann"));
        assert_null(strstr(config, "remote"));
        assert_null(strstr(config, "url"));
    }
    set(&request.password, "p:wrong");
    expect_error(CLASS_SOURCE_NOT_AUTHORIZED, "not-authorized", false, "refused the credentials");
    set(&request.username, NULL);
    set(&request.password, "t0ken-of-ann");
    set_url("http", bed.http_port, "token/plain.git");
    expect_ok();
}

static void test_redirects(void **state)
{
    int before;

    (void)state;
    set(&request.username, "ann");
    set(&request.password, "p:w ü");
    set_url("http", bed.http_port, "moved-path/plain.git");
    expect_ok();
    set_url("http", bed.http_port, "moved/plain.git");
    expect_ok();
    before = logged("other GET /basic/");
    set_url("http", bed.http_port, "leak/plain.git");
    expect_error(CLASS_SOURCE_NOT_AUTHORIZED, "redirect-wants-credentials", false, "redirects to localhost");
    assert_int_equal(logged("other GET /basic/"), before + 1);
    assert_int_equal(logged("http GET /leak/plain.git/info/refs?service=git-upload-pack Basic "), 1);
    {
        CLEANUP_FREE char *text = read_text(bed.log);
        const char *at = text;

        while ((at = strstr(at, "\nother "))) {
            at += strcspn(at + 1, "\n") + 1;
            assert_true(at[-1] == '-');
        }
    }
}

static void test_statuses(void **state)
{
    static const struct {
        const char *mode;
        enum error_class class;
        const char *reason;
        bool retryable;
    } cases[] = {
        {"status-403", CLASS_SOURCE_NOT_AUTHORIZED, "not-authorized", false},
        {"status-404", CLASS_REF_NOT_FOUND, "repository-not-found", false},
        {"status-410", CLASS_REF_NOT_FOUND, "repository-not-found", false},
        {"status-429", CLASS_SOURCE_UNREACHABLE, "server-busy", true},
        {"status-500", CLASS_SOURCE_UNREACHABLE, "server-error", true},
        {"status-503", CLASS_SOURCE_UNREACHABLE, "server-error", true},
        {"html", CLASS_REF_NOT_FOUND, "not-a-repository", false},
        {"garbage", CLASS_SOURCE_UNREACHABLE, "fetch-failed", true},
        {"half", CLASS_SOURCE_UNREACHABLE, "fetch-failed", true},
    };
    size_t i;

    (void)state;
    set(&request.ref, "develop");
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP_FREE char *rest = xasprintf("%s/plain.git", cases[i].mode);

        set_url("http", bed.http_port, rest);
        expect_error(cases[i].class, cases[i].reason, cases[i].retryable, "fetching develop: http://127.0.0.1:");
    }
}

static void test_unreachable(void **state)
{
    (void)state;
    set_url("http", 1, "x.git");
    expect_error(CLASS_SOURCE_UNREACHABLE, "connect-failed", true, "http://127.0.0.1:1/x.git");
    set(&request.repository, "http://name.invalid/x.git");
    expect_error(CLASS_SOURCE_UNREACHABLE, "name-lookup-failed", true, "name.invalid");
    set(&request.repository, "ssh://git@host/x.git");
    expect_error(CLASS_SPEC_INVALID, "unsupported-scheme", false, "ssh");
    set_url("https", bed.http_port, "open/plain.git");
    expect_error(CLASS_SOURCE_UNREACHABLE, "tls-failed", false, "https://localhost");
}

static void test_tls(void **state)
{
    CLEANUP_FREE char *bundle = xasprintf("%s/ca.pem", bed.folder);

    (void)state;
    set_url("https", bed.tls_port, "basic/plain.git");
    expect_error(CLASS_SOURCE_UNREACHABLE, "tls-certificate", false, "certificate");
    set(&request.ca_bundle, bundle);
    set(&request.username, "ann");
    set(&request.password, "p:w ü");
    expect_ok();
    set_url("https", bed.tls_port, "downgrade/plain.git");
    expect_error(CLASS_SOURCE_UNREACHABLE, "redirect-refused", false, "'https' to 'http'");
    set(&request.ca_bundle, "/dev/null");
    expect_error(CLASS_SOURCE_UNREACHABLE, "bad-ca-bundle", false, "/dev/null");
}

static void test_proxy(void **state)
{
    int before;

    (void)state;
    request.ca_bundle = xasprintf("%s/ca.pem", bed.folder);
    request.proxy = xasprintf("http://px:pw@127.0.0.1:%d", bed.proxy_port);
    set_url("https", bed.tls_port, "open/plain.git");
    expect_ok();
    before = logged("\nproxy CONNECT localhost:");
    assert_true(before > 0);
    set(&request.no_proxy, "other.example,localhost");
    expect_ok();
    assert_int_equal(logged("\nproxy CONNECT localhost:"), before);
    set(&request.no_proxy, NULL);
    free(request.proxy);
    request.proxy = xasprintf("http://px:bad@127.0.0.1:%d", bed.proxy_port);
    expect_error(CLASS_SOURCE_UNREACHABLE, "proxy-refused", false, "https://localhost");
    set(&request.proxy, "http://px:p:w/@127.0.0.1:port");
    expect_error(CLASS_SOURCE_UNREACHABLE, "fetch-failed", true, "https://localhost");
    set(&request.proxy, "http://127.0.0.1:1");
    expect_error(CLASS_SOURCE_UNREACHABLE, "connect-failed", true, "https://localhost");
    set_plain(0);
    expect_error(CLASS_SOURCE_UNREACHABLE, "proxy-needs-https", false, "plain http");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_default_branch),  TEST(test_refs),        TEST(test_unknown_refs), TEST(test_commits),
        TEST(test_unknown_commits), TEST(test_credentials), TEST(test_redirects),    TEST(test_statuses),
        TEST(test_unreachable),     TEST(test_tls),         TEST(test_proxy),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, open_bed, close_bed);
}
