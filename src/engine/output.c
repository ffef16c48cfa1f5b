#include "engine/output.h"

#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/clock.h"
#include "core/mem.h"
#include "core/utf8.h"
#include "engine/engine_internal.h"
#include "engine/stages.h"

/* So much of an instruction's text tells it from others. */
#define KEY_LENGTH 512

static const char *const keywords[] = {
    "ADD",   "ARG",        "CMD",     "COPY", "ENTRYPOINT", "ENV",        "EXPOSE", "FROM",   "HEALTHCHECK",
    "LABEL", "MAINTAINER", "ONBUILD", "RUN",  "SHELL",      "STOPSIGNAL", "USER",   "VOLUME", "WORKDIR",
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t word_length(struct view text)
{
    size_t len = 0;

    while (len < text.len && !is_space(text.data[len]))
        len++;
    return len;
}

bool run_is_instruction(struct view text)
{
    size_t i, len = word_length(text);

    for (i = 0; i < ARRAY_LEN(keywords); i++)
        if (strlen(keywords[i]) == len && strncasecmp(text.data, keywords[i], len) == 0)
            return true;
    return false;
}

/* FNV-1a over the text with its keyword in upper case and each run of white space as one space. */
static uint64_t text_key(struct view text)
{
    uint64_t key = 14695981039346656037u;
    size_t i, used = 0, keyword = word_length(text);
    bool space = false;

    while (text.len && is_space(text.data[text.len - 1]))
        text.len--;
    for (i = 0; i < text.len && used < KEY_LENGTH; i++) {
        char c = text.data[i];

        if (is_space(c)) {
            space = true;
            continue;
        }
        if (space)
            key = (key ^ ' ') * 1099511628211u;
        space = false;
        key = (key ^ (unsigned char)(i < keyword ? toupper((unsigned char)c) : c)) * 1099511628211u;
        used++;
    }
    return key;
}

int run_signal(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } signals[] = {
        {"aborted", SIGABRT},
        {"bus error", SIGBUS},
        {"floating point exception", SIGFPE},
        {"illegal instruction", SIGILL},
        {"killed", SIGKILL},
        {"segmentation fault", SIGSEGV},
        {"trace/breakpoint trap", SIGTRAP},
    };
    size_t i;

    for (i = 0; i < ARRAY_LEN(signals); i++)
        if (view_starts(view_of(name), signals[i].name))
            return signals[i].number;
    return SIGTERM;
}

struct engine_run *engine_run_new(const struct engine *engine, const struct dockerfile *dockerfile, const char *target,
                                  const struct engine_listener *listener)
{
    struct engine_run *run = xcalloc(1, sizeof *run);
    size_t i, count = dockerfile->instructions_len;
    bool *needed = stages_needed(dockerfile, target);

    *run = (struct engine_run){.engine = engine,
                               .dockerfile = dockerfile,
                               .listener = *listener,
                               .stage = -1,
                               .current = RUN_NONE,
                               .last = RUN_NONE};
    run->instructions = xcalloc(count ? count : 1, sizeof *run->instructions);
    for (i = 0; i < count; i++) {
        const struct dockerfile_instruction *instruction = &dockerfile->instructions[i];

        run->instructions[i].key = text_key(view_of(instruction->text));
        run->instructions[i].needed = instruction->stage >= 0 && needed[instruction->stage];
        run->total += run->instructions[i].needed;
    }
    free(needed);
    for (i = 0; i < ARRAY_LEN(run->lines); i++)
        buf_init(&run->lines[i].text, RUN_LINE_MAX);
    buf_init(&run->held, RUN_LINE_MAX);
    buf_init(&run->tail, RUN_TAIL_MAX);
    buf_init(&run->error, RUN_WORDS_MAX);
    buf_init(&run->cause, RUN_WORDS_MAX);
    buf_init(&run->base_name, RUN_WORDS_MAX);
    return run;
}

