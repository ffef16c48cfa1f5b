/* What an upload in parts makes of answers that go wrong: what it sends, what it says, and that it cleans up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aws/s3_multipart.h"
#include "aws/s3_parts.h"
#include "core/mem.h"
#include "support/s3_bed.h"

#define ERROR(code) "<Error><Code>" code "</Code></Error>"
#define CREATED                                                                                                        \
    {                                                                                                                  \
        .status = 200, .body = "<R><UploadId>id/+=</UploadId></R>"                                                     \
    }
#define PART                                                                                                           \
    {                                                                                                                  \
        .status = 200, .headers = "ETag: \"5d41402abc4b2a76b9719d911017c592\"\r\n"                                     \
    }
#define COMPLETED                                                                                                      \
    {                                                                                                                  \
        .status = 200, .body = "<R><ETag>&#34;whole-1&#34;</ETag></R>"                                                 \
    }
#define ABORTED                                                                                                        \
    {                                                                                                                  \
        .status = 204                                                                                                  \
    }
/* The MD5 of the 16 bytes of the MD5 above. */
#define WHOLE_ETAG "\"62109206880d38a4010a98e11243924a-1\""

struct outcome {
    bool done;
    char etag[128];
    struct error error;
};

static void on_uploaded(void *context, const char *etag, const struct error *error)
{
    struct outcome *outcome = context;

    outcome->done = true;
    snprintf(outcome->etag, sizeof outcome->etag, "%s", etag ? etag : "");
    if (error)
        outcome->error = *error;
}

/* Uploads "hello" as one part against a script; what came of it, after aborts have ended. */
static struct outcome *upload(struct s3_bed *bed, const struct s3_answer *script)
{
    static struct outcome outcome;
    struct s3_upload_options options;
    struct strings conditions = {0};

    outcome = (struct outcome){0};
    bed->script = script;
    bed->asked = 0;
    strings_add(&conditions, "If-None-Match: *");
    s3_upload_options_init(&options, "k");
    options.body = view_of("hello");
    options.conditions = &conditions;
    s3_upload_start(bed->s3, &options, on_uploaded, &outcome);
    strings_dispose(&conditions);
    loop_run_until(bed->loop, &outcome.done);
    s3_drain(bed->s3, 5000);
    return &outcome;
}

static void test_what_is_sent(void **state)
{
    struct s3_bed *bed = *state;
    struct outcome *outcome = upload(bed, SCRIPT(CREATED, PART, COMPLETED));

    assert_string_equal(outcome->error.message, "");
    assert_string_equal(outcome->etag, "\"whole-1\"");
    assert_int_equal(bed->asked, 3);
    assert_string_equal(bed->targets[0], "POST /bucket/k?uploads=");
    assert_string_equal(bed->targets[1], "PUT /bucket/k?partNumber=1&uploadId=id%2F%2B%3D");
    assert_string_equal(bed->targets[2], "POST /bucket/k?uploadId=id%2F%2B%3D");
    /* The condition belongs to the Complete alone. */
    assert_string_equal(bed->conditions[0], "");
    assert_string_equal(bed->conditions[1], "");
    assert_string_equal(bed->conditions[2], "*");
}

