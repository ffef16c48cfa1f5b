#include "proc/command.h"

#include <signal.h>
#include <stddef.h>

#include "core/clock.h"
#include "proc/executor.h"

void command_init(struct command *command, const char *name)
{
    *command = (struct command){.name = name, .user = COMMAND_AS_BUILD};
}

void command_dispose(struct command *command)
{
    strings_dispose(&command->argv);
    strings_wipe(&command->env);
}

static const struct {
    int number;
    const char *name;
} signal_names[] = {
    {SIGABRT, "SIGABRT"}, {SIGALRM, "SIGALRM"}, {SIGBUS, "SIGBUS"},
    {SIGFPE, "SIGFPE"},   {SIGHUP, "SIGHUP"},   {SIGILL, "SIGILL"},
    {SIGINT, "SIGINT"},   {SIGKILL, "SIGKILL"}, {SIGPIPE, "SIGPIPE"},
    {SIGQUIT, "SIGQUIT"}, {SIGSEGV, "SIGSEGV"}, {SIGSYS, "SIGSYS"},
    {SIGTERM, "SIGTERM"}, {SIGTRAP, "SIGTRAP"}, {SIGUSR1, "SIGUSR1"},
    {SIGUSR2, "SIGUSR2"}, {SIGXCPU, "SIGXCPU"}, {SIGXFSZ, "SIGXFSZ: a file grew beyond its limit"},
};

static void add_signal(int number, struct buf *out)
{
    size_t i;

    buf_addf(out, "signal %d", number);
    for (i = 0; i < sizeof signal_names / sizeof *signal_names; i++)
        if (signal_names[i].number == number)
            buf_addf(out, " (%s)", signal_names[i].name);
}

/* Shells report the death of a command by a signal as 128 + its number. */
static void add_exit(int code, struct buf *out)
{
    buf_addf(out, "exited with code %d", code);
    if (code == 127)
        buf_adds(out, ": a command was not found");
    else if (code == 126)
        buf_adds(out, ": a command was found but could not be executed");
    else if (code > 128 && code < 128 + 65) {
        buf_adds(out, ": a command in it was killed by ");
        add_signal(code - 128, out);
    }
}

void outcome_describe(const struct outcome *outcome, const char *name, struct buf *out)
{
    char duration[CLOCK_TEXT_SIZE];

    if (outcome_ok(outcome))
        return;
    duration_format(outcome->duration_ms, duration);
    buf_addf(out, "%s: ", name);
    switch (outcome->kind) {
    case OUTCOME_EXITED: add_exit(outcome->exit_code, out); break;
    case OUTCOME_SIGNALED:
        buf_adds(out, "was killed by ");
        add_signal(outcome->signal, out);
        if (outcome->core_dumped)
            buf_adds(out, ", core dumped");
        break;
    case OUTCOME_TIMED_OUT:
        buf_addf(out, "did not end within its time limit and was stopped after %s", duration);
        break;
    case OUTCOME_IDLE: buf_addf(out, "gave no output for too long and was stopped after %s", duration); break;
    case OUTCOME_STOPPED: buf_addf(out, "was stopped after %s", duration); break;
    case OUTCOME_MEMORY: buf_addf(out, "used more memory than its limit and was ended after %s", duration); break;
    case OUTCOME_DISK: buf_addf(out, "used up the disk and was ended after %s", duration); break;
    }
    if (outcome->out_of_memory)
        buf_adds(out, "; the kernel killed a process because memory ran out");
}
