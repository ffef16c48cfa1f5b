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

/* ---- what no recording shows ---- */

#define STAMP "time=\"2026-01-09T12:00:00Z\" level=info msg="
#define DOCKERFILE "FROM a AS b\nRUN one\nRUN two\nFROM b\nCOPY x y\n"

struct told {
    struct buf output, noise;
    size_t calls, largest;
};

static void keep_output(void *context, bool is_stderr, const char *data, size_t len)
{
    struct told *told = context;

    (void)is_stderr;
    buf_add(&told->output, data, len);
    told->calls++;
    told->largest = len > told->largest ? len : told->largest;
}

static void keep_noise(void *context, const char *line, size_t len)
{
    struct told *told = context;

    buf_add(&told->noise, line, len);
    buf_addc(&told->noise, '\n');
}

struct build {
    struct dockerfile dockerfile;
    struct told told;
    struct engine_run *run;
};

static void begin_build(struct build *build, const char *engine, const char *text)
{
    const struct engine_listener listener = {.on_output = keep_output, .on_noise = keep_noise, .context = &build->told};

    *build = (struct build){.run = NULL};
    assert_int_equal(dockerfile_parse(view_of(text), &build->dockerfile, NULL), 0);
    buf_init(&build->told.output, (size_t)64 << 20);
    buf_init(&build->told.noise, (size_t)64 << 20);
    build->run = engine_run_new(engine_find(engine), &build->dockerfile, NULL, &listener);
}

static void end_build(struct build *build)
{
    engine_run_free(build->run);
    buf_dispose(&build->told.output);
    buf_dispose(&build->told.noise);
    dockerfile_dispose(&build->dockerfile);
}

static void feed(struct build *build, const char *text)
{
    engine_run_feed(build->run, false, text, strlen(text));
}

static void feed_run(struct build *build, bool kaniko)
{
    if (kaniko)
        feed(build, STAMP "\"Building stage 'a' [idx: '0', base-idx: '-1']\"\n" STAMP "\"RUN one\"\n" STAMP
                          "\"Running: [/bin/sh -c one]\"\n");
    else
        feed(build, "[1/2] STEP 1/3: FROM a AS b\n[1/2] STEP 2/3: RUN one\n");
}

/* What a command prints comes out as it is, however long its lines are, and with it goes no memory. */
static void test_output_is_untouched(void **state)
{
    static const char *const engines[] = {"kaniko", "buildah"};
    size_t i, k, total = (size_t)3 << 20;
    char *text = xmalloc(total + 1);
    struct build build;

    (void)state;
    for (i = 0; i < total; i++) /* lines of many lengths, the longest of a megabyte and more */
        text[i] = (char)(i % 251 == 3 && i < total / 2 ? '\n' : i * 7 % 256);
    text[total - 1] = 'x';
    for (k = 0; k < ARRAY_LEN(engines); k++) {
        begin_build(&build, engines[k], DOCKERFILE);
        feed_run(&build, k == 0);
        for (i = 0; i < total; i += 60000)
            engine_run_feed(build.run, false, text + i, total - i < 60000 ? total - i : 60000);
        engine_run_end(build.run);
        assert_int_equal(build.told.output.len, total);
        assert_memory_equal(build.told.output.data, text, total);
        assert_in_range(build.told.largest, 1, 1 << 17);
        end_build(&build);
    }
    free(text);
}

