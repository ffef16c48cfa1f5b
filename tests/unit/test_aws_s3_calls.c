/* Calls against scripted answers: what is final, what passes, what has a remedy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <time.h>
#include <unistd.h>

#include "aws/s3.h"
#include "core/clock.h"
#include "core/mem.h"
#include "support/s3_bed.h"

static void test_put(void **state)
{
    struct s3_bed *bed = *state;
    struct error err;

    assert_string_equal(s3_bed_perform(bed, "PUT", SCRIPT({.status = 200}), &err), "");
    assert_string_equal(bed->targets[0], "PUT /bucket/a%20b/%C3%BC.txt");
    assert_string_equal(bed->last_body, "content");
    assert_string_equal(bed->conditions[0], "*");
    assert_non_null(strstr(bed->authorizations[0], "/us-east-1/s3/aws4_request"));
    assert_non_null(strstr(bed->authorizations[0], "SignedHeaders=host;if-none-match;x-amz-content-sha256;x-amz-date;"
                                                   "x-amz-security-token,"));
    assert_int_equal(s3_stats(bed->s3).requests, 1);
    assert_int_equal(s3_stats(bed->s3).retries, 0);
}

#define ERROR(code) "<Error><Code>" code "</Code><Message>why</Message><RequestId>R1</RequestId></Error>"

static void test_final_answers(void **state)
{
    static const struct {
        struct s3_answer answer;
        const char *method, *reason;
        enum error_class class;
    } cases[] = {
        {{.status = 403, .body = ERROR("AccessDenied")}, "PUT", "access-denied", CLASS_UPLOAD_FAILED},
        {{.status = 404, .body = ERROR("NoSuchBucket")}, "PUT", "no-such-bucket", CLASS_UPLOAD_FAILED},
        {{.status = 404, .body = ERROR("NoSuchKey")}, "GET", "no-such-key", CLASS_UPLOAD_FAILED},
        {{.status = 404}, "HEAD", "no-such-key", CLASS_UPLOAD_FAILED},
        {{.status = 403}, "HEAD", "access-denied", CLASS_UPLOAD_FAILED},
        {{.status = 304}, "GET", "not-modified", CLASS_UPLOAD_FAILED},
        {{.status = 412, .body = ERROR("PreconditionFailed")}, "PUT", "precondition-failed", CLASS_UPLOAD_FAILED},
        {{.status = 409, .body = ERROR("BucketNotEmpty")}, "DELETE", "conflict", CLASS_UPLOAD_FAILED},
        {{.status = 400, .body = ERROR("XAmzContentSHA256Mismatch")}, "PUT", "content-mismatch", CLASS_UPLOAD_FAILED},
        {{.status = 403, .body = ERROR("SignatureDoesNotMatch")}, "PUT", "credentials-refused", CLASS_CREDENTIALS},
        {{.status = 403, .body = ERROR("InvalidAccessKeyId")}, "PUT", "credentials-refused", CLASS_CREDENTIALS},
        {{.status = 400, .body = ERROR("EntityTooLarge")}, "PUT", "request-refused", CLASS_UPLOAD_FAILED},
        {{.status = 301, .body = ERROR("PermanentRedirect")}, "PUT", "wrong-region", CLASS_UPLOAD_FAILED},
        {{.status = 501, .body = ERROR("NotImplemented")}, "PUT", "request-refused", CLASS_UPLOAD_FAILED},
    };
    struct s3_bed *bed = *state;
    struct error err;
    size_t i;

    for (i = 0; i < ARRAY_LEN(cases); i++) {
        if (strcmp(s3_bed_perform(bed, cases[i].method, SCRIPT(cases[i].answer), &err), cases[i].reason) != 0)
            fail_msg("case %zu: wanted %s, found %s: %s", i, cases[i].reason, err.reason, err.message);
        assert_int_equal(err.class, cases[i].class);
        assert_int_equal(bed->asked, 1);
        assert_false(err.retryable);
        assert_non_null(strstr(err.message, "s3://bucket/a b/ü.txt"));
    }
    s3_bed_perform(bed, "PUT", SCRIPT(cases[0].answer), &err);
    assert_string_equal(err.message, "PUT s3://bucket/a b/ü.txt: 403 AccessDenied: why (request R1)");
    assert_non_null(strstr(err.hint, "s3:PutObject on arn:aws:s3:::bucket/a b/ü.txt"));
}

static void test_answers_that_pass(void **state)
{
    static const struct s3_answer cases[] = {
        {.status = 500, .body = ERROR("InternalError")},
        {.status = 502},
        {.status = 504},
        {.status = 400, .body = ERROR("RequestTimeout")},
        {.status = 409, .body = ERROR("ConditionalRequestConflict")},
        {.status = 503, .body = ERROR("SlowDown")},
        {.status = 429},
        {.close = true},
    };
    struct s3_bed *bed = *state;
    struct error err;
    size_t i;

    for (i = 0; i < ARRAY_LEN(cases); i++) {
        if (*s3_bed_perform(bed, "PUT", SCRIPT(cases[i], {.status = 200}), &err))
            fail_msg("case %zu: %s", i, err.message);
        assert_int_equal(bed->asked, 2);
        assert_string_equal(bed->last_body, "content");
    }
    assert_int_equal(s3_stats(bed->s3).slow_downs, 2);
    /* The last one curl repeats by itself: the connection had been kept. */
    assert_int_equal(s3_stats(bed->s3).retries, ARRAY_LEN(cases) - 1);
    assert_int_equal(s3_stats(bed->s3).requests, 2 * ARRAY_LEN(cases) - 1);
}

