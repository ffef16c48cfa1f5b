/*
 * How many requests a second a server is sent after it has said that it wants fewer (503 SlowDown, 429). No limit until
 * then. The first such answer sets the pace to what the server has taken lately; later ones lower it to nine tenths of
 * that: once a second, or once a round trip while many are refused. Each request that it takes raises it a little, and
 * more the longer nothing was refused, until there is no limit again (additive increase, multiplicative decrease). All
 * that share a pace learn from each other, so that those who were refused do not come back together.
 *
 * Plain data without a clock of its own: times are monotonic milliseconds of the caller's. Nothing to dispose.
 */
#ifndef CAISSON_NET_PACE_H
#define CAISSON_NET_PACE_H

#include <stdint.h>

struct pace {
    double rate;       /* requests a second; 0: no limit */
    double tokens;     /* so many may be sent at once */
    int64_t filled_ms; /* when the tokens were counted */
    double step;       /* by which the rate grows in its first second */
    int64_t cut_ms;    /* when the rate was lowered: what was sent before says nothing about it */

    /* what the server takes: counted in windows of a second, or since the rate was lowered */
    int64_t window_ms;
    int64_t taken, refused;
    double measured; /* a second, in the window before; below 0: not known */
};
void pace_init(struct pace *pace);
/* Takes the right to send one request now, when the pace leaves one. Returns 0, or the milliseconds to wait before
 * asking again. */
int64_t pace_take(struct pace *pace, int64_t now_ms);
/* A request was taken by the server, whatever became of it. */
void pace_accepted(struct pace *pace, int64_t now_ms);
/* One that was sent at `sent_ms` was refused because there are too many. */
void pace_refused(struct pace *pace, int64_t sent_ms, int64_t now_ms);

#endif
