#include "support/executor_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/mem.h"

bool executor_runs_self(void)
{
    int status, fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    pid_t pid = fork();

    if (pid == 0) {
        char name[] = "caisson", word[] = "--say", what[] = "nothing";
        char *argv[] = {name, word, what, NULL}, *env[] = {NULL};

        dup2(open("/dev/null", O_RDWR | O_CLOEXEC), 1);
        syscall(SYS_execveat, fd, "", argv, env, AT_EMPTY_PATH);
        _exit(126);
    }
    close(fd);
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool executor_adopts_orphans(void)
{
    int adopts = 0;

    return getpid() == 1 || (prctl(PR_GET_CHILD_SUBREAPER, &adopts, 0L, 0L, 0L) == 0 && adopts);
}

int executor_setup(void **state)
{
    struct executor_fixture *f = xcalloc(1, sizeof *f);

    f->loop = loop_new();
    if (reaper_new(&f->reaper, f->loop, &f->err))
        return -1;
    f->options = (struct executor_options){.loop = f->loop,
                                           .reaper = f->reaper,
                                           .build_uid = BUILD_UID,
                                           .build_gid = BUILD_GID,
                                           .self_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
                                           .pid1 = getpid() == 1};
    if (executor_new(&f->executor, "local", &f->options, &f->err))
        return -1;
    buf_init(&f->output, 1024 * 1024);
    *state = f;
    return 0;
}

int executor_teardown(void **state)
{
    struct executor_fixture *f = *state;

    executor_free(f->executor);
    reaper_free(f->reaper);
    loop_free(f->loop);
    close(f->options.self_fd);
    buf_dispose(&f->output);
    free(f);
    return 0;
}

void executor_keep_output(void *context, bool is_stderr, const char *data, size_t len)
{
    struct executor_fixture *f = context;

    f->bytes += len;
    f->error_bytes += is_stderr ? len : 0;
    buf_add(&f->output, data, len);
}

struct command *executor_shell(struct executor_fixture *f, const char *script)
{
    command_init(&f->command, "test");
    strings_add(&f->command.argv, "sh");
    strings_add(&f->command.argv, "-c");
    strings_add(&f->command.argv, script);
    env_set(&f->command.env, "PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
    f->command.on_output = executor_keep_output;
    f->command.context = f;
    buf_reset(&f->output);
    f->bytes = f->error_bytes = 0;
    return &f->command;
}

void executor_run_prepared(struct executor_fixture *f)
{
    if (executor_run(f->executor, &f->command, &f->outcome, &f->err))
        fail_msg("%s: %s", f->err.reason, f->err.message);
    command_dispose(&f->command);
}

void executor_run_shell(struct executor_fixture *f, const char *script)
{
    executor_shell(f, script);
    executor_run_prepared(f);
}
