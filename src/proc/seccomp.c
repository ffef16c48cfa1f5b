#include "proc/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "core/mem.h"

/* Of SECCOMP_RET_KILL_PROCESS older headers know nothing; kernels before 4.14 kill the thread instead. */
#define KILL_PROCESS 0x80000000u

#define CLONE_NEW_FLAGS 0x7e020000u /* NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET */
#define TIOCSTI_NUMBER 0x5412u      /* types into a terminal */
#define TIOCLINUX_NUMBER 0x541cu    /* pastes into a console */
#define PRIO_USER_NUMBER 2u
#define IOPRIO_WHO_USER_NUMBER 3u
#define X32_BIT 0x40000000u
#define NONE (-1) /* the architecture has no such call */

enum test_kind {
    TEST_END,
    DENY_IF,     /* (argument & mask) == value: refused */
    DENY_UNLESS, /* … != value: refused */
    ALLOW_IF,    /* … == value: allowed; what reaches the end of such a list is refused */
};

/* Of an argument only the lower half is looked at: all of these are ints, or flags that the kernel takes as such. */
struct test {
    enum test_kind kind;
    unsigned argument;
    uint32_t mask, value;
};

#define TESTS_MAX 4
#define ALL_BITS 0xffffffffu
#define EVERYONE (SECCOMP_OTHER_UID | SECCOMP_ROOT | SECCOMP_OUR_UID)
#define SHARES_UID (SECCOMP_ROOT | SECCOMP_OUR_UID)
#define NOT_ROOT (SECCOMP_OTHER_UID | SECCOMP_OUR_UID)

struct rule {
    int numbers[2]; /* by enum seccomp_arch */
    unsigned subjects;
    int error;
    struct test tests[TESTS_MAX]; /* none: always refused */
};

