/* descriptors: what was left open for us. */
#include "attack.h"

#include <dirent.h>

int main(void)
{
    DIR *folder = opendir("/proc/self/fd");
    struct dirent *entry;
    char path[300], target[256];

    while (folder && (entry = readdir(folder))) {
        int fd = atoi(entry->d_name);
        ssize_t len;

        if (entry->d_name[0] == '.' || fd == dirfd(folder) || fd <= 2)
            continue;
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        len = readlink(path, target, sizeof target - 1);
        won("descriptor %d is %.*s", fd, len > 0 ? (int)len : 0, target);
    }
    return 0;
}
