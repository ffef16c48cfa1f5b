/* What the kernel lets us put between a build and ourselves, and what kind of process we are. */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "cli/executors.h"
#include "core/mem.h"
#include "proc/landlock.h"
#include "proc/seccomp.h"

#define CALL_OPENAT2 437 /* the same on all architectures; not every libc's headers name them */
#define CALL_PIDFD_OPEN 434

/* ---- the kernel ---- */

static void judge(struct doctor *doctor, const char *subject, bool there, const char *good, const char *missing)
{
    struct error err;

    if (there) {
        doctor_ok(doctor, subject, "%s", good);
        return;
    }
    error_set(&err, CLASS_PLATFORM, "protection-missing", "%s", missing);
    error_hint(&err,
               "nothing has to be done: docs/security.md says what stands in its place; a newer kernel or another "
               "seccomp profile has it");
    doctor_warn(doctor, subject, &err);
}

/* Refused arguments prove that the call is there: ENOSYS is an older kernel, EPERM a profile. */
static bool has_openat2(void)
{
    return syscall(CALL_OPENAT2, -1, NULL, NULL, (size_t)0) < 0 && errno != ENOSYS && errno != EPERM;
}

static bool has_pidfd(void)
{
    long fd = syscall(CALL_PIDFD_OPEN, getpid(), 0);

    if (fd >= 0)
        close((int)fd);
    return fd >= 0;
}

void doctor_check_kernel(struct doctor *doctor)
{
    int landlock = landlock_version();
    CLEANUP_FREE char *version = xasprintf("version %d: builds see no files that are not theirs", landlock);

    judge(doctor, "seccomp", seccomp_available(), "builds get a system call filter",
          "the kernel, or a profile around us, lets no process install a filter");
    judge(doctor, "Landlock", landlock > 0, version,
          "not in this kernel, or refused: file modes alone keep builds off");
    judge(doctor, "no_new_privs", prctl(PR_GET_NO_NEW_PRIVS, 0L, 0L, 0L, 0L) >= 0,
          "builds gain nothing by setuid programs", "this kernel cannot keep builds from setuid programs");
    judge(doctor, "openat2", has_openat2(), "output is opened beneath its folder by the kernel",
          "not in this kernel, or refused: output is opened step by step");
    judge(doctor, "pidfd", has_pidfd(), "processes are held by descriptors",
          "not in this kernel, or refused: processes are known by their numbers");
}

/* ---- the process ---- */

/* What Docker and Fargate give, less NET_RAW, with which the credentials of the task could be read on its network. */
static const unsigned char usual[] = {
    CAP_CHOWN,   CAP_DAC_OVERRIDE, CAP_FSETID, CAP_FOWNER,           CAP_MKNOD,      CAP_SETGID,     CAP_SETUID,
    CAP_SETFCAP, CAP_SETPCAP,      CAP_KILL,   CAP_NET_BIND_SERVICE, CAP_SYS_CHROOT, CAP_AUDIT_WRITE};

static const char *const capability_names[] = {"CHOWN",
                                               "DAC_OVERRIDE",
                                               "DAC_READ_SEARCH",
                                               "FOWNER",
                                               "FSETID",
                                               "KILL",
                                               "SETGID",
                                               "SETUID",
                                               "SETPCAP",
                                               "LINUX_IMMUTABLE",
                                               "NET_BIND_SERVICE",
                                               "NET_BROADCAST",
                                               "NET_ADMIN",
                                               "NET_RAW",
                                               "IPC_LOCK",
                                               "IPC_OWNER",
                                               "SYS_MODULE",
                                               "SYS_RAWIO",
                                               "SYS_CHROOT",
                                               "SYS_PTRACE",
                                               "SYS_PACCT",
                                               "SYS_ADMIN",
                                               "SYS_BOOT",
                                               "SYS_NICE",
                                               "SYS_RESOURCE",
                                               "SYS_TIME",
                                               "SYS_TTY_CONFIG",
                                               "MKNOD",
                                               "LEASE",
                                               "AUDIT_WRITE",
                                               "AUDIT_CONTROL",
                                               "SETFCAP",
                                               "MAC_OVERRIDE",
                                               "MAC_ADMIN",
                                               "SYSLOG",
                                               "WAKE_ALARM",
                                               "BLOCK_SUSPEND",
                                               "AUDIT_READ",
                                               "PERFMON",
                                               "BPF",
                                               "CHECKPOINT_RESTORE"};

