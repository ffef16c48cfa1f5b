/*
 * What a failed build means. The exit code says whether a command of the user failed; the engine's last error what else
 * it was, in the words of the registries' libraries and of the kernel, which both engines hand through.
 */
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/clock.h"
#include "core/mem.h"
#include "core/utf8.h"
#include "engine/engine_internal.h"
#include "engine/output.h"
#include "engine/stages.h"
#include "proc/executor.h"

#define QUOTE_MAX 200
#define WORDS_MAX 600

enum cause {
    CAUSE_DISK,
    CAUSE_RATE,
    CAUSE_AUTH,
    CAUSE_NOT_FOUND,
    CAUSE_TLS,
    CAUSE_NETWORK,
    CAUSE_TARGET,
    CAUSE_DOCKERFILE,
    CAUSE_NONE,
};

/* The first that is found decides: an answer that says why comes before one that only failed. */
static const struct {
    const char *words;
    enum cause cause;
} known[] = {
    {"no space left on device", CAUSE_DISK},
    {"disk quota exceeded", CAUSE_DISK},
    {"TOOMANYREQUESTS", CAUSE_RATE},
    {"Too Many Requests", CAUSE_RATE},
    {"status code 429", CAUSE_RATE},
    {"UNAUTHORIZED", CAUSE_AUTH},
    {"authentication required", CAUSE_AUTH},
    {"DENIED:", CAUSE_AUTH},
    {": denied", CAUSE_AUTH},
    {"access to the resource is denied", CAUSE_AUTH},
    {"401 Unauthorized", CAUSE_AUTH},
    {"403 Forbidden", CAUSE_AUTH},
    {"no basic auth credentials", CAUSE_AUTH},
    {"MANIFEST_UNKNOWN", CAUSE_NOT_FOUND},
    {"manifest unknown", CAUSE_NOT_FOUND},
    {"NAME_UNKNOWN", CAUSE_NOT_FOUND},
    {"name unknown", CAUSE_NOT_FOUND},
    {"repository name not known", CAUSE_NOT_FOUND},
    {"NOT_FOUND", CAUSE_NOT_FOUND},
    {"404 Not Found", CAUSE_NOT_FOUND},
    {"no child with platform", CAUSE_NOT_FOUND},
    {"no image found in manifest list", CAUSE_NOT_FOUND},
    {"x509:", CAUSE_TLS},
    {"server gave HTTP response to HTTPS client", CAUSE_TLS},
    {"connection refused", CAUSE_NETWORK},
    {"connection reset", CAUSE_NETWORK},
    {"no such host", CAUSE_NETWORK},
    {"server misbehaving", CAUSE_NETWORK},
    {"i/o timeout", CAUSE_NETWORK},
    {"TLS handshake timeout", CAUSE_NETWORK},
    {"network is unreachable", CAUSE_NETWORK},
    {"no route to host", CAUSE_NETWORK},
    {"context deadline exceeded", CAUSE_NETWORK},
    {"unexpected EOF", CAUSE_NETWORK},
    {"broken pipe", CAUSE_NETWORK},
    {"proxyconnect", CAUSE_NETWORK},
    {"Internal Server Error", CAUSE_NETWORK},
    {"Bad Gateway", CAUSE_NETWORK},
    {"Service Unavailable", CAUSE_NETWORK},
    {"Gateway Timeout", CAUSE_NETWORK},
    {"tls: ", CAUSE_TLS},
    {"is not a valid target build stage", CAUSE_TARGET},
    {"error finding target stage", CAUSE_TARGET},
    {"was not found in the provided Dockerfile", CAUSE_TARGET},
    {"no build stage in current context", CAUSE_DOCKERFILE},
    {"parsing dockerfile: ", CAUSE_DOCKERFILE},
    {"dockerfile parse error", CAUSE_DOCKERFILE},
    {"failed to get files used from context", CAUSE_DOCKERFILE},
    {"could not parse reference", CAUSE_DOCKERFILE},
    {"invalid reference format", CAUSE_DOCKERFILE},
    {"refers to a stage that does not exist", CAUSE_DOCKERFILE},
    {"refers to invalid stage", CAUSE_DOCKERFILE},
    {"failed to parse ONBUILD", CAUSE_DOCKERFILE},
    {"resolving args: ", CAUSE_DOCKERFILE},
    {"expanding meta ARGs: ", CAUSE_DOCKERFILE},
    {"secret not defined", CAUSE_DOCKERFILE},
    {"no FROM statement found", CAUSE_DOCKERFILE},
    {"unknown instruction", CAUSE_DOCKERFILE},
    {"no such file or directory", CAUSE_DOCKERFILE},
};

