/*
 * One job from its spec to its result: load → steps → finalize. job_run never fails as a function: whatever happens is
 * in the result. The steps are a table (job/steps.c); each is one file.
 */
#ifndef CAISSON_JOB_JOB_H
#define CAISSON_JOB_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "core/log.h"
#include "detect/detect.h"
#include "engine/context.h"
#include "engine/engine.h"
#include "job/platform.h"
#include "net/http.h"
#include "proc/executor.h"
#include "report/result.h"
#include "spec/spec.h"

/* What the job runs in; all borrowed, made by cli/cmd_run.c. */
struct job_options {
    struct loop *loop;
    struct reaper *reaper;
    struct executor *executor; /* the user's commands */
    struct executor *workers;  /* children of ours: always a local one, the same one where it is that of commands too */
    struct spool *spool;
    struct log *log;
    struct redactor *redactor;
    struct http_client *client;
    struct credentials_provider *credentials;
    const struct platform *platform;
    const struct strings *env; /* our environment as captured: for {env: NAME} values */
    const char *workspace_parent;
    uid_t build_uid;
    gid_t build_gid;
    uid_t worker_uid; /* who checks out and detects, and as whom output is read: never root where we can choose */
    gid_t worker_gid;
    bool pid1, profile;
    int stop_signal; /* one that came while the spec was awaited; 0: none */
    int64_t stop_budget_ms;
    const char *run_id;          /* of this run: the ECS task's, or random */
    const char *engine;          /* what runs a Dockerfile: "auto" or a name */
    const char *build_container; /* its name in the task's metadata; NULL: our own */
};

/* Stop signals from within, of the current second. */
struct stop_attempts {
    int64_t window_ms; /* monotonic: its begin */
    unsigned count;
};

enum stop_kind { STOP_NONE, STOP_TERMINATED, STOP_CANCELLED, STOP_TIME_LIMIT };

struct job {
    const struct job_options *options;
    struct spec spec;
    struct result *result;
    struct detection detection;
    char *workspace;           /* holds the three below; removed at the end */
    char *source;              /* the checkout */
    char *project;             /* source + source.directory */
    char *home, *temp;         /* HOME and TMPDIR of the build */
    char *package_bin;         /* corepack's shims; NULL: none */
    const char *found_output;  /* static; where the spec and detection say nothing */
    struct spec_pairs secrets; /* values, in the order of spec.secrets; wiped at the end */
    char *git_username, *git_password;
    enum stop_kind stop;
    bool cancel_requested;              /* by job_cancel, which stopped the job */
    bool cancel_came_late;              /* … or did not: what is published could be seen already */
    char *cancelled_by, *cancel_reason; /* NULL: not said */
    struct stop_attempts attempts;
    char *image_username, *image_password, *pull_username, *pull_password; /* of spec.image */
    char *cancel_username, *cancel_password;                               /* of spec.cancel */
    struct build_context context;                                          /* builder dockerfile: what is built */
    const struct engine *engine;                                           /* … and by what */
    char *cache_folder;   /* layer cache in the workspace, for the engine; NULL: none. Set by the step restore */
    json_t *cache_broken; /* names of entries that it has found wrong; NULL: none */
    char *named_ref, *default_ref;   /* of the server, in full, as the checkout found them; NULL: none, not known */
    struct saved_files *saved_files; /* what a root build could replace; NULL: nothing */
    int64_t commit_time_ms;          /* of what was checked out */
    bool image_exists;               /* skip_existing: the tag is there already */
    bool dotenv_written;
    bool stopping;               /* stop != STOP_NONE: for waits */
    int64_t stop_deadline_ms;    /* monotonic: end of the stop budget; 0: not stopped */
    int64_t deliver_deadline_ms; /* monotonic: result and log are given up then */
    int64_t store_deadline_ms;   /* … for the first time, where somebody is to be told after that */
    int64_t tell_deadline_ms; /* … and telling; what is left is for the result, which says what could not be told */
    bool committing;          /* the publisher has passed the point of no return */
    bool committing_tags;     /* … with the tags of an image */
    bool undeliverable;       /* the build has replaced what our connections go by: nothing may be sent */
    int64_t free_at_start;    /* of the workspace's file system */
    int64_t disk_limit_bytes; /* of what it may lose from then on; 0: none */
    bool disk_passed;         /* the limit was passed, and what ran was ended */
    bool workspace_removed;
    int workspace_lock; /* descriptor of the workspace, locked while we live; -1: none */
    /* Held from the beginning: a build that is root can replace what lies at their paths. -1: not there yet. */
    int parent_fd, workspace_fd, source_fd;
    struct loop_timer *limit, *disk_watch;
    struct task_metadata *metadata; /* NULL: not in a task */
    struct notify *notify;          /* who is told; NULL: nobody yet */
    struct cancel_channel *channel; /* where a cancel is listened for; NULL: nowhere yet */
};

/* Takes the spec. Fills the result. Returns when the stop budget ends (monotonic ms); 0: the job was not stopped. */
int64_t job_run(const struct job_options *options, struct spec *spec, struct result *result);

