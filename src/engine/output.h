/*
 * What is known of a running engine, drawn from its output. The output is hostile: a command of the user may print what
 * looks like the engine's words. That can confuse the progress that is shown, and where output goes; it decides neither
 * memory nor, while the command's own exit code is known, the class of a failure. Private to engine/.
 */
#ifndef CAISSON_ENGINE_OUTPUT_H
#define CAISSON_ENGINE_OUTPUT_H

#include <stdint.h>

#include "core/buf.h"
#include "core/strings.h"
#include "engine/engine.h"

#define RUN_LINE_MAX ((size_t)64 * 1024) /* a longer line is read by its beginning */
#define RUN_TAIL_MAX ((size_t)4 * 1024)
#define RUN_WORDS_MAX ((size_t)4 * 1024)
#define RUN_BASES_MAX 64
#define RUN_NONE ((size_t)-1)

struct run_instruction {
    uint64_t key; /* of its text */
    bool needed;  /* by the target */
    bool begun;
    bool cached; /* the engine said that it will take it from the cache */
};

/* A line that is coming in. */
struct run_line {
    struct buf text;
    bool rest_is_noise, in_rest; /* the line is longer than we keep: where the rest goes */
};

struct engine_run {
    const struct engine *engine;
    const struct dockerfile *dockerfile;
    struct engine_listener listener;
    struct run_instruction *instructions; /* as many as the Dockerfile's */
    size_t total;                         /* that are needed */
    struct run_line lines[2];             /* of standard output and error */
    int stage;                            /* that is being built; -1: none yet */
    size_t current;                       /* instruction; RUN_NONE: none */
    size_t last;                          /* instruction that began last; RUN_NONE: none */
    bool current_cached;
    int64_t began_ms;
    bool command_runs; /* a command of the user: what is not surely the engine's is its */
    bool command_ran;
    struct buf held; /* a line that is the engine's last word if nothing comes after it, else a command's */
    bool held_stderr;
    struct buf tail;  /* the end of what commands printed */
    struct buf error; /* the engine's last error */
    struct buf cause; /* … and what it said before it that is needed to understand it */
    struct strings bases;
    struct buf base_name; /* of the image that was asked for last */
    char base_digest[80]; /* of the base image that is taken next; "": not known */
};

/* The instruction that the engine names by its text: the first of the stage that is being built, or of those that it is
 * built on, which has not begun. RUN_NONE: no such. */
size_t run_find(const struct engine_run *run, struct view text);
/* The same among those that are not known to be cached. */
size_t run_find_uncached(const struct engine_run *run, struct view text);
/* An instruction begins; what ran before it ends. */
void run_begin(struct engine_run *run, size_t index);
/* The current one ends. */
void run_end(struct engine_run *run);
/* A stage begins, and with it the FROM of the first stage that is built with it. */
void run_begin_stage(struct engine_run *run, int stage);
void run_set_error(struct engine_run *run, struct view words);
void run_set_cause(struct engine_run *run, struct view words);
void run_add_base(struct engine_run *run, struct view name, const char *digest);
/* The number of the signal that Go's runtime calls so ("killed"); SIGTERM for one that it does not know by now. */
int run_signal(const char *name);
/* Whether text begins with the keyword of an instruction. */
bool run_is_instruction(struct view text);

#endif
