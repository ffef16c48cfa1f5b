/*
 * A whole conversation over real sockets. The first byte says who is attacked: even, the runner's executor, by a
 * sandbox; odd, the sandbox's server, by a runner. Then packets, each after its length in two bytes, then the end of
 * the connection. Whoever is attacked may give up, and must neither crash nor hang.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proc/executor.h"
#include "proc/sandbox_channel.h"
#include "proc/sandbox_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    struct loop *loop;
    struct reaper *reaper;
    struct executor *nowhere; /* the server's: the other kind, which finds nobody, so that nothing is ever run */
    char socket[64];
    int listener;
} bed;

static int never_stopped(void *context, int64_t deadline_ms, const bool *stop, struct container_end *end,
                         struct error *err)
{
    (void)context;
    (void)deadline_ms;
    (void)stop;
    (void)end;
    return error_set(err, CLASS_SANDBOX_LOST, "never", "never");
}

static struct executor *runner(const char *path, int64_t timeout_ms)
{
    const struct executor_options options = {.loop = bed.loop,
                                             .reaper = bed.reaper,
                                             .build_uid = 1000,
                                             .self_fd = -1,
                                             .sandbox_socket = path,
                                             .sandbox_timeout_ms = timeout_ms,
                                             .sandbox_stopped = never_stopped};
    struct executor *executor = NULL;

    if (executor_new(&executor, "sandbox", &options, NULL))
        abort();
    return executor;
}

static void remove_folder(void)
{
    char *slash = strrchr(bed.socket, '/');

    unlink(bed.socket);
    *slash = '\0';
    rmdir(bed.socket);
}

static void make_bed(void)
{
    char folder[] = "/tmp/caisson-fuzz-XXXXXX";

    if (!mkdtemp(folder))
        abort();
    snprintf(bed.socket, sizeof bed.socket, "%s/socket", folder);
    bed.listener = sandbox_listen(bed.socket, NULL);
    bed.loop = loop_new();
    if (bed.listener < 0 || reaper_new(&bed.reaper, bed.loop, NULL))
        abort();
    bed.nowhere = runner("/nonexistent/socket", 1);
    atexit(remove_folder);
}

static void send_packets(int fd, const uint8_t *data, size_t size)
{
    size_t at = 0;

    while (at + 2 <= size) {
        size_t len = (size_t)data[at] | (size_t)data[at + 1] << 8;

        at += 2;
        if (len > size - at)
            len = size - at;
        send(fd, data + at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        at += len;
    }
}

static void ignore_output(void *context, bool is_stderr, const char *data, size_t len)
{
    (void)context;
    (void)is_stderr;
    if (!data || !len)
        abort();
}

static void attack_runner(const uint8_t *data, size_t size)
{
    struct executor *executor = runner(bed.socket, 1000);
    struct command command;
    struct outcome outcome;
    struct error err;
    int fd = -1, i;

    command_init(&command, "fuzz");
    strings_add(&command.argv, "true");
    command.on_output = ignore_output;
    for (i = 0; i < 1000 && fd < 0; i++) {
        loop_run_once(bed.loop, 1);
        fd = sandbox_accept(bed.listener);
    }
    if (fd < 0)
        abort();
    send_packets(fd, data, size);
    close(fd);
    if (executor_run(executor, &command, &outcome, &err) == 0 && executor_finish(executor, &err) == 0)
        abort(); /* nobody confirms the end */
    if (err.class != CLASS_SANDBOX_LOST && err.class != CLASS_INTERNAL)
        abort();
    command_dispose(&command);
    executor_free(executor);
}

static void say_nothing(void *context, const char *line)
{
    (void)context;
    (void)line;
}

static void attack_server(const uint8_t *data, size_t size)
{
    struct sandbox_server server = {.loop = bed.loop,
                                    .reaper = bed.reaper,
                                    .executor = bed.nowhere,
                                    .build_uid = 1000,
                                    .stop_budget_ms = 1000,
                                    .say = say_nothing};
    struct error err;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        abort();
    send_packets(pair[1], data, size);
    close(pair[1]);
    server.connection_fd = pair[0];
    if (sandbox_serve(&server, &err) && err.class != CLASS_SANDBOX_LOST)
        abort();
    executor_resume(bed.nowhere);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    if (!bed.loop)
        make_bed();
    if (data[0] & 1)
        attack_server(data + 1, size - 1);
    else
        attack_runner(data + 1, size - 1);
    return 0;
}
