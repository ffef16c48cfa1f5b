/*
 * The system calls that a build may not make, as a small classic BPF program. What a build has no use for and what
 * reaches into other processes, the kernel or the machine is answered by an error; a program of another architecture
 * is killed, because its numbers mean other calls. Numbers: the kernel's syscall_64.tbl and scripts/syscall.tbl.
 */
#ifndef CAISSON_PROC_SECCOMP_H
#define CAISSON_PROC_SECCOMP_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

/* Who is confined: what the kernel refuses by itself depends on it. */
enum seccomp_subject {
    SECCOMP_OTHER_UID = 1, /* a user of its own */
    SECCOMP_ROOT = 2,      /* root with fewer capabilities: it shares our uid, and may need chroot */
    SECCOMP_OUR_UID = 4,   /* as we are, nobody privileged: it shares our uid */
};

enum seccomp_arch { SECCOMP_X86_64, SECCOMP_AARCH64, SECCOMP_NATIVE };

/* More than any of the programs has. */
#define SECCOMP_CODE_MAX 512

/* Fills `code` (SECCOMP_CODE_MAX long); its length. 0: there is no table for this architecture. */
size_t seccomp_build(enum seccomp_arch arch, enum seccomp_subject subject, struct sock_filter *code);
/* Whether this kernel, and a profile around us, let a process install a filter. */
bool seccomp_available(void);
/* In the child, after no_new_privs: async-signal-safe. 0 or an errno. */
int seccomp_install(const struct sock_filter *code, size_t len);

#endif
