/* The system call filter: interpreted here for both architectures, and asked of the kernel for ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/mem.h"
#include "proc/seccomp.h"

#define ALLOWED 0
#define KILLED (-1)

/* What the kernel would do: ALLOWED, KILLED or the errno. Only the instructions that a filter has use for. */
static int interpret(const struct sock_filter *code, size_t len, const struct seccomp_data *data)
{
    uint32_t accumulator = 0;
    size_t at;

    for (at = 0; at < len; at++) {
        const struct sock_filter *now = &code[at];

        switch (now->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            assert_true(now->k % 4 == 0 && now->k + 4 <= sizeof *data);
            memcpy(&accumulator, (const char *)data + now->k, 4);
            break;
        case BPF_ALU | BPF_AND | BPF_K: accumulator &= now->k; break;
        case BPF_JMP | BPF_JEQ | BPF_K: at += accumulator == now->k ? now->jt : now->jf; break;
        case BPF_JMP | BPF_JGE | BPF_K: at += accumulator >= now->k ? now->jt : now->jf; break;
        case BPF_RET | BPF_K:
            if (now->k == SECCOMP_RET_ALLOW)
                return ALLOWED;
            if ((now->k & 0xffff0000u) == SECCOMP_RET_ERRNO)
                return (int)(now->k & 0xffffu);
            assert_true((now->k & 0xffff0000u) == 0x80000000u);
            return KILLED;
        default: fail_msg("instruction %#x", (unsigned)now->code);
        }
    }
    fail_msg("the filter has no end");
    return KILLED;
}

static int asked(enum seccomp_arch arch, enum seccomp_subject subject, int number, uint64_t first, uint64_t second,
                 uint64_t third)
{
    struct sock_filter code[SECCOMP_CODE_MAX];
    size_t len = seccomp_build(arch, subject, code);
    struct seccomp_data data = {.nr = number,
                                .arch = arch == SECCOMP_X86_64 ? AUDIT_ARCH_X86_64 : AUDIT_ARCH_AARCH64,
                                .args = {first, second, third}};

    assert_in_range(len, 1, SECCOMP_CODE_MAX);
    return interpret(code, len, &data);
}

static const enum seccomp_subject subjects[] = {SECCOMP_OTHER_UID, SECCOMP_ROOT, SECCOMP_OUR_UID};

/* By x86_64, aarch64 (-1: no such call). */
static const struct {
    const char *name;
    int numbers[2];
    int error;
} always_refused[] = {
    {"ptrace", {101, 117}, EPERM},
    {"process_vm_readv", {310, 270}, EPERM},
    {"process_vm_writev", {311, 271}, EPERM},
    {"pidfd_getfd", {438, 438}, EPERM},
    {"kcmp", {312, 272}, EPERM},
    {"process_madvise", {440, 440}, EPERM},
    {"unshare", {272, 97}, EPERM},
    {"setns", {308, 268}, EPERM},
    {"clone3", {435, 435}, ENOSYS},
    {"mount", {165, 40}, EPERM},
    {"umount2", {166, 39}, EPERM},
    {"pivot_root", {155, 41}, EPERM},
    {"fsopen", {430, 430}, EPERM},
    {"fsconfig", {431, 431}, EPERM},
    {"fsmount", {432, 432}, EPERM},
    {"fspick", {433, 433}, EPERM},
    {"move_mount", {429, 429}, EPERM},
    {"open_tree", {428, 428}, EPERM},
    {"mount_setattr", {442, 442}, EPERM},
    {"bpf", {321, 280}, EPERM},
    {"perf_event_open", {298, 241}, EPERM},
    {"userfaultfd", {323, 282}, EPERM},
    {"keyctl", {250, 219}, EPERM},
    {"add_key", {248, 217}, EPERM},
    {"request_key", {249, 218}, EPERM},
    {"io_uring_setup", {425, 425}, EPERM},
    {"io_uring_enter", {426, 426}, EPERM},
    {"io_uring_register", {427, 427}, EPERM},
    {"swapon", {167, 224}, EPERM},
    {"swapoff", {168, 225}, EPERM},
    {"reboot", {169, 142}, EPERM},
    {"kexec_load", {246, 104}, EPERM},
    {"kexec_file_load", {320, 294}, EPERM},
    {"init_module", {175, 105}, EPERM},
    {"finit_module", {313, 273}, EPERM},
    {"delete_module", {176, 106}, EPERM},
    {"open_by_handle_at", {304, 265}, EPERM},
    {"iopl", {172, -1}, EPERM},
};

