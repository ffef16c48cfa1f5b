/* ran: stands in the place of another program, and says when it is started. */
#include "attack.h"

int main(int argc, char **argv)
{
    char name[200] = "?";
    ssize_t len = readlink("/proc/self/exe", name, sizeof name - 1);

    name[len < 0 ? 0 : len] = '\0';
    won("%s was started as %u with %s", name, (unsigned)getuid(), argc > 1 ? argv[1] : "nothing");
    return 0;
}
