/* calls NAME...: system calls that no build needs, tried where they would succeed without a filter. */
#include "attack.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

static char here[16] = "read me";

static long try_ptrace(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static long try_process_vm_readv(void)
{
    char copy[16];
    struct iovec to = {copy, sizeof copy}, from = {here, sizeof here};

    return process_vm_readv(getpid(), &to, 1, &from, 1, 0);
}

static long try_pidfd_getfd(void)
{
    long process = syscall(SYS_pidfd_open, getpid(), 0);

    return process < 0 ? -1 : syscall(SYS_pidfd_getfd, process, 0, 0);
}

static long try_unshare(void)
{
    return unshare(CLONE_NEWUSER);
}

static long try_clone(void)
{
    long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);

    if (child == 0)
        _exit(0);
    return child;
}

static long try_packet(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0);
}

static long try_alg(void)
{
    return socket(38 /* AF_ALG */, SOCK_SEQPACKET, 0);
}

static long try_keyctl(void)
{
    return syscall(SYS_add_key, "user", "caisson", "x", 1L, -3L /* KEY_SPEC_SESSION_KEYRING */);
}

static long try_io_uring(void)
{
    struct io_uring_params params = {0};

    return syscall(SYS_io_uring_setup, 4, &params);
}

static long try_userfaultfd(void)
{
    return syscall(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */);
}

static long try_perf(void)
{
    struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
                                   .size = sizeof attr,
                                   .config = PERF_COUNT_SW_TASK_CLOCK,
                                   .exclude_kernel = 1,
                                   .exclude_hv = 1};

    return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static long try_kcmp(void)
{
    return syscall(SYS_kcmp, getpid(), getpid(), 0 /* KCMP_FILE */, 0, 0);
}

#ifdef __x86_64__
/* The 32-bit way into the kernel: getpid is 20 there. */
static long try_other_architecture(void)
{
    long result;

    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
    return result == getpid() ? 0 : -1;
}

static long try_x32(void)
{
    return syscall(0x40000000 | SYS_getpid) == getpid() ? 0 : -1;
}
#endif

static const struct {
    const char *name;
    long (*call)(void);
} calls[] = {
    {"ptrace", try_ptrace},
    {"process_vm_readv", try_process_vm_readv},
    {"pidfd_getfd", try_pidfd_getfd},
    {"unshare", try_unshare},
    {"clone", try_clone},
    {"packet", try_packet},
    {"alg", try_alg},
    {"keyctl", try_keyctl},
    {"io_uring", try_io_uring},
    {"userfaultfd", try_userfaultfd},
    {"perf", try_perf},
    {"kcmp", try_kcmp},
#ifdef __x86_64__
    {"other_architecture", try_other_architecture},
    {"x32", try_x32},
#endif
};

int main(int argc, char **argv)
{
    size_t i;
    int k;

    for (i = 0; i < sizeof calls / sizeof *calls; i++)
        for (k = 1; k < argc; k++) {
            pid_t child;

            if (strcmp(argv[k], calls[i].name) != 0)
                continue;
            child = fork(); /* some of them end in death */
            if (child == 0) {
                if (calls[i].call() >= 0)
                    won("%s", calls[i].name);
                else
                    fprintf(stderr, "%s: %s\n", calls[i].name, strerror(errno));
                _exit(0);
            }
            waitpid(child, NULL, 0);
        }
    return 0;
}
