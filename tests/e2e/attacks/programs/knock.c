/* knock [as UID] [wait SECONDS] PATH...: connects where the sandbox listens for its runner, and says a few things.
 * A connection that is kept is a win: whoever has it can command, or stand in the runner's way. */
#include "attack.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

static const char nonsense[40000];

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

/* A descriptor beside the bytes, which nobody asked for. */
static void send_descriptor(int fd)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    struct iovec bytes = {(char *)"\1\0\0\0\0\0\0\0", 8};
    struct msghdr message = {
        .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};

    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    sendmsg(fd, &message, MSG_NOSIGNAL);
}

int main(int argc, char **argv)
{
    time_t end = time(NULL);
    int i = 1, k, fd;

    if (argc > i + 1 && strcmp(argv[i], "as") == 0) {
        if (setgid((gid_t)atoi(argv[i + 1])) || setuid((uid_t)atoi(argv[i + 1])))
            return 1;
        i += 2;
    }
    if (argc > i + 1 && strcmp(argv[i], "wait") == 0) {
        end += atoi(argv[i + 1]);
        i += 2;
    }
    do {
        for (k = i; k < argc; k++) {
            fd = connect_to(argv[k]);
            if (fd < 0)
                continue;
            won("connected to %s", argv[k]);
            send(fd, "\1\0\0\0\0\0\0\0caisson\n\1\0\0\0\350\3\0\0", 24, MSG_NOSIGNAL);
            send(fd, nonsense, sizeof nonsense, MSG_NOSIGNAL);
            send_descriptor(fd);
            sleep(1);
            return 0;
        }
        usleep(500);
    } while (time(NULL) < end);
    return 0;
}
