/* many COUNT MIB: processes that are each smaller than PID 1, and together larger than the container's memory. */
#include "attack.h"

#include <sys/wait.h>

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 100, mib = argc > 2 ? atoi(argv[2]) : 4;
    int i;

    for (i = 0; i < count; i++) {
        pid_t child = fork();

        if (child == 0) {
            char *memory = malloc((size_t)mib << 20);

            if (memory)
                explicit_bzero(memory, (size_t)mib << 20); /* no compiler leaves that out */
            sleep(4);
            _exit(0);
        }
        if (child < 0)
            break;
        usleep(2000);
    }
    for (i = 0; i < count; i++)
        if (wait(NULL) < 0)
            break;
    return 0;
}
