/*
 * Starts a program and says what it cost. A launcher of its own, because a child's peak memory as the kernel reports it
 * includes that of the process it was forked from: this one has next to none.
 *
 *   launch REPORT PROGRAM ARG...     REPORT: start (wall clock, µs), wall, user, system (µs), peak RSS (KiB), status
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static int64_t now_us(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static int64_t us_of(struct timeval time)
{
    return (int64_t)time.tv_sec * 1000000 + time.tv_usec;
}

int main(int argc, char **argv)
{
    struct rusage usage;
    int64_t start_wall, start, wall;
    int status, problem;
    FILE *report;
    pid_t pid;

    if (argc < 3) {
        fprintf(stderr, "usage: launch REPORT PROGRAM ARG...\n");
        return 2;
    }
    start_wall = now_us(CLOCK_REALTIME);
    start = now_us(CLOCK_MONOTONIC);
    problem = posix_spawnp(&pid, argv[2], NULL, NULL, argv + 2, environ);
    if (problem) {
        fprintf(stderr, "launch: %s: %s\n", argv[2], strerror(problem));
        return 127;
    }
    if (wait4(pid, &status, 0, &usage) != pid)
        return 1;
    wall = now_us(CLOCK_MONOTONIC) - start;
    report = fopen(argv[1], "we");
    if (!report)
        return 1;
    fprintf(report, "%lld %lld %lld %lld %ld %d\n", (long long)start_wall, (long long)wall,
            (long long)us_of(usage.ru_utime), (long long)us_of(usage.ru_stime), usage.ru_maxrss,
            WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
    return fclose(report) == 0 ? 0 : 1;
}