static void test_calls_of_the_list(void **state)
{
    size_t i, j;
    int arch;

    (void)state;
    for (i = 0; i < ARRAY_LEN(always_refused); i++)
        for (arch = SECCOMP_X86_64; arch <= SECCOMP_AARCH64; arch++)
            for (j = 0; j < ARRAY_LEN(subjects) && always_refused[i].numbers[arch] >= 0; j++)
                if (asked((enum seccomp_arch)arch, subjects[j], always_refused[i].numbers[arch], 1, 1, 1) !=
                    always_refused[i].error)
                    fail_msg("%s on architecture %d, subject %d", always_refused[i].name, arch, (int)subjects[j]);
}

/* The numbers of the machine that compiles this: both columns are checked, each where it is at home. */
static void test_numbers_are_the_kernels(void **state)
{
    const int native = seccomp_build(SECCOMP_NATIVE, SECCOMP_ROOT, (struct sock_filter[SECCOMP_CODE_MAX]){{0}}) ==
                               seccomp_build(SECCOMP_X86_64, SECCOMP_ROOT, (struct sock_filter[SECCOMP_CODE_MAX]){{0}})
                           ? SECCOMP_X86_64
                           : SECCOMP_AARCH64;
    const struct {
        const char *name;
        long number;
    } known[] = {
        {"ptrace", SYS_ptrace},   {"process_vm_readv", SYS_process_vm_readv},
        {"kcmp", SYS_kcmp},       {"unshare", SYS_unshare},
        {"setns", SYS_setns},     {"mount", SYS_mount},
        {"umount2", SYS_umount2}, {"pivot_root", SYS_pivot_root},
        {"bpf", SYS_bpf},         {"perf_event_open", SYS_perf_event_open},
        {"keyctl", SYS_keyctl},   {"userfaultfd", SYS_userfaultfd},
        {"swapon", SYS_swapon},   {"reboot", SYS_reboot},
        {"add_key", SYS_add_key}, {"init_module", SYS_init_module},
    };
    size_t i, j, found = 0;

    (void)state;
    for (i = 0; i < ARRAY_LEN(known); i++)
        for (j = 0; j < ARRAY_LEN(always_refused); j++)
            if (strcmp(known[i].name, always_refused[j].name) == 0) {
                assert_int_equal(always_refused[j].numbers[native], known[i].number);
                found++;
            }
    assert_int_equal(found, ARRAY_LEN(known));
}

