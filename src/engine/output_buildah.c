/*
 * Buildah's output: its steps on standard output, what it fetches and its last error on standard error.
 *
 *   [1/2] STEP 2/3: RUN npm ci
 *   ... what npm prints ...
 *   --> 1a09709afa3
 *   --> Using cache 1a09709afa3…
 *   Error: building at STEP "RUN npm ci": exit status 1
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/engine_internal.h"
#include "engine/output.h"

#define TRIES_MAX 4 /* steps that are looked up for one line */
#define KILLED "subprocess exited on "
#define FAILED_STEP "Error: building at STEP \""
#define FAILED_COMMIT "Error: committing container for step {"

struct step {
    int stage; /* from 0; -1: there is but one */
    struct view text;
};

static struct view skip(struct view text, size_t count)
{
    return (struct view){text.data + count, text.len - count};
}

/* A number of at most five digits; 0: none. */
static size_t read_number(struct view *text)
{
    size_t number = 0, len = 0;

    while (len < text->len && len < 5 && text->data[len] >= '0' && text->data[len] <= '9')
        number = number * 10 + (size_t)(text->data[len++] - '0');
    *text = skip(*text, len);
    return number;
}

static bool take(struct view *text, const char *word)
{
    if (!view_starts(*text, word))
        return false;
    *text = skip(*text, strlen(word));
    return true;
}

/* "[1/2] STEP 2/3: RUN npm ci", "STEP 2/3: RUN npm ci" */
static bool read_step(struct view line, struct step *step)
{
    step->stage = -1;
    if (take(&line, "[")) {
        step->stage = (int)read_number(&line) - 1;
        if (step->stage < 0 || !take(&line, "/") || !read_number(&line) || !take(&line, "] "))
            return false;
    }
    if (!take(&line, "STEP ") || !read_number(&line) || !take(&line, "/") || !read_number(&line) || !take(&line, ": "))
        return false;
    step->text = line;
    return run_is_instruction(line);
}

/* The id of an image, or that it was in the cache: a step has ended. */
static bool is_end(struct view line)
{
    size_t len = 0;

    if (!take(&line, "--> "))
        return false;
    take(&line, "Using cache ");
    while (len < line.len && strchr("0123456789abcdef", line.data[len]))
        len++;
    return len == line.len && len >= 11;
}

/* "COMMIT", "[2/2] COMMIT oci:/folder:latest": what the last step of a stage ends with. */
static bool is_commit(struct view line)
{
    if (take(&line, "[") && !(read_number(&line) && take(&line, "/") && read_number(&line) && take(&line, "] ")))
        return false;
    return view_is(line, "COMMIT") || view_starts(line, "COMMIT oci:");
}

/* What buildah says of a command that failed, before the error itself. */
static bool is_obituary(struct view line)
{
    return view_starts(line, "subprocess exited with status ") || view_starts(line, KILLED);
}

static bool is_failure(struct view line)
{
    return view_starts(line, FAILED_STEP) || view_starts(line, FAILED_COMMIT);
}

/* Where in a line a word of buildah's begins that ends a command's output; line.len: nowhere. */
static size_t find_end(const struct engine_run *run, struct view line)
{
    struct step step;
    size_t at, tries = 0;

    for (at = 0; at < line.len; at++) {
        struct view rest = skip(line, at);

        if (!memchr("[SC-Es", line.data[at], 6))
            continue;
        if (is_end(rest) || is_commit(rest) || is_failure(rest) || is_obituary(rest))
            return at;
        /* Commands that build images say such things too: only a step that is to come ends this one. */
        if (read_step(rest, &step) && tries++ < TRIES_MAX && run_find(run, step.text) != RUN_NONE)
            return at;
    }
    return line.len;
}

size_t buildah_own_words(const struct engine_run *run, struct view line)
{
    if (run->command_runs)
        return find_end(run, line);
    return 0;
}

bool buildah_is_last(const struct engine_run *run, struct view words)
{
    (void)run;
    return is_failure(words);
}

static void read_step_begin(struct engine_run *run, const struct step *step)
{
    size_t index, i;

    if (view_starts(step->text, "FROM ") || view_starts(step->text, "from ")) {
        if (step->stage < 0) /* the only one that is needed */
            for (i = 0; i < run->dockerfile->instructions_len; i++)
                if (run->instructions[i].needed)
                    run->stage = run->dockerfile->instructions[i].stage;
        run_begin_stage(run, step->stage < 0 ? run->stage : step->stage);
        return;
    }
    index = run_find(run, step->text);
    if (index != RUN_NONE)
        run_begin(run, index);
    run->command_runs = view_starts(step->text, "RUN ") || view_starts(step->text, "run ");
    run->command_ran |= run->command_runs;
}

/* What the engine's script says at the end: "base=docker.io/library/node:20@sha256:…" */
static void read_base(struct engine_run *run, struct view text)
{
    size_t len = 0;

    while (len < text.len && text.data[len] != ' ')
        len++;
    run_add_base(run, (struct view){text.data, len}, "");
}

void buildah_read(struct engine_run *run, struct view words)
{
    struct step step;

    if (read_step(words, &step))
        read_step_begin(run, &step);
    else if (is_end(words) || is_commit(words)) {
        run->command_runs = false;
        if (view_starts(words, "--> Using cache "))
            run->current_cached = true;
    } else if (view_starts(words, "Error: ")) {
        run->command_runs = false;
        run_set_error(run, words);
    } else if (view_starts(words, KILLED))
        run_set_cause(run, words);
    else if (take(&words, "base="))
        read_base(run, words);
}

/* The script ends with buildah's exit code: that of a RUN that failed, else 125. */
bool buildah_command_failed(const struct engine_run *run, const struct outcome *outcome, int *exit_code, int *signal)
{
    const char *error = buf_text(&run->error), *at;

    *exit_code = -1;
    *signal = 0;
    if (outcome->kind != OUTCOME_EXITED)
        return false;
    for (at = error; (at = strstr(at, "\": ")); at++) {
        if (strncmp(at, "\": exit status ", 15) == 0) {
            if (run->cause.len)
                *signal = run_signal(buf_text(&run->cause) + strlen(KILLED));
            else
                *exit_code = outcome->exit_code;
            return true;
        }
    }
    return false;
}
