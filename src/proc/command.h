/*
 * A child process is data: fill a struct command, give it to an executor, read the outcome. Steps, checkout and
 * publish never fork by themselves.
 */
#ifndef CAISSON_PROC_COMMAND_H
#define CAISSON_PROC_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/buf.h"
#include "core/error.h"
#include "core/strings.h"
#include "net/loop.h"
#include "proc/reap.h"

enum command_user {
    COMMAND_AS_BUILD, /* the build's uid (when we are root), no privileges: hostile code and what reads its files */
    COMMAND_AS_SELF,  /* our own uid: the publishing child */
};

/* What the kernel enforces on the child and all that it starts. */
struct command_limits {
    int64_t processes;       /* of the build's user, at once (RLIMIT_NPROC; not for root); 0: none */
    int64_t file_size_bytes; /* of any one file that it writes (RLIMIT_FSIZE); 0: none */
    int64_t open_files;      /* RLIMIT_NOFILE; 0: as ours */
};

/* What the command and all that it starts may have of memory together, page cache apart; watched by whoever runs it. */
struct command_memory {
    int64_t
        known_limit_bytes; /* what the platform gives the container; 0: not known. The cgroup may know a smaller one */
    int64_t bytes;         /* the command is ended above this; 0: no such amount */
    int percent;           /* … or above this share of the limit; 0 or 100: none */
};

/* Where programs are looked for when `env` names no PATH. */
#define COMMAND_DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct command {
    const char *name;      /* for messages: "npm ci"; borrowed */
    struct strings argv;   /* argv[0] is looked up in the PATH of `env` */
    bool self;             /* run our own binary (from an open descriptor) instead of argv[0] */
    struct strings env;    /* the whole environment of the child; nothing is inherited */
    const char *directory; /* working folder; NULL: "/" */
    /* What it may change, beside temporary folders, where the kernel can confine files; NULL: not confined. Borrowed */
    const char *workspace;
    enum command_user user;
    /* It makes namespaces for what it runs, and needs what we take from other commands for that: as root it keeps its
     * capabilities, and gets no system call filter, no no_new_privs, no confined files. Of the local executor only, and
     * as PID 1 only where we may make namespaces ourselves (CAP_SYS_ADMIN). */
    bool contains_itself;
    bool one_stream;    /* standard error goes the way of standard output, so that the order of both is kept */
    struct view input;  /* given on standard input through a pipe; empty: /dev/null. Borrowed */
    int64_t timeout_ms; /* 0: none */
    int64_t idle_ms;    /* without output; 0: none */
    int64_t grace_ms;   /* between SIGTERM and SIGKILL; 0: 10 s */
    struct command_limits limits;
    struct command_memory memory;
    /* Output as it comes. NULL: /dev/null. */
    void (*on_output)(void *context, bool is_stderr, const char *data, size_t len);
    void *context;
};
/* Zeroed, COMMAND_AS_BUILD. */
void command_init(struct command *command, const char *name);
void command_dispose(struct command *command); /* wipes env */

enum outcome_kind {
    OUTCOME_EXITED,
    OUTCOME_SIGNALED,  /* by itself or by someone else, not by us */
    OUTCOME_TIMED_OUT, /* timeout_ms */
    OUTCOME_IDLE,      /* idle_ms */
    OUTCOME_STOPPED,   /* executor_stop */
    OUTCOME_MEMORY,    /* ended above its command_memory */
    OUTCOME_DISK,      /* executor_end: the disk was used up */
};

/* As far as looking at it from time to time tells; 0 and "": not known. */
struct memory_use {
    int64_t limit_bytes;     /* that there was for all */
    int64_t threshold_bytes; /* above which the command would have been ended */
    int64_t peak_bytes;      /* of all processes together */
    int64_t biggest_bytes;   /* of the biggest process */
    char biggest_name[16];   /* printable; the build's own word */
};

struct outcome {
    enum outcome_kind kind;
    int exit_code;
    int signal;
    bool core_dumped;
    bool out_of_memory; /* the kernel killed a process of our control group because memory ran out */
    int64_t duration_ms;
    int64_t peak_rss_bytes; /* largest process of it */
    struct memory_use memory;
    int left_over; /* processes that outlived the main one and were killed */
};

#endif