/* A job that cannot begin, for this reason: the same end, by what is known of it (executors are not needed). */
int64_t job_refuse(const struct job_options *options, struct spec *spec, const struct error *err,
                   struct result *result);

/* A stop request, e.g. from a signal: ends what runs, unless the publisher is past its point of no return. */
void job_stop(struct job *job, enum stop_kind kind);

/* A request to cancel from somebody else; who and why are copied, and may be NULL. Where everybody can see already what
 * the job publishes, it goes on and succeeds. A second call does nothing. */
void job_cancel(struct job *job, const char *by, const char *reason);

/* A stop signal that is none: said in the log, and otherwise ignored. */
void job_stop_attempt(struct job *job, int signal_number, pid_t sender);

/* ---- for the steps ---- */

struct step {
    const char *name;                      /* of the event and the result */
    bool (*wanted)(const struct job *job); /* NULL: always */
    int (*run)(struct job *job, struct error *err);
};
/* The table, in order; name NULL ends it. */
extern const struct step job_steps[];

int step_checkout(struct job *job, struct error *err);
int step_detect(struct job *job, struct error *err);
bool step_install_wanted(const struct job *job);
int step_install(struct job *job, struct error *err);
bool step_build_wanted(const struct job *job);
int step_build(struct job *job, struct error *err);
bool step_test_wanted(const struct job *job);
int step_test(struct job *job, struct error *err);
bool step_publish_wanted(const struct job *job);
int step_publish(struct job *job, struct error *err);
/* Of images (builder dockerfile). */
bool step_lookup_wanted(const struct job *job);
int step_lookup(struct job *job, struct error *err);
bool step_restore_wanted(const struct job *job);
int step_restore(struct job *job, struct error *err);
bool step_save_wanted(const struct job *job);
int step_save(struct job *job, struct error *err);

/* The environment of a command of the user in a step ("install", "build", "test"). */
void job_environment(const struct job *job, const char *step, struct strings *env);
/* Runs a shell command line of the user in the project's folder; classes the failure. `failure` is the class of an
 * ordinary failure; timeout_ms 0: none. */
int job_command(struct job *job, const char *step, const char *command_line, enum error_class failure,
                int64_t timeout_ms, struct error *err);
/* Of every command of the user. */
struct command_limits job_limits(const struct job *job);
/* Values of secrets and of auth: fetched, given to the redactor. CLASS_SECRET_UNAVAILABLE names all that are missing. */
int job_secrets(struct job *job, struct error *err);
/* What image.pull_auth.role stands for: with the rest of job_secrets, before anything of the user's runs. */
int job_pull_login(struct job *job, struct error *err);
/* The value that a step gets of a secret, borrowed; NULL: none. */
const char *job_secret_for(const struct job *job, const struct spec_secret *secret, const char *step);
/* Wipes them: after the last step nobody needs them (the redactor has copies of its own). */
void job_secrets_forget(struct job *job);
/* The folder that holds workspaces, and the spool too; 0 or -errno. */
int workspace_parent_make(const char *parent);
/* Removes workspaces that dead jobs of our user left in the parent folder, for a few seconds at most. */
void job_leftovers_remove(const struct job *job);
/* Folders of the workspace, owned by the build's uid; from now on its disk use is watched. */
int job_workspace_make(struct job *job, struct error *err);
/* A new folder of the workspace for the build's user. Caller frees *path, on failure too. */
int job_build_folder(const struct job *job, char **path, const char *name, struct error *err);
/* The checkout's folder anew and empty: for its next attempt. */
int job_source_remake(struct job *job, struct error *err);
/* What was checked out by worker_uid becomes the build's, where that is root: programs look at who owns a folder. */
int job_source_give(const struct job *job, struct error *err);
/* What a root build beside us could have replaced is as it was: after each step, because we go on sending. Nothing of
 * the build runs. CLASS_OUTPUT_REFUSED "files-replaced". */
int job_files_restore(struct job *job, struct error *err);
/* Before anything of ours is sent, with credentials, to anybody: nothing of the build is alive any more, and what it
 * could have replaced of ours is as it was. No command can be started afterwards. A second call does nothing.
 * CLASS_SANDBOX_LOST, CLASS_INTERNAL, CLASS_OUTPUT_REFUSED "files-replaced". */
int job_build_over(struct job *job, struct error *err);
/* CLASS_OUTPUT_REFUSED when something else lies where the checkout was. */
int job_source_check(const struct job *job, struct error *err);
/* A second call does nothing. */
void job_workspace_remove(struct job *job);

/* Whom `notify` names are told from now on. CLASS_SECRET_UNAVAILABLE, CLASS_SPEC_INVALID where one of them cannot be: the
 * others are told all the same. A second call does nothing. */
int job_notify(struct job *job, struct error *err);
/* Tells them the end, as reporter_finish does. Appends who could not be told, and why. */
void job_notify_finish(struct job *job, const int64_t *deadline_ms, int64_t extra_ms, struct strings *undelivered);
void job_notify_free(struct job *job);

/* The end: result and log to where the spec says, and whoever waits for it is told; failures become warnings. */
void job_deliver(struct job *job);

#endif