/* Who refuses by the headers alone may close while the body is on its way: the next attempt waits for a word first. */
static void test_lost_connection_makes_careful(void **state)
{
    struct s3_bed *bed = *state;
    struct error err;

    assert_string_equal(s3_bed_perform(bed, "PUT", SCRIPT({.close = true}, {.status = 200}), &err), "");
    assert_int_equal(bed->asked, 2);
    assert_string_equal(bed->expects[0], "");
    assert_string_equal(bed->expects[1], "100-continue");
    assert_null(strstr(bed->authorizations[1], "expect"));
}

static void test_attempts_end(void **state)
{
    struct s3_bed *bed = *state;
    int64_t start_ms = clock_monotonic_ms();
    struct error err;

    assert_string_equal(s3_bed_perform(bed, "PUT", SCRIPT({.status = 503, .body = ERROR("SlowDown")}), &err),
                        "slow-down");
    assert_int_equal(bed->asked, 5);
    assert_true(err.retryable);
    assert_non_null(strstr(err.message, "after 5 attempts"));
    assert_true(clock_monotonic_ms() - start_ms >= 4 * 100);
    assert_string_equal(s3_bed_perform(bed, "PUT", SCRIPT({.status = 200, .headers = "Retry-After: 1\r\n"}), &err), "");
}

/* With patience SlowDown is no attempt: as long as anything is taken it goes on, and else ends in time. */
static void test_patience(void **state)
{
    struct s3_bed *bed = *state;
    const struct s3_answer slow = {.status = 503, .body = ERROR("SlowDown")};
    int64_t start_ms, took_ms;
    struct error err;

    s3_bed_patience(bed, 60000);
    assert_string_equal(s3_bed_perform(bed, "PUT", SCRIPT(slow, slow, slow, slow, slow, {.status = 200}), &err), "");
    assert_int_equal(bed->asked, 6);
    s3_bed_patience(bed, 2500);
    start_ms = clock_monotonic_ms();
    assert_string_equal(s3_bed_perform(bed, "PUT", SCRIPT(slow), &err), "slow-down");
    took_ms = clock_monotonic_ms() - start_ms;
    assert_in_range(took_ms, 1000, 2500 + 1000);
    assert_true(bed->asked >= 3);
    assert_int_equal(err.class, CLASS_UPLOAD_FAILED);
    assert_true(err.retryable);
    assert_non_null(strstr(err.message, "S3 has taken no request for"));
    /* It is known now: the next one gives up at once. */
    start_ms = clock_monotonic_ms();
    s3_bed_perform(bed, "PUT", SCRIPT({.status = 503, .headers = "Retry-After: 60\r\n"}), &err);
    assert_int_equal(bed->asked, 1);
    assert_int_equal(err.retry_after_ms, 60000);
    assert_true(clock_monotonic_ms() - start_ms < 2500);
    assert_string_equal(s3_bed_perform(bed, "PUT", SCRIPT({.status = 200}), &err), "");
}

