/*
 * Kaniko's log: lines of logrus' text format, all on standard error, and the last error alone in a line of its own.
 *
 *   time="2026-01-09T12:00:00Z" level=info msg="Building stage 'debian:12' [idx: '0', base-idx: '-1']"
 *   time="2026-01-09T12:00:00Z" level=info msg="RUN npm ci"
 *   time="2026-01-09T12:00:00Z" level=info msg="Running: [/bin/sh -c npm ci]"
 *   ... what npm prints ...
 *   time="2026-01-09T12:00:00Z" level=info msg="Taking snapshot of full filesystem..."
 *   error building image: error building stage: failed to execute command: waiting for process to exit: exit status 1
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/utf8.h"
#include "engine/engine_internal.h"
#include "engine/output.h"

#define TIME_LENGTH 27 /* time="2026-01-09T12:00:00Z" and a space */

static struct view skip(struct view text, size_t count)
{
    return (struct view){text.data + count, text.len - count};
}

/* Whether text begins with a time and a level; then the rest in *rest: what follows `level=`. */
static bool is_entry(struct view text, struct view *rest)
{
    static const char shape[] = "time=\"dddd-dd-ddTdd:dd:dd";
    size_t i;

    if (text.len < sizeof shape + 10)
        return false;
    for (i = 0; i + 1 < sizeof shape; i++)
        if (shape[i] == 'd' ? text.data[i] < '0' || text.data[i] > '9' : text.data[i] != shape[i])
            return false;
    text = skip(text, i);
    for (i = 0; i < 8 && text.data[i] != '"'; i++) /* Z, or +01:00 */
        ;
    text = skip(text, i);
    if (!view_starts(text, "\" level="))
        return false;
    *rest = skip(text, 8);
    return true;
}

/* The message of an entry: what stands behind `msg=`, still in quotes when it has any. */
static bool find_message(struct view entry, struct view *level, struct view *message)
{
    size_t len = 0;

    while (len < entry.len && entry.data[len] != ' ')
        len++;
    *level = (struct view){entry.data, len};
    entry = skip(entry, len);
    if (!view_starts(entry, " msg="))
        return false;
    *message = skip(entry, 5);
    return true;
}

/* Takes off quotes and escapes. A message that is cut off ends where it was cut. */
static void unquote(struct view text, struct buf *out)
{
    size_t i;

    if (!text.len || text.data[0] != '"') {
        buf_add(out, text.data, text.len);
        return;
    }
    for (i = 1; i < text.len && text.data[i] != '"'; i++) {
        char c = text.data[i];

        if (c == '\\' && i + 1 < text.len) {
            c = text.data[++i];
            c = (char)(c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c);
        }
        buf_addc(out, c);
    }
}

/* What Kaniko says while or right after a command of the user runs: of the layers that it stores meanwhile, and that
 * the command ended. Anything else then is the command's, which may well print lines of the same form. */
static bool is_said_meanwhile(struct view message)
{
    static const char *const known[] = {
        "\"Taking snapshot of ",
        "\"Pushing layer oci:",
        "\"Pushing cache pointer oci:",
        "\"Skipping push to container ",
    };
    size_t i;

    for (i = 0; i < ARRAY_LEN(known); i++)
        if (view_starts(message, known[i]))
            return true;
    return false;
}

static bool is_last_error(struct view line)
{
    static const char *const known[] = {
        "error building image: ", "error pushing image: ", "error checking push permissions: ",
        "error resolving ",       "error changing to ",
    };
    size_t i;

    for (i = 0; i < ARRAY_LEN(known); i++)
        if (view_starts(line, known[i]))
            return true;
    return false;
}

size_t kaniko_own_words(const struct engine_run *run, struct view line)
{
    struct view rest, level, message;
    size_t at;

    /* A command's last line may have no end, and the next entry stands right behind it. */
    for (at = 0; at + TIME_LENGTH < line.len; at++) {
        const char *found = memchr(line.data + at, 't', line.len - at);

        if (!found)
            break;
        at = (size_t)(found - line.data);
        if (!is_entry(skip(line, at), &rest) || !find_message(rest, &level, &message))
            continue;
        if (!run->command_runs || is_said_meanwhile(message))
            return at;
    }
    for (at = 0; at < line.len; at++) {
        const char *found = memchr(line.data + at, 'e', line.len - at);

        if (!found)
            break;
        at = (size_t)(found - line.data);
        if (at ? view_starts(skip(line, at), "error building image: error building stage: ") : is_last_error(line))
            return at;
    }
    /* Before any command has run nobody else can have said it. */
    return run->command_ran ? line.len : 0;
}

bool kaniko_is_last(const struct engine_run *run, struct view words)
{
    (void)run;
    return is_last_error(words);
}

/* Eliminating stage 'debian:12' [idx: '0'], all consumers are served from cache */
static void read_eliminated(struct engine_run *run, const char *text)
{
    const char *at = strstr(text, "' [idx: '");
    long stage = at ? strtol(at + strlen("' [idx: '"), NULL, 10) : -1;
    size_t i;

    for (i = 0; i < run->dockerfile->instructions_len; i++)
        if (run->dockerfile->instructions[i].stage == stage && !run->instructions[i].begun) {
            run->instructions[i].cached = true;
            run_begin(run, i);
        }
    run_end(run);
}