static enum cause find_cause(const char *words)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(known); i++)
        if (strcasestr(words, known[i].words))
            return known[i].cause;
    return CAUSE_NONE;
}

/* "line 7, RUN npm ci"; "" when none had begun. */
static void quote(const struct engine_run *run, size_t index, char out[QUOTE_MAX + 64])
{
    const struct dockerfile_instruction *instruction;
    size_t len, cut;

    *out = '\0';
    if (index == RUN_NONE)
        return;
    instruction = &run->dockerfile->instructions[index];
    len = strlen(instruction->text);
    cut = len <= QUOTE_MAX ? len : utf8_cut(view_of(instruction->text), QUOTE_MAX);
    snprintf(out, QUOTE_MAX + 64, "line %d, %.*s%s", instruction->line, (int)cut, instruction->text,
             len > cut ? "…" : "");
}

/* What the engine's last error is about: where a mirror was asked, the reason stands before it. */
static const char *error_words(const struct engine_run *run)
{
    const char *error = buf_text(&run->error);

    return run->cause.len && strstr(error, "mapped registries") ? buf_text(&run->cause) : error;
}

/* Without what only says where in the engine it was, or which instruction it is about: that is said anyway. */
static const char *skip_places(const struct engine_run *run, const char *words)
{
    static const char *const places[] = {
        "Error: ",
        "error building image: ",
        "error building stage: ",
        "failed to execute command: ",
        "failed to optimize instructions: ",
        "precompute: ",
        "creating build container: ",
        "Build error: ",
    };
    static const char step[] = "building at STEP \"", committing[] = "committing container for step {",
                      attempts[] = ", last error: ", files[] = "failed to get files used ", stat[] = ": lstat ",
                      copier[] = ": copier: stat: ";
    const char *text = run->last == RUN_NONE ? "" : run->dockerfile->instructions[run->last].text, *at, *next;
    size_t i = 0;

    while (i < ARRAY_LEN(places)) {
        bool found = view_starts(view_of(words), places[i]);

        words += found ? strlen(places[i]) : 0;
        i = found ? 0 : i + 1; /* from the beginning: they stand in any order */
    }
    if (view_starts(view_of(words), step)) {
        at = words + strlen(step);
        at = strstr(view_starts(view_of(at), text) ? at + strlen(text) : at, "\": ");
        if (at)
            return skip_places(run, at + strlen("\": "));
    }
    if (view_starts(view_of(words), committing) && (at = strstr(words, "}: "))) {
        /* The step in all its parts, the instruction twice among them; what may have such signs too. */
        while ((next = strstr(at + 1, "}: ")))
            at = next;
        return skip_places(run, at + strlen("}: "));
    }
    if ((at = strstr(words, attempts)))
        return at + strlen(attempts);
    if ((at = strstr(words, copier)))
        return at + strlen(copier);
    if (view_starts(view_of(words), files) && (at = strstr(words, stat)))
        return at + strlen(stat);
    return words;
}

/* The engine's words in one line, up to where they are of no use any more. */
static void explain(const struct engine_run *run, char out[WORDS_MAX + 8])
{
    static const char *const ends[] = {"\r", "\n", ". Will try with the next registry", " &imagebuilder.Step{"};
    const char *words = skip_places(run, error_words(run));
    size_t i, cut = strlen(words);

    for (i = 0; i < ARRAY_LEN(ends); i++) {
        const char *end = strstr(words, ends[i]);

        if (end && (size_t)(end - words) < cut)
            cut = (size_t)(end - words);
    }
    if (cut > WORDS_MAX)
        cut = utf8_cut((struct view){words, cut}, WORDS_MAX);
    snprintf(out, WORDS_MAX + 8, "%.*s", (int)cut, words);
}