static void test_retry_after_is_honoured(void **state)
{
    struct s3_bed *bed = *state;
    int64_t start_ms = clock_monotonic_ms();
    struct error err;

    s3_bed_perform(bed, "PUT", SCRIPT({.status = 503, .headers = "Retry-After: 1\r\n"}, {.status = 200}), &err);
    assert_int_equal(bed->asked, 2);
    assert_true(clock_monotonic_ms() - start_ms >= 1000);
}

static void http_date(int64_t wall_ms, char text[64])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;

    gmtime_r(&seconds, &tm);
    strftime(text, 64, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
}

static void test_clock_is_corrected_once(void **state)
{
    struct s3_bed *bed = *state;
    char date[64], day[16];
    struct error err;
    time_t seconds = time(NULL) + 7 * 86400;
    struct tm tm;

    http_date(clock_wall_ms() + INT64_C(7) * 86400 * 1000, date);
    gmtime_r(&seconds, &tm);
    strftime(day, sizeof day, "%Y%m%d", &tm);
    s3_bed_perform(bed, "PUT",
                   SCRIPT({.status = 403, .headers = date, .body = ERROR("RequestTimeTooSkewed")}, {.status = 200}),
                   &err);
    assert_int_equal(bed->asked, 2);
    assert_true(strncmp(bed->dates[0], day, 8) != 0);
    assert_true(strncmp(bed->dates[1], day, 8) == 0);
    /* The next call is right from the start. */
    assert_string_equal(s3_bed_perform(bed, "PUT", SCRIPT({.status = 200}), &err), "");
    assert_true(strncmp(bed->dates[0], day, 8) == 0);
    /* A server that goes on refusing is believed. */
    assert_string_equal(s3_bed_perform(bed, "PUT",
                                       SCRIPT({.status = 403, .headers = date, .body = ERROR("RequestTimeTooSkewed")}),
                                       &err),
                        "clock-skew");
    assert_int_equal(bed->asked, 2);
}

static void test_clock_is_seen_behind_a_bare_403(void **state)
{
    struct s3_bed *bed = *state;
    struct error err;
    char date[64];

    http_date(clock_wall_ms() - INT64_C(3600) * 1000, date);
    assert_string_equal(s3_bed_perform(bed, "HEAD", SCRIPT({.status = 403, .headers = date}, {.status = 200}), &err),
                        "");
    assert_int_equal(bed->asked, 2);
    /* With the clock now right a 403 is a 403. */
    assert_string_equal(s3_bed_perform(bed, "HEAD", SCRIPT({.status = 403, .headers = date}), &err), "access-denied");
    assert_int_equal(bed->asked, 1);
}

static void test_expired_credentials_are_renewed_once(void **state)
{
    static const struct s3_answer expired = {.status = 400, .body = ERROR("ExpiredToken")};
    struct s3_bed *bed = *state;
    struct error err;

    assert_string_equal(s3_bed_perform(bed, "PUT", SCRIPT(expired, {.status = 200}), &err), "");
    assert_int_equal(bed->asked, 2);
    assert_int_equal(bed->renewed, 2);
    assert_non_null(strstr(bed->authorizations[0], "Credential=AK1/"));
    assert_non_null(strstr(bed->authorizations[1], "Credential=AK2/"));
    assert_string_equal(s3_bed_perform(bed, "PUT", SCRIPT(expired), &err), "expired-token");
    assert_int_equal(bed->asked, 2);
    assert_int_equal(err.class, CLASS_CREDENTIALS);
    /* When the renewal brings the same again, S3 is not asked in vain. */
    bed->stuck_credentials = true;
    s3_bed_perform(bed, "PUT", SCRIPT(expired, {.status = 200}), &err);
    assert_string_equal(s3_bed_perform(bed, "PUT", SCRIPT(expired), &err), "expired-token");
    assert_int_equal(bed->asked, 1);
}

