#include "proc/memory_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "core/protection.h"
#include "proc/memory_group.h"

#define LOOK_MS 250
#define LOOK_CLOSELY_MS 50 /* above half of the threshold */

struct memory_watch {
    struct memory_watch_options options;
    struct memory_group group;
    struct loop_timer *timer;
    struct memory_use use;
    int64_t kills; /* before the command */
    bool by_group;
};

static int64_t limit_of(const struct memory_group *group, int64_t known_bytes, const char *root)
{
    return memory_smaller_limit(memory_smaller_limit(known_bytes, memory_group_limit(group)), memory_of_machine(root));
}

int64_t memory_limit(int64_t known_bytes, const char *root)
{
    struct memory_group group;
    int64_t limit;

    memory_group_find(&group, root);
    limit = limit_of(&group, known_bytes, root);
    memory_group_dispose(&group);
    return limit;
}

int64_t memory_threshold(const struct command_memory *memory, int64_t limit_bytes)
{
    int64_t threshold = memory->bytes;

    if (memory->percent > 0 && memory->percent < 100 && limit_bytes > 0)
        threshold = memory_smaller_limit(threshold, limit_bytes / 100 * memory->percent);
    return threshold;
}

/* What the processes have, each for itself; remembers the biggest that ever was. */
static int64_t look_at_processes(struct memory_watch *watch, const struct processes *processes)
{
    int64_t sum = 0;
    size_t i;

    for (i = 0; i < processes->len; i++) {
        const struct process *process = &processes->items[i];

        if (!watch->by_group)
            sum += process_private_bytes(process);
        if (process->resident_bytes <= watch->use.biggest_bytes)
            continue;
        watch->use.biggest_bytes = process->resident_bytes;
        snprintf(watch->use.biggest_name, sizeof watch->use.biggest_name, "%s", process->name);
    }
    return sum;
}

static void on_look(void *context)
{
    struct memory_watch *watch = context;
    int64_t threshold = watch->use.threshold_bytes;
    struct processes all, processes;
    int64_t used;

    processes_read(&all);
    processes_descendants(&all, getpid(), watch->options.before, &processes);
    used = look_at_processes(watch, &processes);
    if (watch->by_group)
        used = memory_group_used(&watch->group);
    if (used > watch->use.peak_bytes)
        watch->use.peak_bytes = used;
    watch->timer = NULL;
    if (threshold > 0 && used > threshold && PROTECTED(MEMORY_WATCH))
        watch->options.over(watch->options.context, &processes);
    else
        watch->timer = loop_timer_start(
            watch->options.loop, threshold > 0 && used > threshold / 2 ? LOOK_CLOSELY_MS : LOOK_MS, on_look, watch);
    processes_dispose(&processes);
    processes_dispose(&all);
}

struct memory_watch *memory_watch_start(const struct memory_watch_options *options)
{
    struct memory_watch *watch = xcalloc(1, sizeof *watch);
    bool own;

    watch->options = *options;
    memory_group_find(&watch->group, "");
    own = memory_group_is_own(&watch->group, options->alone);
    watch->by_group = options->alone && own && memory_group_used(&watch->group) >= 0;
    watch->use.limit_bytes = limit_of(&watch->group, options->memory.known_limit_bytes, "");
    watch->use.threshold_bytes = memory_threshold(&options->memory, watch->use.limit_bytes);
    /* What was killed in a group of others says nothing about this command. */
    watch->kills = own ? memory_group_kills(&watch->group) : -1;
    watch->timer = loop_timer_start(options->loop, LOOK_CLOSELY_MS, on_look, watch);
    return watch;
}

void memory_watch_stop(struct memory_watch *watch, struct outcome *outcome)
{
    const int64_t largest_bytes = outcome->peak_rss_bytes;

    loop_timer_stop(watch->timer);
    /* A process that grew and died between two looks has a size, but no name. */
    if (largest_bytes > watch->use.biggest_bytes) {
        if (watch->use.biggest_bytes < largest_bytes / 2)
            watch->use.biggest_name[0] = '\0';
        watch->use.biggest_bytes = largest_bytes;
    }
    if (watch->use.biggest_bytes > watch->use.peak_bytes)
        watch->use.peak_bytes = watch->use.biggest_bytes;
    /* A process has pages of files too, which do not count. */
    if (watch->by_group && watch->use.limit_bytes && watch->use.peak_bytes > watch->use.limit_bytes)
        watch->use.peak_bytes = watch->use.limit_bytes;
    outcome->out_of_memory = watch->kills >= 0 && memory_group_kills(&watch->group) > watch->kills;
    outcome->memory = watch->use;
    memory_group_dispose(&watch->group);
    free(watch);
}
