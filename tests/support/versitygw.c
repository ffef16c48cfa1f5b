#include "support/versitygw.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/mem.h"
#include "support/http_server.h"

static char *find_program(void)
{
    const char *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    char *path = cache && *cache ? xasprintf("%s/caisson/tools/versitygw-v1.8.0/versitygw", cache)
                                 : xasprintf("%s/.cache/caisson/tools/versitygw-v1.8.0/versitygw", home ? home : "");

    if (access(path, X_OK) == 0)
        return path;
    fprintf(stderr, "skipped: no %s (tests/tools/ensure-go-tool versitygw makes it)\n", path);
    free(path);
    return NULL;
}

static bool answers(int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;

    close(fd);
    return good;
}

static void make_folder(const char *folder, const char *name)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", folder, name);

    if (mkdir(path, 0700)) {
        perror(path);
        abort();
    }
}

static void run(const struct versitygw *server, const char *program)
{
    CLEANUP_FREE char *port = xasprintf("127.0.0.1:%d", server->port);
    CLEANUP_FREE char *domain = xasprintf("localhost:%d", server->port);
    CLEANUP_FREE char *iam = xasprintf("%s/iam", server->folder);
    CLEANUP_FREE char *data = xasprintf("%s/data", server->folder);
    int quiet = open("/dev/null", O_RDWR | O_CLOEXEC);

    dup2(quiet, 1);
    dup2(quiet, 2);
    execl(program, "versitygw", "--access", VERSITYGW_ACCESS, "--secret", VERSITYGW_SECRET, "--port", port, "--region",
          VERSITYGW_REGION, "--virtual-domain", domain, "--iam-dir", iam, "posix", data, (char *)NULL);
    _exit(127);
}

bool versitygw_start(struct versitygw *server)
{
    CLEANUP_FREE char *program = find_program();
    const struct timespec moment = {.tv_nsec = 20 * 1000 * 1000};
    int i;

    *server = (struct versitygw){0};
    if (!program)
        return false;
    if (fs_make_temp("/tmp", "caisson-s3-", &server->folder))
        abort();
    make_folder(server->folder, "iam");
    make_folder(server->folder, "data");
    make_folder(server->folder, "data/" VERSITYGW_BUCKET);
    server->port = http_server_unused_port();
    server->endpoint = xasprintf("http://127.0.0.1:%d", server->port);
    server->pid = fork();
    if (server->pid == 0)
        run(server, program);
    for (i = 0; i < 500 && !answers(server->port); i++)
        nanosleep(&moment, NULL);
    return true;
}

void versitygw_stop(struct versitygw *server)
{
    if (server->pid > 0) {
        kill(server->pid, SIGKILL);
        waitpid(server->pid, NULL, 0);
    }
    if (server->folder)
        fs_remove_tree(server->folder);
    free(server->folder);
    free(server->endpoint);
}
