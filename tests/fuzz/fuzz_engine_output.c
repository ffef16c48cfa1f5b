/*
 * What a hostile build prints, read as an engine's output. Input: one byte that chooses engine, size of the pieces and
 * how it ended, a Dockerfile, a NUL, the output.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"
#include "engine/engine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct told {
    const struct dockerfile_instruction *current;
    size_t begun, ended, bytes;
};

static void on_instruction(void *context, const struct dockerfile_instruction *instruction, size_t index, size_t total)
{
    struct told *told = context;

    if (told->current || !index || index > total)
        abort();
    told->current = instruction;
    told->begun++;
}

static void on_instruction_end(void *context, const struct dockerfile_instruction *instruction, int64_t duration_ms,
                               bool cached)
{
    struct told *told = context;

    (void)cached;
    if (told->current != instruction || duration_ms < 0)
        abort();
    told->current = NULL;
    told->ended++;
}

static void on_output(void *context, bool is_stderr, const char *data, size_t len)
{
    struct told *told = context;

    if (is_stderr || !data || !len)
        abort();
    told->bytes += len;
}

static void on_noise(void *context, const char *line, size_t len)
{
    on_output(context, false, line, len);
}

static void check_error(const struct engine_run *run, uint8_t choice)
{
    struct outcome outcome = {.kind = choice & 64 ? OUTCOME_SIGNALED : OUTCOME_EXITED};
    struct error err = {.class = CLASS_SUCCEEDED};

    if (outcome.kind == OUTCOME_SIGNALED)
        outcome.signal = 9;
    else
        outcome.exit_code = choice & 128 ? 1 : 3;
    engine_run_classify(run, &outcome, &err);
    if (err.class == CLASS_SUCCEEDED || !*err.reason || !*err.message || !utf8_is_valid(view_of(err.message)))
        abort();
    /* However it looks: a command that gave its own exit code is not the network's fault. */
    if (outcome.exit_code == 3 && (choice & 1) == 0 && err.retryable)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data + 1, *log;
    size_t piece, left, len;
    struct told told = {0};
    const struct engine_listener listener = {on_instruction, on_instruction_end, on_output, on_noise, &told};
    struct dockerfile dockerfile;
    struct engine_run *run;
    struct error err;

    if (size < 2)
        return 0;
    len = strnlen(text, size - 1);
    if (dockerfile_parse((struct view){text, len}, &dockerfile, &err))
        return 0;
    left = size - 1 - len;
    log = text + len + (left ? 1 : 0);
    left -= left ? 1 : 0;
    piece = (size_t)(data[0] >> 1 & 31) * 3 + 1;
    run = engine_run_new(engine_at(data[0] & 1), &dockerfile, NULL, &listener);
    for (size = left; left; log += len, left -= len) {
        len = left < piece ? left : piece;
        engine_run_feed(run, false, log, len);
    }
    engine_run_end(run);
    /* All that came is told once; of the engine's words the line ends are not. */
    if (told.current || told.begun != told.ended || told.begun > dockerfile.instructions_len || told.bytes > size)
        abort();
    check_error(run, data[0]);
    engine_run_free(run);
    dockerfile_dispose(&dockerfile);
    return 0;
}
