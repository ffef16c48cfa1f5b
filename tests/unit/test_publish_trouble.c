/*
 * Publishing when something is in the way: a stop at each request, a publisher that is killed at each request and run
 * again, permissions that are missing, a server that asks to slow down.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/json.h"
#include "core/mem.h"
#include "publish/publish.h"
#include "support/holding_proxy.h"
#include "support/publish_bed.h"
#include "support/skip.h"

#define BEFORE "\ngone.js=gone\nindex.html=index 0\nstyle.css=style 0\n"
#define AFTER "\nindex.html=index 1\nnew.html=new\nnew.js=new\nstyle.css=style 1\n"

struct trouble {
    struct publish_bed bed;
    struct holding_proxy proxy;
    int places;
};

static int setup(void **state)
{
    struct trouble *trouble = xcalloc(1, sizeof *trouble);

    publish_bed_init(&trouble->bed);
    if (publish_bed_s3(&trouble->bed))
        holding_proxy_start(&trouble->proxy, trouble->bed.server.port);
    *state = trouble;
    return 0;
}

static int teardown(void **state)
{
    struct trouble *trouble = *state;

    if (trouble->bed.has_server)
        holding_proxy_stop(&trouble->proxy);
    publish_bed_dispose(&trouble->bed);
    free(trouble);
    return 0;
}

static struct trouble *begin(void **state)
{
    struct trouble *trouble = *state;

    if (!trouble->bed.has_server)
        skip_because("no versitygw");
    holding_proxy_hold(&trouble->proxy, 0, HOLD_REQUEST);
    atomic_store(&trouble->proxy.shared->deny, 0);
    atomic_store(&trouble->proxy.shared->slow_downs, 0);
    trouble->bed.stop = false;
    return trouble;
}

static const char *publish_to(struct trouble *trouble, const char *prefix, const char *job, int64_t at,
                              enum publish_mode mode, const char *endpoint)
{
    struct publish_request request;

    bed_request_s3(&trouble->bed, &request, prefix, job, BED_TIME + at, mode);
    free(request.endpoint);
    request.endpoint = xstrdup(endpoint);
    return bed_publish(&trouble->bed, &request);
}

static void check(struct trouble *trouble, const char *got, const char *wanted)
{
    if (strcmp(got, wanted) != 0)
        fail_msg("expected \"%s\", got \"%s\": %s (held: %s)", wanted, got, trouble->bed.error.message,
                 trouble->proxy.shared->line);
}

static void expect_objects(struct trouble *trouble, const char *prefix, const char *objects, int number)
{
    CLEANUP_FREE char *found = bed_objects(&trouble->bed, prefix);

    if (strcmp(found, objects) != 0)
        fail_msg("request %d, \"%s\": the tree is%s, not%s", number, trouble->proxy.shared->line, found, objects);
}

static void write_before(struct trouble *trouble)
{
    bed_remove(&trouble->bed, "site");
    bed_write(&trouble->bed, "site/index.html", "index 0");
    bed_write(&trouble->bed, "site/style.css", "style 0");
    bed_write(&trouble->bed, "site/gone.js", "gone");
}

static void write_after(struct trouble *trouble)
{
    bed_remove(&trouble->bed, "site");
    bed_write(&trouble->bed, "site/index.html", "index 1");
    bed_write(&trouble->bed, "site/style.css", "style 1");
    bed_write(&trouble->bed, "site/new.js", "new");
    bed_write(&trouble->bed, "site/new.html", "new");
}

/* ---- a stop, a kill ---- */

static volatile bool *stop_flag;

static void on_term(int signal)
{
    (void)signal;
    *stop_flag = true;
}

static pid_t start_publish(struct trouble *trouble, const char *prefix)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    trouble->bed.loop = loop_new();
    stop_flag = &trouble->bed.stop;
    signal(SIGTERM, on_term);
    publish_to(trouble, prefix, "job", 1000, PUBLISH_MIRROR, trouble->proxy.endpoint);
    _exit((int)trouble->bed.error.class);
}

static char *next_prefix(struct trouble *trouble)
{
    return xasprintf("t%d/", trouble->places++);
}