/* Whether the Dockerfile says that the stage begins with that image, and no base of that name is known yet. */
static bool is_new_base(const struct engine_run *run, long stage, struct view name)
{
    const struct dockerfile_stage *stages = run->dockerfile->stages;
    long other;
    size_t i;

    if (!stages[stage].base || !view_is(name, stages[stage].base))
        return false;
    for (other = 0; other < stage; other++)
        if (stages[other].name && view_is(name, stages[other].name))
            return false;
    for (i = 0; i < run->bases.len; i++) {
        const char *known = run->bases.items[i];

        if (view_starts(view_of(known), stages[stage].base) && (known[name.len] == '@' || !known[name.len]))
            return false;
    }
    return true;
}

/* Once a command of the user has run, it or what it left behind may say this too: then the name must be the
 * Dockerfile's, and no digest is believed. */
static void read_stage_base(struct engine_run *run, long stage, struct view name)
{
    if (!run->command_ran)
        run_add_base(run, name, run->base_digest);
    else if (is_new_base(run, stage, name))
        run_add_base(run, name, "");
}

/* Building stage 'debian:12' [idx: '1', base-idx: '-1'] */
static void read_stage(struct engine_run *run, const char *text)
{
    const char *name = text + strlen("Building stage '"), *end = strstr(name, "' [idx: '");
    long stage = end ? strtol(end + strlen("' [idx: '"), NULL, 10) : -1;
    size_t i;

    if (stage < 0 || stage >= (long)run->dockerfile->stages_len)
        return;
    for (i = 0; i < run->dockerfile->instructions_len; i++)
        run->instructions[i].cached = false; /* it was a look ahead */
    run_begin_stage(run, (int)stage);
    if (strstr(end, "base-idx: '-1'") && !view_starts(view_of(name), "scratch'"))
        read_stage_base(run, stage, (struct view){name, (size_t)(end - name)});
    *run->base_digest = '\0';
}

/* shared-base: stored sha256:…, shared-base: loading sha256:… from local store */
static void read_base(struct engine_run *run, const char *text)
{
    const char *digest = strstr(text, "sha256:");

    if (digest && strspn(digest + 7, "0123456789abcdef") == 64)
        snprintf(run->base_digest, sizeof run->base_digest, "%.71s", digest);
}

static void read_message(struct engine_run *run, struct view text)
{
    static const char cached[] = "Using caching version of cmd: ", image[] = "Retrieving image manifest ";
    size_t index;

    if (view_starts(text, image) && !run->command_ran) {
        buf_reset(&run->base_name);
        utf8_repair(skip(text, strlen(image)), &run->base_name);
    } else if (view_starts(text, "Building stage '"))
        read_stage(run, text.data);
    else if (view_starts(text, "Eliminating stage '"))
        read_eliminated(run, text.data);
    else if (view_starts(text, "shared-base: "))
        read_base(run, text.data);
    else if (view_starts(text, "Running: ["))
        run->command_runs = run->command_ran = true;
    else if (view_starts(text, "Taking snapshot of "))
        run->command_runs = false;
    else if (view_starts(text, cached)) {
        index = run_find_uncached(run, skip(text, strlen(cached)));
        if (index != RUN_NONE)
            run->instructions[index].cached = true;
    } else if (run_is_instruction(text)) {
        /* Not found: of an ONBUILD of the base image; it is counted as part of FROM. */
        index = run_find(run, text);
        if (index != RUN_NONE)
            run_begin(run, index);
    }
}

void kaniko_read(struct engine_run *run, struct view words)
{
    struct view rest, level, message;
    struct buf text;

    if (!is_entry(words, &rest) || !find_message(rest, &level, &message)) {
        if (is_last_error(words) || (!run->command_ran && view_starts(words, "Error: ")))
            run_set_error(run, words);
        return;
    }
    buf_init(&text, RUN_LINE_MAX);
    unquote(message, &text);
    if (view_is(level, "fatal"))
        run_set_error(run, (struct view){buf_text(&text), text.len});
    else if (!run->command_ran && view_is(level, "warning") &&
             view_starts((struct view){buf_text(&text), text.len}, "Failed to retrieve image"))
        run_set_cause(run, (struct view){buf_text(&text), text.len});
    else
        read_message(run, (struct view){buf_text(&text), text.len});
    buf_dispose(&text);
}

/* A failing RUN gives its own exit code, else Kaniko's is 1. */
bool kaniko_command_failed(const struct engine_run *run, const struct outcome *outcome, int *exit_code, int *signal)
{
    static const char wait[] = "waiting for process to exit: ";
    const char *at = strstr(buf_text(&run->error), wait);

    *exit_code = -1;
    *signal = 0;
    if (outcome->kind != OUTCOME_EXITED)
        return false;
    if (at && view_starts(view_of(at + strlen(wait)), "signal: ")) {
        *signal = run_signal(at + strlen(wait) + strlen("signal: "));
        return true;
    }
    /* The code is Kaniko's own word, the text could be the command's. */
    if (!at && outcome->exit_code <= 2)
        return false;
    *exit_code = outcome->exit_code;
    return true;
}