static void test_failures_abort(void **state)
{
    static const struct {
        struct s3_answer answers[5];
        const char *reason;
        int asked;
    } cases[] = {
        {{{.status = 403, .body = ERROR("AccessDenied")}}, "access-denied", 1},
        {{{.status = 200, .body = "<R/>"}}, "bad-response", 1},
        {{CREATED, {.status = 403, .body = ERROR("AccessDenied")}, ABORTED}, "access-denied", 3},
        {{CREATED, {.status = 200}, ABORTED}, "bad-response", 3},
        {{CREATED, {.status = 200, .headers = "ETag: \"<a>\"\r\n"}, ABORTED}, "bad-response", 3},
        {{CREATED, PART, {.status = 200, .body = ERROR("InvalidPart")}, ABORTED}, "request-refused", 4},
        {{CREATED, PART, {.status = 200, .body = "<R/>"}, ABORTED}, "bad-response", 4},
        {{CREATED, PART, {.status = 412, .body = ERROR("PreconditionFailed")}, ABORTED}, "precondition-failed", 4},
    };
    struct s3_bed *bed = *state;
    size_t i;

    for (i = 0; i < ARRAY_LEN(cases); i++) {
        struct outcome *outcome = upload(bed, cases[i].answers);

        if (strcmp(outcome->error.reason, cases[i].reason) != 0 || bed->asked != cases[i].asked)
            fail_msg("case %zu: %s after %d requests: %s", i, outcome->error.reason, bed->asked,
                     outcome->error.message);
        assert_string_equal(outcome->etag, "");
        if (cases[i].asked > 1)
            assert_string_equal(bed->targets[bed->asked - 1], "DELETE /bucket/k?uploadId=id%2F%2B%3D");
    }
}

static void test_error_within_200_is_tried_again(void **state)
{
    struct s3_bed *bed = *state;
    struct outcome *outcome =
        upload(bed, SCRIPT(CREATED, PART, {.status = 200, .body = ERROR("InternalError")}, COMPLETED));

    assert_string_equal(outcome->etag, "\"whole-1\"");
    assert_int_equal(bed->asked, 4);
}

/* The Complete succeeded, its answer was lost, and the one sent again finds no upload. */
static void test_lost_answer_of_complete(void **state)
{
    struct s3_bed *bed = *state;
    struct outcome *outcome =
        upload(bed, SCRIPT(CREATED, PART, {.status = 500}, {.status = 404, .body = ERROR("NoSuchUpload")},
                           {.status = 200, .headers = "ETag: " WHOLE_ETAG "\r\n"}, ABORTED));

    assert_string_equal(outcome->error.message, "");
    assert_string_equal(outcome->etag, WHOLE_ETAG);
    assert_string_equal(bed->targets[4], "HEAD /bucket/k");

    outcome = upload(bed, SCRIPT(CREATED, PART, {.status = 500}, {.status = 412, .body = ERROR("PreconditionFailed")},
                                 {.status = 200, .headers = "ETag: " WHOLE_ETAG "\r\n"}, ABORTED));
    assert_string_equal(outcome->etag, WHOLE_ETAG);

    /* Another object is there: the answer stands. */
    outcome = upload(bed, SCRIPT(CREATED, PART, {.status = 500}, {.status = 412, .body = ERROR("PreconditionFailed")},
                                 {.status = 200, .headers = "ETag: \"other\"\r\n"}, ABORTED));
    assert_string_equal(outcome->error.reason, "precondition-failed");
}

static void test_etag_of_the_whole(void **state)
{
    struct s3_parts parts;
    char etag[S3_PARTS_ETAG_SIZE];

    (void)state;
    s3_parts_init(&parts, 2);
    assert_int_equal(s3_parts_set(&parts, 0, "\"5d41402abc4b2a76b9719d911017c592\""), 0);
    assert_false(s3_parts_etag(&parts, 2, etag));
    assert_int_equal(s3_parts_set(&parts, 1, "\"not-a-sum\""), 0);
    assert_false(s3_parts_etag(&parts, 2, etag));
    assert_true(s3_parts_etag(&parts, 1, etag));
    assert_string_equal(etag, WHOLE_ETAG);
    assert_int_equal(s3_parts_set(&parts, 1, "a&b"), -1);
    assert_int_equal(s3_parts_set(&parts, 1, ""), -1);
    s3_parts_dispose(&parts);
}

#define BED_TEST(name) cmocka_unit_test_setup_teardown(name, s3_bed_setup, s3_bed_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_etag_of_the_whole),
        BED_TEST(test_what_is_sent),
        BED_TEST(test_failures_abort),
        BED_TEST(test_error_within_200_is_tried_again),
        BED_TEST(test_lost_answer_of_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
