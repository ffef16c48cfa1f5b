/* The queue before a sink: order, identity, patience and the end, with a sink that does as it is told. */
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "report/queue.h"
#include "support/queue_fixture.h"

static void test_story(void **state)
{
    struct fixture *f = *state;
    json_t *event;

    begin(f, &sink_of_one, &format_cloudevents, EVENTS_STATUS);
    log_step_begin(f->log, "build");
    log_output(f->log, false, "line\n", 5);
    log_step_end(f->log, true, 2, 1500);
    run_for(f, 30);
    finish(f, 1000, 2000);
    assert_true(queue_told(f->queue, NULL));
    assert_int_equal(f->sink.bodies.len, 4);
    assert_type(f, 0, "dev.caisson.job.started");
    assert_type(f, 1, "dev.caisson.job.step");
    assert_type(f, 3, "dev.caisson.job.finished");
    event = body(f, 2);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(event, "data"), "attempts")), 2);
    assert_string_equal(json_string_value(json_object_get(json_object_get(event, "data"), "phase")), "end");
    assert_string_equal(json_string_value(json_object_get(event, "sequence")), "000000000003");
    assert_string_equal(json_string_value(json_object_get(event, "id")), "run1-000000000003");
    json_decref(event);
    assert_string_equal(f->sink.ids.items[0], "run1-000000000000");
    assert_string_equal(f->sink.ids.items[3], "run1-finished");
}

/* Lines are gathered; their text arrives whole and in order, and a step comes where it came. */
static void test_lines(void **state)
{
    struct fixture *f = *state;
    json_t *event, *lines;

    begin(f, &sink_of_one, &format_cloudevents, EVENT_BIT(EVENT_LOG) | EVENT_BIT(EVENT_STEP));
    log_step_begin(f->log, "build");
    log_output(f->log, false, "one\ntwo \"2\"\n", 12);
    log_output(f->log, true, "three\n", 6);
    log_step_end(f->log, false, 1, 10);
    finish(f, 1000, 2000);
    assert_int_equal(f->sink.bodies.len, 4); /* begin, lines, end, finished */
    event = body(f, 1);
    assert_string_equal(type_of(event), "dev.caisson.job.log");
    assert_string_equal(json_string_value(json_object_get(event, "id")), "run1-000000000004-2");
    lines = json_object_get(json_object_get(event, "data"), "lines");
    assert_int_equal(json_array_size(lines), 3);
    assert_string_equal(json_string_value(json_object_get(json_array_get(lines, 1), "text")), "two \"2\"");
    assert_string_equal(json_string_value(json_object_get(json_array_get(lines, 2), "stream")), "stderr");
    json_decref(event);
}

/* A sink that fails gets the same message, with the same id, until it takes it; nothing is lost or told twice. */
static void test_patience(void **state)
{
    struct fixture *f = *state;
    size_t i;

    f->sink.behaviour = FAIL;
    begin(f, &sink_of_one, &format_cloudevents, EVENTS_STATUS);
    log_step_begin(f->log, "build");
    run_for(f, 100);
    assert_int_equal(f->sink.bodies.len, 0);
    assert_true(f->sink.sends >= 1);
    f->sink.behaviour = TAKE;
    log_step_end(f->log, true, 1, 1);
    finish(f, 3000, 4000);
    assert_int_equal(f->sink.ids.len, 4);
    for (i = 1; i < f->sink.ids.len; i++)
        assert_true(strcmp(f->sink.ids.items[i - 1], f->sink.ids.items[i]) < 0);
}

/* Of a batch that was taken in part the rest is sent again, and no message twice. */
static void test_half(void **state)
{
    struct fixture *f = *state;
    char text[32], expected[40];
    size_t i;

    f->sink.behaviour = TAKE_HALF;
    begin(f, &sink_of_many, &format_plain, EVENT_BIT(EVENT_LOG));
    for (i = 0; i < 500; i++)
        log_output(f->log, false, text, (size_t)snprintf(text, sizeof text, "line %zu\n", i));
    finish(f, 3000, 4000);
    assert_true(queue_told(f->queue, NULL));
    /* the queue's own word about the failure is a line as well */
    for (i = 0; i < 500; i++) {
        snprintf(expected, sizeof expected, "| line %zu", i);
        assert_non_null(strstr(f->sink.bodies.items[i], expected));
    }
    for (i = 1; i < f->sink.ids.len; i++)
        assert_string_not_equal(f->sink.ids.items[i - 1], f->sink.ids.items[i]);
}