struct many {
    int done, failed;
};

static void on_one(void *context, const struct error *error)
{
    struct many *many = context;

    many->done++;
    many->failed += error != NULL;
}

static void answer_by_key(void *context, const struct loop_request *request, struct buf *out)
{
    char authorization[512];

    (void)context;
    loop_request_header(request, "Authorization", authorization, sizeof authorization);
    if (strstr(authorization, "Credential=AK1/"))
        loop_answer(out, 400, "", ERROR("ExpiredToken"));
    else
        loop_answer(out, 200, "ETag: \"x\"\r\n", "");
}

/* All run into the same expiry: one renewal serves them, and those that were answered late do not renew again. */
static void test_expiry_under_load(void **state)
{
    struct s3_bed *bed = *state;
    struct loop_server *server = loop_server_start(bed->loop, answer_by_key, bed);
    CLEANUP_FREE char *endpoint = xasprintf("http://127.0.0.1:%d", loop_server_port(server));
    struct s3_call calls[200];
    struct many many = {0};
    struct s3 *s3;
    size_t i;

    assert_int_equal(
        s3_new(&s3, bed->client, bed->provider, &(struct s3_options){.bucket = "bucket", .endpoint = endpoint}, NULL),
        0);
    for (i = 0; i < ARRAY_LEN(calls); i++) {
        s3_call_init(&calls[i], "PUT", "k");
        s3_start(s3, &calls[i], on_one, &many);
    }
    while (many.done < (int)ARRAY_LEN(calls))
        loop_run_once(bed->loop, 1000);
    assert_int_equal(many.failed, 0);
    assert_int_equal(bed->renewed, 2);
    for (i = 0; i < ARRAY_LEN(calls); i++)
        s3_call_dispose(&calls[i]);
    s3_free(s3);
    loop_server_stop(server);
}

static void test_wrong_region_is_corrected_once(void **state)
{
    static const struct s3_answer malformed = {
        .status = 400,
        .body =
            "<Error><Code>AuthorizationHeaderMalformed</Code><Message>m</Message><Region>eu-west-3</Region></Error>"};
    struct s3_bed *bed = *state;
    struct error err;

    assert_string_equal(s3_bed_perform(bed, "PUT", SCRIPT(malformed, {.status = 200}), &err), "");
    assert_non_null(strstr(bed->authorizations[1], "/eu-west-3/s3/"));
    assert_string_equal(
        s3_bed_perform(bed, "HEAD",
                       SCRIPT({.status = 301, .headers = "x-amz-bucket-region: ap-south-1\r\n"}, {.status = 200}),
                       &err),
        "");
    assert_non_null(strstr(bed->authorizations[1], "/ap-south-1/s3/"));
    assert_string_equal(s3_bed_perform(bed, "PUT",
                                       SCRIPT({.status = 301,
                                               .headers = "x-amz-bucket-region: evil.test/\r\n",
                                               .body = ERROR("PermanentRedirect")}),
                                       &err),
                        "wrong-region");
    assert_int_equal(bed->asked, 1);
    assert_string_equal(
        s3_bed_perform(bed, "PUT", SCRIPT({.status = 301, .headers = "x-amz-bucket-region: eu-west-1\r\n"}), &err),
        "wrong-region");
    assert_int_equal(bed->asked, 2);
}

static void test_error_within_200(void **state)
{
    struct s3_bed *bed = *state;
    struct error err;

    assert_string_equal(
        s3_bed_perform(bed, "POST",
                       SCRIPT({.status = 200, .body = "<?xml version=\"1.0\"?>\n" ERROR("InternalError")},
                              {.status = 200, .body = "<Result/>"}),
                       &err),
        "");
    assert_int_equal(bed->asked, 2);
    assert_string_equal(s3_bed_perform(bed, "POST", SCRIPT({.status = 200, .body = ERROR("InvalidPart")}), &err),
                        "request-refused");
    /* The text of an object may well look like an error. */
    assert_string_equal(s3_bed_perform(bed, "GET", SCRIPT({.status = 200, .body = ERROR("InternalError")}), &err), "");
}

