/* lingers: processes that stay when the RUN has ended, in every way that there is, and note again and again that they
 * live. beats: where. */
#include "attack.h"

#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

#define BEATS "/var/tmp/witness/beats"
#define LIFE_S 60

static void linger(void)
{
    time_t end = time(NULL) + LIFE_S;
    int number;

    for (number = 1; number < 32; number++)
        signal(number, SIG_IGN);
    while (time(NULL) < end) {
        int fd = open(BEATS, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

        if (fd >= 0 && write(fd, ".", 1) == 1)
            close(fd);
        usleep(5000);
    }
    _exit(0);
}

int main(void)
{
    int way;

    for (way = 0; way < 4; way++) {
        if (fork() != 0)
            continue;
        if (way & 1)
            setsid();
        if (way & 2)
            prctl(PR_SET_NAME, "caisson");
        if (fork() == 0) {
            setsid();
            close(0);
            close(1);
            close(2);
            linger();
        }
        _exit(0);
    }
    usleep(100000);
    return 0;
}
