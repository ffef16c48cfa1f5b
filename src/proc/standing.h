/* How the kernel treats us among other processes: what a build that shares our uid could make worse. */
#ifndef CAISSON_PROC_STANDING_H
#define CAISSON_PROC_STANDING_H

#include <stdbool.h>

struct standing {
    bool known;
    int oom_score;
    int nice;
};

void standing_read(struct standing *standing);
/* As far as we may: making ourselves more important than our parent made us takes a capability. */
void standing_restore(const struct standing *standing);

/*
 * Gives us, as root, a saved uid that nobody else has: root without CAP_SYS_RESOURCE may set the limits of processes
 * whose three uids are its own (prlimit(2)), and so a root build could take our descriptors away. Exec makes the saved
 * uid that of root again: children of ours that are root do it for themselves. False: it was not possible, or not
 * needed.
 */
bool standing_take_saved_uid(void);
/* Whether it has been done. */
bool standing_has_saved_uid(void);

#endif
