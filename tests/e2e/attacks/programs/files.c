/* files socket PATH: a socket in the file system. files swap A B [SECONDS]: A and B change places without end.
 * files deep COUNT: so many folders in each other. files many COUNT: so many empty files. */
#include "attack.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>

#define EXCHANGE 2u

static int make_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    return bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof address) != 0;
}

static int swap(const char *one, const char *other, int seconds)
{
    time_t end = time(NULL) + seconds;

    while (time(NULL) < end)
        syscall(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, other, EXCHANGE);
    return 0;
}

static int make_deep(int count)
{
    while (count-- > 0)
        if (mkdir("d", 0755) || chdir("d"))
            return 1;
    close(open("leaf", O_CREAT | O_WRONLY, 0644));
    return 0;
}

static int make_many(int count)
{
    char name[32];

    while (count-- > 0) {
        snprintf(name, sizeof name, "f%d", count);
        close(open(name, O_CREAT | O_WRONLY, 0644));
    }
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[1] : "";

    if (strcmp(what, "socket") == 0)
        return make_socket(argv[2]);
    if (strcmp(what, "swap") == 0 && argc > 3)
        return swap(argv[2], argv[3], argc > 4 ? atoi(argv[4]) : 20);
    if (strcmp(what, "deep") == 0)
        return make_deep(atoi(argv[2]));
    if (strcmp(what, "many") == 0)
        return make_many(atoi(argv[2]));
    return 2;
}
