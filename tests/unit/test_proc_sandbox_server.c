/* `caisson sandbox`: its life, and what it does with a runner that was taken over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/mem.h"
#include "proc/sandbox_channel.h"
#include "support/executor_fixture.h"
#include "support/sandbox_fixture.h"

#define LONG_MS 20000

static struct sandbox_fixture *start(void **state)
{
    struct sandbox_fixture *f = *state;

    sandbox_start_server(f, LONG_MS, LONG_MS);
    sandbox_connect_runner(f, LONG_MS);
    return f;
}

static void test_no_runner_comes(void **state)
{
    struct sandbox_fixture *f = *state;

    sandbox_start_server(f, 300, LONG_MS);
    assert_int_equal(sandbox_peer_end(f), CLASS_SANDBOX_LOST);
    assert_int_equal(access(f->socket, F_OK), -1);
}

static void hang_up(void *context)
{
    struct sandbox_fixture *f = context;

    executor_stop(f->executor, clock_monotonic_ms());
}

static void test_a_runner_that_goes(void **state)
{
    struct sandbox_fixture *f = start(state);
    pid_t left;

    sandbox_run(f, "true");
    loop_timer_start(f->loop, 500, hang_up, f);
    sandbox_shell(f, "trap '' TERM; echo $$; while :; do sleep 0.05; done");
    executor_run(f->executor, &f->command, &f->outcome, &f->err);
    left = (pid_t)strtol(buf_text(&f->output), NULL, 10);
    assert_true(left > 1);
    executor_free(f->executor);
    f->executor = NULL;
    assert_int_equal(sandbox_peer_end(f), CLASS_SANDBOX_LOST);
    assert_int_equal(kill(left, 0), -1);
}

static void end_peer(void *context)
{
    kill(((struct sandbox_fixture *)context)->peer, SIGTERM);
}

static void test_a_stop_signal_leaves_the_word_to_the_runner(void **state)
{
    struct sandbox_fixture *f = *state;

    sandbox_start_server(f, LONG_MS, 1000);
    sandbox_connect_runner(f, LONG_MS);
    sandbox_run(f, "true");
    kill(f->peer, SIGTERM);
    sandbox_run(f, "sleep 0.3; echo still");
    assert_string_equal(buf_text(&f->output), "still\n");
    sandbox_shell(f, "sleep 600");
    assert_int_equal(executor_run(f->executor, &f->command, &f->outcome, &f->err), -1);
    assert_string_equal(f->err.reason, "sandbox-gone");
    assert_int_equal(f->exit_code, CLASS_INTERRUPTED);
}

static void test_a_stop_signal_before_a_runner(void **state)
{
    struct sandbox_fixture *f = *state;

    sandbox_start_server(f, LONG_MS, LONG_MS);
    loop_timer_start(f->loop, 500, end_peer, f);
    assert_int_equal(sandbox_peer_end(f), CLASS_INTERRUPTED);
}

/* Whoever is neither root nor we cannot reach it; who reaches it all the same is not served. */
static void test_strangers_are_not_let_in(void **state)
{
    struct sandbox_fixture *f = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat status;
    char byte;
    int fd, i;

    sandbox_start_server(f, LONG_MS, LONG_MS);
    for (i = 0; i < 1000 && stat(f->socket, &status); i++)
        usleep(10 * 1000);
    assert_int_equal(status.st_mode & 0777, 0600);
    if (geteuid() != 0)
        skip();
    snprintf(address.sun_path, sizeof address.sun_path, "%s", f->socket);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(seteuid(BUILD_UID), 0);
    i = connect(fd, (struct sockaddr *)&address, sizeof address);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(i, -1);
    chmod(f->socket, 0666);
    assert_int_equal(seteuid(BUILD_UID), 0);
    i = connect(fd, (struct sockaddr *)&address, sizeof address);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(i, 0);
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    close(fd);
    sandbox_connect_runner(f, LONG_MS);
    sandbox_run(f, "echo for root");
    assert_string_equal(buf_text(&f->output), "for root\n");
}

/* ---- what pretends to be a runner ---- */

/* A connection to the real server. */
static int knock(struct sandbox_fixture *f)
{
    int i, fd = -1;

    sandbox_start_server(f, 10000, 10000);
    for (i = 0; i < 500 && fd < 0; i++) {
        usleep(10 * 1000);
        fd = sandbox_connect(f->socket, NULL);
    }
    assert_true(fd >= 0);
    fcntl(fd, F_SETFL, 0);
    return fd;
}

static void say_hello(int fd)
{
    char packet[SANDBOX_PACKET_MAX];

    sandbox_peer_write(fd, SANDBOX_HELLO, 0, 0, "caisson\n\1\0\0\0\0\0\0\0", 16);
    assert_true(sandbox_peer_read(fd, packet) > 0);
    assert_int_equal(packet[0], SANDBOX_HELLO);
}

static void send_script(int fd, uint32_t number, const char *script)
{
    struct command command;
    struct buf out;

    command_init(&command, "test");
    strings_add(&command.argv, "/bin/sh");
    strings_add(&command.argv, "-c");
    strings_add(&command.argv, script);
    buf_init(&out, SANDBOX_COMMAND_MAX);
    sandbox_command_encode(&command, &out);
    sandbox_peer_write(fd, SANDBOX_COMMAND, SANDBOX_LAST, number, out.data, out.len);
    buf_dispose(&out);
    command_dispose(&command);
}

/* It hangs up at once, and whatever it ran is dead. */
static void is_refused(struct sandbox_fixture *f, int fd)
{
    char packet[SANDBOX_PACKET_MAX];

    while (sandbox_peer_read(fd, packet) > 0)
        continue;
    close(fd);
    assert_int_equal(sandbox_peer_end(f), CLASS_SANDBOX_LOST);
}

