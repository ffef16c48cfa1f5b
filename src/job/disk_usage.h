/* Which folders of the workspace are large: looked at within bounds, following no link, on its own file system only. */
#ifndef CAISSON_JOB_DISK_USAGE_H
#define CAISSON_JOB_DISK_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISK_USAGE_FOLDERS 8

struct disk_usage {
    struct {
        char name[96];             /* two levels, "source/node_modules"; printable */
        int64_t bytes;             /* as they lie on the disk: holes do not count */
    } folders[DISK_USAGE_FOLDERS]; /* the largest first */
    size_t len;
    bool cut; /* time or number of files ran out before all was seen */
};

/* 0 or -errno. */
int disk_usage_of(struct disk_usage *usage, int folder_fd);

#endif
