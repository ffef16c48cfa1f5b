/* The executor "sandbox" against a sandbox that has been taken over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/mem.h"
#include "proc/sandbox_channel.h"
#include "support/executor_fixture.h"
#include "support/sandbox_fixture.h"

static uint32_t uid(void)
{
    return geteuid() == 0 ? BUILD_UID : geteuid();
}

static void greet(int fd)
{
    sandbox_peer_greet(fd, SANDBOX_VERSION, uid());
}

static void answer(int fd, uint32_t number, const struct outcome *outcome)
{
    struct buf out;

    buf_init(&out, 128);
    sandbox_exit_encode(outcome, &out);
    sandbox_peer_write(fd, SANDBOX_EXIT, 0, number, out.data, out.len);
    buf_dispose(&out);
}

static void succeed(int fd, uint32_t number)
{
    const struct outcome outcome = {.kind = OUTCOME_EXITED};

    answer(fd, number, &outcome);
}

static void lose_with(struct sandbox_fixture *f, void (*play)(int fd), const char *reason, const char *words)
{
    sandbox_start_peer(f, play);
    sandbox_connect_runner(f, 2000);
    sandbox_shell(f, "true");
    assert_int_equal(executor_run(f->executor, &f->command, &f->outcome, &f->err), -1);
    if (f->err.class != CLASS_SANDBOX_LOST || strcmp(f->err.reason, reason) != 0 || !strstr(f->err.message, words))
        fail_msg("%d, %s: %s", (int)f->err.class, f->err.reason, f->err.message);
}

static void lose_by_nonsense(struct sandbox_fixture *f, void (*play)(int fd), const char *words)
{
    lose_with(f, play, "sandbox-nonsense", words);
}

static void play_another_greeting(int fd)
{
    char packet[SANDBOX_PACKET_MAX];

    sandbox_peer_read(fd, packet);
    sandbox_peer_write(fd, SANDBOX_HELLO, 0, 0, "Caisson\n\1\0\0\0\0\0\0\0", 16);
    sandbox_peer_stay(fd);
}

static void test_another_greeting(void **state)
{
    lose_by_nonsense(*state, play_another_greeting, "a greeting that is not caisson's");
}

static void play_silence(int fd)
{
    sandbox_peer_stay(fd);
}

static void test_no_greeting(void **state)
{
    lose_with(*state, play_silence, "sandbox-silent", "did not greet");
}

static void play_two_greetings(int fd)
{
    greet(fd);
    sandbox_peer_write(fd, SANDBOX_HELLO, 0, 0, "caisson\n\1\0\0\0\0\0\0\0", 16);
    sandbox_peer_stay(fd);
}

static void test_two_greetings(void **state)
{
    lose_by_nonsense(*state, play_two_greetings, "a second greeting");
}

static void play_output_before_greeting(int fd)
{
    sandbox_peer_write(fd, SANDBOX_OUTPUT, 0, 1, "x", 1);
    sandbox_peer_stay(fd);
}

static void test_output_before_the_greeting(void **state)
{
    lose_by_nonsense(*state, play_output_before_greeting, "out of turn");
}

static void play_version_2(int fd)
{
    sandbox_peer_greet(fd, 2, uid());
    sandbox_peer_stay(fd);
}

static void test_another_version(void **state)
{
    struct sandbox_fixture *f = *state;

    lose_with(f, play_version_2, "sandbox-version", "speaks version 2 of the protocol, and we speak version 1");
    assert_false(f->err.retryable);
}

static void play_another_user(int fd)
{
    sandbox_peer_greet(fd, SANDBOX_VERSION, uid() + 1);
    sandbox_peer_stay(fd);
}

static void test_another_user(void **state)
{
    if (geteuid() != 0)
        skip();
    lose_with(*state, play_another_user, "sandbox-build-uid", "12346");
}

static void play_another_number(int fd)
{
    greet(fd);
    succeed(fd, sandbox_peer_command(fd) + 1);
    sandbox_peer_stay(fd);
}

static void test_an_end_of_another_command(void **state)
{
    lose_by_nonsense(*state, play_another_number, "about a command that does not run");
}

static void play_early_end(int fd)
{
    greet(fd);
    succeed(fd, 1);
    sandbox_peer_stay(fd);
}

/* An end that is there before its command: nothing that is said beforehand counts. */
static void test_an_end_before_the_command(void **state)
{
    struct sandbox_fixture *f = *state;

    sandbox_start_peer(f, play_early_end);
    sandbox_connect_runner(f, 2000);
    loop_sleep(f->loop, 500, NULL);
    sandbox_shell(f, "true");
    assert_int_equal(executor_run(f->executor, &f->command, &f->outcome, &f->err), -1);
    assert_string_equal(f->err.reason, "sandbox-nonsense");
}

static void play_two_ends(int fd)
{
    uint32_t number;

    greet(fd);
    number = sandbox_peer_command(fd);
    succeed(fd, number);
    succeed(fd, number);
    sandbox_peer_stay(fd);
}

