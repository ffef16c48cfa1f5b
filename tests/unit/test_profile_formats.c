/* What each system is sent, for the events of jobs that end in each way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/json.h"
#include "core/mem.h"
#include "profiles/profile.h"
#include "support/vectors.h"

#define FOLDER "vectors/profile_formats"
#define BEGUN INT64_C(1767323045000) /* 2026-01-02T03:04:05Z */

static const struct event_job job = {.run = "run-1",
                                     .source = "urn:caisson:run-1",
                                     .id = "d1",
                                     .project = "p1",
                                     .type = "build",
                                     .directory = "web",
                                     .started_ms = BEGUN};

#define LINE(number, what, error, where, words)                                                                        \
    {                                                                                                                  \
        .kind = (what), .is_stderr = (error), .sequence = (number), .wall_ms = BEGUN + (number), .step = where,        \
        .text = (words), .text_len = sizeof(words) - 1                                                                 \
    }
static const struct event_line lines[] = {
    LINE(1, RECORD_INFO, false, "", "caisson begins"),
    LINE(2, RECORD_COMMAND, false, "build", "npm run build"),
    LINE(3, RECORD_OUTPUT, false, "build", "one \"quoted\" \xc3\xa9"),
    LINE(4, RECORD_OUTPUT, false, "build", ""),
    LINE(5, RECORD_OUTPUT, false, "build", "two"),
    LINE(6, RECORD_OUTPUT, true, "build", "to stderr"),
    LINE(7, RECORD_WARNING, false, "build", "careful"),
    LINE(8, RECORD_ERROR, false, "build", "it broke"),
    LINE(9, RECORD_GAP, false, "build", "3 lines are missing"),
    LINE(10, RECORD_OUTPUT, false, "build", "   "),
};

#define IMAGE(extra)                                                                                                   \
    "{\"status\": \"succeeded\", \"log_url\": \"s3://logs/d1.log\", \"image\": {\"repository\": "                      \
    "\"123456789012.dkr.ecr.eu-west-1.amazonaws.com/apps\", \"tags\": [\"p1-d1\", \"latest\"], "                       \
    "\"digest\": \"sha256:00\", " extra "}}"

/* How jobs end: the part of the result that any of the formats looks at. */
static const struct {
    const char *name, *result;
} ends[] = {
    {"site", "{\"status\": \"succeeded\", \"artifacts\": [{\"url\": \"s3://bucket/__outputs/p1/\"}]}"},
    {"image", IMAGE("\"published\": true")},
    {"image that was there", IMAGE("\"published\": false, \"existed\": true")},
    {"image that was not pushed", IMAGE("\"published\": false, \"existed\": false")},
    {"image of GitHub", "{\"status\": \"succeeded\", \"image\": {\"repository\": \"ghcr.io/a/b\", \"tags\": [\"x\"], "
                        "\"published\": true}}"},
    {"image of another", "{\"status\": \"succeeded\", \"image\": {\"repository\": \"r.example.com/x.dkr.ecr/b\", "
                         "\"tags\": [\"x\"], \"published\": true}}"},
    {"failed", "{\"status\": \"failed\", \"message\": \"npm run build: exit code 1\", \"log_url\": \"s3://l/x\"}"},
    {"timed out", "{\"status\": \"timed_out\", \"message\": \"the job took longer than 10m\"}"},
    {"interrupted", "{\"status\": \"interrupted\", \"message\": \"stopped by SIGTERM\"}"},
    {"superseded", "{\"status\": \"superseded\", \"message\": \"a later job has published\"}"},
    {"cancelled", "{\"status\": \"cancelled\", \"message\": \"cancelled by ana\"}"},
    {"nothing known", "{}"},
};

static void print(const struct outbox *outbox, struct buf *out)
{
    size_t i;

    if (!outbox->len)
        buf_adds(out, "  nothing\n");
    for (i = 0; i < outbox->len; i++) {
        const struct message *message = &outbox->items[i];
        json_t *body = json_loads(message->body, 0, NULL);

        assert_non_null(body);
        assert_int_equal(message->body_len, strlen(message->body));
        json_decref(body);
        buf_addf(out, "  %s group=%s", message->id, message->group);
        if (message->method)
            buf_addf(out, " method=%s", message->method);
        if (message->key)
            buf_addf(out, " key=%s", message->key);
        buf_addf(out, " %s\n    %s\n", message->content_type, message->body);
    }
}

static void say(const struct event_format *format, const char *name, struct event *event, struct buf *out)
{
    const struct format_options options = {.max_body = 200000};
    struct outbox outbox = {0};

    if (!(format->kinds & EVENT_BIT(event->kind)))
        return;
    event_identify(event, &job);
    format->encode(&options, &job, event, &outbox);
    buf_addf(out, "%s\n", name);
    print(&outbox, out);
    outbox_dispose(&outbox);
}

static void say_all(const struct event_format *format, struct buf *out)
{
    struct event started = {.kind = EVENT_STARTED, .wall_ms = BEGUN, .step = ""};
    struct event log = {.kind = EVENT_LOG,
                        .first = 1,
                        .last = ARRAY_LEN(lines),
                        .wall_ms = BEGUN + 10,
                        .step = "build",
                        .lines = lines,
                        .lines_len = ARRAY_LEN(lines)};
    size_t i;

    say(format, "started", &started, out);
    say(format, "log", &log, out);
    for (i = 0; i < ARRAY_LEN(ends); i++) {
        json_t *result = json_loads(ends[i].result, 0, NULL);
        struct event finished = {
            .kind = EVENT_FINISHED, .first = 20, .last = 20, .wall_ms = BEGUN + 60000, .step = "", .result = result};

        assert_non_null(result);
        say(format, ends[i].name, &finished, out);
        json_decref(result);
    }
}

static void formats(void **state)
{
    const struct event_format *format;
    struct strings files = {0};
    size_t i;

    (void)state;
    for (i = 0; (format = profile_format_at(i)); i++) {
        CLEANUP_FREE char *expected = xasprintf("%s.txt", format->name);
        struct buf out;

        assert_ptr_equal(profile_format(format->name), format);
        buf_init(&out, (size_t)1 << 20);
        say_all(format, &out);
        vectors_expect(FOLDER, expected, buf_text(&out));
        buf_dispose(&out);
    }
    vectors_list(FOLDER, (const char *const[]){".txt", NULL}, NULL, &files);
    assert_int_equal(i, files.len); /* none is of a format that is not there */
    strings_dispose(&files);
    assert_null(profile_format("nope"));
}

/* A long batch of one type is several requests of bounded size, and loses nothing. */
static void long_logs(void **state)
{
    const struct event_format *format = profile_format("deployra-logs");
    const struct format_options options = {.max_body = (size_t)1 << 20};
    struct event_line many[40];
    struct outbox outbox = {0};
    char text[4001];
    size_t i, total = 0;

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (i = 0; i < ARRAY_LEN(many); i++)
        many[i] = (struct event_line){
            .kind = RECORD_OUTPUT, .sequence = i, .wall_ms = BEGUN, .step = "build", .text = text, .text_len = 4000};
    format->encode(&options, &job,
                   &(struct event){.kind = EVENT_LOG, .last = 39, .lines = many, .lines_len = ARRAY_LEN(many)},
                   &outbox);
    assert_in_range(outbox.len, 5, 6);
    for (i = 0; i < outbox.len; i++) {
        assert_true(outbox.items[i].body_len < 40000);
        total += outbox.items[i].body_len;
    }
    assert_true(total > 40 * 4000);
    outbox_dispose(&outbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(formats), cmocka_unit_test(long_logs)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
