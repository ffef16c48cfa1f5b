/* What `caisson doctor` makes of what it finds: rows, verdicts, the document and its schema. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/doctor.h"
#include "core/json.h"
#include "core/mem.h"

static struct doctor_row *last(struct doctor *doctor)
{
    assert_true(doctor->rows_len > 0);
    return &doctor->rows[doctor->rows_len - 1];
}

/* ---- the log ---- */

static void judge(struct doctor *doctor, const char *container)
{
    json_t *json = json_loads(container, 0, NULL);

    assert_non_null(json);
    doctor_judge_log(doctor, json);
    json_decref(json);
}

static void test_log_modes(void **state)
{
    static const struct {
        const char *container;
        enum doctor_status status;
        const char *reason, *word;
    } cases[] = {
        {"{\"LogDriver\":\"awslogs\",\"LogOptions\":{\"awslogs-group\":\"g\",\"mode\":\"blocking\"}}", DOCTOR_OK, "",
         "group g"},
        {"{\"LogDriver\":\"awslogs\",\"LogOptions\":{\"mode\":\"non-blocking\",\"max-buffer-size\":\"4m\"}}",
         DOCTOR_WARNING, "log-may-lose-lines", "4m"},
        {"{\"LogDriver\":\"awslogs\",\"LogOptions\":{\"mode\":\"non-blocking\"}}", DOCTOR_WARNING, "log-may-lose-lines",
         "10m"},
        {"{\"LogDriver\":\"awslogs\",\"LogOptions\":{}}", DOCTOR_WARNING, "log-mode-unknown", "names no mode"},
        {"{\"LogDriver\":\"awslogs\",\"LogOptions\":[]}", DOCTOR_WARNING, "log-mode-unknown", "names no mode"},
        {"{\"LogDriver\":\"awslogs\",\"LogOptions\":{\"mode\":7}}", DOCTOR_WARNING, "log-mode-unknown", "group ?"},
        {"{\"LogDriver\":\"awsfirelens\"}", DOCTOR_OK, "", "awsfirelens"},
        {"{\"LogDriver\":\"none\"}", DOCTOR_WARNING, "log-driver-none", "nowhere"},
        {"{}", DOCTOR_WARNING, "log-driver-none", "nowhere"},
    };
    struct doctor doctor = {.check = "log"};
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        judge(&doctor, cases[i].container);
        assert_int_equal(last(&doctor)->status, cases[i].status);
        assert_string_equal(last(&doctor)->error.reason, cases[i].reason);
        assert_non_null(strstr(last(&doctor)->error.message, cases[i].word));
        assert_true((cases[i].status == DOCTOR_WARNING) == (*last(&doctor)->error.hint != '\0'));
    }
    assert_int_equal(doctor_verdict(&doctor), CLASS_SUCCEEDED);
    doctor_rows_dispose(&doctor);
}

/* ---- the clock ---- */

static void test_clock(void **state)
{
    static const struct {
        int64_t off_ms;
        enum doctor_status status;
        const char *words;
    } cases[] = {
        {0, DOCTOR_OK, "the server's"},
        {29999, DOCTOR_OK, "the server's"},
        {-29999, DOCTOR_OK, "the server's"},
        {30000, DOCTOR_WARNING, "30s behind"},
        {-30000, DOCTOR_WARNING, "30s ahead of"},
        {300000, DOCTOR_WARNING, "5m behind"},
        {300001, DOCTOR_FAILED, "5m behind"},
        {-3600000, DOCTOR_FAILED, "1h ahead of"},
        {(int64_t)400 * 86400 * 1000, DOCTOR_FAILED, "behind"},
    };
    struct doctor doctor = {.check = "clock"};
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        doctor_judge_clock(&doctor, "https://s3.test", cases[i].off_ms);
        assert_int_equal(last(&doctor)->status, cases[i].status);
        assert_non_null(strstr(last(&doctor)->error.message, cases[i].words));
    }
    assert_int_equal(doctor_verdict(&doctor), CLASS_PLATFORM);
    doctor_rows_dispose(&doctor);
}