static void test_two_ends(void **state)
{
    struct sandbox_fixture *f = *state;

    sandbox_start_peer(f, play_two_ends);
    sandbox_connect_runner(f, 2000);
    sandbox_run(f, "true");
    loop_sleep(f->loop, 300, NULL);
    assert_int_equal(executor_run(f->executor, &f->command, &f->outcome, &f->err), -1);
    assert_string_equal(f->err.reason, "sandbox-nonsense");
}

static void play_unasked_stop(int fd)
{
    const struct outcome stopped = {.kind = OUTCOME_STOPPED};

    greet(fd);
    answer(fd, sandbox_peer_command(fd), &stopped);
    sandbox_peer_stay(fd);
}

static void test_a_stop_that_nobody_asked_for(void **state)
{
    lose_by_nonsense(*state, play_unasked_stop, "nobody asked for");
}

static void play_unasked_time(int fd)
{
    const struct outcome late = {.kind = OUTCOME_TIMED_OUT};

    greet(fd);
    answer(fd, sandbox_peer_command(fd), &late);
    sandbox_peer_stay(fd);
}

static void test_a_time_limit_that_nobody_set(void **state)
{
    lose_by_nonsense(*state, play_unasked_time, "nobody asked for");
}

static void play_unasked_pong(int fd)
{
    greet(fd);
    sandbox_peer_write(fd, SANDBOX_PONG, 0, 0, "", 0);
    sandbox_peer_stay(fd);
}

static void test_an_answer_to_no_question(void **state)
{
    lose_by_nonsense(*state, play_unasked_pong, "nobody asked for");
}

static void play_unasked_reaped(int fd)
{
    greet(fd);
    sandbox_peer_command(fd);
    sandbox_peer_write(fd, SANDBOX_REAPED, 0, 0, "\0\0\0\0", 4);
    sandbox_peer_stay(fd);
}

static void test_an_end_of_all_before_its_time(void **state)
{
    lose_by_nonsense(*state, play_unasked_reaped, "nobody asked for");
}

static void play_empty_packet(int fd)
{
    greet(fd);
    sandbox_peer_command(fd);
    send(fd, "", 0, 0);
    sandbox_peer_stay(fd);
}

/* It looks like the end of the connection, and is none. */
static void test_an_empty_packet(void **state)
{
    lose_by_nonsense(*state, play_empty_packet, "without a header");
}

static void play_long_packet(int fd)
{
    char *packet = xcalloc(1, 2 * SANDBOX_PACKET_MAX);

    greet(fd);
    sandbox_peer_command(fd);
    packet[0] = SANDBOX_OUTPUT;
    packet[4] = 1;
    send(fd, packet, SANDBOX_PACKET_MAX + 1, 0);
    sandbox_peer_stay(fd);
    free(packet);
}

static void test_a_long_packet(void **state)
{
    lose_by_nonsense(*state, play_long_packet, "too long");
}

static void play_descriptor(int fd)
{
    char byte = SANDBOX_PONG, control[CMSG_SPACE(sizeof fd)] = {0};
    struct iovec bytes = {&byte, 1};
    struct msghdr header = {
        .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *passed = CMSG_FIRSTHDR(&header);

    greet(fd);
    sandbox_peer_command(fd);
    passed->cmsg_level = SOL_SOCKET;
    passed->cmsg_type = SCM_RIGHTS;
    passed->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(passed), &fd, sizeof fd);
    sendmsg(fd, &header, 0);
    sandbox_peer_stay(fd);
}

static int count_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;

    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static void test_a_passed_descriptor(void **state)
{
    struct sandbox_fixture *f = *state;
    int before;

    before = count_descriptors();
    lose_by_nonsense(f, play_descriptor, "passes a descriptor");
    assert_int_equal(count_descriptors(), before);
}

static void play_held(int fd)
{
    char packet[SANDBOX_PACKET_MAX];

    greet(fd);
    succeed(fd, sandbox_peer_command(fd));
    while (sandbox_peer_read(fd, packet) > 0 && packet[0] != SANDBOX_FINISH)
        continue;
    sandbox_peer_write(fd, SANDBOX_REAPED, 0, 0, "\0\0\0\0", 4);
    sandbox_peer_stay(fd);
}

static void finish_with(struct sandbox_fixture *f, void (*play)(int fd), const char *reason)
{
    int64_t began_ms;

    sandbox_start_peer(f, play);
    sandbox_connect_runner(f, 2000);
    sandbox_run(f, "true");
    began_ms = clock_monotonic_ms();
    assert_int_equal(executor_finish(f->executor, &f->err), -1);
    assert_int_equal(f->err.class, CLASS_SANDBOX_LOST);
    assert_string_equal(f->err.reason, reason);
    assert_true(clock_monotonic_ms() - began_ms < 6000);
}

static void test_a_connection_that_stays_open(void **state)
{
    finish_with(*state, play_held, "sandbox-held-open");
}

