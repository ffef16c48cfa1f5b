/* The checkout of repositories that attack it, its limits, and the worker around it. */
#include <unit/support/git_bed.h>

#include "core/fs.h"
#include "core/json.h"
#include "core/mem.h"
#include "git/checkout.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_limits), TEST(test_folder_must_be_empty), TEST(test_attributes), TEST(test_hostile_repositories),
        TEST(test_worker),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, open_bed, close_bed);
}