static void test_a_command_before_the_greeting(void **state)
{
    int fd = knock(*state);

    send_script(fd, 1, "true");
    is_refused(*state, fd);
}

static void test_a_runner_of_another_version(void **state)
{
    int fd = knock(*state);

    sandbox_peer_write(fd, SANDBOX_HELLO, 0, 0, "caisson\n\2\0\0\0\0\0\0\0and more", 24);
    is_refused(*state, fd);
}

static void test_two_commands_at_once(void **state)
{
    int fd = knock(*state);

    say_hello(fd);
    send_script(fd, 1, "sleep 600");
    send_script(fd, 2, "true");
    is_refused(*state, fd);
}

static void test_a_number_that_was_used(void **state)
{
    int fd = knock(*state);
    char packet[SANDBOX_PACKET_MAX];

    say_hello(fd);
    send_script(fd, 5, "true");
    assert_true(sandbox_peer_read(fd, packet) > 0);
    assert_int_equal(packet[0], SANDBOX_EXIT);
    send_script(fd, 5, "true");
    is_refused(*state, fd);
}

static void test_a_command_that_never_ends(void **state)
{
    int fd = knock(*state), i;
    char *piece = xcalloc(1, SANDBOX_PAYLOAD_MAX);

    say_hello(fd);
    for (i = 0; i <= SANDBOX_COMMAND_MAX / SANDBOX_PAYLOAD_MAX; i++)
        sandbox_peer_write(fd, SANDBOX_COMMAND, 0, 1, piece, SANDBOX_PAYLOAD_MAX);
    free(piece);
    is_refused(*state, fd);
}

static void test_a_command_of_garbage(void **state)
{
    int fd = knock(*state);

    say_hello(fd);
    sandbox_peer_write(fd, SANDBOX_COMMAND, SANDBOX_LAST, 1, "garbage", 7);
    is_refused(*state, fd);
}

static void test_an_end_while_a_command_runs(void **state)
{
    int fd = knock(*state);
    char packet[SANDBOX_PACKET_MAX];
    pid_t running;

    say_hello(fd);
    send_script(fd, 1, "echo $$; exec sleep 600");
    packet[sandbox_peer_read(fd, packet)] = '\0';
    running = (pid_t)strtol(packet + SANDBOX_HEADER_SIZE, NULL, 10);
    assert_true(running > 1);
    sandbox_peer_write(fd, SANDBOX_FINISH, 0, 0, "", 0);
    is_refused(*state, fd);
    assert_int_equal(kill(running, 0), -1);
}

static void test_words_about_a_command_of_the_future(void **state)
{
    int fd = knock(*state);

    say_hello(fd);
    sandbox_peer_write(fd, SANDBOX_KILL, 0, 9, "", 0);
    is_refused(*state, fd);
}

static void test_words_about_a_command_of_the_past_are_late(void **state)
{
    struct sandbox_fixture *f = *state;
    int fd = knock(f);
    char packet[SANDBOX_PACKET_MAX];

    say_hello(fd);
    send_script(fd, 1, "true");
    assert_true(sandbox_peer_read(fd, packet) > 0);
    sandbox_peer_write(fd, SANDBOX_KILL, 0, 1, "", 0);
    sandbox_peer_write(fd, SANDBOX_CANCEL, 0, 1, "\0\0\0\0", 4);
    send_script(fd, 2, "exit 9");
    assert_true(sandbox_peer_read(fd, packet) > 0);
    assert_int_equal(packet[0], SANDBOX_EXIT);
    assert_int_equal(packet[4], 2);
    sandbox_peer_write(fd, SANDBOX_FINISH, 0, 0, "", 0);
    assert_true(sandbox_peer_read(fd, packet) > 0);
    assert_int_equal(packet[0], SANDBOX_REAPED);
    assert_int_equal(sandbox_peer_read(fd, packet), 0);
    close(fd);
    assert_int_equal(sandbox_peer_end(f), 0);
}

static void test_a_command_that_is_cancelled_at_once(void **state)
{
    int fd = knock(*state);
    char packet[SANDBOX_PACKET_MAX];

    say_hello(fd);
    send_script(fd, 1, "sleep 600");
    sandbox_peer_write(fd, SANDBOX_CANCEL, 0, 1, "\0\0\0\0", 4);
    assert_true(sandbox_peer_read(fd, packet) > 0);
    assert_int_equal(packet[0], SANDBOX_EXIT);
    assert_int_equal(packet[SANDBOX_HEADER_SIZE], OUTCOME_STOPPED);
    send_script(fd, 2, "exit 0");
    assert_true(sandbox_peer_read(fd, packet) > 0);
    assert_int_equal(packet[0], SANDBOX_EXIT);
    close(fd);
    assert_int_equal(sandbox_peer_end(*state), CLASS_SANDBOX_LOST);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_setup, sandbox_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_no_runner_comes),
        TEST(test_a_runner_that_goes),
        TEST(test_a_stop_signal_leaves_the_word_to_the_runner),
        TEST(test_a_stop_signal_before_a_runner),
        TEST(test_strangers_are_not_let_in),
        TEST(test_a_command_before_the_greeting),
        TEST(test_a_runner_of_another_version),
        TEST(test_two_commands_at_once),
        TEST(test_a_number_that_was_used),
        TEST(test_a_command_that_never_ends),
        TEST(test_a_command_of_garbage),
        TEST(test_an_end_while_a_command_runs),
        TEST(test_words_about_a_command_of_the_future),
        TEST(test_words_about_a_command_of_the_past_are_late),
        TEST(test_a_command_that_is_cancelled_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