/* The FROM that takes the image which the engine asked for last, else the instruction that ran last. */
static size_t find_base(const struct engine_run *run)
{
    size_t i;

    for (i = 0; run->base_name.len && i < run->dockerfile->instructions_len; i++) {
        const struct dockerfile_instruction *instruction = &run->dockerfile->instructions[i];

        if (instruction->stage >= 0 && strcmp(instruction->keyword, "FROM") == 0 &&
            strcmp(run->dockerfile->stages[instruction->stage].base, buf_text(&run->base_name)) == 0)
            return i;
    }
    return run->last;
}

/* Files of a COPY are looked at before it is said to begin: then it is the next one, else the one that runs. */
static size_t find_failed(const struct engine_run *run)
{
    size_t i;

    if (!strstr(buf_text(&run->error), "failed to get files used from context"))
        return run->last;
    for (i = run->last == RUN_NONE ? 0 : run->last; i < run->dockerfile->instructions_len; i++) {
        const struct dockerfile_instruction *instruction = &run->dockerfile->instructions[i];

        if (!run->instructions[i].begun && !run->instructions[i].cached &&
            (run->stage < 0 || stages_is_part(run->dockerfile, instruction->stage, run->stage)) &&
            (strcmp(instruction->keyword, "COPY") == 0 || strcmp(instruction->keyword, "ADD") == 0))
            return i;
    }
    return run->last;
}

static bool is_download(const struct engine_run *run, size_t index)
{
    const struct dockerfile_instruction *instruction = index == RUN_NONE ? NULL : &run->dockerfile->instructions[index];

    return instruction && strcmp(instruction->keyword, "ADD") == 0 && strstr(instruction->text, "://");
}

static void fail_memory(const char *where, const char *what, bool certain, struct error *err)
{
    error_set(err, CLASS_OUT_OF_MEMORY, "out-of-memory", "%s%s%s was killed%s", where, *where ? ": " : "", what,
              certain ? ": memory ran out" : " by signal 9, as it is when memory runs out");
    error_hint(err, "give the task more memory, or let the instruction use less");
}

static void fail_disk(const char *where, const char *by, struct error *err)
{
    error_set(err, CLASS_DISK_FULL, "disk-full", "%s%s%sthe disk is full", where, *where ? ": " : "", by);
    error_hint(err, "give the task more ephemeral storage, or let the build write less");
}

/* A command of the user. Its exit code is the kernel's word, its output is not. */
static void fail_command(const struct engine_run *run, const struct outcome *outcome, int exit_code, int signal,
                         struct error *err)
{
    char where[QUOTE_MAX + 64];

    quote(run, run->last, where);
    if (signal == SIGKILL || exit_code == 137 || outcome->out_of_memory)
        fail_memory(where, "a process of it", outcome->out_of_memory, err);
    else if (find_cause(buf_text(&run->tail)) == CAUSE_DISK)
        fail_disk(where, "by its output ", err);
    else if (signal)
        error_set(err, CLASS_BUILD_FAILED, "run-failed", "%s: was killed by signal %d", where, signal);
    else
        error_set(err, CLASS_BUILD_FAILED, "run-failed", "%s: exited with code %d", where, exit_code);
    if (err->class == CLASS_BUILD_FAILED)
        error_hint(err, "the log shows what the command printed");
    err->child_exit = exit_code;
    err->child_signal = signal;
}

static void fail_registry(enum cause cause, const char *where, const char *words, struct error *err)
{
    switch (cause) {
    case CAUSE_RATE:
        error_set(err, CLASS_BASE_IMAGE, "base-image-rate-limited",
                  "%s: the registry of the base image refuses more "
                  "requests for now: %s",
                  where, words);
        error_retryable(err, 0);
        error_hint(err,
                   "name another registry in `image.mirrors` (for Docker's own images public.ecr.aws/docker, or an ECR "
                   "pull-through cache with `image.pull_auth.role`), or give `image.pull_auth` an account of this "
                   "one");
        break;
    case CAUSE_AUTH:
        error_set(err, CLASS_BASE_IMAGE, "base-image-not-authorized", "%s: the registry of the base image refuses: %s",
                  where, words);
        error_hint(err,
                   "check the image's name, and give `image.pull_auth` an account that may pull it (of ECR, a role)");
        break;
    case CAUSE_NOT_FOUND:
        error_set(err, CLASS_BASE_IMAGE, "base-image-not-found", "%s: the base image is not there: %s", where, words);
        error_hint(err, "check name, tag and platform of the image, and `image.mirrors`");
        break;
    case CAUSE_TLS:
        error_set(err, CLASS_BASE_IMAGE, "base-registry-tls",
                  "%s: no secure connection to the registry of the base "
                  "image: %s",
                  where, words);
        error_hint(err, "let the operator's file name the CA bundle that the registry needs");
        break;
    default:
        error_set(err, CLASS_PLATFORM, "base-registry-unreachable",
                  "%s: the registry of the base image cannot be "
                  "reached: %s",
                  where, words);
        error_retryable(err, 0);
        error_hint(err, "check the image's name, and that the task's network reaches the registry; `image.mirrors` can "
                        "name another one");
        break;
    }
}

