/*
 * A runner's executor against a sandbox in another process: the real server, or a peer that a test scripts. The test's
 * own reaper is what says that the process has ended, as task metadata does of a container.
 */
#ifndef CAISSON_TESTS_SANDBOX_FIXTURE_H
#define CAISSON_TESTS_SANDBOX_FIXTURE_H

#include "proc/executor.h"
#include "proc/sandbox_message.h"

struct sandbox_fixture {
    char folder[64], socket[96];
    struct loop *loop;
    struct reaper *reaper;
    struct executor *executor;
    struct executor_options options;
    struct command command;
    struct outcome outcome;
    struct error err;
    struct buf output;
    size_t bytes;
    pid_t peer;      /* 0: none */
    bool peer_ended; /* reaped; exit_code is as a shell gives it */
    int exit_code;
    int asked;                /* how often it was asked whether the peer has stopped */
    struct container_end lie; /* given as the peer's end, where pretend is set */
    bool pretend, deny;       /* deny: never say that it has stopped */
};

/* cmocka's setup: a folder with no socket in it, and no executor yet. */
int sandbox_setup(void **state);
int sandbox_teardown(void **state);

/* Starts the real server. wait_ms and budget_ms as of struct sandbox_server. */
void sandbox_start_server(struct sandbox_fixture *f, int64_t wait_ms, int64_t budget_ms);
/* Starts a peer that listens, accepts one, and plays. It ends when play returns. */
void sandbox_start_peer(struct sandbox_fixture *f, void (*play)(int fd));
/* For a peer: reads one packet of at most SANDBOX_PACKET_MAX bytes, within 10 s; 0 at the end. */
size_t sandbox_peer_read(int fd, char *packet);
void sandbox_peer_write(int fd, enum sandbox_type type, unsigned flags, uint32_t number, const void *data, size_t len);
/* Answers the greeting as a sandbox of `version` that builds as the fixture's user. */
void sandbox_peer_greet(int fd, uint32_t version, uint32_t build_uid);
/* The number of the next command, all of it read. */
uint32_t sandbox_peer_command(int fd);
/* Until the runner hangs up. */
void sandbox_peer_stay(int fd);

/* The runner's executor, with this time for everything. */
void sandbox_connect_runner(struct sandbox_fixture *f, int64_t timeout_ms);
/* `sh -c script` as f->command, its output kept. */
struct command *sandbox_shell(struct sandbox_fixture *f, const char *script);
/* Runs f->command, which must be possible. */
void sandbox_run(struct sandbox_fixture *f, const char *script);
/* Waits for the peer's end; its exit code. */
int sandbox_peer_end(struct sandbox_fixture *f);

#endif
