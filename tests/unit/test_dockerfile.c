/* The Dockerfile parser: replays tests/vectors/dockerfile, and what is too much for a file there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/json.h"
#include "core/mem.h"
#include "engine/dockerfile.h"
#include "engine/template.h"
#include "proc/worker_reader.h"
#include "support/vectors.h"

static const char *const suffixes[] = {".Dockerfile", NULL};

static json_t *parse(struct view text)
{
    struct dockerfile dockerfile;
    struct error err;
    json_t *json;

    if (dockerfile_parse(text, &dockerfile, &err)) {
        assert_int_equal(err.class, CLASS_BUILD_FAILED);
        assert_string_equal(err.reason, "dockerfile-invalid");
        return json_pack("{s:s}", "error", err.message);
    }
    json = dockerfile_to_json(&dockerfile);
    dockerfile_dispose(&dockerfile);
    return json;
}

static void test_vectors(void **state)
{
    struct strings names = {0};
    size_t i;

    (void)state;
    vectors_list("vectors/dockerfile", suffixes, NULL, &names);
    for (i = 0; i < names.len; i++) {
        CLEANUP_FREE char *expected = xasprintf("%s.json", names.items[i]);
        CLEANUP_FREE char *dump = NULL;
        CLEANUP_FREE char *text = NULL;
        CLEANUP_JSON json_t *json = NULL;
        struct buf input;

        assert_true(vectors_read("vectors/dockerfile", names.items[i], &input));
        json = parse((struct view){buf_text(&input), input.len});
        dump = json_dumps(json, JSON_INDENT(1));
        text = xasprintf("%s\n", dump);
        vectors_expect("vectors/dockerfile", expected, text);
        buf_dispose(&input);
    }
    strings_dispose(&names);
}

static void expect_the_same_through_json(const struct dockerfile *dockerfile)
{
    CLEANUP_JSON json_t *json = dockerfile_to_json(dockerfile);
    CLEANUP_JSON json_t *same = NULL;
    struct dockerfile again;
    struct error err;

    assert_int_equal(dockerfile_from_json(&again, json, &err), 0);
    same = dockerfile_to_json(&again);
    assert_true(json_equal(json, same));
    dockerfile_dispose(&again);
}

static void test_json_and_back(void **state)
{
    struct strings names = {0};
    size_t i, parsed = 0;

    (void)state;
    vectors_list("vectors/dockerfile", suffixes, NULL, &names);
    for (i = 0; i < names.len; i++) {
        struct dockerfile dockerfile;
        struct error err;
        struct buf input;

        assert_true(vectors_read("vectors/dockerfile", names.items[i], &input));
        if (dockerfile_parse((struct view){buf_text(&input), input.len}, &dockerfile, &err) == 0) {
            expect_the_same_through_json(&dockerfile);
            dockerfile_dispose(&dockerfile);
            parsed++;
        }
        buf_dispose(&input);
    }
    assert_true(parsed > 10);
    strings_dispose(&names);
}

#define STAGE "\"stages\":[{\"base\":\"a\",\"line\":1}]"

static void test_answers_that_are_none(void **state)
{
    static const char *const answers[] = {
        "null",
        "{}",
        "{\"stages\":[],\"instructions\":[]}",
        "{\"stages\":[{\"base\":\"a\",\"line\":0}],\"instructions\":[]}",
        "{\"stages\":[{\"base\":\"\",\"line\":1}],\"instructions\":[]}",
        "{\"stages\":[{\"base\":3,\"line\":1}],\"instructions\":[]}",
        "{" STAGE ",\"instructions\":[7]}",
        "{" STAGE ",\"instructions\":[{\"keyword\":\"RUN\",\"text\":\"RUN\",\"line\":1,\"stage\":1}]}",
        "{" STAGE ",\"instructions\":[{\"keyword\":\"RUN\",\"text\":\"RUN\",\"line\":1,\"stage\":-2}]}",
        "{" STAGE ",\"instructions\":[{\"keyword\":\"RUNRUNRUNRUNRUNR\",\"text\":\"RUN\",\"line\":1,\"stage\":0}]}",
        "{" STAGE ",\"instructions\":[{\"keyword\":\"RUN\",\"text\":\"COPY\",\"line\":1,\"stage\":0}]}",
        "{" STAGE ",\"instructions\":[{\"keyword\":\"RUN\",\"text\":\"RUN\",\"line\":99999999999,\"stage\":0}]}",
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(answers); i++) {
        CLEANUP_JSON json_t *json = json_loads(answers[i], JSON_DECODE_ANY, NULL);
        struct dockerfile dockerfile;
        struct error err = {.reason = ""};

        assert_non_null(json);
        assert_int_equal(dockerfile_from_json(&dockerfile, json, &err), -1);
        assert_string_equal(err.reason, "bad-answer");
    }
}

static void test_stages_are_found(void **state)
{
    struct dockerfile dockerfile;
    struct error err;

    (void)state;
    assert_int_equal(dockerfile_parse(view_of("FROM a AS Build\nFROM b\nFROM c AS last\n"), &dockerfile, &err), 0);
    assert_int_equal(dockerfile_find_stage(&dockerfile, "build"), 0);
    assert_int_equal(dockerfile_find_stage(&dockerfile, "Last"), 2);
    assert_int_equal(dockerfile_find_stage(&dockerfile, "1"), 1);
    assert_int_equal(dockerfile_find_stage(&dockerfile, "3"), -1);
    assert_int_equal(dockerfile_find_stage(&dockerfile, "99999999999999999999"), -1);
    assert_int_equal(dockerfile_find_stage(&dockerfile, ""), -1);
    assert_int_equal(dockerfile_find_stage(&dockerfile, "b"), -1);
    dockerfile_dispose(&dockerfile);
}

/* ---- limits ---- */

