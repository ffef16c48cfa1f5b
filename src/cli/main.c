#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/json.h"
#include "core/mem.h"
#include "core/protection.h"
#include "engine/context.h"
#include "git/checkout.h"
#include "job/cache_worker.h"
#include "job/detect_worker.h"
#include "job/image_worker.h"
#include "job/publish_worker.h"
#include "proc/standing.h"
#include "proc/worker.h"

/* What `caisson --worker NAME` runs: children of ours that read hostile input. */
static const struct worker_entry *const workers[] = {&checkout_worker,      &detect_worker, &publish_worker,
                                                     &build_context_worker, &image_worker,  &cache_worker};

static int run_worker(const char *name)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(workers); i++)
        if (strcmp(workers[i]->name, name) == 0)
            return worker_main(workers[i], STDIN_FILENO, STDOUT_FILENO);
    fprintf(stderr, "caisson: no worker is called %s\n", name);
    return CLASS_USAGE;
}

/* The forms that people try first. */
static const char *command_name(const char *word)
{
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return "help";
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
        return "version";
    return word;
}

static int run_command(int argc, char **argv, struct strings *env)
{
    const struct cli_command *command;
    struct cli_call call = {.env = env};
    struct error err;
    bool help = false;
    int used;

    command = cli_choose(command_name(argv[1]), argc > 2 ? argv[2] : NULL, &used, &err);
    if (!command)
        return cli_fail(&err, false);
    call.command = command;
    if (cli_parse(command, argc - 1 - used, argv + 1 + used, &call, &help, &err))
        return cli_fail(&err, false);
    if (help || command->subcommands) {
        cli_help_command(command, help ? stdout : stderr);
        return help ? 0 : CLASS_USAGE;
    }
    if (command->without_environment)
        strings_wipe(env);
    return command->run(&call);
}

/*
 * A stop that comes before the reaper listens must wait for it: for PID 1 the kernel drops a signal that is neither
 * handled nor blocked, and the platform would wait in vain and kill the job without a result.
 */
static void hold_stop_signals(void)
{
    sigset_t mask;

    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    sigprocmask(SIG_BLOCK, &mask, NULL);
}

/* A descriptor that is missing would be taken by the first file that we open, and our log would go into that. */
static void fill_standard_descriptors(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR);
        if (fd < 0)
            fd = open("/", O_RDONLY | O_DIRECTORY); /* every read and write of it fails, which we survive */
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

/* What the kernel shows of us in /proc is where the environment came, so that is emptied in place: it names the
 * endpoint of our credentials. Nothing reads it from there any more, libraries included. */
static void take_environment(struct strings *env)
{
    char **entry;

    for (entry = environ; *entry; entry++) {
        strings_add(env, *entry);
        if (PROTECTED(ENVIRONMENT_WIPED))
            wipe(*entry, strlen(*entry));
    }
    if (PROTECTED(ENVIRONMENT_WIPED))
        *environ = NULL;
}

int main(int argc, char **argv)
{
    struct strings env = {0};
    int status;

    fill_standard_descriptors();
    /* Where the build has our own uid, this is all that keeps our credentials from it. */
    memory_hide();
    /* And this all that keeps it from our limits. */
    standing_take_saved_uid();
    json_wipe_memory();
    /* A file-size limit and a reader that has gone are errors of a write, not the end of PID 1. */
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    if (getpid() == 1)
        hold_stop_signals();
    if (argc == 3 && strcmp(argv[1], "--worker") == 0)
        return run_worker(argv[2]);
    if (argc < 2) {
        cli_help(stderr);
        return CLASS_USAGE;
    }
    take_environment(&env);
    status = run_command(argc, argv, &env);
    if (fflush(stdout) != 0 && status == 0)
        status = CLASS_INTERNAL;
    strings_wipe(&env);
    memory_show_to_leak_check();
    return status;
}