void engine_run_free(struct engine_run *run)
{
    size_t i;

    if (!run)
        return;
    for (i = 0; i < ARRAY_LEN(run->lines); i++)
        buf_dispose(&run->lines[i].text);
    buf_dispose(&run->held);
    buf_dispose(&run->tail);
    buf_dispose(&run->error);
    buf_dispose(&run->cause);
    buf_dispose(&run->base_name);
    strings_dispose(&run->bases);
    free(run->instructions);
    free(run);
}

const struct strings *engine_run_bases(const struct engine_run *run)
{
    return &run->bases;
}

static size_t find(const struct engine_run *run, struct view text, bool uncached)
{
    uint64_t key = text_key(text);
    size_t i;

    for (i = 0; i < run->dockerfile->instructions_len; i++) {
        const struct run_instruction *instruction = &run->instructions[i];

        if (instruction->key == key && !instruction->begun && !(uncached && instruction->cached) &&
            stages_is_part(run->dockerfile, run->dockerfile->instructions[i].stage, run->stage))
            return i;
    }
    return RUN_NONE;
}

size_t run_find(const struct engine_run *run, struct view text)
{
    return find(run, text, false);
}

size_t run_find_uncached(const struct engine_run *run, struct view text)
{
    return find(run, text, true);
}

/* Its number among those that are needed, from 1. */
static size_t number_of(const struct engine_run *run, size_t index)
{
    size_t i, number = 0;

    for (i = 0; i <= index; i++)
        number += run->instructions[i].needed;
    return number ? number : 1;
}

void run_end(struct engine_run *run)
{
    run->command_runs = false;
    if (run->current == RUN_NONE)
        return;
    if (run->listener.on_instruction_end)
        run->listener.on_instruction_end(run->listener.context, &run->dockerfile->instructions[run->current],
                                         clock_monotonic_ms() - run->began_ms, run->current_cached);
    run->current = RUN_NONE;
}

static void begin(struct engine_run *run, size_t index)
{
    run_end(run);
    run->current = run->last = index;
    run->instructions[index].begun = true;
    run->current_cached = run->instructions[index].cached;
    run->began_ms = clock_monotonic_ms();
    if (!run->instructions[index].needed) { /* we were wrong about what the target needs */
        run->instructions[index].needed = true;
        run->total++;
    }
    if (run->listener.on_instruction)
        run->listener.on_instruction(run->listener.context, &run->dockerfile->instructions[index],
                                     number_of(run, index), run->total);
}

/* The FROM of a stage when it has not begun; else RUN_NONE. */
static size_t find_from(const struct engine_run *run, int stage)
{
    size_t i;

    for (i = 0; i < run->dockerfile->instructions_len; i++)
        if (run->dockerfile->instructions[i].stage == stage)
            return run->instructions[i].begun ? RUN_NONE : i;
    return RUN_NONE;
}

void run_begin(struct engine_run *run, size_t index)
{
    size_t from = find_from(run, run->dockerfile->instructions[index].stage);

    if (from != RUN_NONE && from != index) /* of a stage that is built as part of another */
        begin(run, from);
    begin(run, index);
}

void run_begin_stage(struct engine_run *run, int stage)
{
    size_t from = RUN_NONE;
    int i;

    run->stage = stage;
    for (i = 0; i <= stage && from == RUN_NONE; i++)
        if (stages_is_part(run->dockerfile, i, stage))
            from = find_from(run, i);
    if (from != RUN_NONE)
        run_begin(run, from);
}

void run_set_error(struct engine_run *run, struct view words)
{
    buf_reset(&run->error);
    utf8_repair(words, &run->error);
}

void run_set_cause(struct engine_run *run, struct view words)
{
    buf_reset(&run->cause);
    utf8_repair(words, &run->cause);
}

