#include "proc/standing.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/mem.h"
#include "core/protection.h"

#define OOM_SCORE "/proc/self/oom_score_adj"

static int read_oom_score(void)
{
    int fd = open(OOM_SCORE, O_RDONLY | O_CLOEXEC);
    char text[16] = "";

    if (fd < 0)
        return 0;
    if (read(fd, text, sizeof text - 1) < 0)
        *text = '\0';
    close(fd);
    return (int)strtol(text, NULL, 10);
}

static void write_oom_score(int score)
{
    int fd = open(OOM_SCORE, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    dprintf(fd, "%d", score);
    close(fd);
}

/* In a user namespace not every uid exists: the second is of those that nearly all have. */
static const uid_t own_uids[] = {2147483645u, 65533u};

bool standing_take_saved_uid(void)
{
    size_t i;

    if (geteuid() != 0 || !PROTECTED(OWN_SAVED_UID))
        return false;
    for (i = 0; i < ARRAY_LEN(own_uids); i++)
        if (setresuid((uid_t)-1, (uid_t)-1, own_uids[i]) == 0)
            return true;
    return false;
}

bool standing_has_saved_uid(void)
{
    uid_t real, effective, saved;

    return getresuid(&real, &effective, &saved) == 0 && saved != effective;
}

void standing_read(struct standing *standing)
{
    *standing = (struct standing){.known = true, .oom_score = read_oom_score(), .nice = getpriority(PRIO_PROCESS, 0)};
}

void standing_restore(const struct standing *standing)
{
    if (read_oom_score() != standing->oom_score)
        write_oom_score(standing->oom_score);
    if (getpriority(PRIO_PROCESS, 0) != standing->nice)
        setpriority(PRIO_PROCESS, 0, standing->nice);
}
