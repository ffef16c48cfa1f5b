/* cripple WHAT: takes from PID 1 what it needs for the result. */
#include "attack.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static void limits(void)
{
    static const struct {
        int resource;
        const char *name;
        rlim_t value;
    } tries[] = {
        {RLIMIT_NOFILE, "NOFILE", 3}, {RLIMIT_CPU, "CPU", 1}, {RLIMIT_FSIZE, "FSIZE", 1}, {RLIMIT_AS, "AS", 1 << 20}};
    size_t i;

    for (i = 0; i < sizeof tries / sizeof *tries; i++) {
        struct rlimit limit = {tries[i].value, tries[i].value};

        if (prlimit(1, tries[i].resource, &limit, NULL) == 0)
            won("PID 1 has %s %lu", tries[i].name, (unsigned long)tries[i].value);
    }
}

static void scheduler(void)
{
    struct sched_param idle = {0};

    if (sched_setscheduler(1, 5 /* SCHED_IDLE */, &idle) == 0)
        won("PID 1 is idle");
    if (setpriority(PRIO_PROCESS, 1, 19) == 0)
        won("PID 1 is nice");
    if (syscall(SYS_ioprio_set, 1, 1, 3 << 13) == 0)
        won("PID 1 waits for idle disks");
}

static void core(void)
{
    struct rlimit limit, all = {RLIM_INFINITY, RLIM_INFINITY};

    if (setrlimit(RLIMIT_CORE, &all) == 0)
        won("core dumps can be switched on");
    if (getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max != 0)
        won("a core dump may have %lu bytes", (unsigned long)limit.rlim_max);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "limits") == 0)
        limits();
    if (argc == 2 && strcmp(argv[1], "scheduler") == 0)
        scheduler();
    if (argc == 2 && strcmp(argv[1], "core") == 0)
        core();
    return 0;
}