/* One that is refused for ever is left out, what follows is told. */
static void test_refused(void **state)
{
    struct fixture *f = *state;
    struct error err;

    f->sink.behaviour = REFUSE;
    begin(f, &sink_of_one, &format_cloudevents, EVENTS_STATUS);
    log_step_begin(f->log, "build");
    run_for(f, 50);
    assert_int_equal(queue_lost(f->queue), 2);
    f->sink.behaviour = TAKE;
    log_step_end(f->log, true, 1, 1);
    finish(f, 1000, 2000);
    assert_int_equal(f->sink.bodies.len, 2);
    assert_true(queue_told(f->queue, &err));
}

static void test_end_refused(void **state)
{
    struct fixture *f = *state;
    struct error err;

    begin(f, &sink_of_one, &format_cloudevents, EVENTS_STATUS);
    run_for(f, 30);
    f->sink.behaviour = REFUSE;
    finish(f, 1000, 2000);
    assert_true(queue_done(f->queue));
    assert_false(queue_told(f->queue, &err));
    assert_string_equal(err.message, "no");
}

/* Access that is denied is not the message's fault: it is kept. */
static void test_denied(void **state)
{
    struct fixture *f = *state;

    f->sink.behaviour = DENY;
    begin(f, &sink_of_one, &format_cloudevents, EVENTS_STATUS);
    run_for(f, 30);
    assert_int_equal(queue_lost(f->queue), 0);
    f->sink.behaviour = TAKE;
    finish(f, 3000, 4000);
    assert_int_equal(f->sink.bodies.len, 2);
}

/* What is logged while others are still told, say of them, comes after the end. */
static void test_nothing_follows_the_end(void **state)
{
    struct fixture *f = *state;

    begin(f, &sink_of_one, &format_cloudevents, EVENTS_STATUS | EVENT_BIT(EVENT_LOG));
    finish(f, 1000, 2000);
    assert_true(queue_done(f->queue));
    log_warning(f->log, "somebody else was not told");
    run_for(f, 50);
    assert_true(queue_done(f->queue));
    assert_type(f, f->sink.bodies.len - 1, "dev.caisson.job.finished");
}

/* At the end nobody will mend it: it is tried once more, and the rest of the time is saved. */
static void test_denied_at_the_end(void **state)
{
    struct fixture *f = *state;
    int64_t began_ms = clock_monotonic_ms();
    struct error error;

    f->sink.behaviour = DENY;
    begin(f, &sink_of_one, &format_cloudevents, EVENTS_STATUS);
    run_for(f, 30);
    finish(f, 30000, 60000);
    assert_true(queue_done(f->queue));
    assert_false(queue_told(f->queue, &error));
    assert_int_equal(error.class, CLASS_CREDENTIALS);
    assert_true(clock_monotonic_ms() - began_ms < 5000);
    assert_int_equal(f->sink.bodies.len, 0);
}

/* A sink that hangs at the end: lines are given up in time, what tells the most is not, and the gap is counted. */
static void test_skip(void **state)
{
    struct fixture *f = *state;
    char text[32];
    json_t *event, *lines;
    int64_t now;
    size_t i;

    f->sink.behaviour = HANG;
    begin(f, &sink_of_one, &format_cloudevents, EVENTS_STATUS | EVENT_BIT(EVENT_LOG));
    for (i = 0; i < 5000; i++)
        log_output(f->log, false, text, (size_t)snprintf(text, sizeof text, "line %zu\n", i));
    run_for(f, 30);
    now = clock_monotonic_ms();
    queue_finish(f->queue, f->result);
    run_for(f, 80);
    assert_true(queue_heard_ms(f->queue) >= now && queue_heard_ms(f->queue) < clock_monotonic_ms());
    f->sink.behaviour = TAKE;
    queue_skip(f->queue);
    while (!queue_done(f->queue) && clock_monotonic_ms() < now + 2000)
        loop_run_once(f->loop, 5);
    assert_true(queue_told(f->queue, NULL));
    assert_int_equal(f->sink.cancels, 1);
    assert_int_equal(queue_lost(f->queue), 5000);
    assert_type(f, 0, "dev.caisson.job.started");
    assert_type(f, f->sink.bodies.len - 1, "dev.caisson.job.finished");
    event = body(f, f->sink.bodies.len - 2);
    lines = json_object_get(json_object_get(event, "data"), "lines");
    assert_string_equal(json_string_value(json_object_get(json_array_get(lines, 0), "type")), "gap");
    json_decref(event);
}

