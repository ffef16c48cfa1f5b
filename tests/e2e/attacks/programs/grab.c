/* grab: takes hold of PID 1 by every call that reaches into another process. */
#include "attack.h"

#include <errno.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static void by_ptrace(void)
{
    if (ptrace(PTRACE_SEIZE, 1, NULL, NULL) == 0)
        won("seized PID 1");
    else
        perror("PTRACE_SEIZE");
    if (ptrace(PTRACE_ATTACH, 1, NULL, NULL) == 0)
        won("attached to PID 1");
}

/* Where something is mapped we do not know: EFAULT would say that we may look. */
static void by_memory(void)
{
    char copy[16];
    struct iovec to = {copy, sizeof copy}, from = {(void *)0x1000, sizeof copy};

    if (process_vm_readv(1, &to, 1, &from, 1, 0) >= 0 || errno == EFAULT)
        won("may read PID 1's memory");
    if (process_vm_writev(1, &to, 1, &from, 1, 0) >= 0 || errno == EFAULT)
        won("may write PID 1's memory");
}

static void by_descriptor(void)
{
    long process = syscall(SYS_pidfd_open, 1, 0);
    int fd;

    for (fd = 0; process >= 0 && fd < 64; fd++)
        if (syscall(SYS_pidfd_getfd, process, fd, 0) >= 0)
            won("has PID 1's descriptor %d", fd);
}

int main(void)
{
    by_ptrace();
    by_memory();
    by_descriptor();
    return 0;
}