/* ---- capabilities ---- */

static void name_capabilities(uint64_t set, const char *wanted)
{
    struct buf names;

    buf_init(&names, 1024);
    doctor_name_capabilities(set, &names);
    assert_string_equal(buf_text(&names), wanted);
    buf_dispose(&names);
}

static void test_capabilities(void **state)
{
    (void)state;
    name_capabilities(0, "");
    name_capabilities(0xa80425fb, "NET_RAW"); /* Docker's fourteen */
    name_capabilities(0xa80405fb, "");
    name_capabilities(0xa80c25fb, "NET_RAW, SYS_PTRACE");
    name_capabilities((uint64_t)1 << 39 | (uint64_t)1 << 40, "BPF, CHECKPOINT_RESTORE");
    name_capabilities((uint64_t)1 << 63, "");
}

/* ---- git ---- */

#define HEADER "001e# service=git-upload-pack\n0000"
#define LINE(name) "003f0123456789012345678901234567890123456789 " name "\n"
#define FIRST "0099 0123456789012345678901234567890123456789 HEAD\0multi_ack symref=HEAD:refs/heads/main\n"

static int read_refs(const char *data, size_t len, const char *ref, struct error *err)
{
    return doctor_read_refs((struct view){data, len}, ref, err);
}

static void test_refs(void **state)
{
    static const char body[] = HEADER FIRST LINE("refs/heads/main") LINE("refs/heads/feature/x") LINE("refs/tags/v1")
        LINE("refs/pull/7/head") "0000";
    static const char *const there[] = {"main", "feature/x", "v1", "refs/heads/main", "refs/pull/7/head", "HEAD"};
    static const char *const missing[] = {"mai", "x", "ain", "v", "refs/heads/mai", "heads/main", "7/head", "Main"};
    struct error err;
    size_t i;

    (void)state;
    assert_int_equal(read_refs(body, sizeof body - 1, NULL, &err), 0);
    for (i = 0; i < ARRAY_LEN(there); i++)
        assert_int_equal(read_refs(body, sizeof body - 1, there[i], &err), 0);
    for (i = 0; i < ARRAY_LEN(missing); i++) {
        assert_int_equal(read_refs(body, sizeof body - 1, missing[i], &err), -1);
        assert_string_equal(err.reason, "ref-not-found");
        assert_int_equal(err.class, CLASS_REF_NOT_FOUND);
    }
}

static void test_what_is_no_git(void **state)
{
    static const char *const bodies[] = {"", "<", "<html><body>sign in</body></html>",
                                         "001e# service=git-receive-pack\n", "# service=git-up"};
    struct error err;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(bodies); i++) {
        assert_int_equal(read_refs(bodies[i], strlen(bodies[i]), "main", &err), -1);
        assert_string_equal(err.reason, "not-git");
    }
    /* Cut where a name would end. */
    assert_int_equal(
        read_refs(HEADER LINE("refs/heads/main"), sizeof(HEADER LINE("refs/heads/main")) - 2, "main", &err), -1);
}

/* ---- rows ---- */

static void add_some(struct doctor *doctor)
{
    struct error err;

    doctor->check = "bucket";
    doctor_ok(doctor, "one", "fine");
    error_set(&err, CLASS_CREDENTIALS, "static-keys", "keys");
    error_hint(&err, "take them out");
    doctor_warn(doctor, "two", &err);
    doctor_skip(doctor, "three", "not %s", "asked");
    error_set(&err, CLASS_UPLOAD_FAILED, "no-such-bucket", "GET s3://x: 404\n\033[31mNoSuchBucket");
    doctor_fail(doctor, "four\rfive", &err);
    error_set(&err, CLASS_PLATFORM, "later", "later");
    doctor_fail(doctor, "six", &err);
}