/* The numbers of all lines that the sink has, which are "line N", in their order; each is counted up from the first. */
static size_t count_lines(const struct fixture *f)
{
    size_t i, j, count = 0;
    char text[32];

    for (i = 0; i < f->sink.bodies.len; i++) {
        json_t *event = body(f, i), *lines = json_object_get(json_object_get(event, "data"), "lines"), *line;

        json_array_foreach(lines, j, line)
        {
            if (strcmp(json_string_value(json_object_get(line, "type")), "output") != 0)
                continue;
            snprintf(text, sizeof text, "line %zu", count++);
            assert_string_equal(json_string_value(json_object_get(line, "text")), text);
        }
        json_decref(event);
    }
    return count;
}

/* Whoever takes less than a batch gets it in parts, and everything once; steps between the lines too. */
static void test_split(void **state)
{
    struct sink_type types[] = {sink_of_one, sink_of_one};
    struct fixture *f = *state;
    char text[32];
    size_t i, type;

    types[1].max_messages = 50;
    for (type = 0; type < ARRAY_LEN(types); type++) {
        f->sink.behaviour = TAKE_SMALL;
        f->sink.too_large = 4000;
        begin(f, &types[type], &format_cloudevents, EVENTS_STATUS | EVENT_BIT(EVENT_LOG));
        for (i = 0; type == 0 && i < 1000; i++) {
            if (i % 300 == 7)
                log_step_begin(f->log, "build");
            log_output(f->log, false, text, (size_t)snprintf(text, sizeof text, "line %zu\n", i));
        }
        finish(f, 60000, 90000);
        assert_true(queue_told(f->queue, NULL));
        assert_int_equal(queue_lost(f->queue), 0);
        assert_int_equal(count_lines(f), 1000);
        assert_type(f, 0, "dev.caisson.job.started");
        assert_type(f, f->sink.bodies.len - 1, "dev.caisson.job.finished");
        assert_true(f->sink.largest < 4000 && f->sink.bodies.len > 40);
        for (i = 1; i < f->sink.ids.len; i++) /* each once, in order */
            assert_true(strcmp(f->sink.ids.items[i - 1], f->sink.ids.items[i]) < 0);
        queue_free(f->queue);
        f->queue = NULL;
        strings_dispose(&f->sink.ids);
        strings_dispose(&f->sink.bodies);
    }
}

/* One line that is too large alone is left out. */
static void test_line_too_large(void **state)
{
    struct fixture *f = *state;
    char text[6000];

    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\n';
    f->sink.behaviour = TAKE_SMALL;
    f->sink.too_large = 4000;
    begin(f, &sink_of_one, &format_cloudevents, EVENT_BIT(EVENT_LOG));
    log_output(f->log, false, "line 0\n", 7);
    log_output(f->log, false, text, sizeof text);
    log_output(f->log, false, "line 1\n", 7);
    finish(f, 60000, 90000);
    assert_true(queue_told(f->queue, NULL));
    assert_int_equal(queue_lost(f->queue), 1);
    assert_int_equal(count_lines(f), 2);
}

/* However long the log, one batch is in memory. */
static void test_bounded(void **state)
{
    struct fixture *f = *state;
    char line[1024];
    size_t i;

    memset(line, '"', sizeof line);
    line[sizeof line - 1] = '\n';
    f->sink.behaviour = HANG;
    begin(f, &sink_of_one, &format_cloudevents, EVENT_BIT(EVENT_LOG));
    for (i = 0; i < 5000; i++)
        log_output(f->log, false, line, sizeof line);
    run_for(f, 30);
    assert_int_equal(f->sink.sends, 1);
    assert_true(f->sink.messages[0].body_len < 2 * QUEUE_BATCH_MAX);
    f->sink.behaviour = TAKE;
    sink_answer(&f->sink);
    finish(f, 60000, 90000); /* as slow as an emulator is */
    assert_int_equal(queue_lost(f->queue), 0);
    assert_true(f->sink.largest < 2 * QUEUE_BATCH_MAX);
    assert_true(f->sink.bodies.len > 100);
}