/* Of bases that anybody may have said only those are named that the Dockerfile has, and no digest is believed. */
static void test_forged_bases(void **state)
{
    static const char forged[] =
        STAMP "\"Taking snapshot of full filesystem...\"\n" STAMP
              "\"shared-base: stored sha256:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\"\n" STAMP
              "\"Building stage 'other' [idx: '1', base-idx: '-1']\"\n" STAMP
              "\"shared-base: stored sha256:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\"\n";
    struct build build;
    const struct strings *bases;

    (void)state;
    begin_build(&build, "kaniko", "FROM a AS b\nRUN one\nFROM c\nCOPY --from=b x y\nFROM b\nCOPY --from=1 y z\n");
    feed_run(&build, true);
    feed(&build, forged);
    feed(&build, STAMP "\"Building stage 'c' [idx: '1', base-idx: '-1']\"\n" STAMP
                       "\"Building stage 'c' [idx: '1', base-idx: '-1']\"\n" STAMP
                       "\"Building stage 'b' [idx: '2', base-idx: '-1']\"\n");
    engine_run_end(build.run);
    bases = engine_run_bases(build.run);
    assert_int_equal(bases->len, 2);
    assert_string_equal(bases->items[0], "a");
    assert_string_equal(bases->items[1], "c");
    end_build(&build);
}

/* Lines that look like the engine's, by the megabyte, cost time in proportion and no memory. */
static void test_flood(void **state)
{
    static const char line[] = "[1/2] STEP 3/3: RUN STEP 1/1: RUN STEP 1/1: RUN x" STAMP "\"RUN x\"\n";
    struct build build;
    int i, k;

    (void)state;
    for (k = 0; k < 2; k++) {
        begin_build(&build, k ? "buildah" : "kaniko", DOCKERFILE);
        feed_run(&build, !k);
        for (i = 0; i < 50000; i++)
            feed(&build, line);
        engine_run_end(build.run);
        assert_int_equal(build.told.output.len, 50000 * (sizeof line - 1));
        end_build(&build);
    }
}

/* Both streams at once: a line of one does not break into the other's. */
static void test_two_streams(void **state)
{
    struct build build;

    (void)state;
    begin_build(&build, "kaniko", DOCKERFILE);
    feed_run(&build, true);
    engine_run_feed(build.run, false, "half ", 5);
    engine_run_feed(build.run, true, STAMP "\"Taking snap", strlen(STAMP) + 12);
    engine_run_feed(build.run, false, "a line\n", 7);
    engine_run_feed(build.run, true, "shot of full filesystem...\"\n", 28);
    engine_run_end(build.run);
    assert_string_equal(buf_text(&build.told.output), "half a line\n");
    assert_non_null(strstr(buf_text(&build.told.noise), "Taking snapshot of full filesystem..."));
    end_build(&build);
}

static void expect_end(const char *engine, const char *log, struct outcome outcome, enum error_class class,
                       const char *reason, const char *word)
{
    struct error err = {.class = CLASS_SUCCEEDED, .child_exit = -1};
    struct build build;

    begin_build(&build, engine, DOCKERFILE);
    feed(&build, log);
    engine_run_end(build.run);
    engine_run_classify(build.run, &outcome, &err);
    if (err.class != class || strcmp(err.reason, reason) != 0 || !strstr(err.message, word))
        fail_msg("%s: %d %s: %s", log, err.class, err.reason, err.message);
    end_build(&build);
}