static void test_the_first_failure_counts(void **state)
{
    struct doctor doctor = {0};

    (void)state;
    assert_int_equal(doctor_verdict(&doctor), CLASS_SUCCEEDED);
    add_some(&doctor);
    assert_int_equal(doctor_verdict(&doctor), CLASS_UPLOAD_FAILED);
    doctor_rows_dispose(&doctor);
}

static void test_lines(void **state)
{
    struct doctor doctor = {0};
    struct buf out;

    (void)state;
    add_some(&doctor);
    buf_init(&out, 65536);
    doctor_print(&doctor, false, &out);
    assert_string_equal(buf_text(&out), "ok       bucket       one: fine\n"
                                        "warning  bucket       two: keys\n"
                                        "                      try: take them out\n"
                                        "skipped  bucket       three: not asked\n"
                                        "failed   bucket       four five: GET s3://x: 404  [31mNoSuchBucket\n"
                                        "failed   bucket       six: later\n"
                                        "1 ok, 1 warnings, 2 failed, 1 skipped\n");
    buf_reset(&out);
    doctor_print(&doctor, true, &out);
    assert_non_null(strstr(buf_text(&out), "\033[31mfailed  \033[0m bucket"));
    buf_dispose(&out);
    doctor_rows_dispose(&doctor);
}

static void test_what_took_too_long(void **state)
{
    struct doctor doctor = {.check = "registry", .stop = true};
    struct error err;

    (void)state;
    error_set(&err, CLASS_INTERRUPTED, "interrupted", "stopped before an answer came");
    doctor_fail(&doctor, "x", &err);
    assert_int_equal(last(&doctor)->error.class, CLASS_PLATFORM);
    assert_string_equal(last(&doctor)->error.reason, "timed-out");
    /* A stop is one, and another error is what it is. */
    doctor.stopped = true;
    doctor_fail(&doctor, "x", &err);
    assert_int_equal(last(&doctor)->error.class, CLASS_INTERRUPTED);
    doctor.stopped = false;
    error_set(&err, CLASS_CREDENTIALS, "no-credentials", "none");
    doctor_fail(&doctor, "x", &err);
    assert_string_equal(last(&doctor)->error.reason, "no-credentials");
    doctor_rows_dispose(&doctor);
}

static void test_document(void **state)
{
    struct doctor doctor = {0};
    const json_t *rows, *row;
    json_t *document, *schema;

    (void)state;
    add_some(&doctor);
    document = doctor_document(&doctor);
    assert_string_equal(json_text(document, "schema", ""), "caisson.doctor/1");
    assert_string_equal(json_text(document, "class", ""), "upload-failed");
    assert_int_equal(json_int(document, "exit_code", 0), 40);
    assert_int_equal(json_int(json_object_get(document, "counts"), "failed", 0), 2);
    rows = json_object_get(document, "checks");
    assert_int_equal(json_array_size(rows), 5);
    row = json_array_get(rows, 1);
    assert_string_equal(json_text(row, "status", ""), "warning");
    assert_string_equal(json_text(row, "reason", ""), "static-keys");
    assert_string_equal(json_text(row, "class", ""), "credentials");
    assert_string_equal(json_text(row, "hint", ""), "take them out");
    assert_null(json_object_get(json_array_get(rows, 0), "reason"));
    json_decref(document);
    schema = doctor_schema();
    assert_non_null(schema);
    assert_non_null(json_object_get(json_object_get(schema, "properties"), "checks"));
    json_decref(schema);
    doctor_rows_dispose(&doctor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_modes),      cmocka_unit_test(test_clock),
        cmocka_unit_test(test_capabilities),   cmocka_unit_test(test_refs),
        cmocka_unit_test(test_what_is_no_git), cmocka_unit_test(test_the_first_failure_counts),
        cmocka_unit_test(test_lines),          cmocka_unit_test(test_what_took_too_long),
        cmocka_unit_test(test_document),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
