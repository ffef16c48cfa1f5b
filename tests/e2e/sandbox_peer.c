/*
 * What a sandbox that has been taken over could be: it greets as it should, says of each command that it went well,
 * and of the end
 *   held    that all is reaped, but does not hang up
 *   liar    that all is reaped, hangs up, and lives on
 *   mute    nothing
 *   noisy   something that is no message
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PATH "/var/lib/caisson/sandbox.sock"
enum { HELLO = 1, COMMAND = 2, PING = 5, FINISH = 6, EXIT = 8, PONG = 10, REAPED = 11 };

static char in[65536], out[65536];

static void say(int fd, int type, const char *number, size_t len)
{
    memset(out, 0, 8);
    out[0] = (char)type;
    if (number)
        memcpy(out + 4, number, 4);
    send(fd, out, 8 + len, 0);
    memset(out, 0, sizeof out);
}

int main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = PATH};
    int listener = socket(AF_UNIX, SOCK_SEQPACKET, 0), fd;

    if (argc < 2 || bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1))
        return 1;
    fd = accept(listener, NULL, NULL);
    while (recv(fd, in, sizeof in, 0) > 0) {
        if (in[0] == HELLO) {
            memcpy(out + 8, "caisson\n\1\0\0\0\xe8\3\0", 16);
            say(fd, HELLO, NULL, 16);
        } else if (in[0] == COMMAND && in[1]) {
            say(fd, EXIT, in + 4, 88);
        } else if (in[0] == PING) {
            say(fd, PONG, NULL, 0);
        } else if (in[0] == FINISH) {
            printf("asked to finish\n");
            fflush(stdout);
            if (strcmp(argv[1], "noisy") == 0)
                send(fd, "?", 1, 0);
            if (strcmp(argv[1], "held") == 0 || strcmp(argv[1], "liar") == 0)
                say(fd, REAPED, NULL, 4);
            if (strcmp(argv[1], "liar") == 0)
                close(fd);
            sleep(600);
        }
    }
    return 0;
}
