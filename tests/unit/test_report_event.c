/*
 * Each event as the world reads it. The examples of docs/events.md are these: the test holds the document to them, and with
 * UPDATE_VECTORS set it writes them into it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/fs.h"
#include "core/json.h"
#include "core/mem.h"
#include "report/format.h"
#include "report/result.h"

#define RUN "5f2c9f6e1d6b4f0aa1b2c3d4e5f60718"
#define DOCUMENT TEST_DATA_DIR "/../docs/events.md"

struct fixture {
    json_t *labels, *document;
    struct result result;
    struct event_job job;
    struct event_line lines[3];
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    struct result_step *step;
    struct result_artifact *artifact;

    f->labels = json_pack("{s:s}", "serviceId", "s1");
    f->job = (struct event_job){.run = RUN,
                                .source = "arn:aws:ecs:eu-west-1:123456789012:task/builders/" RUN,
                                .id = "abc123",
                                .project = "shop",
                                .type = "build",
                                .labels = f->labels,
                                .repository = "https://github.com/user/repo",
                                .ref = "main",
                                .log_url = "s3://bucket/jobs/abc123/log.gz",
                                .result_url = "s3://bucket/jobs/abc123/result.json",
                                .created_at_ms = 1767960000000,
                                .started_ms = 1767960042000};
    result_init(&f->result);
    f->result.id = xstrdup("abc123");
    f->result.project = xstrdup("shop");
    f->result.type = xstrdup("build");
    f->result.labels = json_incref(f->labels);
    f->result.created_at_ms = 1767960000000;
    f->result.started_ms = 1767960042000;
    f->result.finished_ms = 1767960070500;
    f->result.duration_ms = 28500;
    f->result.repository = xstrdup("https://github.com/user/repo");
    f->result.ref = xstrdup("refs/heads/main");
    snprintf(f->result.commit, sizeof f->result.commit, "0f3c6b1d2a4e5f60718293a4b5c6d7e8f9012345");
    f->result.log_url = xstrdup("s3://bucket/jobs/abc123/log.gz");
    step = result_step_begin(&f->result, "build");
    step->started_ms = 1767960050000;
    step->duration_ms = 18250;
    step->attempts = 1;
    step->ok = true;
    artifact = result_artifact_add(&f->result);
    artifact->from = xstrdup("dist");
    artifact->url = xstrdup("s3://bucket/__outputs/shop/");
    artifact->mode = xstrdup("mirror");
    artifact->digest = xstrdup("sha256:24566037a7ce5420538f4ef0130426ef73bfe489ab167bcaab53ebad8661d54f");
    artifact->files = 12;
    artifact->bytes = 48213;
    artifact->written = 3;
    artifact->unchanged = 9;
    artifact->ordered = true;
    f->document = result_to_json(&f->result);
    f->lines[0] = (struct event_line){.kind = RECORD_COMMAND,
                                      .sequence = 14,
                                      .wall_ms = 1767960050010,
                                      .step = "build",
                                      .text = "npm run build",
                                      .text_len = 13};
    f->lines[1] = (struct event_line){.kind = RECORD_OUTPUT,
                                      .sequence = 15,
                                      .wall_ms = 1767960051200,
                                      .step = "build",
                                      .text = "vite v5.4.0 building for production...",
                                      .text_len = 38};
    f->lines[2] = (struct event_line){.kind = RECORD_OUTPUT,
                                      .is_stderr = true,
                                      .sequence = 16,
                                      .wall_ms = 1767960051900,
                                      .step = "build",
                                      .text = "(!) Some chunks are larger than 500 kB",
                                      .text_len = 38};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    json_decref(f->document);
    result_dispose(&f->result);
    json_decref(f->labels);
    free(f);
    return 0;
}

static struct event event_of(const struct fixture *f, enum event_kind kind)
{
    struct event event = {.kind = kind, .step = "build", .percent = -1};

    switch (kind) {
    case EVENT_STARTED:
        event.wall_ms = f->job.started_ms;
        event.step = "";
        break;
    case EVENT_STEP:
        event.first = event.last = 41;
        event.wall_ms = 1767960068250;
        event.ok = true;
        event.attempts = 1;
        event.duration_ms = 18250;
        break;
    case EVENT_PROGRESS:
        event.first = event.last = 7;
        event.wall_ms = 1767960044100;
        event.step = "checkout";
        event.text = "receiving objects 40 %";
        event.percent = 40;
        break;
    case EVENT_LOG:
        event.first = 14;
        event.last = 16;
        event.wall_ms = 1767960051900;
        event.lines = f->lines;
        event.lines_len = ARRAY_LEN(f->lines);
        break;
    case EVENT_HEARTBEAT:
        event.first = event.last = 30;
        event.wall_ms = 1767960062000;
        event.duration_ms = 20000;
        break;
    default:
        event.first = event.last = 52;
        event.wall_ms = 1767960070600;
        event.step = "";
        event.result = f->document;
        break;
    }
    event_identify(&event, &f->job);
    return event;
}

/* Structured, in lines for people. The version is of the program, not of the document. */
static char *example(const struct fixture *f, enum event_kind kind)
{
    const struct format_options options = {.max_body = 1 << 20};
    struct event event = event_of(f, kind);
    struct outbox out = {0};
    json_t *document, *data;
    char *text;

    format_cloudevents.encode(&options, &f->job, &event, &out);
    assert_int_equal(out.len, 1);
    assert_string_equal(out.items[0].id, event.id);
    document = json_loads(out.items[0].body, 0, NULL);
    data = json_object_get(document, "data");
    if (json_object_get(data, "runner_version"))
        json_object_set_new(data, "runner_version", json_string("1.0.0"));
    if (json_object_get(data, "result"))
        json_object_set_new(json_object_get(data, "result"), "runner_version", json_string("1.0.0"));
    text = json_dumps(document, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
    json_decref(document);
    outbox_dispose(&out);
    return text;
}

/* Replaces what stands between "### NAME" and its ```json block's end. */
static char *with_example(const char *document, const char *name, const char *text)
{
    CLEANUP_FREE char *heading = xasprintf("\n### %s\n", name);
    const char *at = strstr(document, heading);
    const char *begin = at ? strstr(at, "```json\n") : NULL;
    const char *end = begin ? strstr(begin + 8, "\n```") : NULL;

    if (!end)
        fail_msg("docs/events.md has no example below \"### %s\"", name);
    begin += 8;
    return xasprintf("%.*s%s%s", (int)(begin - document), document, text, end);
}

static void test_document(void **state)
{
    const struct fixture *f = *state;
    CLEANUP_FREE char *document = NULL;
    CLEANUP_FREE char *wanted = NULL;
    struct buf text;
    unsigned kind;

    buf_init(&text, 1 << 20);
    assert_int_equal(fs_read_file(DOCUMENT, 1 << 20, &text), 0);
    document = buf_take(&text);
    wanted = xstrdup(document);
    for (kind = 0; kind < EVENT_KINDS; kind++) {
        CLEANUP_FREE char *one = example(f, kind);
        char *next = with_example(wanted, event_kind_name(kind), one);

        free(wanted);
        wanted = next;
    }
    if (getenv("UPDATE_VECTORS"))
        assert_int_equal(fs_write_file(DOCUMENT, wanted, strlen(wanted), 0644), 0);
    else
        assert_string_equal(document, wanted);
}

/* What a reader of the schema may rely on is there in every event. */
static void test_schema(void **state)
{
    const struct fixture *f = *state;
    json_t *schema = event_schema();
    json_t *rules = json_object_get(schema, "allOf");
    unsigned kind;

    assert_int_equal(json_array_size(rules), EVENT_KINDS);
    for (kind = 0; kind < EVENT_KINDS; kind++) {
        const json_t *then = json_object_get(json_array_get(rules, kind), "then");
        const json_t *described = json_object_get(json_object_get(then, "properties"), "data");
        const json_t *properties = json_object_get(described, "properties");
        const json_t *required = json_object_get(described, "required");
        struct event event = event_of(f, kind);
        CLEANUP_FREE char *text = event_data(&event, &f->job);
        json_t *data = json_loads(text, 0, NULL), *value;
        const char *name;
        size_t i;

        json_array_foreach(required, i, value)
        {
            assert_non_null(json_object_get(data, json_string_value(value)));
        }
        json_object_foreach(data, name, value)
        {
            if (!json_object_get(properties, name))
                fail_msg("%s of %s is not in the schema", name, event_kind_name(kind));
        }
        json_decref(data);
    }
    json_decref(schema);
}

/* Whatever a line holds, it is read as it was. */
static void test_any_text(void **state)
{
    const struct fixture *f = *state;
    struct event event = event_of(f, EVENT_LOG);
    struct event_line line = f->lines[0];
    char every[600], *text;
    json_t *data, *read;
    size_t len = 0;
    int c;

    for (c = 1; c < 0x80; c++)
        every[len++] = (char)c;
    snprintf(every + len, sizeof every - len, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
    line.text = every;
    line.text_len = strlen(every);
    snprintf(line.step, sizeof line.step, "a\"b\\");
    line.sequence = UINT64_C(9007199254740993);
    event.lines = &line;
    event.lines_len = 1;
    text = event_data(&event, &f->job);
    data = json_loads(text, 0, NULL);
    read = json_array_get(json_object_get(data, "lines"), 0);
    assert_string_equal(json_text(read, "text", ""), every);
    assert_string_equal(json_text(read, "step", ""), "a\"b\\");
    assert_int_equal(json_int(read, "sequence", 0), INT64_C(9007199254740993));
    free(text);
    json_decref(data);
}

static void test_words(void **state)
{
    (void)state;
    assert_int_equal(event_bits("log"), EVENT_BIT(EVENT_LOG));
    assert_int_equal(event_bits("status"), EVENTS_STATUS);
    assert_int_equal(event_bits("logs"), 0);
}

/* Attributes in headers, the data in the body. */
static void test_binary(void **state)
{
    const struct fixture *f = *state;
    const struct format_options options = {.max_body = 1 << 20, .binary = true};
    struct event event = event_of(f, EVENT_STEP);
    struct outbox out = {0};
    json_t *body;

    format_cloudevents.encode(&options, &f->job, &event, &out);
    assert_true(strings_has(&out.items[0].headers, "ce-type: dev.caisson.job.step"));
    assert_true(strings_has(&out.items[0].headers, "ce-id: " RUN "-000000000041"));
    assert_true(strings_has(&out.items[0].headers, "ce-sequence: 000000000041"));
    assert_string_equal(out.items[0].content_type, "application/json");
    body = json_loads(out.items[0].body, 0, NULL);
    assert_string_equal(json_text(body, "phase", ""), "end");
    json_decref(body);
    outbox_dispose(&out);
}

/* A message a line where the sink wants it so; each has an id of its own. */
static void test_plain_lines(void **state)
{
    const struct fixture *f = *state;
    struct format_options options = {.max_body = 1 << 20, .line_wise = true};
    struct event event = event_of(f, EVENT_LOG);
    struct outbox out = {0};

    format_plain.encode(&options, &f->job, &event, &out);
    assert_int_equal(out.len, 3);
    assert_string_equal(out.items[0].id, RUN "-000000000016-14");
    assert_string_equal(out.items[1].id, RUN "-000000000016-14.2");
    assert_string_equal(out.items[2].body, "12:00:51 build    | (!) Some chunks are larger than 500 kB");
    assert_int_equal(out.items[2].wall_ms, 1767960051900);
    outbox_dispose(&out);
    options.line_wise = false;
    format_plain.encode(&options, &f->job, &event, &out);
    assert_int_equal(out.len, 1);
    outbox_dispose(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_document, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema, setup, teardown),
        cmocka_unit_test_setup_teardown(test_any_text, setup, teardown),
        cmocka_unit_test(test_words),
        cmocka_unit_test_setup_teardown(test_binary, setup, teardown),
        cmocka_unit_test_setup_teardown(test_plain_lines, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
