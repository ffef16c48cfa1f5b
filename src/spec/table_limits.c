/* limits: and the operator's bounds of it. */
#include "spec/table.h"

const struct rule limits_rules[] = {
    {.name = "memory",
     .type = TYPE_LIMIT,
     .fallback = "90%",
     .doc = "Of the build's processes together, page cache apart. A percentage is of the memory that the container may "
            "use: the smallest of the container's or the task's limit, the cgroup's, and the machine's memory. "
            "`100%` leaves it to the kernel.",
     .example = "3GiB"},
    {.name = "disk",
     .type = TYPE_LIMIT,
     .fallback = "90%",
     .doc = "Of what the workspace's file system loses while the job runs. A percentage is of what was free there at "
            "the job's start.",
     .example = "15GiB"},
    {.name = "output", .type = TYPE_SIZE, .fallback = "5GiB", .doc = "Bytes that one artifact may hold."},
    {.name = "log", .type = TYPE_SIZE, .fallback = "64MiB", .doc = "Bytes of log that are kept."},
    {0},
};

const struct rule max_limits_rules[] = {
    {.name = "memory", .type = TYPE_LIMIT, .doc = "Of `limits.memory`.", .example = "90%"},
    {.name = "disk", .type = TYPE_LIMIT, .doc = "Of `limits.disk`.", .example = "50GiB"},
    {.name = "output", .type = TYPE_SIZE, .doc = "Of `limits.output`.", .example = "5GiB"},
    {.name = "log", .type = TYPE_SIZE, .doc = "Of `limits.log`.", .example = "64MiB"},
    {0},
};
