/* The checkout against real servers (git http-backend behind support/git_server.py) and real hostile repositories. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/mem.h"
#include "git/checkout.h"

extern char **environ;

static struct {
    char *folder; /* all of the test's files */
    char *repositories;
    char *log; /* the server's output */
    pid_t server;
    int server_input;
    int http_port, other_port, tls_port, proxy_port;
    char first[41], second[41], third[41];
} bed;

/* ---- the bed ---- */

/* Runs a program with its output in a file; its pid. `input` is its standard input. */
static pid_t start(const char *const argv[], const char *output, int input)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (input >= 0)
        posix_spawn_file_actions_adddup2(&actions, input, 0);
    if (posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ))
        pid = -1;
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static int run_program(const char *program, const char *script, const char *argument, const char *output)
{
    CLEANUP_FREE char *path = xasprintf("%s/unit/support/%s", TEST_DATA_DIR, script);
    const char *argv[] = {program, path, argument, NULL};
    pid_t pid = start(argv, output, -1);
    int status;

    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static char *read_text(const char *path)
{
    struct buf text;

    buf_init(&text, (size_t)1 << 20);
    fs_read_file(path, (size_t)1 << 20, &text);
    return buf_take(&text);
}

static int start_server(void)
{
    CLEANUP_FREE char *script = xasprintf("%s/unit/support/git_server.py", TEST_DATA_DIR);
    const char *argv[] = {"python3", script, bed.repositories, bed.folder, NULL};
    int64_t end_ms = clock_monotonic_ms() + 30000;
    int ends[2];
    int found = 0;

    bed.log = xasprintf("%s/log", bed.folder);
    if (pipe2(ends, O_CLOEXEC))
        return -1;
    bed.server_input = ends[1];
    bed.server = start(argv, bed.log, ends[0]);
    close(ends[0]);
    while (bed.server > 0 && found != 4 && clock_monotonic_ms() < end_ms) {
        CLEANUP_FREE char *text = read_text(bed.log);

        found = strchr(text, '\n')
                    ? sscanf(text, "%d %d %d %d", &bed.http_port, &bed.other_port, &bed.tls_port, &bed.proxy_port)
                    : 0;
        usleep(20000);
    }
    return found == 4 ? 0 : -1;
}

static int open_bed(void **state)
{
    const char *parent = getenv("TMPDIR");
    CLEANUP_FREE char *list = NULL;
    CLEANUP_FREE char *text = NULL;

    (void)state;
    if (fs_make_temp(parent ? parent : "/tmp", "checkout-", &bed.folder))
        return -1;
    bed.repositories = xasprintf("%s/repositories", bed.folder);
    list = xasprintf("%s/list", bed.folder);
    if (mkdir(bed.repositories, 0700) || run_program("sh", "plain_repositories.sh", bed.repositories, list))
        return -1;
    text = read_text(list);
    if (sscanf(text, "FIRST=%40s SECOND=%40s THIRD=%40s", bed.first, bed.second, bed.third) != 3)
        return -1;
    return start_server();
}

static int close_bed(void **state)
{
    int status;

    (void)state;
    close(bed.server_input);
    if (bed.server > 0)
        waitpid(bed.server, &status, 0);
    status = fs_remove_tree(bed.folder);
    free(bed.folder);
    free(bed.repositories);
    free(bed.log);
    return status;
}

/* ---- one checkout ---- */

static struct checkout_request request;
static struct checkout_result result;
static struct error err;

static int setup(void **state)
{
    (void)state;
    request = (struct checkout_request){.directory = xasprintf("%s/out", bed.folder)};
    return 0;
}

static int teardown(void **state)
{
    int status = fs_remove_tree(request.directory);

    (void)state;
    checkout_request_dispose(&request);
    checkout_result_dispose(&result);
    return status;
}

static void set_url(const char *scheme, int port, const char *rest)
{
    free(request.repository);
    request.repository =
        xasprintf("%s://%s:%d/%s", scheme, strcmp(scheme, "https") == 0 ? "localhost" : "127.0.0.1", port, rest);
}

static void set(char **field, const char *value)
{
    free(*field);
    *field = xstrdup(value);
}

static void expect_ok(void)
{
    checkout_result_dispose(&result);
    memset(&err, 0, sizeof err);
    if (fs_remove_tree(request.directory) || checkout(NULL, &request, &result, &err))
        fail_msg("%s: %s", err.reason, err.message);
    assert_string_equal(err.message, "");
}

static void expect_error(enum error_class class, const char *reason, bool retryable, const char *part)
{
    checkout_result_dispose(&result);
    memset(&err, 0, sizeof err);
    assert_int_equal(fs_remove_tree(request.directory), 0);
    if (checkout(NULL, &request, &result, &err) == 0)
        fail_msg("%s was checked out, wanted %s", request.repository, reason);
    if ((int)err.class != (int)class || strcmp(err.reason, reason) != 0 || err.retryable != retryable)
        fail_msg("%s: class %d, %s, retryable %d; wanted %d, %s: %s", request.repository, (int)err.class, err.reason,
                 err.retryable, (int)class, reason, err.message);
    if (!strstr(err.message, part))
        fail_msg("\"%s\" does not say \"%s\"", err.message, part);
    assert_string_not_equal(err.hint, "");
    assert_null(strstr(err.message, "p:w"));
    assert_null(result.ref);
}

static char *content(const char *name)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", request.directory, name);

    return read_text(path);
}

