/*
 * What engines print: replays tests/vectors/engine, the logs of real builds, and shows what is told of them; and what a
 * command of the user could print to look like an engine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/json.h"
#include "core/mem.h"
#include "engine/engine.h"
#include "support/vectors.h"

#define FOLDER "vectors/engine"

static const char *const suffixes[] = {".log", NULL};

/* ---- what is told, as text ---- */

static void on_instruction(void *context, const struct dockerfile_instruction *instruction, size_t index, size_t total)
{
    buf_addf(context, "[%zu/%zu] line %d: %s\n", index, total, instruction->line, instruction->text);
}

static void on_instruction_end(void *context, const struct dockerfile_instruction *instruction, int64_t duration_ms,
                               bool cached)
{
    assert_in_range(duration_ms, 0, 60000);
    buf_addf(context, "end of line %d%s\n", instruction->line, cached ? ", cached" : "");
}

static void on_output(void *context, bool is_stderr, const char *data, size_t len)
{
    struct buf *out = context;

    assert_false(is_stderr);
    /* A line may come in pieces. */
    if (!out->len || out->data[out->len - 1] == '\n')
        buf_adds(out, "| ");
    buf_add(out, data, len);
}

static void on_noise(void *context, const char *line, size_t len)
{
    (void)context;
    assert_true(len > 0);
    assert_null(memchr(line, '\n', len));
}

static void end_line(struct buf *out)
{
    if (out->len && out->data[out->len - 1] != '\n')
        buf_adds(out, "<no line end>\n");
}

static void add_error(const struct error *err, struct buf *out)
{
    buf_addf(out, "%s (%d) %s%s, child exit %d, signal %d\n  %s\n  hint: %s\n", error_class_name(err->class),
             err->class, err->reason, err->retryable ? ", retryable" : "", err->child_exit, err->child_signal,
             err->message, err->hint);
}

static void parse_dockerfile(const char *name, struct dockerfile *dockerfile)
{
    struct error err;
    struct buf text;

    *dockerfile = (struct dockerfile){.stages = NULL};
    assert_true(vectors_read(FOLDER, name, &text));
    /* What our parser refuses reaches no engine, but the engine's message is to be understood all the same. */
    if (dockerfile_parse((struct view){buf_text(&text), text.len}, dockerfile, &err))
        *dockerfile = (struct dockerfile){.stages = NULL};
    buf_dispose(&text);
}

static void replay(const char *engine, const struct dockerfile *dockerfile, const char *target, struct view log,
                   size_t chunk, const struct outcome *outcome, struct buf *out)
{
    const struct engine_listener listener = {on_instruction, on_instruction_end, on_output, on_noise, out};
    struct engine_run *run = engine_run_new(engine_find(engine), dockerfile, target, &listener);
    struct error err = {.class = CLASS_SUCCEEDED, .child_exit = -1};
    size_t i;

    for (i = 0; i < log.len; i += chunk)
        engine_run_feed(run, false, log.data + i, log.len - i < chunk ? log.len - i : chunk);
    engine_run_end(run);
    end_line(out);
    for (i = 0; i < engine_run_bases(run)->len; i++)
        buf_addf(out, "base %s\n", engine_run_bases(run)->items[i]);
    if (outcome->kind != OUTCOME_EXITED || outcome->exit_code) {
        engine_run_classify(run, outcome, &err);
        add_error(&err, out);
    }
    engine_run_free(run);
}

/* {"engine": …, "dockerfile": …, "target": … or null, "exit": N or "signal": N, "out_of_memory": B} */
static void replay_vector(const char *name, size_t chunk, struct buf *out)
{
    CLEANUP_FREE char *stem = xstrndup(name, strlen(name) - strlen(".log"));
    CLEANUP_FREE char *meta_name = xasprintf("%s.json", stem);
    CLEANUP_JSON json_t *meta = NULL;
    struct outcome outcome = {.kind = OUTCOME_EXITED};
    struct dockerfile dockerfile;
    struct buf log, text;
    const char *engine, *file, *target = NULL;

    assert_true(vectors_read(FOLDER, meta_name, &text));
    meta = json_loads(buf_text(&text), 0, NULL);
    assert_non_null(meta);
    assert_int_equal(json_unpack(meta, "{s:s, s:s, s?s, s?i, s?i, s?b}", "engine", &engine, "dockerfile", &file,
                                 "target", &target, "exit", &outcome.exit_code, "signal", &outcome.signal,
                                 "out_of_memory", &outcome.out_of_memory),
                     0);
    if (outcome.signal)
        outcome.kind = OUTCOME_SIGNALED;
    parse_dockerfile(file, &dockerfile);
    assert_true(vectors_read(FOLDER, name, &log));
    replay(engine, &dockerfile, target, (struct view){buf_text(&log), log.len}, chunk, &outcome, out);
    dockerfile_dispose(&dockerfile);
    buf_dispose(&log);
    buf_dispose(&text);
}

static void test_vectors(void **state)
{
    static const size_t chunks[] = {1, 7, 4096, 1 << 20};
    struct strings names = {0};
    size_t i, k;

    (void)state;
    vectors_list(FOLDER, suffixes, NULL, &names);
    for (i = 0; i < names.len; i++)
        for (k = 0; k < ARRAY_LEN(chunks); k++) {
            CLEANUP_FREE char *stem = xstrndup(names.items[i], strlen(names.items[i]) - strlen(".log"));
            CLEANUP_FREE char *expected = xasprintf("%s.txt", stem);
            struct buf out;

            buf_init(&out, 1 << 20);
            replay_vector(names.items[i], chunks[k], &out);
            vectors_expect(FOLDER, expected, buf_text(&out));
            buf_dispose(&out);
        }
    strings_dispose(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