/* One place; whether the publish reached it. */
static bool stop_at(struct trouble *trouble, int number, enum holding_what what, bool *committed)
{
    CLEANUP_FREE char *prefix = next_prefix(trouble);
    pid_t pid;
    int status;
    bool held;

    write_before(trouble);
    check(trouble, publish_to(trouble, prefix, "before", 0, PUBLISH_MIRROR, trouble->bed.server.endpoint), "");
    write_after(trouble);
    holding_proxy_hold(&trouble->proxy, number, what);
    pid = start_publish(trouble, prefix);
    held = holding_proxy_wait(&trouble->proxy, pid);
    if (held) {
        kill(pid, SIGTERM);
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL); /* so that the stop is seen first */
        holding_proxy_release(&trouble->proxy);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 0) {
        *committed = *committed || held;
        expect_objects(trouble, prefix, AFTER, number);
    } else {
        assert_int_equal(WEXITSTATUS(status), CLASS_INTERRUPTED);
        assert_false(*committed); /* once past the point of no return, always past it */
        expect_objects(trouble, prefix, BEFORE, number);
    }
    check(trouble, publish_to(trouble, prefix, "job", 1000, PUBLISH_MIRROR, trouble->bed.server.endpoint), "");
    expect_objects(trouble, prefix, AFTER, number);
    return held;
}

static void test_stop_at_each_request(void **state)
{
    struct trouble *trouble = begin(state);
    bool committed = false;
    int number;

    for (number = 1; stop_at(trouble, number, HOLD_REQUEST, &committed); number++)
        assert_true(number < 100);
    assert_true(number > 6 && committed);
    committed = false;
    for (number = 1; stop_at(trouble, number, HOLD_ANSWER, &committed); number++)
        assert_true(number < 100);
}

static bool kill_at(struct trouble *trouble, int number, enum holding_what what)
{
    CLEANUP_FREE char *prefix = next_prefix(trouble);
    pid_t pid;
    bool held;

    write_before(trouble);
    check(trouble, publish_to(trouble, prefix, "before", 0, PUBLISH_MIRROR, trouble->bed.server.endpoint), "");
    write_after(trouble);
    holding_proxy_hold(&trouble->proxy, number, what);
    pid = start_publish(trouble, prefix);
    held = holding_proxy_wait(&trouble->proxy, pid);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    holding_proxy_release(&trouble->proxy);
    check(trouble, publish_to(trouble, prefix, "job", 1000, PUBLISH_MIRROR, trouble->bed.server.endpoint), "");
    expect_objects(trouble, prefix, AFTER, number);
    /* and then it is at rest */
    check(trouble, publish_to(trouble, prefix, "job", 1000, PUBLISH_MIRROR, trouble->bed.server.endpoint), "");
    assert_int_equal(trouble->bed.result.written, 0);
    return held;
}

static void test_kill_at_each_request_and_run_again(void **state)
{
    struct trouble *trouble = begin(state);
    int number;

    for (number = 1; kill_at(trouble, number, HOLD_REQUEST); number++)
        assert_true(number < 100);
    for (number = 1; kill_at(trouble, number, HOLD_ANSWER); number++)
        assert_true(number < 100);
}

/* A file is changed after it was hashed: nothing of it, and nothing else, is published. */
static void test_file_changes_before_it_is_sent(void **state)
{
    struct trouble *trouble = begin(state);
    CLEANUP_FREE char *prefix = next_prefix(trouble);
    pid_t pid;
    int status;

    write_before(trouble);
    check(trouble, publish_to(trouble, prefix, "before", 0, PUBLISH_MIRROR, trouble->bed.server.endpoint), "");
    write_after(trouble);
    holding_proxy_hold(&trouble->proxy, 2, HOLD_REQUEST); /* the claim */
    pid = start_publish(trouble, prefix);
    assert_true(holding_proxy_wait(&trouble->proxy, pid));
    bed_write(&trouble->bed, "site/new.js", "wen");
    holding_proxy_release(&trouble->proxy);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), CLASS_OUTPUT_REFUSED);
    expect_objects(trouble, prefix, BEFORE, 2);
}

/* ---- permissions ---- */

static void denied(struct trouble *trouble, int deny, const char *prefix, enum publish_mode mode, const char *reason,
                   bool ordered)
{
    atomic_store(&trouble->proxy.shared->deny, deny);
    check(trouble, publish_to(trouble, prefix, "a", 0, mode, trouble->proxy.endpoint), reason);
    if (!reason[0])
        assert_int_equal(trouble->bed.result.ordered, ordered);
    atomic_store(&trouble->proxy.shared->deny, 0);
}