static void expect_content(const char *name, const char *text)
{
    CLEANUP_FREE char *got = content(name);

    assert_string_equal(got, text);
}

static bool exists(const char *name)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", request.directory, name);
    struct stat st;

    return lstat(path, &st) == 0;
}

/* git's own opinion of what we left. */
static void expect_clean(void)
{
    CLEANUP_FREE char *command = xasprintf("cd '%s' && git -c safe.directory='*' fsck --strict 2>&1 && "
                                           "test -z \"$(git -c safe.directory='*' status --porcelain 2>&1)\"",
                                           request.directory);
    CLEANUP_FREE char *output = xasprintf("%s/opinion", bed.folder);
    const char *argv[] = {"sh", "-c", command, NULL};
    pid_t pid = start(argv, output, -1);
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != 0) {
        CLEANUP_FREE char *text = read_text(output);

        fail_msg("git: %s", text);
    }
}

static void set_plain(int transport)
{
    if (transport == 0)
        set_url("http", bed.http_port, "open/plain.git");
    else {
        free(request.repository);
        request.repository = xasprintf("file://%s/plain.git", bed.repositories);
    }
}

/* ---- tests ---- */

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
        expect_ok();
        assert_string_equal(result.commit, commits[i % 3]);
        assert_null(result.ref);
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

