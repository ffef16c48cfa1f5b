/* The result document: status, schema and the shortened last line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/mem.h"
#include "report/result.h"

static void fill(struct result *result)
{
    struct result_artifact *artifact;
    struct result_step *step;

    result_init(result);
    result->id = xstrdup("abc");
    result->project = xstrdup("shop");
    result->type = xstrdup("build");
    result->finished_ms = result->started_ms - 3600 * 1000; /* the clock was set */
    result->duration_ms = 4200;
    step = result_step_begin(result, "checkout");
    step->ok = true;
    step->attempts = 2;
    step = result_step_begin(result, "install");
    step->skipped = true;
    artifact = result_artifact_add(result);
    artifact->url = xstrdup("s3://b/p/");
    artifact->files = 3;
}

static void test_success(void **state)
{
    struct result result;
    json_t *document;

    (void)state;
    fill(&result);
    document = result_to_json(&result);
    assert_string_equal(json_text(document, "schema", ""), "caisson.result/1");
    assert_string_equal(json_text(document, "status", ""), "succeeded");
    assert_string_equal(json_text(document, "class", ""), "succeeded");
    assert_int_equal(json_int(document, "exit_code", -1), 0);
    assert_null(json_object_get(document, "reason"));
    assert_null(json_object_get(document, "step"));
    assert_int_equal(json_array_size(json_object_get(document, "steps")), 2);
    assert_string_equal(json_text(json_array_get(json_object_get(document, "steps"), 1), "status", ""), "skipped");
    json_decref(document);
    result_dispose(&result);
}

/* Every class has a status, its own exit code, and stays within the schema's enumerations. */
static void test_every_class(void **state)
{
    json_t *schema = result_schema();
    json_t *classes = json_object_get(json_object_get(json_object_get(schema, "properties"), "class"), "enum");
    json_t *statuses = json_object_get(json_object_get(json_object_get(schema, "properties"), "status"), "enum");
    enum error_class class;
    size_t i, j;

    (void)state;
    for (i = 0; error_class_at(i, &class); i++) {
        struct result result;
        json_t *document;
        bool known_class = false, known_status = false;

        fill(&result);
        if (class != CLASS_SUCCEEDED)
            error_set(&result.error, class, "some-reason", "what %s", "happened");
        document = result_to_json(&result);
        assert_int_equal(json_int(document, "exit_code", -1), class);
        assert_int_equal(result_exit_code(&result), class);
        for (j = 0; j < json_array_size(classes); j++)
            known_class |= strcmp(json_string_value(json_array_get(classes, j)), json_text(document, "class", "")) == 0;
        for (j = 0; j < json_array_size(statuses); j++)
            known_status |=
                strcmp(json_string_value(json_array_get(statuses, j)), json_text(document, "status", "")) == 0;
        assert_true(known_class && known_status);
        assert_int_equal(class == CLASS_SUCCEEDED, json_object_get(document, "reason") == NULL);
        json_decref(document);
        result_dispose(&result);
    }
    json_decref(schema);
}

static void test_required_properties_are_there(void **state)
{
    json_t *schema = result_schema(), *document, *name;
    struct result result;
    size_t i;

    (void)state;
    fill(&result);
    document = result_to_json(&result);
    json_array_foreach(json_object_get(schema, "required"), i, name)
        assert_non_null(json_object_get(document, json_string_value(name)));
    json_decref(document);
    json_decref(schema);
    result_dispose(&result);
}

static void test_child_signal(void **state)
{
    struct result result;
    json_t *document;

    (void)state;
    fill(&result);
    error_set(&result.error, CLASS_BUILD_FAILED, "build-killed", "killed");
    result.error.child_signal = 9;
    document = result_to_json(&result);
    assert_int_equal(json_int(document, "child_signal", 0), 9);
    assert_null(json_object_get(document, "child_exit_code"));
    assert_string_equal(json_text(document, "step", ""), "install");
    json_decref(document);
    result_dispose(&result);
}

