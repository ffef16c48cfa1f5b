#include "net/pace.h"

#include <string.h>

#define WINDOW_MS 1000
/* Fewer say little about a rate; less time than this neither. */
#define ENOUGH_TAKEN 8
#define ENOUGH_MS 100
#define FEW 4            /* times as many taken as refused: the pace is about right */
#define DECREASE 0.9     /* of what was measured, so that the server's reserve fills up again */
#define HALF 0.5         /* without a measure */
#define FIRST_LEAST 50.0 /* a single refusal may be a mishap: it does not bring everything to a halt */
#define LEAST 1.0
#define FIRST_MOST 5000.0
#define MOST 20000.0 /* no limit from here on */
#define STEP 0.1     /* of the rate, a second; twice as much with each second without a refusal */
#define STEP_LEAST 1.0
#define DOUBLINGS_MAX 12
#define BURST_S 0.01 /* timers are no finer, and the machine may be busy */

void pace_init(struct pace *pace)
{
    memset(pace, 0, sizeof *pace);
    pace->measured = -1;
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

static void begin_window(struct pace *pace, int64_t now_ms)
{
    pace->window_ms = now_ms;
    pace->taken = 0;
    pace->refused = 0;
}

/* ---- sending ---- */

int64_t pace_take(struct pace *pace, int64_t now_ms)
{
    if (pace->rate <= 0)
        return 0;
    pace->tokens += pace->rate * (double)(now_ms - pace->filled_ms) / 1000;
    pace->tokens = smaller(pace->tokens, 1 + pace->rate * BURST_S);
    pace->filled_ms = now_ms;
    if (pace->tokens < 1)
        return 1 + (int64_t)((1 - pace->tokens) * 1000 / pace->rate);
    pace->tokens -= 1;
    return 0;
}

/* ---- measuring ---- */

static void close_old_window(struct pace *pace, int64_t now_ms)
{
    int64_t length_ms = now_ms - pace->window_ms;

    if (pace->window_ms && length_ms < WINDOW_MS)
        return;
    /* One that ended long ago: nothing was sent, which measures the sender. */
    pace->measured = pace->window_ms && length_ms < 2 * WINDOW_MS ? (double)pace->taken * 1000 / (double)length_ms : -1;
    begin_window(pace, now_ms);
}

/* What the server takes in a second; below 0 when that is not known. */
static double measure(const struct pace *pace, int64_t now_ms)
{
    int64_t length_ms = now_ms - pace->window_ms;

    if (pace->taken >= ENOUGH_TAKEN)
        return (double)pace->taken * 1000 / (double)(length_ms > 0 ? length_ms : 1);
    return pace->measured;
}

/* ---- the rate ---- */

static void set_rate(struct pace *pace, double rate, int64_t now_ms)
{
    pace->rate = rate;
    pace->step = larger(rate * STEP, STEP_LEAST);
    pace->cut_ms = now_ms;
    begin_window(pace, now_ms);
}

void pace_accepted(struct pace *pace, int64_t now_ms)
{
    int64_t doublings;

    close_old_window(pace, now_ms);
    pace->taken++;
    if (pace->rate <= 0)
        return;
    doublings = (now_ms - pace->cut_ms) / 1000;
    pace->rate += pace->step * (double)(1 << (doublings < DOUBLINGS_MAX ? doublings : DOUBLINGS_MAX)) / pace->rate;
    if (pace->rate > MOST)
        pace->rate = 0;
}

static void refuse_first(struct pace *pace, int64_t now_ms)
{
    int64_t length_ms = now_ms - pace->window_ms;
    double measured = (double)pace->taken * 1000 / (double)(length_ms > ENOUGH_MS ? length_ms : ENOUGH_MS);

    set_rate(pace, smaller(FIRST_MOST, larger(DECREASE * larger(measured, pace->measured), FIRST_LEAST)), now_ms);
    pace->tokens = 0;
    pace->filled_ms = now_ms;
}

void pace_refused(struct pace *pace, int64_t sent_ms, int64_t now_ms)
{
    double measured, rate;

    close_old_window(pace, now_ms);
    if (pace->rate <= 0) {
        refuse_first(pace, now_ms);
        return;
    }
    if (sent_ms <= pace->cut_ms)
        return; /* known already */
    pace->refused++;
    /* Too early to say how the server takes the pace that was chosen then, or the pace is about right. */
    if (now_ms - pace->cut_ms < WINDOW_MS && (pace->taken < ENOUGH_TAKEN || pace->refused * FEW < pace->taken))
        return;
    measured = measure(pace, now_ms);
    rate = measured < 0 ? HALF * pace->rate : DECREASE * smaller(measured, pace->rate);
    if (pace->taken < ENOUGH_TAKEN)
        rate = larger(rate, HALF * pace->rate);
    set_rate(pace, larger(rate, LEAST), now_ms);
}
