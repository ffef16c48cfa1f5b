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

struct dockerfile_instruction {
    char keyword[16]; /* upper case: "RUN" */
    char *text;       /* the whole instruction in one line, continuation joined, cut at 1 KiB: "RUN npm ci" */
    int line;         /* from 1: where it begins */
    int stage;        /* from 0; -1: an ARG before the first FROM */
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
/* 0; or CLASS_BUILD_FAILED, reason "dockerfile-invalid", with the line. Bounded: 1 MiB, 10,000 instructions. */
int dockerfile_parse(struct view text, struct dockerfile *dockerfile, struct error *err);
void dockerfile_dispose(struct dockerfile *dockerfile);
/* For the answer of a worker. */
json_t *dockerfile_to_json(const struct dockerfile *dockerfile);
int dockerfile_from_json(struct dockerfile *dockerfile, const json_t *json, struct error *err);

#endif