static void test_state_denied(void **state)
{
    struct trouble *trouble = begin(state);

    write_before(trouble);
    denied(trouble, DENY_STATE_GET | DENY_STATE_PUT | DENY_LIST, "d1/", PUBLISH_MIRROR, "access-denied", false);
    assert_non_null(strstr(trouble->bed.error.hint, ".caisson"));
    expect_objects(trouble, "d1", "\n", 0);
    denied(trouble, DENY_STATE_GET | DENY_STATE_PUT | DENY_LIST, "d1/", PUBLISH_ADD, "", false);
    assert_int_equal(trouble->bed.said.len, 1); /* once */
    assert_int_equal(trouble->bed.committing, 1);
    expect_objects(trouble, "d1", BEFORE, 0);
    /* it overwrites, and does not remove */
    write_after(trouble);
    denied(trouble, DENY_STATE_PUT, "d1/", PUBLISH_ADD, "", false);
    expect_objects(trouble, "d1", "\ngone.js=gone\nindex.html=index 1\nnew.html=new\nnew.js=new\nstyle.css=style 1\n",
                   0);
    denied(trouble, DENY_STATE_PUT, "d2/", PUBLISH_MIRROR, "access-denied", false);
    expect_objects(trouble, "d2", "\n", 0);
    /* without ListBucket the first GET says 403: the claim's write decides */
    denied(trouble, DENY_STATE_GET | DENY_LIST, "d3/", PUBLISH_MIRROR, "", true);
    expect_objects(trouble, "d3", AFTER, 0);
    /* and a state that is there but cannot be read is one that is denied */
    denied(trouble, DENY_STATE_GET | DENY_LIST, "d3/", PUBLISH_MIRROR, "access-denied", false);
    denied(trouble, DENY_STATE_GET | DENY_LIST, "d3/", PUBLISH_ADD, "", false);
}

/* Without ListBucket S3 says 403 for a HEAD of what is not there: what the state says has to do. */
static void test_looks_denied(void **state)
{
    struct trouble *trouble = begin(state);

    write_before(trouble);
    denied(trouble, DENY_HEAD | DENY_LIST, "d6/", PUBLISH_MIRROR, "", true);
    expect_objects(trouble, "d6", BEFORE, 0);
    write_after(trouble);
    atomic_store(&trouble->proxy.shared->deny, DENY_HEAD | DENY_LIST);
    check(trouble, publish_to(trouble, "d6/", "b", 1, PUBLISH_MIRROR, trouble->proxy.endpoint), "");
    expect_objects(trouble, "d6", AFTER, 0);
}

static void test_stop_when_denied(void **state)
{
    struct trouble *trouble = begin(state);

    write_before(trouble);
    trouble->bed.stop = true;
    denied(trouble, DENY_STATE_GET | DENY_STATE_PUT, "d4/", PUBLISH_ADD, "stopped-before-publish", false);
    expect_objects(trouble, "d4", "\n", 0);
}

static void test_objects_denied(void **state)
{
    struct trouble *trouble = begin(state);

    write_before(trouble);
    denied(trouble, DENY_OBJECT_PUT, "d5/", PUBLISH_MIRROR, "access-denied", true);
    expect_objects(trouble, "d5", "\n", 0);
    assert_int_equal(trouble->bed.committing, 0);
    /* it gave its claim back: an older one may publish */
    check(trouble, publish_to(trouble, "d5/", "0", -1000, PUBLISH_MIRROR, trouble->bed.server.endpoint), "");
}

/* ---- a server in distress ---- */

static void test_slow_down(void **state)
{
    struct trouble *trouble = begin(state);
    int i;

    bed_remove(&trouble->bed, "site");
    for (i = 0; i < 60; i++) {
        CLEANUP_FREE char *path = xasprintf("site/%d.js", i);

        bed_write_size(&trouble->bed, path, 100, i);
    }
    atomic_store(&trouble->proxy.shared->slow_downs, 25);
    check(trouble, publish_to(trouble, "slow/", "a", 0, PUBLISH_MIRROR, trouble->proxy.endpoint), "");
    assert_int_equal(trouble->bed.result.written, 60);
    assert_int_equal(trouble->bed.result.retries, 25);
}

static void test_unreachable(void **state)
{
    struct trouble *trouble = begin(state);

    write_before(trouble);
    check(trouble, publish_to(trouble, "x/", "a", 0, PUBLISH_MIRROR, "http://127.0.0.1:1"), "connect-failed");
    assert_int_equal(trouble->bed.error.class, CLASS_UPLOAD_FAILED);
    assert_true(trouble->bed.error.retryable);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stop_at_each_request),
        cmocka_unit_test(test_kill_at_each_request_and_run_again),
        cmocka_unit_test(test_file_changes_before_it_is_sent),
        cmocka_unit_test(test_state_denied),
        cmocka_unit_test(test_looks_denied),
        cmocka_unit_test(test_stop_when_denied),
        cmocka_unit_test(test_objects_denied),
        cmocka_unit_test(test_slow_down),
        cmocka_unit_test(test_unreachable),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