static void add_times(struct buf *text, const char *what, size_t times)
{
    while (times--)
        buf_adds(text, what);
}

static void expect_invalid(struct buf *text, const char *message)
{
    struct dockerfile dockerfile;
    struct error err = {.message = ""};

    assert_false(text->overflow);
    assert_int_equal(dockerfile_parse((struct view){text->data, text->len}, &dockerfile, &err), -1);
    assert_string_equal(err.reason, "dockerfile-invalid");
    if (!strstr(err.message, message))
        fail_msg("\"%s\" instead of \"%s\"", err.message, message);
    buf_reset(text);
}

static void test_too_much(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, 2 * DOCKERFILE_MAX);
    buf_adds(&text, "FROM a\n");
    add_times(&text, "# a comment\n", DOCKERFILE_MAX / 12);
    expect_invalid(&text, "larger than 1 MiB");
    add_times(&text, "FROM a\n", 1001);
    expect_invalid(&text, "line 1001: more than 1000 stages");
    buf_adds(&text, "FROM a\n");
    add_times(&text, "USER b\n", 4000);
    expect_invalid(&text, "line 4001: more than 4000 instructions");
    buf_adds(&text, "FROM ");
    add_times(&text, "x", 1025);
    expect_invalid(&text, "line 1: more than 1000 stages, or names");
    buf_adds(&text, "FROM a\x01");
    expect_invalid(&text, "control characters");
    buf_dispose(&text);
}

/* The worst of all still fits into one message of a worker. */
static void test_fits_a_message(void **state)
{
    struct dockerfile dockerfile;
    struct error err;
    struct buf text;
    int i;

    (void)state;
    buf_init(&text, DOCKERFILE_MAX);
    for (i = 0; i < 128; i++) {
        buf_adds(&text, "FROM ");
        add_times(&text, "\"", 1000);
        buf_adds(&text, " AS stage\n");
    }
    for (i = 0; i < 200; i++) {
        buf_adds(&text, "HEALTHCHECK ");
        add_times(&text, "\"", 1100);
        buf_adds(&text, "\n");
    }
    add_times(&text, "HEALTHCHECK \"\"\"\"\"\"\"\"\n", 3600);
    assert_false(text.overflow);
    assert_int_equal(dockerfile_parse((struct view){text.data, text.len}, &dockerfile, &err), 0);
    {
        CLEANUP_JSON json_t *json = dockerfile_to_json(&dockerfile);
        CLEANUP_FREE char *dump = json_dumps(json, JSON_COMPACT);

        assert_int_equal(dockerfile.instructions_len, 3928);
        assert_in_range(strlen(dump), 600000, WORKER_LINE_MAX - 4096);
    }
    expect_the_same_through_json(&dockerfile);
    dockerfile_dispose(&dockerfile);
    buf_dispose(&text);
}

static void test_templates(void **state)
{
    static const char *const names[] = {"node18", "node20", "node22", "node24"};
    struct view text;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(names); i++) {
        CLEANUP_FREE char *base = xasprintf("ARG BASE_IMAGE=docker.io/library/node:%s-bookworm-slim", names[i] + 4);
        struct dockerfile dockerfile;
        struct error err;

        assert_string_equal(build_template_table[i].name, names[i]);
        assert_int_equal(build_template_find(names[i], &text), 0);
        assert_int_equal(dockerfile_parse(text, &dockerfile, &err), 0);
        assert_string_equal(dockerfile.instructions[0].text, base);
        assert_string_equal(dockerfile.stages[0].base, "${BASE_IMAGE}");
        dockerfile_dispose(&dockerfile);
    }
    assert_null(build_template_table[i].name);
    assert_int_equal(build_template_find("node19", &text), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_json_and_back),
        cmocka_unit_test(test_answers_that_are_none),
        cmocka_unit_test(test_stages_are_found),
        cmocka_unit_test(test_too_much),
        cmocka_unit_test(test_fits_a_message),
        cmocka_unit_test(test_templates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
