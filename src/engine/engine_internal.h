/* What a row of the table of engines is made of. Private to engine/. */
#ifndef CAISSON_ENGINE_ENGINE_INTERNAL_H
#define CAISSON_ENGINE_ENGINE_INTERNAL_H

#include "core/buf.h"
#include "engine/engine.h"

struct engine_run;

struct engine {
    const char *name;
    /* 0: it can run there; else why not, with the next step. */
    int (*check)(const struct engine_place *place, struct error *err);
    int (*command)(const struct engine_request *request, struct command *command, struct error *err);
    /* Where in a line of output (without its end) the engine's own words begin; line.len: it is the user's command's. */
    size_t (*own_words)(const struct engine_run *run, struct view line);
    /* Whether they can only be its last: from a command that runs, if anything comes after them. */
    bool (*is_last)(const struct engine_run *run, struct view words);
    /* Understands them. */
    void (*read)(struct engine_run *run, struct view words);
    /* Whether the last error is that a command of the user failed; then its exit code and signal as error has them. */
    bool (*command_failed)(const struct engine_run *run, const struct outcome *outcome, int *exit_code, int *signal);
};

extern const struct engine engine_kaniko, engine_buildah;

size_t kaniko_own_words(const struct engine_run *run, struct view line);
bool kaniko_is_last(const struct engine_run *run, struct view words);
void kaniko_read(struct engine_run *run, struct view words);
bool kaniko_command_failed(const struct engine_run *run, const struct outcome *outcome, int *exit_code, int *signal);
size_t buildah_own_words(const struct engine_run *run, struct view line);
bool buildah_is_last(const struct engine_run *run, struct view words);
void buildah_read(struct engine_run *run, struct view words);
bool buildah_command_failed(const struct engine_run *run, const struct outcome *outcome, int *exit_code, int *signal);

/* The variables by which an engine reaches its registries: proxies, and no more. */
void engine_add_proxies(const struct engine_request *request, struct strings *env);
/* Adds each build arg: its name to argv as `flag`=NAME, its value to env; or both to argv where the name steers. */
void engine_add_args(const struct engine_request *request, const char *flag, struct command *command);
/* -1 for text that would be read as more than one value in a list with commas. */
int engine_check_listed(const char *what, const char *text, struct error *err);
/* -1 for a name of a secret that is not just a name: engines make files of it. */
int engine_check_secret_id(const char *id, struct error *err);

#endif