/* The engine's own trouble: with what it was called with, with its folders, with itself. */
static bool is_internal(const struct engine_run *run)
{
    static const char *const known_words[] = {
        "committing container for step {",
        "error pushing image: ",
        "error resolving ",
        "error changing to ",
        "Assertion violated",
        "cache flags invalid",
        "unknown flag: ",
        "unknown shorthand flag: ",
    };
    size_t i;

    for (i = 0; i < ARRAY_LEN(known_words); i++)
        if (strstr(buf_text(&run->error), known_words[i]) && !strstr(buf_text(&run->error), "parsing dockerfile: "))
            return true;
    return false;
}

static void fail_otherwise(const struct engine_run *run, const struct outcome *outcome, struct error *err)
{
    char where[QUOTE_MAX + 64], words[WORDS_MAX + 8];
    enum cause cause = find_cause(error_words(run));
    size_t failed = find_failed(run);
    struct buf what;

    explain(run, words);
    if (cause == CAUSE_DISK) {
        quote(run, failed, where);
        fail_disk(where, "", err);
    } else if (cause < CAUSE_TARGET && !is_download(run, failed)) {
        quote(run, find_base(run), where);
        fail_registry(cause,
                      *where               ? where
                      : run->base_name.len ? buf_text(&run->base_name)
                                           : "base image",
                      words, err);
    } else if (!is_internal(run) && (cause != CAUSE_NONE || (failed != RUN_NONE && run->error.len))) {
        quote(run, failed, where);
        error_set(err, CLASS_BUILD_FAILED, cause == CAUSE_TARGET ? "target-missing" : "dockerfile-failed", "%s%s%s",
                  cause == CAUSE_TARGET ? "" : where, *where && cause != CAUSE_TARGET ? ": " : "", words);
        if (cause == CAUSE_NETWORK || cause == CAUSE_RATE)
            error_retryable(err, 0);
        if (failed != RUN_NONE && strstr(run->dockerfile->instructions[failed].text, "<<") &&
            strstr(words, "nknown instruction"))
            error_hint(err, "this engine does not know here-documents: use kaniko, or a newer one");
        else if (cause == CAUSE_TARGET)
            error_hint(err, "name a stage of the Dockerfile in `build.target`");
        else if (!is_download(run, failed))
            error_hint(err, "correct the Dockerfile, or the context: what .dockerignore excludes is not in it");
    } else {
        buf_init(&what, 512);
        outcome_describe(outcome, engine_name(run->engine), &what);
        error_set(err, CLASS_INTERNAL, "engine-failed", "%s%s%s", buf_text(&what), *words ? ": " : "", words);
        error_hint(err, "the log at `--log-level debug` has the engine's own words");
        buf_dispose(&what);
    }
}

void engine_run_classify(const struct engine_run *run, const struct outcome *outcome, struct error *err)
{
    char where[QUOTE_MAX + 64];
    int exit_code, signal;

    quote(run, run->last, where);
    if (run->engine->command_failed(run, outcome, &exit_code, &signal))
        fail_command(run, outcome, exit_code, signal, err);
    else if (outcome->kind == OUTCOME_MEMORY || outcome->out_of_memory ||
             (outcome->kind == OUTCOME_SIGNALED && outcome->signal == SIGKILL))
        fail_memory(where, engine_name(run->engine), outcome->kind != OUTCOME_SIGNALED || outcome->out_of_memory, err);
    else if (outcome->kind == OUTCOME_DISK)
        fail_disk(where, "", err);
    else
        fail_otherwise(run, outcome, err);
}
