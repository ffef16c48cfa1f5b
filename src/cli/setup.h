/* What run, validate and plan share: the operator's file, the surroundings, and the spec from wherever it comes. */
#ifndef CAISSON_CLI_SETUP_H
#define CAISSON_CLI_SETUP_H

#include "cli/cli.h"
#include "core/log.h"
#include "job/platform.h"
#include "net/http.h"
#include "profiles/profile.h"
#include "spec/spec.h"

#define OPERATOR_FILE "/etc/caisson/operator.yaml"

struct setup {
    const struct cli_call *call; /* borrowed */
    struct strings env;          /* ours, or that of --env-file */
    struct operator_file operator_file;
    bool has_operator_file;
    bool pid1;
    const char *profile; /* NULL: none */
    const bool *stop;    /* ends the wait for a spec; NULL: nothing does */
    struct spec *told;   /* of a job that cannot begin, see spec_context; NULL: not asked */
    struct profile_job profile_job;
    struct platform platform;
    struct loop *loop;
    struct http_client *client;
    struct credentials_provider *credentials;
    char *default_id;
    char *run_id; /* of this process's run: the ECS task's id, else random */
};

/* Options that the three commands share, for their tables. */
#define SETUP_OPTIONS                                                                                                  \
    {"profile", "NAME", "Take the job from what an existing system sends: its environment, or a queue message.",       \
     &profile_names[1]},                                                                                               \
        {"message-env", "VARIABLE", "With --profile: the variable that holds the system's queue message.", NULL},      \
    {                                                                                                                  \
        "operator", "FILE", "The operator's file (default " OPERATOR_FILE ", when it exists).", NULL                   \
    }

/* env_file: a captured environment to use instead of ours; NULL: none. */
int setup_init(struct setup *setup, const struct cli_call *call, const char *env_file, struct error *err);
void setup_dispose(struct setup *setup);

/* The spec from the operand, CAISSON_JOB or the profile. On mistakes *problems holds them all and err a summary. Names
 * the source in *name (caller frees with free). Warnings are added. */
int setup_spec(struct setup *setup, struct spec *spec, struct problems *problems, char **name, struct strings *warnings,
               struct error *err);

/* setup->told where setup_init has failed: by what the profile or the operator's file says. Warnings are added. */
void setup_told(struct setup *setup, struct strings *warnings);

#endif