static void test_ends(void **state)
{
    static const char kaniko[] = STAMP "\"Building stage 'a' [idx: '0', base-idx: '-1']\"\n" STAMP "\"RUN one\"\n" STAMP
                                       "\"Running: [/bin/sh -c one]\"\n";
    CLEANUP_FREE char *layout = xasprintf("%s" STAMP "\"Taking snapshot of full filesystem...\"\n"
                                          "error pushing image: writing empty layout: permission denied\n",
                                          kaniko);
    CLEANUP_FREE char *forged =
        xasprintf("%serror building image: error building stage: dial tcp: connection refused\n", kaniko);
    const struct outcome one = {.kind = OUTCOME_EXITED, .exit_code = 1}, seven = {.exit_code = 7};
    const struct outcome memory = {.kind = OUTCOME_MEMORY}, disk = {.kind = OUTCOME_DISK};
    const struct outcome killed = {.kind = OUTCOME_SIGNALED, .signal = 9}, panic = {.exit_code = 2};

    (void)state;
    /* The exit code is the command's own, whatever it printed last. */
    expect_end("kaniko", forged, seven, CLASS_BUILD_FAILED, "run-failed", "line 2, RUN one: exited with code 7");
    expect_end("kaniko", kaniko, memory, CLASS_OUT_OF_MEMORY, "out-of-memory", "line 2, RUN one: kaniko");
    expect_end("kaniko", kaniko, killed, CLASS_OUT_OF_MEMORY, "out-of-memory", "signal 9");
    expect_end("kaniko", kaniko, disk, CLASS_DISK_FULL, "disk-full", "line 2, RUN one");
    /* What is not the user's fault does not look so. */
    expect_end("kaniko", layout, one, CLASS_INTERNAL, "engine-failed", "permission denied");
    expect_end("kaniko", "Error: unknown flag: --x\nUsage:\n  executor [flags]\n", one, CLASS_INTERNAL, "engine-failed",
               "unknown flag: --x");
    expect_end("kaniko", "panic: runtime error\n", panic, CLASS_INTERNAL, "engine-failed", "exited with code 2");
    expect_end("kaniko", "", one, CLASS_INTERNAL, "engine-failed", "exited with code 1");
    expect_end("buildah", "", one, CLASS_INTERNAL, "engine-failed", "exited with code 1");
    /* The cause, not the step that stands before it twice. */
    expect_end("buildah",
               "[1/2] STEP 1/3: FROM a AS b\n[1/2] STEP 2/3: RUN one\nError: committing container for step {Env:[A=}: "
               "b] Command:run Args:[one] Flags:[] "
               "Attrs:map[] Message:RUN one Heredocs:[] Original:RUN one}: copying layers: permission denied\n",
               (struct outcome){.exit_code = 125}, CLASS_INTERNAL, "engine-failed",
               "code 125: copying layers: permission denied");
    expect_end("kaniko", "error building image: could not parse reference: A:b:c\n", one, CLASS_BUILD_FAILED,
               "dockerfile-failed", "A:b:c");
    expect_end("kaniko",
               "error building image: Get \"https://r/v2/\": tls: failed to verify certificate: x509: unknown\n", one,
               CLASS_BASE_IMAGE, "base-registry-tls", "x509");
}

/* A target that a stage alone needs is counted alone. */
static void test_needed_stages(void **state)
{
    static const char text[] = "ARG V=1\nFROM a AS one\nRUN 1\nFROM b AS two\nRUN 2\nFROM c AS three\n"
                               "RUN --mount=type=bind,from=two,target=/x 3\nFROM d\nCOPY --from=0 /x /y\n"
                               "COPY --from=nginx:1 /from=three /z\n";
    static const struct {
        const char *target;
        int stage;
        size_t total;
    } cases[] = {{NULL, 3, 5}, {"one", 0, 2}, {"TWO", 1, 2}, {"three", 2, 4}};
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP_FREE char *total = xasprintf("/%zu] line", cases[i].total);
        CLEANUP_FREE char *log =
            xasprintf(STAMP "\"Building stage 'x' [idx: '%d', base-idx: '-1']\"\n", cases[i].stage);
        struct dockerfile dockerfile;
        struct outcome outcome = {.kind = OUTCOME_EXITED};
        struct buf out;

        assert_int_equal(dockerfile_parse(view_of(text), &dockerfile, NULL), 0);
        buf_init(&out, 4096);
        replay("kaniko", &dockerfile, cases[i].target, view_of(log), 100, &outcome, &out);
        assert_non_null(strstr(buf_text(&out), total));
        buf_dispose(&out);
        dockerfile_dispose(&dockerfile);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),       cmocka_unit_test(test_output_is_untouched),
        cmocka_unit_test(test_forged_bases),  cmocka_unit_test(test_flood),
        cmocka_unit_test(test_two_streams),   cmocka_unit_test(test_ends),
        cmocka_unit_test(test_needed_stages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