static void test_arguments_decide(void **state)
{
    static const struct {
        const char *name;
        int numbers[2];
        uint64_t first, second, third;
        int other_uid, root, our_uid;
    } cases[] = {
        {"fork", {56, 220}, 0x01200011, 0, 0, ALLOWED, ALLOWED, ALLOWED},
        {"a thread", {56, 220}, 0x003d0f00, 0, 0, ALLOWED, ALLOWED, ALLOWED},
        {"NEWUSER", {56, 220}, 0x10000011, 0, 0, EPERM, EPERM, EPERM},
        {"NEWNS", {56, 220}, 0x00020011, 0, 0, EPERM, EPERM, EPERM},
        {"NEWNET", {56, 220}, 0x40000011, 0, 0, EPERM, EPERM, EPERM},
        {"chroot", {161, 51}, 0, 0, 0, EPERM, ALLOWED, EPERM},
        {"a unix socket", {41, 198}, AF_UNIX, 1, 0, ALLOWED, ALLOWED, ALLOWED},
        {"a socket", {41, 198}, AF_INET, 1, 0, ALLOWED, ALLOWED, ALLOWED},
        {"a socket of version 6", {41, 198}, AF_INET6, 1, 0, ALLOWED, ALLOWED, ALLOWED},
        {"netlink", {41, 198}, AF_NETLINK, 3, 0, ALLOWED, ALLOWED, ALLOWED},
        {"packets", {41, 198}, AF_PACKET, 3, 0, EAFNOSUPPORT, EAFNOSUPPORT, EAFNOSUPPORT},
        {"vsock", {41, 198}, 40, 1, 0, EAFNOSUPPORT, EAFNOSUPPORT, EAFNOSUPPORT},
        {"kernel crypto", {41, 198}, 38, 5, 0, EAFNOSUPPORT, EAFNOSUPPORT, EAFNOSUPPORT},
        {"a pair", {53, 199}, AF_UNIX, 1, 0, ALLOWED, ALLOWED, ALLOWED},
        {"a pair of others", {53, 199}, 30, 1, 0, EAFNOSUPPORT, EAFNOSUPPORT, EAFNOSUPPORT},
        {"a fifo", {259, 33}, 0, 0, S_IFIFO | 0600, ALLOWED, ALLOWED, ALLOWED},
        {"a file by mknod", {259, 33}, 0, 0, S_IFREG | 0600, ALLOWED, ALLOWED, ALLOWED},
        {"a device", {259, 33}, 0, 0, S_IFCHR | 0600, EPERM, EPERM, EPERM},
        {"a disk", {259, 33}, 0, 0, S_IFBLK | 0600, EPERM, EPERM, EPERM},
        {"own affinity", {203, 122}, 0, 8, 0, ALLOWED, ALLOWED, ALLOWED},
        {"another's affinity", {203, 122}, 1, 8, 0, ALLOWED, EPERM, EPERM},
        {"another's scheduler", {144, 119}, 1, 5, 0, ALLOWED, EPERM, EPERM},
        {"own limit", {302, 261}, 0, 7, 1, ALLOWED, ALLOWED, ALLOWED},
        {"another's limit", {302, 261}, 1, 7, 1, ALLOWED, EPERM, EPERM},
        {"own priority", {141, 140}, 0, 0, 5, ALLOWED, ALLOWED, ALLOWED},
        {"another's priority", {141, 140}, 0, 1, 5, ALLOWED, EPERM, EPERM},
        {"a user's priority", {141, 140}, 2, 0, 5, ALLOWED, EPERM, EPERM},
        {"another's disk priority", {251, 30}, 1, 1, 0, ALLOWED, EPERM, EPERM},
        {"size of a terminal", {16, 29}, 0, 0x5413, 0, ALLOWED, ALLOWED, ALLOWED},
        {"typing into a terminal", {16, 29}, 0, 0x5412, 0, EPERM, EPERM, EPERM},
        {"pasting into a console", {16, 29}, 0, 0x541c, 0, EPERM, EPERM, EPERM},
        {"the upper half is not looked at", {16, 29}, 0, 0x700005412, 0, EPERM, EPERM, EPERM},
        {"openat", {257, 56}, 0, 0, 0, ALLOWED, ALLOWED, ALLOWED},
        {"execve", {59, 221}, 0, 0, 0, ALLOWED, ALLOWED, ALLOWED},
        {"kill", {62, 129}, 1, 15, 0, ALLOWED, ALLOWED, ALLOWED},
        {"openat2", {437, 437}, 0, 0, 0, ALLOWED, ALLOWED, ALLOWED},
        {"a call to come", {999, 999}, 0, 0, 0, ALLOWED, ALLOWED, ALLOWED},
    };
    size_t i;
    int arch;

    (void)state;
    for (i = 0; i < ARRAY_LEN(cases); i++)
        for (arch = SECCOMP_X86_64; arch <= SECCOMP_AARCH64; arch++) {
            const int expected[] = {cases[i].other_uid, cases[i].root, cases[i].our_uid};
            size_t j;

            for (j = 0; j < ARRAY_LEN(subjects); j++) {
                int got = asked((enum seccomp_arch)arch, subjects[j], cases[i].numbers[arch], cases[i].first,
                                cases[i].second, cases[i].third);

                if (got != expected[j])
                    fail_msg("%s on architecture %d, subject %d: %d, not %d", cases[i].name, arch, (int)subjects[j],
                             got, expected[j]);
            }
        }
}

