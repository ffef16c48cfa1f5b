/* suid: what a program of root with the setuid bit becomes when the build starts it. */
#include "attack.h"

int main(void)
{
    if (geteuid() == 0)
        won("root again");
    return 0;
}