/* How often the servers' log says `part`. */
static int logged(const char *part)
{
    CLEANUP_FREE char *text = read_text(bed.log);
    const char *at = text;
    int count = 0;

    while ((at = strstr(at, part))) {
        count++;
        at++;
    }
    return count;
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

static void test_limits(void **state)
{
    (void)state;
    set_plain(0);
    request.max_bytes = 300;
    expect_error(CLASS_CONTENT_REFUSED, "repository-too-large", false, "300");
    set_plain(1);
    request.max_bytes = 10;
    expect_error(CLASS_CONTENT_REFUSED, "repository-too-large", false, "second");
    assert_false(exists("second"));
    request.max_bytes = 100000;
    expect_ok();
}

static void test_folder_must_be_empty(void **state)
{
    CLEANUP_FREE char *file = xasprintf("%s/file", request.directory);

    (void)state;
    set_plain(0);
    assert_int_equal(mkdir(request.directory, 0755), 0);
    assert_int_equal(fs_write_file(file, "x", 1, 0644), 0);
    memset(&err, 0, sizeof err);
    assert_int_equal(checkout(NULL, &request, &result, &err), -1);
    assert_string_equal(err.reason, "checkout-failed");
    expect_content("file", "x");
    assert_false(exists(".git"));
}

static void test_attributes(void **state)
{
    (void)state;
    set_url("http", bed.http_port, "open/attributes.git");
    expect_ok();
    expect_content("run.bat", "a\r\nb\r\n");
    expect_content("plain.js", "a\nb\n");
    {
        CLEANUP_FREE char *text = content("id.txt");

        assert_memory_equal(text, "$Id: ", 5);
    }
}

/* ---- hostile repositories ---- */

static void check_attack(const char *name, const char *reasons, int transport)
{
    CLEANUP_FREE char *rest = xasprintf("open/attack-%s.git", name);

    free(request.repository);
    request.repository = xasprintf("file://%s/attack-%s.git", bed.repositories, name);
    if (transport == 0)
        set_url("http", bed.http_port, rest);
    checkout_result_dispose(&result);
    memset(&err, 0, sizeof err);
    assert_int_equal(fs_remove_tree(request.directory), 0);
    if (strcmp(reasons, "-") == 0) {
        if (checkout(NULL, &request, &result, &err))
            fail_msg("%s: %s", name, err.message);
        return;
    }
    if (checkout(NULL, &request, &result, &err) == 0)
        fail_msg("%s was checked out", name);
    if (!strstr(reasons, err.reason))
        fail_msg("%s: %s, wanted %s: %s", name, err.reason, reasons, err.message);
    {
        /* .git alone: not one file of the tree */
        CLEANUP_FREE char *git = xasprintf("%s/.git", request.directory);

        assert_int_equal(fs_remove_tree(git), 0);
        assert_int_equal(rmdir(request.directory), 0);
    }
}

static void test_hostile_repositories(void **state)
{
    CLEANUP_FREE char *list = xasprintf("%s/attacks", bed.folder);
    CLEANUP_FREE char *text = NULL;
    char *rest = NULL;
    char *line;
    int count = 0;

    (void)state;
    assert_int_equal(run_program("python3", "hostile_repositories.py", bed.repositories, list), 0);
    text = read_text(list);
    for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *reasons = strchr(line, ' ');

        assert_non_null(reasons);
        *reasons++ = '\0';
        check_attack(line, reasons, 0);
        check_attack(line, reasons, 1);
        count++;
    }
    assert_true(count >= 36);
}

/* ---- as a worker ---- */

/* The worker's answer to a request, all lines. */
static char *work(json_t *json)
{
    CLEANUP_FREE char *text = json_dumps(json, JSON_COMPACT);
    CLEANUP_FREE char *answer = xasprintf("%s/answer", bed.folder);
    CLEANUP_FREE char *question = xasprintf("%s/question", bed.folder);
    int in = open(question, O_RDWR | O_CREAT | O_TRUNC, 0600);
    int out = open(answer, O_RDWR | O_CREAT | O_TRUNC, 0600);

    assert_true(in >= 0 && out >= 0);
    assert_int_equal(fs_write_all(in, text, strlen(text)), 0);
    assert_int_equal(lseek(in, 0, SEEK_SET), 0);
    worker_main(&checkout_worker, in, out);
    close(in);
    close(out);
    return read_text(answer);
}

static void test_worker(void **state)
{
    CLEANUP_JSON json_t *json = NULL;
    CLEANUP_FREE char *answer = NULL;

    (void)state;
    set_url("http", bed.http_port, "basic/large-files.git");
    json = json_pack("{ss ss ss ss}", "repository", request.repository, "directory", request.directory, "username",
                     "ann", "password", "p:w ü");
    answer = work(json);
    assert_non_null(strstr(answer, "submodules are not checked out yet: vendor/lib"));
    assert_non_null(strstr(answer, "Git LFS files stay pointers: art/logo.psd"));
    assert_non_null(strstr(answer, "\"type\":\"result\""));
    assert_non_null(strstr(answer, "\"subject\":\"Large files\""));
    assert_null(strstr(answer, "p:w"));
    free(answer);
    answer = work(json);
    assert_non_null(strstr(answer, "\"type\":\"error\""));
    json_object_del(json, "directory");
    free(answer);
    answer = work(json);
    assert_non_null(strstr(answer, "bad-request"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_default_branch),
        TEST(test_refs),
        TEST(test_unknown_refs),
        TEST(test_commits),
        TEST(test_unknown_commits),
        TEST(test_credentials),
        TEST(test_redirects),
        TEST(test_statuses),
        TEST(test_unreachable),
        TEST(test_tls),
        TEST(test_proxy),
        TEST(test_limits),
        TEST(test_folder_must_be_empty),
        TEST(test_attributes),
        TEST(test_hostile_repositories),
        TEST(test_worker),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, open_bed, close_bed);
}