static void test_cancel_at_every_moment(void **state)
{
    static const struct s3_answer answers[] = {{.status = 503}, {.status = 400, .body = ERROR("ExpiredToken")}};
    struct s3_bed *bed = *state;
    struct many many = {0};
    struct s3_call call;
    size_t i;
    int turns;

    for (i = 0; i < ARRAY_LEN(answers); i++)
        for (turns = 0; turns < 12; turns++) {
            struct s3_operation *operation;

            bed->script = SCRIPT(answers[i]);
            bed->asked = 0;
            s3_call_init(&call, "PUT", "k");
            many.done = 0;
            operation = s3_start(bed->s3, &call, on_one, &many);
            while (bed->asked == 0 && turns > 6)
                loop_run_once(bed->loop, 50);
            for (int turn = 0; turn < turns && !many.done; turn++)
                loop_run_once(bed->loop, 5);
            if (!many.done)
                s3_cancel(operation);
            s3_call_dispose(&call);
        }
    /* And all at once, when the owner goes. */
    s3_call_init(&call, "PUT", "k");
    s3_start(bed->s3, &call, on_one, &many);
    many.done = 0;
    s3_free(bed->s3);
    bed->s3 = NULL;
    loop_run_once(bed->loop, 20);
    assert_int_equal(many.done, 0);
    s3_call_dispose(&call);
}

static void test_file_bodies(void **state)
{
    struct s3_bed *bed = *state;
    char path[] = "/tmp/caisson-s3-XXXXXX";
    struct s3_call call;
    struct error err;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(write(fd, "0123456789", 10), 10);
    s3_call_init(&call, "PUT", "k");
    call.body_fd = fd;
    call.body_offset = 2;
    call.body_length = 5;
    bed->script = SCRIPT({.status = 500}, {.status = 200});
    assert_int_equal(s3_perform(bed->s3, &call, &err), 0);
    assert_string_equal(bed->last_body, "23456");
    assert_int_equal(call.attempts, 2);
    bed->asked = 0;
    call.body_length = 9;
    assert_int_equal(s3_perform(bed->s3, &call, &err), -1);
    assert_string_equal(err.reason, "file-changed");
    assert_int_equal(bed->asked, 0);
    /* The hash was taken before the file shrank. */
    call.body_sha256 = "00";
    assert_int_equal(s3_perform(bed->s3, &call, &err), -1);
    assert_string_equal(err.reason, "file-changed");
    s3_call_dispose(&call);
    close(fd);
}

static void test_no_credentials(void **state)
{
    struct s3_bed *bed = *state;
    struct credentials_source none = {.kind = CREDENTIALS_NONE};
    struct credentials_provider *provider = credentials_provider_new(&none, bed->client);
    struct s3_call call;
    struct error err;
    struct s3 *s3;

    assert_int_equal(s3_new(&s3, bed->client, provider, &(struct s3_options){.bucket = "b"}, NULL), 0);
    s3_call_init(&call, "GET", "k");
    assert_int_equal(s3_perform(s3, &call, &err), -1);
    assert_int_equal(err.class, CLASS_CREDENTIALS);
    assert_string_equal(err.reason, "no-credentials");
    s3_call_dispose(&call);
    s3_free(s3);
    credentials_provider_free(provider);
}

#define BED_TEST(name) cmocka_unit_test_setup_teardown(name, s3_bed_setup, s3_bed_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(test_put),
        BED_TEST(test_final_answers),
        BED_TEST(test_answers_that_pass),
        BED_TEST(test_lost_connection_makes_careful),
        BED_TEST(test_attempts_end),
        BED_TEST(test_patience),
        BED_TEST(test_retry_after_is_honoured),
        BED_TEST(test_clock_is_corrected_once),
        BED_TEST(test_clock_is_seen_behind_a_bare_403),
        BED_TEST(test_expired_credentials_are_renewed_once),
        BED_TEST(test_expiry_under_load),
        BED_TEST(test_wrong_region_is_corrected_once),
        BED_TEST(test_error_within_200),
        BED_TEST(test_cancel_at_every_moment),
        BED_TEST(test_file_bodies),
        BED_TEST(test_no_credentials),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
