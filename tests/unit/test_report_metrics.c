/* The line of metrics: what CloudWatch's embedded metric format asks for, and how long it can get. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/mem.h"
#include "report/metrics.h"

static json_t *line_of(const struct result *result)
{
    json_t *line;
    struct buf text;

    buf_init(&text, METRICS_LINE_MAX);
    metrics_line(result, "caisson", &text);
    assert_true(text.len > 2 && text.data[0] == '{' && text.data[text.len - 1] == '\n');
    assert_ptr_equal(memchr(text.data, '\n', text.len), text.data + text.len - 1);
    line = json_loadb(text.data, text.len, 0, NULL);
    assert_non_null(line);
    buf_dispose(&text);
    return line;
}

/* The metrics that the directive names, each with a number in the line and a unit of CloudWatch. */
static size_t check_directive(const json_t *line)
{
    json_t *about = json_object_get(line, "_aws");
    json_t *directives = json_object_get(about, "CloudWatchMetrics");
    json_t *directive = json_array_get(directives, 0);
    json_t *dimensions = json_object_get(directive, "Dimensions");
    json_t *metrics = json_object_get(directive, "Metrics");
    json_t *metric;
    size_t i;

    assert_true(json_integer_value(json_object_get(about, "Timestamp")) > 1600000000000);
    assert_int_equal(json_array_size(directives), 1);
    assert_string_equal(json_text(directive, "Namespace", ""), "caisson");
    assert_int_equal(json_array_size(dimensions), 2);
    assert_int_equal(json_array_size(json_array_get(dimensions, 0)), 0);
    assert_string_equal(json_string_value(json_array_get(json_array_get(dimensions, 1), 0)), "Class");
    assert_true(json_is_string(json_object_get(line, "Class")));
    json_array_foreach(metrics, i, metric)
    {
        const char *unit = json_text(metric, "Unit", "");

        assert_true(json_is_number(json_object_get(line, json_text(metric, "Name", "none"))));
        assert_true(strcmp(unit, "Count") == 0 || strcmp(unit, "Seconds") == 0 || strcmp(unit, "Bytes") == 0);
    }
    return json_array_size(metrics);
}

static void test_a_job_that_succeeded(void **state)
{
    struct result result;
    json_t *line;

    (void)state;
    result_init(&result);
    result.id = xstrdup("abc");
    result.project = xstrdup("shop");
    result.finished_ms = result.started_ms + 4200;
    result.duration_ms = 4200;
    result_artifact_add(&result)->bytes = 1000;
    result_artifact_add(&result)->bytes = 24;
    result.image.published = true;
    result.image.bytes = 1 << 20;
    result.cache.wanted = true;
    result.cache.used = 7;
    result.cache.added = 2;
    result.image_pull_ms = 1500;
    result.peak_memory_bytes = 1 << 30;
    line = line_of(&result);
    assert_int_equal(check_directive(line), 8);
    assert_string_equal(json_text(line, "Class", ""), "succeeded");
    assert_string_equal(json_text(line, "Project", ""), "shop");
    assert_int_equal(json_int(line, "Jobs", 0), 1);
    assert_int_equal(json_int(line, "Failed", -1), 0);
    assert_int_equal(json_int(line, "Bytes", 0), (1 << 20) + 1024);
    assert_int_equal(json_int(line, "CacheHits", 0), 7);
    assert_int_equal(json_int(line, "CacheMisses", 0), 2);
    assert_true(json_real_value(json_object_get(line, "Seconds")) > 4.19);
    assert_null(json_object_get(line, "Reason"));
    json_decref(line);
    result_dispose(&result);
}

/* A job that never began, and each class: what the tenant, a newer job or Spot ended is not counted as failed. */
static void test_every_class(void **state)
{
    enum error_class class;
    struct result result;
    json_t *line;
    size_t i;

    (void)state;
    result_init(&result);
    for (i = 0; error_class_at(i, &class); i++) {
        bool failed = class != CLASS_SUCCEEDED && class != CLASS_CANCELLED && class != CLASS_SUPERSEDED &&
                      class != CLASS_INTERRUPTED;

        result.error.class = class;
        snprintf(result.error.reason, sizeof result.error.reason, "why");
        line = line_of(&result);
        assert_int_equal(check_directive(line), 4);
        assert_string_equal(json_text(line, "Class", ""), error_class_name(class));
        assert_int_equal(json_int(line, "Failed", -1), failed);
        assert_int_equal(json_int(line, "ExitCode", -1), (int)class);
        assert_string_equal(json_text(line, "Reason", ""), class == CLASS_SUCCEEDED ? "" : "why");
        json_decref(line);
    }
    result_dispose(&result);
}

/* Whatever a job is called, the line is written at once and the log driver does not cut it. */
static void test_the_longest_line_fits(void **state)
{
    struct result result;
    json_t *line;
    size_t len;

    (void)state;
    result_init(&result);
    result.error.class = CLASS_INTERNAL;
    memset(result.error.reason, '\x01', sizeof result.error.reason - 1);
    result.id = xcalloc(1, 257);
    memset(result.id, '\x01', 256);
    result.project = xcalloc(1, 20001);
    memset(result.project, 'p', 20000);
    line = line_of(&result);
    assert_null(json_object_get(line, "Project"));
    len = strlen(json_text(line, "Id", ""));
    assert_int_equal(len, 256);
    json_decref(line);
    result_dispose(&result);
}

static void test_namespaces(void **state)
{
    static const char *const good[] = {"caisson", "Team/caisson", "a.b-c_d#e:f"};
    static const char *const bad[] = {"", "AWS/ECS", ":x", "a b", "a\"b", "a\n"};
    char name[257];
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(good); i++)
        assert_true(metrics_namespace_valid(good[i]));
    for (i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(metrics_namespace_valid(bad[i]));
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_false(metrics_namespace_valid(name));
    name[255] = '\0';
    assert_true(metrics_namespace_valid(name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_job_that_succeeded),
        cmocka_unit_test(test_every_class),
        cmocka_unit_test(test_the_longest_line_fits),
        cmocka_unit_test(test_namespaces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
