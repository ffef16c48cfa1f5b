/* Requests to cancel: the document, and how it is looked for. What a cancelled job says is in tests/e2e/test_cancel.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/mem.h"
#include "job/control.h"

static void read_whole(void **state)
{
    char *by, *reason;
    struct error err;

    (void)state;
    assert_int_equal(
        control_read(view_of("{\"action\":\"cancel\",\"by\":\"alice\",\"reason\":\"wrong branch\",\"x\":[]}"), &by,
                     &reason, &err),
        0);
    assert_string_equal(by, "alice");
    assert_string_equal(reason, "wrong branch");
    free(by);
    free(reason);
    assert_int_equal(
        control_read(view_of(" {\"action\":\"cancel\",\"by\":null,\"reason\":\" \\n\"}\n"), &by, &reason, &err), 0);
    assert_null(by);
    assert_null(reason);
}

/* It goes into one line of the log and of the result. */
static void read_one_line(void **state)
{
    CLEANUP_FREE char *words = xmalloc(4001);
    CLEANUP_FREE char *text = NULL;
    char *by, *reason;
    struct error err;
    size_t i;

    (void)state;
    for (i = 0; i < 2000; i++)
        memcpy(words + 2 * i, "é", 2);
    words[4000] = '\0';
    text = xasprintf("{\"action\":\"cancel\",\"by\":\"a\\nb\\u001b[31m\\u0000\",\"reason\":\"%s\"}", words);
    /* jansson refuses NUL in texts: so do we. */
    assert_int_equal(control_read(view_of(text), &by, &reason, &err), -1);
    free(text);
    text = xasprintf("{\"action\":\"cancel\",\"by\":\"a\\nb\\u001b[31m\\u007f\\u009b2J\\u001b]0;"
                     "x\\u0007\\r\\tc\\u202ed\",\"reason\":\"%s\"}",
                     words);
    assert_int_equal(control_read(view_of(text), &by, &reason, &err), 0);
    assert_string_equal(by, "a b2J\tc\xef\xbf\xbd"
                            "d");
    assert_int_equal(strlen(reason), 512);
    free(by);
    free(reason);
}

static void read_refused(void **state)
{
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"", "it is no JSON object"},
        {"cancel", "it is no JSON object"},
        {"\"cancel\"", "it is no JSON object"},
        {"[{\"action\":\"cancel\"}]", "it is no JSON object"},
        {"{\"action\":\"cancel\"} x", "it is no JSON object"},
        {"{}", "it has no \"action\""},
        {"{\"Action\":\"cancel\"}", "it has no \"action\""},
        {"{\"action\":\"stop\"}", "its \"action\" is not \"cancel\""},
        {"{\"action\":true}", "its \"action\" is not \"cancel\""},
        {"{\"action\":\"cancel\",\"by\":7}", "its \"by\" or \"reason\" is no text"},
        {"{\"action\":\"cancel\",\"reason\":{}}", "its \"by\" or \"reason\" is no text"},
    };
    CLEANUP_FREE char *large = xasprintf("{\"action\":\"cancel\",\"by\":\"%*s\"}", (int)CONTROL_MAX, "x");
    char *by, *reason;
    struct error err;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(control_read(view_of(rows[i].text), &by, &reason, &err), -1);
        assert_string_equal(err.message, rows[i].message);
        assert_string_equal(err.reason, "control-invalid");
        assert_null(by);
        assert_null(reason);
    }
    assert_int_equal(control_read(view_of(large), &by, &reason, &err), -1);
    assert_string_equal(err.message, "it is larger than 16 KiB");
}

static void read_message(void **state)
{
    static const struct {
        const char *text, *by, *reason, *message; /* message: what is wrong with it */
        bool ours;
    } rows[] = {
        {"{\"deploymentId\":\"d1\"}", NULL, NULL, NULL, true},
        {"{\"deploymentId\":\"d1\",\"action\":\"cancel\",\"by\":\"al\",\"reason\":\"why\"}", "al", "why", NULL, true},
        {"{\"deploymentId\":\"d2\",\"by\":7}", NULL, NULL, NULL, false},
        {"{\"deploymentId\":\"d1 \"}", NULL, NULL, NULL, false},
        {"{\"deploymentId\":\"\"}", NULL, NULL, NULL, false},
        {"{\"deploymentId\":17}", NULL, NULL, NULL, false},
        {"{\"deploymentId\":\"d1\",\"action\":\"restart\"}", NULL, NULL, "its \"action\" is not \"cancel\"", true},
        {"{\"deploymentId\":\"d1\",\"by\":7}", NULL, NULL, "its \"by\" or \"reason\" is no text", true},
        {"{\"id\":\"d1\"}", NULL, NULL, "it has no \"deploymentId\" that is an id", false},
        {"{\"deploymentId\":null}", NULL, NULL, "it has no \"deploymentId\" that is an id", false},
        {"{\"deploymentId\":[\"d1\"]}", NULL, NULL, "it has no \"deploymentId\" that is an id", false},
        {"[\"d1\"]", NULL, NULL, "it is no JSON object", false},
        {"d1", NULL, NULL, "it is no JSON object", false},
        {"", NULL, NULL, "it is no JSON object", false},
    };
    char *by, *reason;
    struct error err;
    bool ours;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(rows); i++) {
        int status = control_read_message(view_of(rows[i].text), "deploymentId", "d1", &ours, &by, &reason, &err);

        assert_int_equal(status, rows[i].message ? -1 : 0);
        assert_int_equal(ours, rows[i].ours);
        assert_true(rows[i].by ? by && strcmp(by, rows[i].by) == 0 : !by);
        assert_true(rows[i].reason ? reason && strcmp(reason, rows[i].reason) == 0 : !reason);
        if (rows[i].message)
            assert_string_equal(err.message, rows[i].message);
        free(by);
        free(reason);
    }
    /* An id that is a number somewhere else. */
    assert_int_equal(control_read_message(view_of("{\"id\":17}"), "id", "17", &ours, &by, &reason, &err), 0);
    assert_true(ours);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_whole),
        cmocka_unit_test(read_one_line),
        cmocka_unit_test(read_refused),
        cmocka_unit_test(read_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
