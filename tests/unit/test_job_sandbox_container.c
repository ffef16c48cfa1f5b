/* The agent's word about the sandbox's container, and how long it is asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/mem.h"
#include "job/sandbox_container.h"

static int read_answer(const char *text, struct container_end *end, struct error *err)
{
    *end = (struct container_end){.exit_code = -1};
    return sandbox_container_read(view_of(text), "sandbox", end, err);
}

#define OTHER "{\"Name\":\"runner\",\"KnownStatus\":\"RUNNING\"}"

static void test_one_that_has_stopped(void **state)
{
    struct container_end end;

    (void)state;
    assert_int_equal(
        read_answer("{\"Containers\":[" OTHER ",{\"Name\":\"sandbox\",\"KnownStatus\":\"STOPPED\"}]}", &end, NULL), 0);
    assert_int_equal(end.exit_code, -1);
    assert_false(end.out_of_memory);
    assert_int_equal(read_answer("{\"Containers\":[{\"Name\":\"sandbox\",\"KnownStatus\":\"STOPPED\",\"ExitCode\":137,"
                                 "\"Reason\":\"OutOfMemoryError: Container killed due to memory usage\"}]}",
                                 &end, NULL),
                     0);
    assert_int_equal(end.exit_code, 137);
    assert_true(end.out_of_memory);
}

static void test_answers_that_mean_no(void **state)
{
    static const struct {
        const char *text, *reason;
    } answers[] = {
        {"", "bad-json"},
        {"STOPPED", "bad-json"},
        {"[]", "container-unknown"},
        {"{}", "container-unknown"},
        {"{\"Containers\":[]}", "container-unknown"},
        {"{\"Containers\":{\"Name\":\"sandbox\",\"KnownStatus\":\"STOPPED\"}}", "container-unknown"},
        {"{\"Containers\":[" OTHER "]}", "container-unknown"},
        {"{\"Containers\":[{\"Name\":\"Sandbox\",\"KnownStatus\":\"STOPPED\"}]}", "container-unknown"},
        {"{\"Containers\":[{\"DockerName\":\"sandbox\",\"KnownStatus\":\"STOPPED\"}]}", "container-unknown"},
        {"{\"Containers\":[{\"Name\":\"sandbox\"}]}", "container-not-stopped"},
        {"{\"Containers\":[{\"Name\":\"sandbox\",\"KnownStatus\":\"RUNNING\",\"DesiredStatus\":\"STOPPED\"}]}",
         "container-not-stopped"},
        {"{\"Containers\":[{\"Name\":\"sandbox\",\"KnownStatus\":\"stopped\"}]}", "container-not-stopped"},
        {"{\"Containers\":[{\"Name\":\"sandbox\",\"KnownStatus\":[\"STOPPED\"]}]}", "container-not-stopped"},
        {"{\"Containers\":[{\"Name\":\"sandbox\",\"KnownStatus\":\"STOPPED\"},"
         "{\"Name\":\"sandbox\",\"KnownStatus\":\"STOPPED\"}]}",
         "container-ambiguous"},
        /* The same key twice: which of them is meant is anybody's guess. */
        {"{\"Containers\":[{\"Name\":\"sandbox\",\"KnownStatus\":\"RUNNING\",\"KnownStatus\":\"STOPPED\"}]}",
         "bad-json"},
    };
    struct container_end end;
    struct error err;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(answers); i++) {
        if (read_answer(answers[i].text, &end, &err) != -1)
            fail_msg("taken: %s", answers[i].text);
        assert_int_equal(err.class, CLASS_SANDBOX_LOST);
        if (strcmp(err.reason, answers[i].reason) != 0)
            fail_msg("%s: %s", err.reason, answers[i].text);
    }
}

static void test_codes_that_cannot_be(void **state)
{
    struct container_end end;

    (void)state;
    assert_int_equal(
        read_answer("{\"Containers\":[{\"Name\":\"sandbox\",\"KnownStatus\":\"STOPPED\",\"ExitCode\":256}]}", &end,
                    NULL),
        0);
    assert_int_equal(end.exit_code, -1);
    assert_int_equal(
        read_answer("{\"Containers\":[{\"Name\":\"sandbox\",\"KnownStatus\":\"STOPPED\",\"ExitCode\":-1}]}", &end,
                    NULL),
        0);
    assert_int_equal(end.exit_code, -1);
}

static void set_flag(void *context)
{
    *(bool *)context = true;
}

static void test_asking_ends_in_time_or_when_told(void **state)
{
    struct loop *loop = loop_new();
    struct sandbox_container *container = sandbox_container_new(loop, "http://127.0.0.1:1", "sandbox");
    struct container_end end;
    struct error err;
    bool stop = false;
    int64_t began_ms = clock_monotonic_ms();

    (void)state;
    assert_int_equal(sandbox_container_stopped(container, began_ms + 700, &stop, &end, &err), -1);
    assert_in_range(clock_monotonic_ms() - began_ms, 500, 4000);
    assert_non_null(strstr(err.message, "asking for the task's metadata"));
    began_ms = clock_monotonic_ms();
    loop_timer_start(loop, 300, set_flag, &stop);
    assert_int_equal(sandbox_container_stopped(container, began_ms + 30000, &stop, &end, &err), -1);
    assert_true(clock_monotonic_ms() - began_ms < 10000);
    stop = false;
    assert_int_equal(sandbox_container_stopped(container, began_ms, &stop, &end, &err), -1);
    assert_non_null(strstr(err.message, "no time"));
    sandbox_container_free(container);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_that_has_stopped),
        cmocka_unit_test(test_answers_that_mean_no),
        cmocka_unit_test(test_codes_that_cannot_be),
        cmocka_unit_test(test_asking_ends_in_time_or_when_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
