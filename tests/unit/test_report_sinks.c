#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/mem.h"
#include "report/sink_aws.h"
#include "report/sink_bus.h"

static void expect_text(const char *body, const char *wanted)
{
    struct message message = {.body = (char *)body, .body_len = strlen(body)};
    CLEANUP_FREE char *text = aws_message_text(&message);

    assert_string_equal(text, wanted);
}

/* https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html */
static void test_what_sqs_takes(void **state)
{
    (void)state;
    expect_text("plain\ttext\r\n", "plain\ttext\r\n");
    expect_text("\033[31mred\033[0m\001\002", "[31mred[0m");
    expect_text("a\xef\xbf\xbe"
                "b\xef\xbf\xbf",
                "ab");
    expect_text("\xef\xbf\xbd \xed\x9f\xbf \xf0\x9f\x98\x80 \x7f", "\xef\xbf\xbd \xed\x9f\xbf \xf0\x9f\x98\x80 \x7f");
    expect_text("", " ");
    expect_text("\001", " ");
}

static void test_what_is_too_large(void **state)
{
    struct message message = {.body_len = AWS_BODY_MAX};
    struct error err;

    (void)state;
    assert_int_equal(aws_message_check(&message, "SQS", &err), 0);
    message.body_len++;
    assert_int_equal(aws_message_check(&message, "SQS", &err), -1);
    assert_string_equal(err.reason, "message-too-large");
    assert_false(err.retryable);
}

static void expect_header(const char *line, const char *prefix, const char *wanted, const char *wanted_value)
{
    const char *value;
    CLEANUP_FREE char *name = bus_header(line, prefix, &value);

    assert_string_equal(name, wanted);
    assert_string_equal(value, wanted_value);
}

static void test_names_of_headers(void **state)
{
    (void)state;
    expect_header("ce-id: 1", "ce_", "ce_id", "1");
    expect_header("ce-specversion: 1.0", "cloudEvents:", "cloudEvents:specversion", "1.0");
    expect_header("x-tenant: ce-shop", "ce_", "x-tenant", "ce-shop");
    expect_header("x-empty: ", "ce_", "x-empty", "");
    expect_header("ce-source: arn:aws:ecs", "ce_", "ce_source", "arn:aws:ecs");
}

static void expect_taken(size_t (*read)(size_t, struct view, struct error *), const char *answer, size_t wanted,
                         const char *reason)
{
    struct error err = {0};

    assert_int_equal(read(3, view_of(answer), &err), wanted);
    assert_string_equal(err.reason, reason ? reason : "");
}

static void test_what_eventbridge_has_taken(void **state)
{
    (void)state;
    expect_taken(put_events_read, "{\"FailedEntryCount\":0,\"Entries\":[{},{},{}]}", 3, NULL);
    expect_taken(
        put_events_read,
        "{\"FailedEntryCount\":1,\"Entries\":[{\"EventId\":\"1\"},{\"ErrorCode\":\"ThrottlingException\"},{}]}", 1,
        "server-error");
    expect_taken(put_events_read,
                 "{\"FailedEntryCount\":1,\"Entries\":[{\"ErrorCode\":\"NotAuthorizedForSourceException\"},{},{}]}", 0,
                 "access-denied");
    expect_taken(put_events_read, "{\"FailedEntryCount\":1,\"Entries\":[{},{},{\"ErrorCode\":\"MalformedDetail\"}]}", 2,
                 "request-refused");
    /* failed, and nobody knows what */
    expect_taken(put_events_read, "{\"FailedEntryCount\":1,\"Entries\":[{},{},{},{\"ErrorCode\":\"x\"}]}", 0,
                 "bad-response");
    expect_taken(put_events_read, "{}", 0, "bad-response");
    expect_taken(put_events_read, "<html>", 0, "bad-response");
    expect_taken(put_events_read, "", 0, "bad-response");
}

static void test_what_cloudwatch_logs_has_taken(void **state)
{
    (void)state;
    expect_taken(put_log_events_read, "{}", 3, NULL);
    expect_taken(put_log_events_read, "{\"rejectedLogEventsInfo\":{\"tooNewLogEventStartIndex\":1}}", 1, "clock-skew");
    expect_taken(put_log_events_read, "{\"rejectedLogEventsInfo\":{\"tooNewLogEventStartIndex\":0}}", 0, "clock-skew");
    expect_taken(put_log_events_read, "{\"rejectedLogEventsInfo\":{\"tooOldLogEventEndIndex\":3}}", 0, "clock-skew");
    expect_taken(put_log_events_read, "{\"rejectedLogEventsInfo\":{\"expiredLogEventEndIndex\":3}}", 0, "clock-skew");
    expect_taken(put_log_events_read, "{\"rejectedLogEventsInfo\":{\"tooOldLogEventEndIndex\":1}}", 3, NULL);
    expect_taken(put_log_events_read, "{\"rejectedLogEventsInfo\":{\"tooNewLogEventStartIndex\":4}}", 3, NULL);
}

struct end {
    int calls;
    size_t delivered;
    struct error error;
};

static void on_end(void *context, size_t delivered, const struct error *error)
{
    struct end *end = context;

    end->calls++;
    end->delivered = delivered;
    if (error)
        end->error = *error;
}

/* Two requests for each of three messages; whatever order they settle in, what came before the first failure is there. */
static void test_a_batch(void **state)
{
    struct bus_batch batch = {0};
    struct end end = {0};
    struct error err = {0};
    size_t i;

    (void)state;
    error_set(&err, CLASS_PLATFORM, "connection-lost", "it is gone");
    bus_batch_begin(&batch, 3, 2, on_end, &end);
    assert_true(bus_batch_waits(&batch));
    bus_batch_settle(bus_batch_place(&batch, 5), NULL);
    bus_batch_settle(bus_batch_place(&batch, 3), &err);
    for (i = 0; i < 3; i++)
        bus_batch_settle(bus_batch_place(&batch, i), NULL);
    assert_int_equal(end.calls, 0);
    bus_batch_settle(bus_batch_place(&batch, 4), &err);
    assert_int_equal(end.calls, 1);
    assert_int_equal(end.delivered, 1);
    assert_true(end.error.retryable);
    assert_false(bus_batch_waits(&batch));
}

/* A message that is wrong stays wrong. */
static void test_what_is_not_sent_again(void **state)
{
    static const char *const reasons[] = {"message-too-large", "broker-refused"};
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(reasons); i++) {
        struct bus_batch batch = {0};
        struct end end = {0};
        struct error err = {0};

        error_set(&err, CLASS_PLATFORM, reasons[i], "no");
        bus_batch_begin(&batch, 1, 1, on_end, &end);
        bus_batch_settle(bus_batch_place(&batch, 0), &err);
        assert_int_equal(end.calls, 1);
        assert_false(end.error.retryable);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_sqs_takes),
        cmocka_unit_test(test_what_is_too_large),
        cmocka_unit_test(test_names_of_headers),
        cmocka_unit_test(test_a_batch),
        cmocka_unit_test(test_what_eventbridge_has_taken),
        cmocka_unit_test(test_what_cloudwatch_logs_has_taken),
        cmocka_unit_test(test_what_is_not_sent_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