void doctor_name_capabilities(uint64_t set, struct buf *out)
{
    unsigned i;

    for (i = 0; i < ARRAY_LEN(usual); i++)
        set &= ~((uint64_t)1 << usual[i]);
    for (i = 0; i < ARRAY_LEN(capability_names); i++)
        if (set >> i & 1)
            buf_addf(out, "%s%s", out->len ? ", " : "", capability_names[i]);
}

/* The bounding set: what a program that we start could still get. */
static uint64_t capabilities(void)
{
    uint64_t set = 0;
    unsigned i;

    for (i = 0; i < ARRAY_LEN(capability_names); i++)
        if (prctl(PR_CAPBSET_READ, (unsigned long)i, 0L, 0L, 0L) == 1)
            set |= (uint64_t)1 << i;
    return set;
}

static void judge_capabilities(struct doctor *doctor)
{
    uint64_t set = capabilities();
    bool ptrace = set >> CAP_SYS_PTRACE & 1;
    struct error err;
    struct buf names;

    buf_init(&names, 1024);
    doctor_name_capabilities(set, &names);
    if (!names.len) {
        doctor_ok(doctor, "capabilities", "none that a builder should not have");
    } else {
        error_set(&err, CLASS_PLATFORM, ptrace ? "ptrace-allowed" : "capabilities-unusual", "the container has %s%s",
                  buf_text(&names),
                  ptrace ? ": with SYS_PTRACE a root build can read our memory, credentials included" : "");
        error_hint(&err, "in the task definition, linuxParameters.capabilities: drop NET_RAW, add nothing (taskdefs/)");
        doctor_add(doctor, "capabilities", ptrace ? DOCTOR_FAILED : DOCTOR_WARNING, &err);
    }
    buf_dispose(&names);
}

static void judge_root_folder(struct doctor *doctor)
{
    struct statvfs root;
    struct error err;

    if (statvfs("/", &root))
        return;
    if (root.f_flag & ST_RDONLY) {
        doctor_ok(doctor, "root file system", "read-only");
    } else if (!executors_want_sandbox(&doctor->setup)) {
        doctor_ok(doctor, "root file system", "may be written to, as builds in this container need");
    } else {
        error_set(&err, CLASS_PLATFORM, "root-writable",
                  "may be written to, which the runner beside a sandbox never needs");
        error_hint(&err, "set readonlyRootFilesystem of this container, as taskdefs/kaniko.json does");
        doctor_warn(doctor, "root file system", &err);
    }
}

void doctor_check_process(struct doctor *doctor)
{
    struct error err;

    if (!doctor->contained) {
        doctor_skip(doctor, "PID 1", "not in a container: a build here is ended by descent, and shares the machine");
        return;
    }
    if (doctor->setup.pid1) {
        doctor_ok(doctor, "PID 1", "nothing that a build starts can outlive it unseen");
    } else {
        error_set(&err, CLASS_PLATFORM, "not-pid-1", "we are process %d of the container", (int)getpid());
        error_hint(&err, "set linuxParameters.initProcessEnabled to false, and let the image's ENTRYPOINT be caisson");
        doctor_warn(doctor, "PID 1", &err);
    }
    if (geteuid() == 0) {
        doctor_ok(doctor, "user", "root, who can give builds another one");
    } else {
        error_set(&err, CLASS_PLATFORM, "not-root", "we are user %u, and a build would be the same",
                  (unsigned)geteuid());
        error_hint(&err, "let the container's user be 0:0: caisson gives builds another one");
        doctor_warn(doctor, "user", &err);
    }
    judge_capabilities(doctor);
    judge_root_folder(doctor);
}
