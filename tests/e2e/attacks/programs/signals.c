/* signals: every way to tell PID 1 that it should stop, forged ones too. */
#include "attack.h"

#include <signal.h>
#include <sys/syscall.h>

int main(void)
{
    static const int numbers[] = {SIGTERM, SIGINT,  SIGHUP,  SIGQUIT, SIGUSR1, SIGUSR2, SIGSEGV,
                                  SIGABRT, SIGALRM, SIGPIPE, SIGSTOP, SIGKILL, SIGXCPU};
    size_t i;

    for (i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        siginfo_t info;

        kill(1, numbers[i]);
        memset(&info, 0, sizeof info);
        info.si_signo = numbers[i];
        info.si_code = SI_QUEUE;
        info.si_pid = 0; /* "from outside" */
        syscall(SYS_rt_sigqueueinfo, 1, numbers[i], &info);
        info.si_code = SI_USER;
        syscall(SYS_rt_sigqueueinfo, 1, numbers[i], &info);
        info.si_code = 0x80; /* SI_KERNEL */
        syscall(SYS_rt_sigqueueinfo, 1, numbers[i], &info);
        syscall(SYS_tgkill, 1, 1, numbers[i]);
    }
    return 0;
}
