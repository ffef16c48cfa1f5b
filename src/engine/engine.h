/*
 * What runs a Dockerfile. An engine is a row of a table: where it is, its command line and environment, how its output
 * is read, what its end means. A new engine is one file and one word in engine.c. Engines build, and nothing else: no
 * engine ever sees a credential that can push.
 */
#ifndef CAISSON_ENGINE_ENGINE_H
#define CAISSON_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "core/strings.h"
#include "engine/dockerfile.h"
#include "proc/command.h"

struct engine_secret {
    const char *id;   /* of RUN --mount=type=secret,id=… */
    const char *file; /* that holds it */
};
struct engine_pair {
    const char *name, *value;
};

/* What is to be built; everything borrowed. All paths absolute, as the engine's container sees them. */
struct engine_request {
    const char *context;    /* folder */
    const char *dockerfile; /* file */
    const char *ignore;     /* the ignore file that applies, for an engine that would not find it; NULL: its own rule */
    const char *target;     /* NULL: the last stage */
    const char *platform;   /* "linux/amd64"; NULL: the machine's */
    const struct engine_pair *args;
    size_t args_len;
    const struct engine_secret *secrets;
    size_t secrets_len;
    const struct engine_pair *labels;
    size_t labels_len;
    const struct engine_pair *mirrors; /* registry → registry[/path] that is asked in its place */
    size_t mirrors_len;
    const struct strings *insecure; /* registries that are asked in plain http; NULL: none */
    const char *pull_auth;          /* a folder with a config.json of docker's form, for pulling only; NULL: none */
    const char *ca_bundle;          /* NULL: the engine's usual one */
    /* For pulling from https:// and http:// registries; NULL: none. No RUN is given them, but under Kaniko a RUN that is
     * root can read them: like everything else here, as it shares the engine's container. */
    const char *proxy, *http_proxy;
    const char *no_proxy;  /* NULL: none */
    const char *layout;    /* folder to be made: the image as OCI layout */
    const char *cache;     /* folder of the layer cache, made when missing; NULL: none */
    const char *scratch;   /* a private, existing folder for the engine's own files */
    const char *workspace; /* spared by an engine that cleans its file system */
    int64_t created_s;     /* of the image, Unix time, where the engine can; 0: the time of the build */
};

/* What is told while it runs. */
struct engine_listener {
    /* An instruction begins: "[3/12] RUN npm ci"; ends: with its time. index from 1. */
    void (*on_instruction)(void *context, const struct dockerfile_instruction *instruction, size_t index, size_t total);
    void (*on_instruction_end)(void *context, const struct dockerfile_instruction *instruction, int64_t duration_ms,
                               bool cached);
    /* Of the user's commands, as it came: with its line ends, a long line in pieces. */
    void (*on_output)(void *context, bool is_stderr, const char *data, size_t len);
    void (*on_noise)(void *context, const char *line, size_t len); /* the engine's own words, without line end */
    void *context;
};

struct engine;
/* By name, NULL: there is none. "auto" is not one of them. */
const struct engine *engine_find(const char *name);
/* The rows in order of preference; NULL past the last. */
const struct engine *engine_at(size_t index);
const char *engine_name(const struct engine *engine);

/* Where an engine could run. */
struct engine_place {
    bool container; /* it would be a child of a container's PID 1, or of the sandbox's: what cleans its root may run */
    bool sandbox;   /* in another container: nobody can look whether it is there */
    bool root;      /* it would run as root */
    const char *path; /* PATH to search; NULL: the usual one */
};
/* 0: the engine of that name ("auto": the first that can run there) is in *engine. -1: CLASS_USAGE, reason
 * "engine-missing", "engine-needs-container" (Kaniko wipes the file system it runs in), with the next step. */
int engine_choose(const char *name, const struct engine_place *place, const struct engine **engine, struct error *err);

/* Fills a command that was initialised: argv, env, directory, flags. The caller sets user, limits, timeouts, output.
 * Values of build args are in env, by which the engine is given them, and only where their name could steer the engine
 * itself (engine_steers) in argv. An engine on this machine may write its configuration into `scratch`.
 * Errors: CLASS_SPEC_INVALID "engine-argument": a name or path that the engine has no way to be told. */
int engine_command(const struct engine *engine, const struct engine_request *request, struct command *command,
                   struct error *err);
/* Whether a variable of that name would steer an engine rather than the build: PATH, HTTP_PROXY, DOCKER_…. */
bool engine_steers(const char *name);

/* Reads the engine's output as it comes; both streams are given in one order. Engine and Dockerfile are borrowed, the
 * listener is copied. target as in the request: instructions of stages that it does not need are not counted. */
struct engine_run;
struct engine_run *engine_run_new(const struct engine *engine, const struct dockerfile *dockerfile, const char *target,
                                  const struct engine_listener *listener);
void engine_run_free(struct engine_run *run);
void engine_run_feed(struct engine_run *run, bool is_stderr, const char *data, size_t len);
/* At the end: the last instruction ends too. */
void engine_run_end(struct engine_run *run);
/* What a failed outcome means: the reference's table. CLASS_BUILD_FAILED (a RUN, or the Dockerfile), CLASS_BASE_IMAGE
 * (not found, not authorized, rate-limited: retryable, hint to image.mirrors), CLASS_PLATFORM (network: retryable),
 * CLASS_DISK_FULL, CLASS_OUT_OF_MEMORY, CLASS_INTERNAL. The message quotes the instruction and its line. */
void engine_run_classify(const struct engine_run *run, const struct outcome *outcome, struct error *err);
/* Base images as the engine said that it took them: "name@sha256:…". Borrowed. */
const struct strings *engine_run_bases(const struct engine_run *run);

#endif