/* The last line fits, is whole JSON, and keeps what says how it ended. */
static void test_summary_fits(void **state)
{
    struct result result;
    struct buf line;
    json_t *document;
    int i;

    (void)state;
    fill(&result);
    error_set(&result.error, CLASS_SUPERSEDED, "superseded", "newer");
    for (i = 0; i < 2000; i++)
        strings_addf(&result.warnings, "warning number %d of a job that has much to say", i);
    buf_init(&line, 64 * 1024);
    result_summary_json(&result, 2000, &line);
    assert_true(line.len <= 2000);
    document = json_loads(buf_text(&line), 0, NULL);
    assert_non_null(document);
    assert_int_equal(json_int(document, "exit_code", -1), 43);
    assert_string_equal(json_text(document, "status", ""), "superseded");
    assert_true(json_flag(document, "shortened", false));
    json_decref(document);
    buf_dispose(&line);
    result_dispose(&result);
}

static void fill_image(struct result *result)
{
    struct result_image *image = &result->image;
    size_t i;

    image->repository = xstrdup("ghcr.io/user/shop");
    image->engine = xstrdup("kaniko");
    image->digest = xstrdup("sha256:0f");
    image->platform = xstrdup("linux/amd64");
    strings_add(&image->tags, "one");
    strings_add(&image->tags, "two");
    strings_add(&image->bases, "busybox@sha256:1e");
    image->instructions = xcalloc(200, sizeof *image->instructions);
    for (i = 0; i < 200; i++)
        image->instructions[i] = (struct result_instruction){xasprintf("RUN step %zu", i), (int)i + 1, 1500, i == 0};
    image->instructions_len = 200;
    image->layers = 3;
    image->bytes = 2048;
    image->blobs_existing = 1;
}

static void test_an_image(void **state)
{
    struct result result;
    json_t *document, *image, *first;
    struct buf text;

    (void)state;
    fill(&result);
    document = result_to_json(&result);
    assert_null(json_object_get(document, "image")); /* the job builds none */
    json_decref(document);
    fill_image(&result);
    result.image.published = true;
    document = result_to_json(&result);
    image = json_object_get(document, "image");
    assert_string_equal(json_text(document, "status", ""), "succeeded");
    assert_string_equal(json_text(image, "digest", ""), "sha256:0f");
    assert_int_equal(json_int(image, "layers", 0), 3);
    assert_int_equal(json_array_size(json_object_get(image, "tags")), 2);
    first = json_array_get(json_object_get(image, "instructions"), 0);
    assert_string_equal(json_text(first, "text", ""), "RUN step 0");
    assert_true(json_flag(first, "cached", false));
    assert_int_equal(json_int(first, "line", 0), 1);
    json_decref(document);
    buf_init(&text, 4096);
    result_text(&result, &text);
    assert_non_null(strstr(buf_text(&text), "pushed ghcr.io/user/shop:one, two@sha256:0f ("));
    assert_non_null(strstr(buf_text(&text), ", 3 layers, 1 there already) in "));
    buf_dispose(&text);
    result_dispose(&result);
}

/* Nothing was built, and that is no failure. */
static void test_an_image_that_was_there(void **state)
{
    struct result result;
    json_t *document;
    struct buf text;

    (void)state;
    fill(&result);
    fill_image(&result);
    result.image.existed = true;
    document = result_to_json(&result);
    assert_string_equal(json_text(document, "status", ""), "skipped");
    assert_int_equal(json_int(document, "exit_code", -1), 0);
    assert_null(json_object_get(json_object_get(document, "image"), "layers"));
    json_decref(document);
    buf_init(&text, 4096);
    result_text(&result, &text);
    assert_non_null(strstr(buf_text(&text), "found ghcr.io/user/shop:one, two@sha256:0f: nothing was built\n"));
    buf_dispose(&text);
    result_dispose(&result);
}

/* The list of instructions goes before the digest does. */
static void test_summary_keeps_the_digest(void **state)
{
    struct result result;
    json_t *document;
    struct buf line;

    (void)state;
    fill(&result);
    fill_image(&result);
    buf_init(&line, 64 * 1024);
    result_summary_json(&result, 4000, &line);
    document = json_loads(buf_text(&line), 0, NULL);
    assert_string_equal(json_text(json_object_get(document, "image"), "digest", ""), "sha256:0f");
    assert_null(json_object_get(json_object_get(document, "image"), "instructions"));
    json_decref(document);
    buf_dispose(&line);
    result_dispose(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_success),
        cmocka_unit_test(test_every_class),
        cmocka_unit_test(test_child_signal),
        cmocka_unit_test(test_required_properties_are_there),
        cmocka_unit_test(test_summary_fits),
        cmocka_unit_test(test_an_image),
        cmocka_unit_test(test_an_image_that_was_there),
        cmocka_unit_test(test_summary_keeps_the_digest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
