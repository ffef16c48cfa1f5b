/* Runs a program whose wall clock steps, alone of all on the machine:
 *
 *     clock_step FILE PROGRAM [ARGUMENT...]
 *
 * FILE holds one int64_t, the seconds that the program's clock is ahead of the machine's; who writes there steps it.
 * The monotonic clock goes on, as it does where a clock is set. Ends as the program does.
 *
 * A static program takes no LD_PRELOAD, and a time namespace leaves the wall clock alone. So the vDSO is hidden from
 * the program and all it starts (AT_SYSINFO_EHDR in the auxiliary vector, at exec), whereupon a C library asks the
 * kernel, and a seccomp filter stops those calls for the tracer, which answers them. Sources: ptrace(2), seccomp(2),
 * getauxval(3), vdso(7).
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if !defined(__x86_64__)
#error "clock_step knows the registers of x86-64 only"
#endif

#define OPTIONS                                                                                                        \
    (PTRACE_O_TRACEEXEC | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |     \
     PTRACE_O_EXITKILL)
#define AUXILIARY_MAX 1024 /* words of arguments, environment and vector; a hostile stack has no end */

static const volatile int64_t *ahead_s;

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "clock_step: %s: %s\n", what, strerror(errno));
    exit(125);
}

/* -- the program's side */

static void filter_clocks(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 6),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_gettimeofday, 5, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_time, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_gettime, 0, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CLOCK_REALTIME, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};

    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0))
        fail("seccomp (it needs CAP_SYS_ADMIN)");
}

static _Noreturn void run(int ready_fd, char **words)
{
    char byte;

    if (read(ready_fd, &byte, 1) != 1)
        fail("not traced");
    close(ready_fd);
    filter_clocks();
    execvp(words[0], words);
    fail(words[0]);
}

/* -- the tracer's side */

static int peek(pid_t pid, uint64_t address, uint64_t *word)
{
    struct iovec here = {word, sizeof *word}, there = {(void *)(uintptr_t)address, sizeof *word};

    return process_vm_readv(pid, &here, 1, &there, 1, 0) == sizeof *word ? 0 : -1;
}

static int poke(pid_t pid, uint64_t address, const void *data, size_t len)
{
    struct iovec here = {(void *)data, len}, there = {(void *)(uintptr_t)address, len};

    return process_vm_writev(pid, &here, 1, &there, 1, 0) == (ssize_t)len ? 0 : -1;
}

/* At the stop of an exec the stack is argc, argv, 0, envp, 0, vector (System V ABI for AMD64, 3.4.1). */
static void hide_vdso(pid_t pid)
{
    const uint64_t ignore = AT_IGNORE;
    struct user_regs_struct regs;
    uint64_t at, word;
    int zeroes = 0;

    if (ptrace(PTRACE_GETREGS, pid, NULL, &regs))
        return;
    for (at = regs.rsp + sizeof word; zeroes < 2; at += sizeof word) {
        if (peek(pid, at, &word))
            return;
        zeroes += word == 0;
    }
    for (int i = 0; i < AUXILIARY_MAX && peek(pid, at, &word) == 0 && word != AT_NULL; i++, at += 2 * sizeof word)
        if (word == AT_SYSINFO_EHDR)
            poke(pid, at, &ignore, sizeof ignore);
}

static long long answer(pid_t pid, const struct user_regs_struct *regs, const struct timespec *now)
{
    struct timeval tv = {.tv_sec = now->tv_sec, .tv_usec = now->tv_nsec / 1000};
    const void *data = regs->orig_rax == SYS_clock_gettime ? (const void *)now : &tv;
    uint64_t to = regs->orig_rax == SYS_clock_gettime ? regs->rsi : regs->rdi;
    size_t len = regs->orig_rax == SYS_clock_gettime ? sizeof *now : sizeof tv;

    if (regs->orig_rax == SYS_time)
        len = sizeof tv.tv_sec;
    if (to && poke(pid, to, data, len))
        return -EFAULT;
    return regs->orig_rax == SYS_time ? now->tv_sec : 0;
}

static void tell_time(pid_t pid)
{
    struct user_regs_struct regs;
    struct timespec now;

    if (ptrace(PTRACE_GETREGS, pid, NULL, &regs))
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    now.tv_sec += *ahead_s;
    regs.rax = (unsigned long long)answer(pid, &regs, &now);
    regs.orig_rax = (unsigned long long)-1; /* the call itself is left out */
    ptrace(PTRACE_SETREGS, pid, NULL, &regs);
}

/* Signals go on to whom they were for, and a stopped program stays stopped. */
static void go_on(pid_t pid, int status)
{
    int number = WSTOPSIG(status), event = status >> 16;

    if (event == PTRACE_EVENT_SECCOMP)
        tell_time(pid);
    if (event == PTRACE_EVENT_EXEC)
        hide_vdso(pid);
    if (event == PTRACE_EVENT_STOP && number != SIGTRAP)
        ptrace(PTRACE_LISTEN, pid, NULL, NULL);
    else
        ptrace(PTRACE_CONT, pid, NULL, event ? 0L : (long)number);
}

static int follow(pid_t program)
{
    int status, ended = 0;
    pid_t pid;

    while ((pid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
        if (pid <= 0)
            continue;
        if (WIFSTOPPED(status))
            go_on(pid, status);
        else if (pid == program)
            return status;
        ended = status;
    }
    return ended;
}

int main(int argc, char **argv)
{
    int ready[2], fd, status;
    pid_t program;

    if (argc < 3) {
        fprintf(stderr, "usage: clock_step FILE PROGRAM [ARGUMENT...]\n");
        return 125;
    }
    fd = open(argv[1], O_RDONLY | O_CLOEXEC);
    ahead_s = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *ahead_s, PROT_READ, MAP_SHARED, fd, 0);
    if (ahead_s == MAP_FAILED || pipe(ready) || (program = fork()) < 0)
        fail(argv[1]);
    if (program == 0) {
        close(ready[1]);
        run(ready[0], argv + 2);
    }
    if (ptrace(PTRACE_SEIZE, program, NULL, OPTIONS) || write(ready[1], "x", 1) != 1)
        fail("ptrace");
    close(ready[0]);
    close(ready[1]);
    status = follow(program);
    if (WIFSIGNALED(status)) {
        signal(WTERMSIG(status), SIG_DFL);
        raise(WTERMSIG(status));
    }
    return WEXITSTATUS(status);
}
