#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/mem.h"
#include "core/protection.h"
#include "proc/confinement.h"
#include "proc/local.h"

/* Where the child keeps what it needs until exec: above 0, 1, 2, below all that it closes. */
#define CHILD_REPORT_FD 3
#define CHILD_SELF_FD 4
#define CHILD_RULESET_FD 5
#define CHILD_FIRST_CLOSED 6

enum stage { STAGE_DESCRIPTORS, STAGE_CONFINE, STAGE_DIRECTORY, STAGE_EXEC };

/* What a child that could not become the program says through its close-on-exec pipe. */
struct report {
    int stage;
    int error;
};

/* All that the child needs, made before fork: after it only async-signal-safe calls are allowed. */
struct plan {
    int input, output, error, report, self; /* the child's ends; all above CHILD_FIRST_CLOSED */
    struct confinement confinement;
    const char *directory;
    char **argv, **env;
    struct strings candidates; /* paths to try */
    bool by_descriptor, close_others;
    pid_t parent;
};

/* ---- the child ---- */

static _Noreturn void fail(int report_fd, enum stage stage, int number)
{
    struct report report = {stage, number};
    ssize_t ignored = write(report_fd, &report, sizeof report);

    (void)ignored;
    _exit(127);
}

struct kernel_dirent {
    uint64_t inode;
    int64_t offset;
    unsigned short length;
    unsigned char type;
    char name[];
};

/* close_range is missing before Linux 5.9 and under old seccomp profiles; opendir is not allowed here. */
static void close_from_by_list(int first)
{
    _Alignas(struct kernel_dirent) char entries[4096];
    int folder = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    long len, at;

    if (folder < 0) {
        long limit = sysconf(_SC_OPEN_MAX);

        for (at = first; at < (limit > 0 ? limit : 1024); at++)
            close((int)at);
        return;
    }
    while ((len = syscall(SYS_getdents64, folder, entries, sizeof entries)) > 0) {
        for (at = 0; at < len;) {
            const struct kernel_dirent *entry = (const void *)(entries + at);
            const char *digit;
            int fd = 0;

            for (digit = entry->name; *digit >= '0' && *digit <= '9'; digit++)
                fd = 10 * fd + (*digit - '0');
            if (digit != entry->name && fd >= first && fd != folder)
                close(fd);
            at += entry->length;
        }
    }
    close(folder);
}

static void close_from(int first)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, (unsigned)first, ~0u, 0u) == 0)
        return;
#endif
    close_from_by_list(first);
}