void run_add_base(struct engine_run *run, struct view name, const char *digest)
{
    char *text;

    if (run->bases.len >= RUN_BASES_MAX || name.len > 512 || !name.len)
        return;
    text = *digest ? xasprintf("%.*s@%s", (int)name.len, name.data, digest) : xstrndup(name.data, name.len);
    if (strings_has(&run->bases, text))
        free(text);
    else
        strings_take(&run->bases, text);
}

static void give_output(struct engine_run *run, bool is_stderr, struct view data)
{
    size_t keep = data.len < RUN_TAIL_MAX / 2 ? data.len : RUN_TAIL_MAX / 2;

    if (!data.len)
        return;
    if (run->tail.len + keep > RUN_TAIL_MAX)
        buf_consume(&run->tail, run->tail.len + keep - RUN_TAIL_MAX);
    buf_add(&run->tail, data.data + data.len - keep, keep);
    if (run->listener.on_output)
        run->listener.on_output(run->listener.context, is_stderr, data.data, data.len);
}

static void give_noise(struct engine_run *run, struct view line)
{
    if (line.len && run->listener.on_noise)
        run->listener.on_noise(run->listener.context, line.data, line.len);
}

static struct view trim_end(struct view line)
{
    while (line.len && (line.data[line.len - 1] == '\n' || line.data[line.len - 1] == '\r'))
        line.len--;
    return line;
}

/* Something came after the line that was held: a command printed it. */
static void let_go(struct engine_run *run)
{
    if (run->held.len)
        give_output(run, run->held_stderr, (struct view){run->held.data, run->held.len});
    buf_reset(&run->held);
}

/* A whole line with its end, or the beginning of one that is too long. True when what comes after it is noise too. */
static bool read_line(struct engine_run *run, bool is_stderr, struct view line)
{
    struct view words = trim_end(line);
    size_t own;

    let_go(run);
    if (!words.len && !run->command_runs)
        return false;
    own = run->engine->own_words(run, words);
    if (own >= words.len) {
        give_output(run, is_stderr, line);
        return false;
    }
    give_output(run, is_stderr, (struct view){line.data, own});
    words = (struct view){words.data + own, words.len - own};
    if (run->command_runs && run->engine->is_last(run, words)) {
        run_set_error(run, words);
        run->held_stderr = is_stderr;
        buf_add(&run->held, words.data, line.len - own);
        return false;
    }
    give_noise(run, words);
    run->engine->read(run, words);
    return true;
}

/* The rest of a line that is longer than we keep. */
static void give_rest(struct engine_run *run, struct run_line *line, bool is_stderr, struct view data)
{
    let_go(run);
    if (!line->rest_is_noise)
        give_output(run, is_stderr, data);
}

static void end_line(struct engine_run *run, struct run_line *line, bool is_stderr)
{
    struct view text = {line->text.data, line->text.len};

    if (text.len)
        line->rest_is_noise = read_line(run, is_stderr, text);
    buf_reset(&line->text);
}

void engine_run_feed(struct engine_run *run, bool is_stderr, const char *data, size_t len)
{
    struct run_line *line = &run->lines[is_stderr];

    while (len) {
        const char *end = memchr(data, '\n', len);
        size_t take = end ? (size_t)(end - data) + 1 : len;
        size_t room = RUN_LINE_MAX - line->text.len;

        if (line->in_rest)
            give_rest(run, line, is_stderr, (struct view){data, take});
        else {
            if (take > room) {
                take = room;
                end = NULL;
            }
            buf_add(&line->text, data, take);
            if (end || line->text.len == RUN_LINE_MAX)
                end_line(run, line, is_stderr);
            line->in_rest = !end && !line->text.len;
        }
        if (end)
            line->in_rest = false;
        data += take;
        len -= take;
    }
}

void engine_run_end(struct engine_run *run)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(run->lines); i++)
        if (!run->lines[i].in_rest)
            end_line(run, &run->lines[i], i == 1);
    give_noise(run, trim_end((struct view){buf_text(&run->held), run->held.len}));
    buf_reset(&run->held);
    run_end(run);
}