static void play_half_closed(int fd)
{
    char packet[SANDBOX_PACKET_MAX];

    greet(fd);
    succeed(fd, sandbox_peer_command(fd));
    while (sandbox_peer_read(fd, packet) > 0 && packet[0] != SANDBOX_FINISH)
        continue;
    sandbox_peer_write(fd, SANDBOX_REAPED, 0, 0, "\0\0\0\0", 4);
    shutdown(fd, SHUT_WR);
    poll(NULL, 0, 10000);
}

/* Its side shut down, and somebody still holds it: not an end. */
static void test_a_connection_that_is_half_closed(void **state)
{
    finish_with(*state, play_half_closed, "sandbox-nonsense");
}

static void play_talkative_end(int fd)
{
    char packet[SANDBOX_PACKET_MAX];

    greet(fd);
    succeed(fd, sandbox_peer_command(fd));
    while (sandbox_peer_read(fd, packet) > 0 && packet[0] != SANDBOX_FINISH)
        continue;
    sandbox_peer_write(fd, SANDBOX_REAPED, 0, 0, "\0\0\0\0", 4);
    sandbox_peer_write(fd, SANDBOX_OUTPUT, 0, 1, "x", 1);
}

static void test_words_after_the_last(void **state)
{
    finish_with(*state, play_talkative_end, "sandbox-nonsense");
}

static void play_early_hang_up(int fd)
{
    char packet[SANDBOX_PACKET_MAX];

    greet(fd);
    succeed(fd, sandbox_peer_command(fd));
    while (sandbox_peer_read(fd, packet) > 0 && packet[0] != SANDBOX_FINISH)
        continue;
}

static void test_a_hang_up_without_the_last_word(void **state)
{
    finish_with(*state, play_early_hang_up, "sandbox-gone");
}

static void play_flood(int fd)
{
    char *text = xcalloc(1, SANDBOX_PAYLOAD_MAX);
    uint32_t number;
    int i;

    greet(fd);
    number = sandbox_peer_command(fd);
    for (i = 0; i < 4096; i++)
        sandbox_peer_write(fd, SANDBOX_OUTPUT, (unsigned)i & 1, number, text, SANDBOX_PAYLOAD_MAX);
    sandbox_peer_stay(fd);
    free(text);
}

static void count_bytes(void *context, bool is_stderr, const char *data, size_t len)
{
    (void)is_stderr;
    (void)data;
    ((struct sandbox_fixture *)context)->bytes += len;
}

static void stop_now(void *context)
{
    struct sandbox_fixture *f = context;

    executor_stop(f->executor, clock_monotonic_ms() + 300);
}

/* Whoever never ends keeps the runner busy, and neither deaf nor late. */
static void test_a_flood_does_not_keep_a_stop_away(void **state)
{
    struct sandbox_fixture *f = *state;
    int64_t began_ms;

    sandbox_start_peer(f, play_flood);
    sandbox_connect_runner(f, 10000);
    sandbox_shell(f, "true");
    f->command.on_output = count_bytes;
    loop_timer_start(f->loop, 1000, stop_now, f);
    began_ms = clock_monotonic_ms();
    assert_int_equal(executor_run(f->executor, &f->command, &f->outcome, &f->err), -1);
    assert_string_equal(f->err.reason, "sandbox-overdue");
    assert_true(clock_monotonic_ms() - began_ms < 8000);
    assert_true(f->bytes > 0);
}

static void play_deaf(int fd)
{
    greet(fd);
    poll(NULL, 0, 15000);
}

static void test_one_that_reads_nothing(void **state)
{
    struct sandbox_fixture *f = *state;
    char *large = xmalloc(3000001);

    memset(large, 'x', 3000000);
    large[3000000] = '\0';
    sandbox_start_peer(f, play_deaf);
    sandbox_connect_runner(f, 2000);
    sandbox_shell(f, "true");
    env_set(&f->command.env, "LARGE", large);
    free(large);
    assert_int_equal(executor_run(f->executor, &f->command, &f->outcome, &f->err), -1);
    assert_string_equal(f->err.reason, "sandbox-silent");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_setup, sandbox_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_another_greeting),
        TEST(test_no_greeting),
        TEST(test_two_greetings),
        TEST(test_output_before_the_greeting),
        TEST(test_another_version),
        TEST(test_another_user),
        TEST(test_an_end_of_another_command),
        TEST(test_an_end_before_the_command),
        TEST(test_two_ends),
        TEST(test_a_stop_that_nobody_asked_for),
        TEST(test_a_time_limit_that_nobody_set),
        TEST(test_an_answer_to_no_question),
        TEST(test_an_end_of_all_before_its_time),
        TEST(test_an_empty_packet),
        TEST(test_a_long_packet),
        TEST(test_a_passed_descriptor),
        TEST(test_a_connection_that_stays_open),
        TEST(test_a_connection_that_is_half_closed),
        TEST(test_words_after_the_last),
        TEST(test_a_hang_up_without_the_last_word),
        TEST(test_a_flood_does_not_keep_a_stop_away),
        TEST(test_one_that_reads_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
