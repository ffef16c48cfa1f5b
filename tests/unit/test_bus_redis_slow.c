/* Redis: a server that takes its time. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus/redis.h"
#include "core/clock.h"
#include "core/mem.h"
#include "support/bus_fixture.h"

/* Reads so many bytes, 64 KiB every 25 ms, then answers. In a process of its own. */
static pid_t slow_server(int *port, size_t len)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 65536, fd;
    static char data[65536];
    ssize_t count = 1;
    pid_t pid;

    setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);
    getsockname(listener, (struct sockaddr *)&address, &size);
    *port = ntohs(address.sin_port);
    pid = fork();
    if (pid)
        return close(listener), pid;
    fd = accept(listener, NULL, NULL);
    while (len && count > 0) {
        count = recv(fd, data, sizeof data, 0);
        len -= count > 0 ? (size_t)count : 0;
        usleep(25000);
    }
    _exit(count > 0 && write(fd, ":1\r\n", 4) == 4 && read(fd, data, 1) == 0 ? 0 : 1);
}

/* Who takes longer than an answer may, but takes. */
static void a_slow_reader_is_not_a_silent_one(void **state)
{
    struct redis_options options = {.host = "127.0.0.1", .answer_timeout_ms = 3000};
    size_t len = 15u << 20, head = strlen("*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$15728640\r\n\r\n");
    char *text = xcalloc(1, len);
    pid_t pid = slow_server(&options.port, len + head);
    struct redis *redis = redis_new(loop, &options);
    struct answers answers = {0};
    int64_t start = clock_monotonic_ms();
    int status;

    (void)state;
    redis_publish(redis, "c", (struct view){text, len}, answered, asked(&answers, 'l'));
    wait_for(&answers.answered, 1);
    assert_int_equal(answers.failed, 0);
    assert_true(clock_monotonic_ms() - start > 3000);
    redis_free(redis);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_LOOP(a_slow_reader_is_not_a_silent_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