/* Of much progress the newest is told, not oftener than once a second. */
static void test_progress(void **state)
{
    struct fixture *f = *state;
    json_t *event;
    int i;

    begin(f, &sink_of_one, &format_cloudevents, EVENT_BIT(EVENT_PROGRESS));
    for (i = 0; i <= 40; i++)
        log_progress(f->log, "receiving objects %d %%", i);
    run_for(f, 50);
    assert_int_equal(f->sink.bodies.len, 1);
    event = body(f, 0);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(event, "data"), "percent")), 40);
    json_decref(event);
    for (i = 41; i <= 60; i++)
        log_progress(f->log, "receiving objects %d %%", i);
    run_for(f, 300);
    assert_int_equal(f->sink.bodies.len, 1);
    run_for(f, 1000);
    assert_int_equal(f->sink.bodies.len, 2);
}

/* Between lines that are gathered for a while it keeps its place, or is not told. */
static void test_progress_in_order(void **state)
{
    struct fixture *f = *state;
    CLEANUP_FREE char *before = xstrdup("");
    size_t i, told = 0;
    int turn;

    begin(f, &sink_of_one, &format_cloudevents,
          EVENT_BIT(EVENT_PROGRESS) | EVENT_BIT(EVENT_LOG) | EVENT_BIT(EVENT_HEARTBEAT));
    for (turn = 0; turn < 12; turn++) {
        log_output(f->log, false, "one\n", 4);
        log_progress(f->log, "pushing 4 of 12 MB (%d %%)", turn);
        run_for(f, turn % 3 * 150);
        if (turn % 2)
            log_output(f->log, false, "two\n", 4);
        run_for(f, turn % 4 * 120);
        if (turn % 5 == 4)
            log_heartbeat(f->log, 30000);
    }
    finish(f, 10000, 20000);
    for (i = 0; i < f->sink.bodies.len; i++) {
        json_t *event = body(f, i), *percent = json_object_get(json_object_get(event, "data"), "percent");
        const char *sequence = json_string_value(json_object_get(event, "sequence"));

        if (strcmp(before, sequence) >= 0)
            fail_msg("%s comes after %s", sequence, before);
        free(before);
        before = xstrdup(sequence);
        told += percent != NULL;
        json_decref(event);
    }
    assert_in_range(told, 2, 12);
}

/* A result that is too long for the sink is cut, and still says how it ended. */
static void test_long_result(void **state)
{
    static struct sink_type small; /* outlives the test: the queue is freed after it */
    struct fixture *f = *state;
    CLEANUP_FREE char *text = xcalloc(1, 40000);
    json_t *event, *result;

    small = sink_of_one;
    small.max_body = 16384;
    memset(text, 'x', 39999);
    json_object_set_new(f->result, "warnings", json_pack("[s]", text));
    begin(f, &small, &format_cloudevents, EVENTS_STATUS);
    finish(f, 1000, 2000);
    event = body(f, f->sink.bodies.len - 1);
    result = json_object_get(json_object_get(event, "data"), "result");
    assert_string_equal(json_string_value(json_object_get(result, "status")), "succeeded");
    assert_true(json_is_true(json_object_get(result, "shortened")));
    assert_true(f->sink.largest <= 16384);
    json_decref(event);
    assert_non_null(json_object_get(f->result, "warnings")); /* the result itself is whole */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_QUEUE(test_story),
        TEST_WITH_QUEUE(test_lines),
        TEST_WITH_QUEUE(test_patience),
        TEST_WITH_QUEUE(test_half),
        TEST_WITH_QUEUE(test_refused),
        TEST_WITH_QUEUE(test_end_refused),
        TEST_WITH_QUEUE(test_denied),
        TEST_WITH_QUEUE(test_denied_at_the_end),
        TEST_WITH_QUEUE(test_nothing_follows_the_end),
        TEST_WITH_QUEUE(test_skip),
        TEST_WITH_QUEUE(test_split),
        TEST_WITH_QUEUE(test_line_too_large),
        TEST_WITH_QUEUE(test_bounded),
        TEST_WITH_QUEUE(test_progress),
        TEST_WITH_QUEUE(test_progress_in_order),
        TEST_WITH_QUEUE(test_long_result),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