#define REFUSED(x86_64, aarch64)                                                                                       \
    {                                                                                                                  \
        {x86_64, aarch64}, EVERYONE, EPERM,                                                                            \
        {                                                                                                              \
            {                                                                                                          \
                0                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }
/* A process number as first argument: only oneself, which is 0. With our uid they would change PID 1. */
#define SELF_ONLY(x86_64, aarch64)                                                                                     \
    {                                                                                                                  \
        {x86_64, aarch64}, SHARES_UID, EPERM,                                                                          \
        {                                                                                                              \
            {                                                                                                          \
                DENY_UNLESS, 0, ALL_BITS, 0                                                                            \
            }                                                                                                          \
        }                                                                                                              \
    }
#define FAMILIES                                                                                                       \
    {                                                                                                                  \
        {ALLOW_IF, 0, ALL_BITS, AF_UNIX}, {ALLOW_IF, 0, ALL_BITS, AF_INET}, {ALLOW_IF, 0, ALL_BITS, AF_INET6},         \
        {                                                                                                              \
            ALLOW_IF, 0, ALL_BITS, AF_NETLINK                                                                          \
        }                                                                                                              \
    }
#define DEVICES(argument)                                                                                              \
    {                                                                                                                  \
        {DENY_IF, argument, S_IFMT, S_IFCHR},                                                                          \
        {                                                                                                              \
            DENY_IF, argument, S_IFMT, S_IFBLK                                                                         \
        }                                                                                                              \
    }

/* clang-format off */
static const struct rule rules[] = {
    /* other processes */
    REFUSED(101, 117), /* ptrace */
    REFUSED(310, 270), /* process_vm_readv */
    REFUSED(311, 271), /* process_vm_writev */
    REFUSED(440, 440), /* process_madvise */
    REFUSED(438, 438), /* pidfd_getfd */
    REFUSED(312, 272), /* kcmp */
    REFUSED(256, 238), /* migrate_pages */
    REFUSED(279, 239), /* move_pages */
    SELF_ONLY(142, 118), /* sched_setparam */
    SELF_ONLY(144, 119), /* sched_setscheduler */
    SELF_ONLY(314, 274), /* sched_setattr */
    SELF_ONLY(203, 122), /* sched_setaffinity */
    SELF_ONLY(302, 261), /* prlimit64 */
    {{141, 140}, SHARES_UID, EPERM, /* setpriority */
     {{DENY_IF, 0, ALL_BITS, PRIO_USER_NUMBER}, {DENY_UNLESS, 1, ALL_BITS, 0}}},
    {{251, 30}, SHARES_UID, EPERM, /* ioprio_set */
     {{DENY_IF, 0, ALL_BITS, IOPRIO_WHO_USER_NUMBER}, {DENY_UNLESS, 1, ALL_BITS, 0}}},
    /* namespaces and mounts */
    REFUSED(272, 97),  /* unshare */
    REFUSED(308, 268), /* setns */
    {{56, 220}, EVERYONE, EPERM, {{DENY_UNLESS, 0, CLONE_NEW_FLAGS, 0}}}, /* clone */
    {{435, 435}, EVERYONE, ENOSYS, {{0}}}, /* clone3: its flags lie in memory; libraries fall back to clone */
    REFUSED(165, 40),  /* mount */
    REFUSED(166, 39),  /* umount2 */
    REFUSED(155, 41),  /* pivot_root */
    REFUSED(428, 428), /* open_tree */
    REFUSED(429, 429), /* move_mount */
    REFUSED(430, 430), /* fsopen */
    REFUSED(431, 431), /* fsconfig */
    REFUSED(432, 432), /* fsmount */
    REFUSED(433, 433), /* fspick */
    REFUSED(442, 442), /* mount_setattr */
    REFUSED(467, 467), /* open_tree_attr */
    {{161, 51}, NOT_ROOT, EPERM, {{0}}}, /* chroot */
    REFUSED(304, 265), /* open_by_handle_at */
    {{133, NONE}, EVERYONE, EPERM, DEVICES(1)}, /* mknod */
    {{259, 33}, EVERYONE, EPERM, DEVICES(2)},   /* mknodat */
    /* the kernel's large and rarely used surfaces */
    REFUSED(321, 280), /* bpf */
    REFUSED(298, 241), /* perf_event_open */
    REFUSED(323, 282), /* userfaultfd */
    REFUSED(425, 425), /* io_uring_setup */
    REFUSED(426, 426), /* io_uring_enter */
    REFUSED(427, 427), /* io_uring_register */
    REFUSED(248, 217), /* add_key */
    REFUSED(249, 218), /* request_key */
    REFUSED(250, 219), /* keyctl */
    REFUSED(300, 262), /* fanotify_init */
    REFUSED(212, 18),  /* lookup_dcookie */
    /* the machine */
    REFUSED(167, 224), /* swapon */
    REFUSED(168, 225), /* swapoff */
    REFUSED(169, 142), /* reboot */
    REFUSED(246, 104), /* kexec_load */
    REFUSED(320, 294), /* kexec_file_load */
    REFUSED(175, 105), /* init_module */
    REFUSED(313, 273), /* finit_module */
    REFUSED(176, 106), /* delete_module */
    REFUSED(103, 116), /* syslog */
    REFUSED(163, 89),  /* acct */
    REFUSED(179, 60),  /* quotactl */
    REFUSED(443, 443), /* quotactl_fd */
    REFUSED(180, 42),  /* nfsservctl */
    REFUSED(164, 170), /* settimeofday */
    REFUSED(227, 112), /* clock_settime */
    REFUSED(170, 161), /* sethostname */
    REFUSED(171, 162), /* setdomainname */
    REFUSED(172, NONE), /* iopl */
    REFUSED(173, NONE), /* ioperm */
    REFUSED(134, NONE), /* uselib */
    /* terminals and sockets */
    REFUSED(153, 58), /* vhangup */
    {{16, 29}, EVERYONE, EPERM, /* ioctl */
     {{DENY_IF, 1, ALL_BITS, TIOCSTI_NUMBER}, {DENY_IF, 1, ALL_BITS, TIOCLINUX_NUMBER}}},
    /* As a kernel answers that has no such family: no packets, no virtual machines' sockets, no kernel crypto. */
    {{41, 198}, EVERYONE, EAFNOSUPPORT, FAMILIES}, /* socket */
    {{53, 199}, EVERYONE, EAFNOSUPPORT, FAMILIES}, /* socketpair */
};
/* clang-format on */

static enum seccomp_arch native(void)
{
#if defined(__x86_64__) && !defined(__ILP32__)
    return SECCOMP_X86_64;
#elif defined(__aarch64__)
    return SECCOMP_AARCH64;
#else
    return SECCOMP_NATIVE;
#endif
}

struct assembly {
    struct sock_filter *code;
    size_t len;
};

static void emit(struct assembly *out, uint16_t code, uint32_t value, uint8_t if_true, uint8_t if_false)
{
    out->code[out->len++] = (struct sock_filter){code, if_true, if_false, value};
}

static void emit_return(struct assembly *out, uint32_t action)
{
    emit(out, BPF_RET | BPF_K, action, 0, 0);
}

static void emit_load(struct assembly *out, size_t offset)
{
    emit(out, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void emit_test(struct assembly *out, const struct test *test, uint32_t refuse)
{
    /* Both architectures are little-endian: the lower half comes first. */
    emit_load(out, offsetof(struct seccomp_data, args) + test->argument * sizeof(uint64_t));
    if (test->mask != ALL_BITS)
        emit(out, BPF_ALU | BPF_AND | BPF_K, test->mask, 0, 0);
    if (test->kind == DENY_UNLESS)
        emit(out, BPF_JMP | BPF_JEQ | BPF_K, test->value, 1, 0);
    else
        emit(out, BPF_JMP | BPF_JEQ | BPF_K, test->value, 0, 1);
    emit_return(out, test->kind == ALLOW_IF ? SECCOMP_RET_ALLOW : refuse);
}

/* What follows the comparison of the number decides about it for good: nothing has to be loaded again. */
static void emit_rule(struct assembly *out, const struct rule *rule, int number)
{
    uint32_t refuse = SECCOMP_RET_ERRNO | (uint32_t)rule->error;
    bool otherwise_refused = rule->tests[0].kind == TEST_END || rule->tests[0].kind == ALLOW_IF;
    size_t jump = out->len, i;

    emit(out, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 0);
    for (i = 0; i < TESTS_MAX && rule->tests[i].kind != TEST_END; i++)
        emit_test(out, &rule->tests[i], refuse);
    emit_return(out, otherwise_refused ? refuse : SECCOMP_RET_ALLOW);
    out->code[jump].jf = (uint8_t)(out->len - jump - 1);
}

size_t seccomp_build(enum seccomp_arch arch, enum seccomp_subject subject, struct sock_filter *code)
{
    struct assembly out = {.code = code};
    size_t i;

    if (arch == SECCOMP_NATIVE)
        arch = native();
    if (arch == SECCOMP_NATIVE)
        return 0;
    emit_load(&out, offsetof(struct seccomp_data, arch));
    emit(&out, BPF_JMP | BPF_JEQ | BPF_K, arch == SECCOMP_X86_64 ? AUDIT_ARCH_X86_64 : AUDIT_ARCH_AARCH64, 1, 0);
    emit_return(&out, KILL_PROCESS);
    emit_load(&out, offsetof(struct seccomp_data, nr));
    if (arch == SECCOMP_X86_64) { /* the same calls by other numbers, some of which no rule would know */
        emit(&out, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
        emit_return(&out, SECCOMP_RET_ERRNO | ENOSYS);
    }
    for (i = 0; i < ARRAY_LEN(rules); i++)
        if (rules[i].numbers[arch] != NONE && (rules[i].subjects & subject))
            emit_rule(&out, &rules[i], rules[i].numbers[arch]);
    emit_return(&out, SECCOMP_RET_ALLOW);
    return out.len;
}

bool seccomp_available(void)
{
    /* A filter that cannot be read: where filters are possible the kernel says so by complaining about just that. */
    return native() != SECCOMP_NATIVE && prctl(PR_SET_SECCOMP, (unsigned long)SECCOMP_MODE_FILTER, NULL, 0L, 0L) < 0 &&
           errno == EFAULT;
}

int seccomp_install(const struct sock_filter *code, size_t len)
{
    /* The kernel only reads it. NOLINTNEXTLINE(performance-no-int-to-ptr): takes away const */
    struct sock_fprog program = {.len = (unsigned short)len, .filter = (struct sock_filter *)(uintptr_t)code};

    return prctl(PR_SET_SECCOMP, (unsigned long)SECCOMP_MODE_FILTER, &program, 0L, 0L) < 0 ? errno : 0;
}
