/* sniff: what others of the container say in clear on the network, for five seconds. */
#include "attack.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

int main(void)
{
    static char frame[65536];
    int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
    time_t end = time(NULL) + 5;

    if (fd < 0) {
        perror("socket");
        return 0;
    }
    while (time(NULL) < end) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        ssize_t got;

        if (poll(&ready, 1, 200) <= 0)
            continue;
        got = recv(fd, frame, sizeof frame, 0);
        if (got > 0 &&
            (memmem(frame, (size_t)got, "AccessKeyId", 11) || memmem(frame, (size_t)got, "canary-session-", 15))) {
            won("credentials on the wire");
            return 0;
        }
    }
    return 0;
}