static void test_other_architectures(void **state)
{
    static const uint32_t others[] = {AUDIT_ARCH_I386, AUDIT_ARCH_ARM, AUDIT_ARCH_AARCH64, AUDIT_ARCH_X86_64, 0};
    struct sock_filter code[SECCOMP_CODE_MAX];
    struct seccomp_data data = {.nr = 3};
    size_t len, i;

    (void)state;
    len = seccomp_build(SECCOMP_X86_64, SECCOMP_OTHER_UID, code);
    for (i = 0; i < ARRAY_LEN(others); i++) {
        data.arch = others[i];
        assert_int_equal(interpret(code, len, &data), others[i] == AUDIT_ARCH_X86_64 ? ALLOWED : KILLED);
    }
    len = seccomp_build(SECCOMP_AARCH64, SECCOMP_OTHER_UID, code);
    for (i = 0; i < ARRAY_LEN(others); i++) {
        data.arch = others[i];
        assert_int_equal(interpret(code, len, &data), others[i] == AUDIT_ARCH_AARCH64 ? ALLOWED : KILLED);
    }
    /* x32: the numbers with bit 30, and those of its own from 512 on with it. */
    assert_int_equal(asked(SECCOMP_X86_64, SECCOMP_OTHER_UID, 0x40000000 | 1, 0, 0, 0), ENOSYS);
    assert_int_equal(asked(SECCOMP_X86_64, SECCOMP_OTHER_UID, 0x40000000 | 521, 0, 0, 0), ENOSYS);
    assert_int_equal(asked(SECCOMP_X86_64, SECCOMP_OTHER_UID, -1, 0, 0, 0), ENOSYS);
}

/* In a child: the errno of a system call under the filter, as its exit code. */
static int answer_of(enum seccomp_subject subject, long number, long first, long second, long third)
{
    struct sock_filter code[SECCOMP_CODE_MAX];
    size_t len = seccomp_build(SECCOMP_NATIVE, subject, code);
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L);
        if (seccomp_install(code, len))
            _exit(200);
        errno = 0;
        syscall(number, first, second, third, 0L);
        _exit(errno);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : KILLED;
}

static void test_the_kernel_takes_it(void **state)
{
    (void)state;
    if (!seccomp_available()) {
        printf("SKIPPED: this kernel, or what we run under, has no system call filters\n");
        return;
    }
    assert_int_equal(answer_of(SECCOMP_OTHER_UID, SYS_getpid, 0, 0, 0), 0);
    assert_int_equal(answer_of(SECCOMP_OTHER_UID, SYS_unshare, 0x10000000, 0, 0), EPERM);
    assert_int_equal(answer_of(SECCOMP_OTHER_UID, SYS_ptrace, 0, 0, 0), EPERM);
    assert_int_equal(answer_of(SECCOMP_OTHER_UID, SYS_socket, AF_PACKET, SOCK_RAW, 0), EAFNOSUPPORT);
    assert_int_equal(answer_of(SECCOMP_OTHER_UID, SYS_socket, AF_UNIX, SOCK_STREAM, 0), 0);
    assert_int_equal(answer_of(SECCOMP_ROOT, SYS_chroot, (long)"/", 0, 0), geteuid() == 0 ? 0 : EPERM);
    assert_int_equal(answer_of(SECCOMP_OUR_UID, SYS_chroot, (long)"/", 0, 0), EPERM);
#ifdef __x86_64__
    assert_int_equal(answer_of(SECCOMP_OTHER_UID, 0x40000000 | SYS_getpid, 0, 0, 0), ENOSYS);
#endif
}

/* Under a profile that refuses filters we say that there are none, instead of failing each command. */
static void test_not_available_where_refused(void **state)
{
    struct sock_filter code[] = {
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr)},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 3, (uint32_t)SYS_prctl},
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, args)},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, PR_SET_SECCOMP},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EPERM},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    };
    int status;
    pid_t pid;

    (void)state;
    if (!seccomp_available())
        return;
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L);
        _exit(seccomp_install(code, ARRAY_LEN(code)) ? 9 : seccomp_available() ? 1 : 0);
    }
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_of_the_list),   cmocka_unit_test(test_numbers_are_the_kernels),
        cmocka_unit_test(test_arguments_decide),    cmocka_unit_test(test_other_architectures),
        cmocka_unit_test(test_the_kernel_takes_it), cmocka_unit_test(test_not_available_where_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
