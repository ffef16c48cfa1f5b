/*
 * A Dockerfile as far as we must understand it: its instructions with their lines, its stages and base images. It is
 * read for progress, messages and checks; the engine has its own parser, and where the two disagree the engine is right.
 * https://docs.docker.com/reference/dockerfile/
 */
#ifndef CAISSON_ENGINE_DOCKERFILE_H
#define CAISSON_ENGINE_DOCKERFILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"
#include "core/error.h"

#define DOCKERFILE_MAX ((size_t)1 << 20)
#define DOCKERFILE_KEYWORD_MAX 15
#define DOCKERFILE_TEXT_MAX 1024

struct dockerfile_instruction {
    char keyword[DOCKERFILE_KEYWORD_MAX + 1]; /* upper case: "RUN" */
    char *text; /* in one line, as the engines say it: "RUN npm ci"; continuations joined, white space within as
                       * written, no heredoc's body; cut at 1 KiB, and to its keyword after 192 KiB of them */
    int line;   /* from 1: where it begins */
    int stage;  /* from 0; -1: an ARG before the first FROM */
};
struct dockerfile_stage {
    char *name; /* AS …; NULL: none */
    char *base; /* as written; an earlier stage's name, "scratch", or an image */
    int line;
};
struct dockerfile {
    struct dockerfile_instruction *instructions;
    size_t instructions_len;
    struct dockerfile_stage *stages;
    size_t stages_len;
};
/* 0; or CLASS_BUILD_FAILED, reason "dockerfile-invalid", with the line. Bounded: 1 MiB, 4,000 instructions. What an
 * engine may be more lenient about than another (arguments, JSON forms, flags) is left to it. */
int dockerfile_parse(struct view text, struct dockerfile *dockerfile, struct error *err);
void dockerfile_dispose(struct dockerfile *dockerfile);
/* The index of the stage that a target names (its name in any case, or its number), or -1. */
int dockerfile_find_stage(const struct dockerfile *dockerfile, const char *target);
/* For the answer of a worker: fits into one message. Reading it checks everything that the parser would promise. */
json_t *dockerfile_to_json(const struct dockerfile *dockerfile);
int dockerfile_from_json(struct dockerfile *dockerfile, const json_t *json, struct error *err);

#endif
