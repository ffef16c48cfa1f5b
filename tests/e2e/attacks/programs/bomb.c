/* bomb memory US: a MiB every so many microseconds. bomb descriptors. bomb output MIB: without a newline. */
#include "attack.h"

#include <errno.h>
#include <sys/wait.h>

static char block[1 << 20];

static int memory(unsigned pause_us)
{
    for (;;) {
        char *piece = malloc(sizeof block);

        if (!piece)
            return 1;
        explicit_bzero(piece, sizeof block); /* no compiler leaves that out */
        usleep(pause_us);
    }
}

/* In every process as many as there may be, and the processes stay. */
static int descriptors(void)
{
    int i, count = 0;

    for (i = 0; i < 20; i++)
        if (fork() == 0) {
            while (dup(1) >= 0)
                count++;
            printf("%d descriptors, then %s\n", count, strerror(errno));
            fflush(stdout);
            sleep(2);
            _exit(0);
        }
    while (wait(NULL) >= 0)
        ;
    return 3;
}

static int output(int mib)
{
    int i;

    memset(block, 'x', sizeof block);
    for (i = 0; i < mib; i++)
        if (write(1, block, sizeof block) < 0)
            return 1;
    return 4;
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "memory") == 0)
        return memory((unsigned)atoi(argv[2]));
    if (argc > 1 && strcmp(argv[1], "descriptors") == 0)
        return descriptors();
    if (argc > 2 && strcmp(argv[1], "output") == 0)
        return output(atoi(argv[2]));
    return 2;
}
