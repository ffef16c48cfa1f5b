#include "report/progress.h"

#include <stdio.h>
#include <string.h>

#include "core/clock.h"

#define INTERVAL_MS 1000

void progress_note(struct progress *progress, const struct record *record)
{
    progress->waits = true;
    progress->sequence = record->sequence;
    progress->wall_ms = record->wall_ms;
    memcpy(progress->step, record->step, sizeof progress->step);
    snprintf(progress->text, sizeof progress->text, "%s", record->text);
}

int64_t progress_wait_ms(const struct progress *progress)
{
    return progress->told_ms + INTERVAL_MS - clock_monotonic_ms();
}

/* "receiving objects 40 %", "pushing 4 of 12 MB (33 %)"; −1: it does not say. */
static int percent_of(const char *text)
{
    size_t len = strlen(text), end;
    int percent = 0;

    if (len && text[len - 1] == ')')
        len--;
    if (!len || text[len - 1] != '%')
        return -1;
    for (end = len - 1; end && text[end - 1] == ' '; end--)
        ;
    for (len = end; len && text[len - 1] >= '0' && text[len - 1] <= '9'; len--)
        ;
    if (len == end || end - len > 3)
        return -1;
    for (; len < end; len++)
        percent = percent * 10 + (text[len] - '0');
    return percent <= 100 ? percent : -1;
}

void progress_event(struct progress *progress, struct event *event)
{
    *event = (struct event){.kind = EVENT_PROGRESS,
                            .first = progress->sequence,
                            .last = progress->sequence,
                            .wall_ms = progress->wall_ms,
                            .step = progress->step,
                            .text = progress->text,
                            .percent = percent_of(progress->text)};
    progress->waits = false;
    progress->told_ms = clock_monotonic_ms();
}
