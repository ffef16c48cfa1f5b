/* A server's process must not outlive its test: it holds the pipe that the test's runner reads to its end. */
#ifndef CAISSON_TESTS_END_WITH_H
#define CAISSON_TESTS_END_WITH_H

#include <signal.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <unistd.h>

/* In a child, right after fork: `parent` may have ended before the kernel could be asked to tell. */
static inline void end_with(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
}

#endif
