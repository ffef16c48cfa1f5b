#include "support/sandbox_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/fs.h"
#include "core/mem.h"
#include "proc/sandbox_channel.h"
#include "proc/sandbox_server.h"
#include "support/end_with.h"
#include "support/executor_fixture.h"

#define OUTPUT_MAX (16 * 1024 * 1024)

static uint32_t build_uid(void)
{
    return geteuid() == 0 ? BUILD_UID : geteuid();
}

int sandbox_setup(void **state)
{
    struct sandbox_fixture *f = xcalloc(1, sizeof *f);

    snprintf(f->folder, sizeof f->folder, "/tmp/caisson-sandbox-XXXXXX");
    if (!mkdtemp(f->folder) || chmod(f->folder, 0755))
        return -1;
    snprintf(f->socket, sizeof f->socket, "%s/socket", f->folder);
    f->loop = loop_new();
    if (reaper_new(&f->reaper, f->loop, &f->err))
        return -1;
    buf_init(&f->output, OUTPUT_MAX);
    *state = f;
    return 0;
}

static void on_peer_end(void *context, int status, const struct rusage *usage)
{
    struct sandbox_fixture *f = context;

    (void)usage;
    f->peer_ended = true;
    f->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int sandbox_peer_end(struct sandbox_fixture *f)
{
    int64_t limit_ms = clock_monotonic_ms() + 20000;

    while (!f->peer_ended && clock_monotonic_ms() < limit_ms)
        loop_run_once(f->loop, 100);
    assert_true(f->peer_ended);
    return f->exit_code;
}

int sandbox_teardown(void **state)
{
    struct sandbox_fixture *f = *state;

    if (f->executor)
        executor_free(f->executor);
    if (f->peer && !f->peer_ended) {
        kill(f->peer, SIGKILL);
        sandbox_peer_end(f);
    }
    command_dispose(&f->command);
    reaper_free(f->reaper);
    loop_free(f->loop);
    buf_dispose(&f->output);
    fs_remove_tree(f->folder);
    free(f);
    return 0;
}

/* ---- the other process ---- */

/* A child that goes when the test goes; in it the functions of the runner's side must not be used. */
static bool fork_peer(struct sandbox_fixture *f)
{
    pid_t parent = getpid();

    f->peer = fork();
    if (f->peer == 0) {
        sigset_t none;

        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        end_with(parent);
        return true;
    }
    assert_true(f->peer > 0);
    reaper_watch(f->reaper, f->peer, on_peer_end, f);
    return false;
}

static void quiet(void *context, const char *line)
{
    (void)context;
    (void)line;
}

static int serve(const struct sandbox_fixture *f, int64_t wait_ms, int64_t budget_ms)
{
    struct sandbox_server server = {
        .build_uid = build_uid(), .socket = f->socket, .wait_ms = wait_ms, .stop_budget_ms = budget_ms, .say = quiet};
    struct executor_options options = {.build_uid = build_uid(), .build_gid = build_uid(), .self_fd = -1};
    struct error err;

    options.loop = server.loop = loop_new();
    if (reaper_new(&server.reaper, server.loop, &err))
        return 59;
    options.reaper = server.reaper;
    if (executor_new(&server.executor, "local", &options, &err))
        return 59;
    return sandbox_serve(&server, &err) ? (int)err.class : 0;
}

void sandbox_start_server(struct sandbox_fixture *f, int64_t wait_ms, int64_t budget_ms)
{
    if (fork_peer(f))
        _exit(serve(f, wait_ms, budget_ms));
}

void sandbox_start_peer(struct sandbox_fixture *f, void (*play)(int fd))
{
    struct pollfd knock;
    int fd;

    if (!fork_peer(f))
        return;
    knock = (struct pollfd){.fd = sandbox_listen(f->socket, NULL), .events = POLLIN};
    poll(&knock, 1, 10000);
    fd = sandbox_accept(knock.fd);
    if (fd < 0)
        _exit(1);
    fcntl(fd, F_SETFL, 0);
    play(fd);
    _exit(0);
}

size_t sandbox_peer_read(int fd, char *packet)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    ssize_t got;

    if (poll(&ready, 1, 10000) != 1)
        _exit(2);
    got = recv(fd, packet, SANDBOX_PACKET_MAX, 0);
    return got > 0 ? (size_t)got : 0;
}

