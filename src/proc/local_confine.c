/* The one place that says what a local child may no longer do. Everything here runs between fork and exec. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proc/local.h"

/* When memory runs out the kernel takes the child before it takes us, however large we are. */
#define CHILD_OOM_SCORE "800"

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

/* What setuid programs could give back must be gone too. Without CAP_SETPCAP no_new_privs alone has to do. */
static void drop_bounding_set(void)
{
    unsigned long capability;

    for (capability = 0; capability < 64; capability++)
        if (prctl(PR_CAPBSET_DROP, capability, 0L, 0L, 0L) < 0)
            break;
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0L, 0L, 0L);
}

static int drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

    return (int)syscall(SYS_capset, &header, none);
}

/* By system call: a C library's setresuid also signals its other threads, which a forked child does not have. */
static int take_ids(uid_t uid, gid_t gid)
{
    if (syscall(SYS_setgroups, 0L, NULL) < 0 || syscall(SYS_setresgid, gid, gid, gid) < 0 ||
        syscall(SYS_setresuid, uid, uid, uid) < 0)
        return -1;
    return 0;
}

int confine_self(const struct confinement *confinement)
{
    const struct rlimit no_core = {0, 0};

    raise_oom_score("/proc/self/oom_score_adj");
    setrlimit(RLIMIT_CORE, &no_core);
    if (confinement->drop_root) {
        drop_bounding_set();
        if (take_ids(confinement->uid, confinement->gid) < 0 || drop_capabilities() < 0)
            return errno;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0)
        return errno;
    return 0;
}

void confine_from_outside(pid_t pid)
{
    char path[64];

    if (geteuid() == 0)
        return;
    snprintf(path, sizeof path, "/proc/%ld/oom_score_adj", (long)pid);
    raise_oom_score(path);
}

void confine_describe(const struct confinement *confinement, struct buf *out)
{
    if (confinement->drop_root)
        buf_addf(out, "build uid %u, no capabilities, ", (unsigned)confinement->uid);
    else
        buf_addf(out, "the build runs with our own uid %u and can read what we can, ", (unsigned)getuid());
    buf_adds(out, "no_new_privs, own session, no core dumps");
}
