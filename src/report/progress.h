/* The newest word of progress, which waits until it may be told. Private to report/. */
#ifndef CAISSON_REPORT_PROGRESS_H
#define CAISSON_REPORT_PROGRESS_H

#include "report/event.h"

struct progress {
    bool waits;
    uint64_t sequence;
    int64_t wall_ms, told_ms; /* told: monotonic, of the last one */
    char step[24], text[256];
};

/* Takes the place of an older one. */
void progress_note(struct progress *progress, const struct record *record);
/* So long it has to wait, for there is one a second at most; 0 and less: not any more. */
int64_t progress_wait_ms(const struct progress *progress);
/* The event of it, and nothing waits any more. Borrows its texts. */
void progress_event(struct progress *progress, struct event *event);

#endif