void sandbox_peer_write(int fd, enum sandbox_type type, unsigned flags, uint32_t number, const void *data, size_t len)
{
    const struct sandbox_message message = {type, flags, number, {data, len}};
    struct buf packet;

    buf_init(&packet, SANDBOX_PACKET_MAX);
    sandbox_message_encode(&message, &packet);
    send(fd, packet.data, packet.len, MSG_NOSIGNAL);
    buf_dispose(&packet);
}

void sandbox_peer_greet(int fd, uint32_t version, uint32_t uid)
{
    const struct sandbox_hello hello = {version, uid};
    char packet[SANDBOX_PACKET_MAX];
    struct buf out;

    sandbox_peer_read(fd, packet);
    buf_init(&out, 64);
    sandbox_hello_encode(&hello, &out);
    sandbox_peer_write(fd, SANDBOX_HELLO, 0, 0, out.data, out.len);
    buf_dispose(&out);
}

uint32_t sandbox_peer_command(int fd)
{
    char packet[SANDBOX_PACKET_MAX];
    struct sandbox_message message;
    size_t len;

    while ((len = sandbox_peer_read(fd, packet)) > 0)
        if (!sandbox_message_decode((struct view){packet, len}, SANDBOX_RUNNER, &message) &&
            message.type == SANDBOX_COMMAND && message.flags & SANDBOX_LAST)
            return message.number;
    _exit(3);
}

void sandbox_peer_stay(int fd)
{
    char packet[SANDBOX_PACKET_MAX];

    while (sandbox_peer_read(fd, packet) > 0)
        continue;
}

/* ---- the runner ---- */

static int peer_stopped(void *context, int64_t deadline_ms, const bool *stop, struct container_end *end,
                        struct error *err)
{
    struct sandbox_fixture *f = context;

    f->asked++;
    while ((!f->peer_ended || f->deny) && !*stop && clock_monotonic_ms() < deadline_ms)
        loop_run_once(f->loop, 20);
    if (!f->peer_ended || f->deny)
        return error_set(err, CLASS_SANDBOX_LOST, "container-not-stopped", "it says RUNNING");
    end->exit_code = f->exit_code;
    if (f->pretend)
        *end = f->lie;
    return 0;
}

void sandbox_connect_runner(struct sandbox_fixture *f, int64_t timeout_ms)
{
    f->options = (struct executor_options){.loop = f->loop,
                                           .reaper = f->reaper,
                                           .build_uid = build_uid(),
                                           .build_gid = build_uid(),
                                           .self_fd = -1,
                                           .sandbox_socket = f->socket,
                                           .sandbox_timeout_ms = timeout_ms,
                                           .sandbox_stopped = peer_stopped,
                                           .sandbox_context = f};
    if (executor_new(&f->executor, "sandbox", &f->options, &f->err))
        fail_msg("%s: %s", f->err.reason, f->err.message);
}

static void keep_output(void *context, bool is_stderr, const char *data, size_t len)
{
    struct sandbox_fixture *f = context;

    (void)is_stderr;
    f->bytes += len;
    buf_add(&f->output, data, len);
}

struct command *sandbox_shell(struct sandbox_fixture *f, const char *script)
{
    command_dispose(&f->command);
    command_init(&f->command, "test");
    strings_add(&f->command.argv, "sh");
    strings_add(&f->command.argv, "-c");
    strings_add(&f->command.argv, script);
    env_set(&f->command.env, "PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
    f->command.on_output = keep_output;
    f->command.context = f;
    buf_reset(&f->output);
    f->bytes = 0;
    return &f->command;
}

void sandbox_run(struct sandbox_fixture *f, const char *script)
{
    sandbox_shell(f, script);
    if (executor_run(f->executor, &f->command, &f->outcome, &f->err))
        fail_msg("%s: %s", f->err.reason, f->err.message);
}
