/* The one place where a local child gives up what it may no longer do. Everything here runs between fork and exec. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/protection.h"
#include "proc/confinement.h"
#include "proc/landlock.h"

/* When memory runs out the kernel takes the child before it takes us, however large we are. */
#define CHILD_OOM_SCORE "800"

/*
 * What a root build keeps: a Dockerfile's RUN changes owners, users and modes, binds ports and ends what it started as
 * another user. Not: raw sockets (the network's credentials travel in plain text), devices, and everything that
 * changes the machine, the namespaces or other processes.
 */
#define BIT(capability) (1ull << (capability))
#define ROOT_KEEPS                                                                                                     \
    (BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) | BIT(CAP_KILL) | BIT(CAP_SETGID) |    \
     BIT(CAP_SETUID) | BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_SYS_CHROOT) | BIT(CAP_SETFCAP))

static void raise_oom_score(const char *path)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t ignored;

    if (fd < 0)
        return;
    ignored = write(fd, CHILD_OOM_SCORE, sizeof CHILD_OOM_SCORE - 1);
    (void)ignored;
    close(fd);
}

/* Never above what we may have ourselves: raising it again takes a capability. */
static void limit_to(int resource, int64_t value)
{
    struct rlimit limit;

    if (value <= 0 || getrlimit(resource, &limit) < 0)
        return;
    if (limit.rlim_max == RLIM_INFINITY || (rlim_t)value < limit.rlim_max)
        limit.rlim_max = (rlim_t)value;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(resource, &limit);
}

static void limit_resources(const struct command_limits *limits)
{
    const struct rlimit no_core = {0, 0};

    setrlimit(RLIMIT_CORE, &no_core);
    limit_to(RLIMIT_NPROC, limits->processes);
    limit_to(RLIMIT_FSIZE, limits->file_size_bytes);
    limit_to(RLIMIT_NOFILE, limits->open_files);
}

/* What setuid programs could give back must be gone too. Without CAP_SETPCAP no_new_privs alone has to do. */
static void drop_bounding_set(uint64_t keep)
{
    unsigned long capability;

    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0L, 0L, 0L);
    for (capability = 0; capability < 64; capability++)
        if (!(keep >> capability & 1) && prctl(PR_CAPBSET_DROP, capability, 0L, 0L, 0L) < 0)
            break;
}

static int keep_capabilities(uint64_t keep)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0}};
    int i;

    if (keep && syscall(SYS_capget, &header, sets) < 0)
        return -1;
    for (i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        sets[i].permitted &= (uint32_t)(keep >> 32 * i);
        sets[i].effective = sets[i].permitted;
        sets[i].inheritable = 0;
    }
    return (int)syscall(SYS_capset, &header, sets);
}

/* By system call: a C library's setresuid also signals its other threads, which a forked child does not have. */
static int take_ids(uid_t uid, gid_t gid)
{
    if (syscall(SYS_setgroups, 0L, NULL) < 0 || syscall(SYS_setresgid, gid, gid, gid) < 0 ||
        syscall(SYS_setresuid, uid, uid, uid) < 0)
        return -1;
    return 0;
}

static int take_user(const struct confinement *confinement)
{
    uint64_t keep = confinement->root ? ROOT_KEEPS : 0;

    if (!confinement->drop_root && !confinement->root)
        return 0;
    if (confinement->drop_capabilities)
        drop_bounding_set(keep);
    /* Root too takes its ids: the saved one that we gave ourselves is not for it. */
    if (take_ids(confinement->drop_root ? confinement->uid : 0, confinement->gid) < 0)
        return -1;
    return confinement->drop_capabilities ? keep_capabilities(keep) : 0;
}

int confine_self(const struct confinement *confinement, int ruleset)
{
    int number = 0;

    if (confinement->raise_oom_score)
        raise_oom_score("/proc/self/oom_score_adj");
    if (confinement->limit)
        limit_resources(&confinement->limits);
    if (take_user(confinement) < 0)
        return errno;
    if (confinement->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0)
        return errno;
    if (confinement->ruleset >= 0)
        number = landlock_enforce(ruleset);
    if (number == 0 && confinement->filter_len)
        number = seccomp_install(confinement->filter, confinement->filter_len);
    return number;
}

void confine_from_outside(pid_t pid)
{
    char path[64];

    if (geteuid() == 0 || !PROTECTED(OOM_SCORE))
        return;
    snprintf(path, sizeof path, "/proc/%ld/oom_score_adj", (long)pid);
    raise_oom_score(path);
}