static void restore_signals(void)
{
    /* The kernel's own struct, all zero: SIG_DFL. Libraries keep 32 to 34 for themselves and refuse them, yet whoever
     * started us by posix_spawn may have left them ignored. */
    static const uint64_t as_default[4];
    sigset_t none;
    int number;

    for (number = 1; number < NSIG; number++) /* fails for SIGKILL and SIGSTOP, which are as they should be */
        syscall(SYS_rt_sigaction, number, as_default, NULL, sizeof as_default[0]);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static int place_descriptors(const struct plan *plan)
{
    if (dup2(plan->input, 0) < 0 || dup2(plan->output, 1) < 0 || dup2(plan->error, 2) < 0 ||
        dup3(plan->report, CHILD_REPORT_FD, O_CLOEXEC) < 0)
        return -1;
    /* What was in these places goes, or stays closed. */
    if (plan->close_others) {
        close(CHILD_SELF_FD);
        close(CHILD_RULESET_FD);
    }
    if ((plan->by_descriptor && dup3(plan->self, CHILD_SELF_FD, O_CLOEXEC) < 0) ||
        (plan->confinement.ruleset >= 0 && dup3(plan->confinement.ruleset, CHILD_RULESET_FD, O_CLOEXEC) < 0))
        return -1;
    if (plan->close_others)
        close_from(CHILD_FIRST_CLOSED);
    return 0;
}

static int execute(const struct plan *plan)
{
    int worst = ENOENT;
    size_t i;

    if (plan->by_descriptor) {
        syscall(SYS_execveat, CHILD_SELF_FD, "", plan->argv, plan->env, AT_EMPTY_PATH);
        return errno;
    }
    for (i = 0; i < plan->candidates.len; i++) {
        execve(plan->candidates.items[i], plan->argv, plan->env);
        if (errno == EACCES)
            worst = EACCES; /* as shells do: a later folder of PATH may hold one that can be run */
        else if (errno != ENOENT && errno != ENOTDIR)
            return errno;
    }
    return worst;
}

static _Noreturn void become(const struct plan *plan)
{
    int number;

    setsid();
    if (place_descriptors(plan))
        fail(plan->report, STAGE_DESCRIPTORS, errno);
    number = confine_self(&plan->confinement, CHILD_RULESET_FD);
    if (number)
        fail(CHILD_REPORT_FD, STAGE_CONFINE, number);
    /* Should we be killed, the child goes too; credentials are changed by now, which would reset it. */
    prctl(PR_SET_PDEATHSIG, (unsigned long)SIGKILL, 0L, 0L, 0L);
    if (getppid() != plan->parent)
        _exit(127);
    umask(022);
    if (chdir(plan->directory))
        fail(CHILD_REPORT_FD, STAGE_DIRECTORY, errno);
    restore_signals();
    fail(CHILD_REPORT_FD, STAGE_EXEC, execute(plan));
}

/* ---- the parent ---- */

/* Moves a descriptor out of the range that the child rearranges. */
static int raise_fd(int fd)
{
    int raised = fcntl(fd, F_DUPFD_CLOEXEC, CHILD_FIRST_CLOSED);

    close(fd);
    return raised;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* A pipe, its end `ours` non-blocking. Owned by the child's user, or it could not open /dev/stdout again. */
static int make_pipe(int fds[2], int ours, const struct plan *plan)
{
    if (pipe2(fds, O_CLOEXEC)) {
        fds[0] = fds[1] = -1;
        return -1;
    }
    fds[0] = raise_fd(fds[0]);
    fds[1] = raise_fd(fds[1]);
    if (fds[0] >= 0 && fds[1] >= 0 && !fcntl(fds[ours], F_SETFL, O_NONBLOCK) &&
        !(plan->confinement.drop_root && fchown(fds[1 - ours], plan->confinement.uid, plan->confinement.gid)))
        return 0;
    close_fd(&fds[0]);
    close_fd(&fds[1]);
    return -1;
}

static int open_null(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    return fd < 0 ? -1 : raise_fd(fd);
}

static int open_streams(const struct command *command, struct plan *plan, struct spawned *spawned)
{
    int fds[2];

    if (command->input.len) {
        if (make_pipe(fds, 1, plan))
            return -1;
        plan->input = fds[0];
        spawned->input = fds[1];
    } else {
        plan->input = open_null();
    }
    if (!command->on_output) {
        plan->output = open_null();
        plan->error = open_null();
        return plan->input < 0 || plan->output < 0 || plan->error < 0 ? -1 : 0;
    }
    if (make_pipe(fds, 0, plan))
        return -1;
    spawned->output = fds[0];
    plan->output = fds[1];
    if (command->one_stream) {
        plan->error = fcntl(plan->output, F_DUPFD_CLOEXEC, CHILD_FIRST_CLOSED);
        return plan->input < 0 || plan->error < 0 ? -1 : 0;
    }
    if (make_pipe(fds, 0, plan))
        return -1;
    spawned->error = fds[0];
    plan->error = fds[1];
    return plan->input < 0 ? -1 : 0;
}

static void add_candidates(const struct command *command, struct plan *plan)
{
    const char *name = command->argv.items[0];
    const char *path = env_get(&command->env, "PATH");

    if (strchr(name, '/')) {
        strings_add(&plan->candidates, name);
        return;
    }
    for (path = path ? path : COMMAND_DEFAULT_PATH; *name; path++) {
        size_t len = strcspn(path, ":");

        if (len) /* an empty entry would mean the working folder: the repository */
            strings_addf(&plan->candidates, "%.*s/%s", (int)len, path, name);
        path += len;
        if (!*path)
            break;
    }
}

static void close_spawned(struct spawned *spawned)
{
    close_fd(&spawned->input);
    close_fd(&spawned->output);
    close_fd(&spawned->error);
}

static int explain(const struct command *command, const struct report *report, struct error *err)
{
    const char *program = command->self ? "caisson itself" : command->argv.items[0];

    switch (report->stage) {
    case STAGE_DIRECTORY:
        return error_set_errno(err, CLASS_INTERNAL, "bad-directory", report->error, "%s: cannot enter %s",
                               command->name, command->directory);
    case STAGE_EXEC: break;
    default:
        return error_set_errno(err, CLASS_INTERNAL, "confinement-failed", report->error,
                               "%s: cannot give up privileges before it runs", command->name);
    }
    if (report->error == ENOENT && !strchr(program, '/')) {
        error_set(err, CLASS_INTERNAL, "command-not-found", "%s: there is no program \"%s\" in PATH", command->name,
                  program);
        return error_hint(err, "install it in the builder image");
    }
    error_set_errno(err, CLASS_INTERNAL, report->error == ENOENT ? "command-not-found" : "not-executable",
                    report->error, "%s: cannot run %s", command->name, program);
    if (report->error == ENOENT)
        return error_hint(err, "a script whose interpreter (its first line) is missing looks like this as well");
    return -1;
}

/* Waits for exec, which closes the pipe, or for the report of what went wrong. A child that reports ends by itself,
 * and the reaper takes it as it takes any orphan. */
static int await_exec(const struct command *command, int report_fd, struct error *err)
{
    struct report report;
    ssize_t got;

    do
        got = read(report_fd, &report, sizeof report);
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)sizeof report ? explain(command, &report, err) : 0;
}

static int start(struct plan *plan, int report[2], const struct command *command, struct spawned *spawned,
                 struct error *err)
{
    plan->report = report[1];
    plan->parent = getpid();
    spawned->pid = fork();
    if (spawned->pid == 0)
        become(plan);
    if (spawned->pid < 0) {
        error_set_errno(err, CLASS_INTERNAL, "fork-failed", errno, "%s: cannot start a process", command->name);
        return error_retryable(err, 0);
    }
    close_fd(&report[1]);
    if (await_exec(command, report[0], err))
        return -1;
    confine_from_outside(spawned->pid);
    return 0;
}

/* Our own binary by the descriptor of what runs now: no file that takes its place can be meant. */
static void find_self(const struct executor_options *options, struct plan *plan)
{
    char path[PATH_MAX];
    ssize_t len;

    plan->by_descriptor = PROTECTED(SELF_BY_DESCRIPTOR);
    if (plan->by_descriptor) {
        plan->self = fcntl(options->self_fd, F_DUPFD_CLOEXEC, CHILD_FIRST_CLOSED);
        return;
    }
    len = readlink("/proc/self/exe", path, sizeof path - 1);
    path[len > 0 ? len : 0] = '\0';
    strings_addf(&plan->candidates, "%.*s", (int)(strlen(path) - (strstr(path, " (deleted)") ? 10 : 0)), path);
}

/* The descriptors that the child needs; 0, or -1 with errno. */
static int open_all(const struct command *command, struct plan *plan, struct spawned *spawned, int report[2])
{
    int *ruleset = &plan->confinement.ruleset;

    if (plan->by_descriptor && plan->self < 0)
        return -1;
    if (*ruleset >= 0 && (*ruleset = raise_fd(*ruleset)) < 0)
        return -1;
    return open_streams(command, plan, spawned) || make_pipe(report, 0, &(struct plan){0}) ||
           fcntl(report[0], F_SETFL, 0);
}

int local_spawn(const struct executor_options *options, const struct command *command, struct spawned *spawned,
                struct error *err)
{
    struct plan plan = {.input = -1, .output = -1, .error = -1, .report = -1, .self = -1};
    int report[2] = {-1, -1};
    char *no_env[] = {NULL};
    int result;

    *spawned = (struct spawned){.pid = -1, .input = -1, .output = -1, .error = -1};
    if (command->argv.len == 0 || !command->argv.items[0][0])
        return error_set(err, CLASS_INTERNAL, "command-not-found", "%s: no program is named", command->name);
    if (confinement_make(&plan.confinement, options, command, err))
        return -1;
    plan.directory = command->directory ? command->directory : "/";
    plan.argv = command->argv.items;
    plan.env = command->env.items ? command->env.items : no_env;
    plan.close_others = PROTECTED(DESCRIPTORS);
    if (command->self)
        find_self(options, &plan);
    else
        add_candidates(command, &plan);
    if (open_all(command, &plan, spawned, report))
        result = error_set_errno(err, CLASS_INTERNAL, "no-descriptors", errno, "%s: cannot open what it needs to run",
                                 command->name);
    else
        result = start(&plan, report, command, spawned, err);
    close_fd(&report[0]);
    close_fd(&report[1]);
    close_fd(&plan.input);
    close_fd(&plan.output);
    close_fd(&plan.error);
    close_fd(&plan.self);
    confinement_dispose(&plan.confinement);
    strings_dispose(&plan.candidates);
    if (result)
        close_spawned(spawned);
    return result;
}
